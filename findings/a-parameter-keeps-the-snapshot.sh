#!/usr/bin/env bash
# PostgreSQL 16.2 (pgserver 0.1.4), psycopg 3.3.4.
#
# At READ COMMITTED a statement's snapshot is said to end with the statement. In a transaction that stays open
# it does so for a statement without parameters, which psycopg sends by the simple protocol. One with a parameter
# goes by the extended protocol, and its portal keeps the snapshot until the next statement or the end of the
# transaction: pg_stat_activity shows a backend_xmin, and CREATE INDEX CONCURRENTLY elsewhere waits for it. So a
# migration that holds a lock with `SELECT pg_advisory_xact_lock(%s)` on one connection can't make such an index
# on another; with the number written into the statement it can.
#
# Seen:
#   simple: idle in transaction, snapshot kept: False; CREATE INDEX CONCURRENTLY: made
#   extended: idle in transaction, snapshot kept: True; CREATE INDEX CONCURRENTLY: canceling statement due to statement timeout
#   extended, then simple: idle in transaction, snapshot kept: False; CREATE INDEX CONCURRENTLY: made
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pgserver==0.1.4 \
    psycopg==3.3.4 psycopg-binary==3.3.4
mkdir "$folder/data"
chmod 755 "$folder" "$folder/data"

cat >"$folder/look.py" <<'PYTHON'
import sys

import pgserver
import psycopg

server = pgserver.get_server(sys.argv[1])
url = server.get_uri()
other = psycopg.connect(url, autocommit=True)
other.execute("CREATE TABLE item (id integer)")
other.execute("SET statement_timeout = '2s'")
WAYS = {
    "simple": [("SELECT 1", None)],
    "extended": [("SELECT %s::integer", (1,))],
    "extended, then simple": [("SELECT %s::integer", (1,)), ("SELECT 1", None)],
}
for name, statements in WAYS.items():
    with psycopg.connect(url) as one:
        for sql, parameters in statements:
            one.execute(sql, parameters)
        state, kept = other.execute(
            "SELECT state, backend_xmin IS NOT NULL FROM pg_stat_activity WHERE pid = %s",
            (one.info.backend_pid,),
        ).fetchone()
        try:
            other.execute("CREATE INDEX CONCURRENTLY item_id ON item (id)")
            made = "made"
        except psycopg.Error as error:
            made = str(error).splitlines()[0]
        print(f"{name}: {state}, snapshot kept: {kept}; CREATE INDEX CONCURRENTLY: {made}")
    other.execute("DROP INDEX IF EXISTS item_id")
other.close()
server.cleanup()
PYTHON

"$folder/venv/bin/python" "$folder/look.py" "$folder/data" 2>/dev/null | tee "$folder/seen"

diff - "$folder/seen" <<'EXPECTED'
simple: idle in transaction, snapshot kept: False; CREATE INDEX CONCURRENTLY: made
extended: idle in transaction, snapshot kept: True; CREATE INDEX CONCURRENTLY: canceling statement due to statement timeout
extended, then simple: idle in transaction, snapshot kept: False; CREATE INDEX CONCURRENTLY: made
EXPECTED
