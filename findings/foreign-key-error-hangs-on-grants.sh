#!/usr/bin/env bash
# MySQL 8.0.28 (Ubuntu 22.04's release), PyMySQL 1.1.2.
#
# The number of a foreign key's error depends on the grants of the account. With every privilege that a
# migration needs on the database (SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX and REFERENCES) a row
# without its parent is refused with 1216, and a parent that is still referred to with 1217, both without the
# name of the constraint. With ALL on the same database the numbers are 1452 and 1451, and the name is there.
# A program that knows only the second pair was tried with an account that had ALL.
#
# Seen:
#   SELECT, INSERT, UPDATE, DELETE: insert 1216 without the constraint, delete 1217 without the constraint
#   SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES: insert 1216 without the constraint, delete 1217 without the constraint
#   ALL: insert 1452 with the constraint, delete 1451 with the constraint
#
# It needs root, debootstrap, curl, Python 3.10 with venv, Ubuntu's archive and PyPI.
set -euo pipefail
folder=$(mktemp -d)
server=
trap 'if [ -n "$server" ]; then kill "$server"; wait "$server" || true; fi; rm -rf "$folder"' EXIT
archive=http://archive.ubuntu.com/ubuntu
curl -sSf -o "$folder/keyring.deb" \
    "$archive/pool/main/u/ubuntu-keyring/ubuntu-keyring_2021.03.26_all.deb"
echo "0d0e7ed6b112f5d03eabf3c7eb01ebdacf9c57714b279e90495cfc58c8c4520f  $folder/keyring.deb" |
    sha256sum --quiet -c -
dpkg-deb -x "$folder/keyring.deb" "$folder/keyring"
# debootstrap describes all of Ubuntu's suites in one file.
debootstrap --variant=minbase --components=main,universe --include=mysql-server-core-8.0 \
    --keyring="$folder/keyring/usr/share/keyrings/ubuntu-archive-keyring.gpg" \
    jammy "$folder/jammy" "$archive" /usr/share/debootstrap/scripts/gutsy >"$folder/log" 2>&1 ||
    { cat "$folder/log"; exit 1; }
mkdir "$folder/jammy/data"
mysqld() {
    exec chroot "$folder/jammy" /usr/sbin/mysqld --no-defaults --user=root --datadir=/data \
        --socket=/tmp/socket --skip-networking --mysqlx=OFF --secure-file-priv="" "$@" >>"$folder/log" 2>&1
}
(mysqld --initialize-insecure)
mysqld &
server=$!
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q PyMySQL==1.1.2
seen=$("$folder/venv/bin/python" - "$folder/jammy/tmp/socket" <<'PYTHON'
import sys, time
import pymysql

def connect(user, **more):
    for _ in range(120):
        try:
            return pymysql.connect(unix_socket=sys.argv[1], user=user, autocommit=True, **more)
        except pymysql.err.OperationalError as error:
            if error.args[0] not in (2002, 2003):
                raise
            time.sleep(1)
    raise SystemExit("the server doesn't come up")

def refused(cursor, statement):
    try:
        cursor.execute(statement)
    except pymysql.err.IntegrityError as error:
        number, text = error.args
        return f"{number} {'with' if 'named_key' in text else 'without'} the constraint"
    return "done"

admin = connect("root").cursor()
for statement in (
    "CREATE DATABASE shop",
    "CREATE TABLE shop.parent (id int PRIMARY KEY)",
    "CREATE TABLE shop.child (id int PRIMARY KEY, parent int,"
    " CONSTRAINT named_key FOREIGN KEY (parent) REFERENCES parent (id))",
    "INSERT INTO shop.parent VALUES (1)",
    "INSERT INTO shop.child VALUES (1, 1)",
):
    admin.execute(statement)
writes = "SELECT, INSERT, UPDATE, DELETE"
for number, grants in enumerate((writes, writes + ", CREATE, ALTER, DROP, INDEX, REFERENCES", "ALL")):
    admin.execute(f"CREATE USER app{number}@localhost IDENTIFIED WITH mysql_native_password BY ''")
    admin.execute(f"GRANT {grants} ON shop.* TO app{number}@localhost")
    cursor = connect(f"app{number}", database="shop").cursor()
    insert = refused(cursor, "INSERT INTO child VALUES (2, 2)")
    delete = refused(cursor, "DELETE FROM parent WHERE id = 1")
    print(f"{grants}: insert {insert}, delete {delete}")
PYTHON
)
printf '%s\n' "$seen"
expected=$(sed -n '/^# Seen:/,/^# It needs/s/^#   //p' "$0")
[ "$seen" = "$expected" ]
