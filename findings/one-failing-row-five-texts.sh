#!/usr/bin/env bash
# PostgreSQL 16.2 (pgserver 0.1.4), psycopg 3.3.4, asyncpg 0.31.0, pg8000 1.31.5, tokio-postgres 0.7.18,
# sqlx 0.8.6.
#
# An INSERT that leaves out a NOT NULL column. PostgreSQL's error has a DETAIL with the whole row, here with a
# password's hash. Whether that is in the text that a program logs depends on the client: `str(error)` of psycopg
# and pg8000 and tokio-postgres' Display have it; asyncpg's `str` and sqlx' Display don't, sqlx' Debug does.
#
# Seen: see below EXPECTED.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pgserver==0.1.4 \
    psycopg==3.3.4 psycopg-binary==3.3.4 asyncpg==0.31.0 pg8000==1.31.5
mkdir -p "$folder/data" "$folder/src"
chmod 755 "$folder" "$folder/data"

cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "texts"
version = "0.0.0"
edition = "2021"

[dependencies]
sqlx = { version = "=0.8.6", default-features = false, features = ["postgres", "runtime-tokio"] }
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
tokio-postgres = "=0.7.18"
TOML

cat >"$folder/src/main.rs" <<'RUST'
use sqlx::{Connection, Executor};

#[tokio::main]
async fn main() {
    let url = std::env::args().nth(1).unwrap();
    let sql = std::env::args().nth(2).unwrap();
    let says = |client: &str, text: String| println!("{client}: {}", text.contains("md5$x$secret"));
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let error = client.batch_execute(&sql).await.unwrap_err();
    says("tokio-postgres, Display", error.to_string());
    says("tokio-postgres, Debug", format!("{error:?}"));
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    let error = connection.execute(sql.as_str()).await.unwrap_err();
    says("sqlx, Display", error.to_string());
    says("sqlx, Debug", format!("{error:?}"));
}
RUST

cat >"$folder/look.py" <<'PYTHON'
import asyncio
import subprocess
import sys

import asyncpg
import pg8000.native
import pgserver
import psycopg

server = pgserver.get_server(sys.argv[1])
url = server.get_uri()
SQL = "INSERT INTO account (name, password) VALUES (NULL, 'md5$x$secret')"
with psycopg.connect(url, autocommit=True) as made:
    made.execute("CREATE TABLE account (name text NOT NULL, password text NOT NULL)")
    made.execute("ALTER USER postgres PASSWORD 'postgres'")


def says(client, error):
    print(f"{client}: {'md5$x$secret' in str(error)}", flush=True)


try:
    with psycopg.connect(url) as connection:
        connection.execute(SQL)
except psycopg.Error as error:
    says("psycopg, str", error)


async def by_asyncpg():
    connection = await asyncpg.connect(user="postgres", database="postgres", host=sys.argv[1])
    try:
        await connection.execute(SQL)
    except asyncpg.PostgresError as error:
        says("asyncpg, str", error)
    await connection.close()


asyncio.run(by_asyncpg())
connection = pg8000.native.Connection("postgres", database="postgres", unix_sock=sys.argv[1] + "/.s.PGSQL.5432")
try:
    connection.run(SQL)
except pg8000.native.DatabaseError as error:
    says("pg8000, str", error)
connection.close()
subprocess.run([sys.argv[2], f"postgresql://postgres@localhost/postgres?host={sys.argv[1]}", SQL], check=True)
server.cleanup()
PYTHON

(cd "$folder" && cargo build --quiet)
"$folder/venv/bin/python" "$folder/look.py" "$folder/data" "$folder/target/debug/texts" 2>"$folder/said" |
    tee "$folder/seen" || { cat "$folder/said" >&2; exit 1; }

diff - "$folder/seen" <<'EXPECTED'
psycopg, str: True
asyncpg, str: False
pg8000, str: True
tokio-postgres, Display: True
tokio-postgres, Debug: True
sqlx, Display: False
sqlx, Debug: True
EXPECTED
