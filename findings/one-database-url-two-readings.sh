#!/usr/bin/env bash
# dj-database-url 3.1.2, django-environ 0.14.0, Django 5.2.19, psycopg 3.3.4.
#
# Both packages make Django's DATABASES out of a DATABASE_URL, and they differ in what they make of the same
# one. `conn_max_age` is Django's own setting for django-environ and stays among the driver's OPTIONS for
# dj-database-url (where psycopg then refuses it before it connects). A socket's folder as a percent-encoded
# host is decoded by dj-database-url only, so that django-environ names a host that nobody has. Several hosts
# with a port each are read by django-environ only. `pool=true` is the switch True for one and the text
# "true" for the other.
#
# Seen:
#   conn_max_age=600      dj-database-url OPTIONS {'conn_max_age': 600}   django-environ CONN_MAX_AGE 600
#   psycopg on that OPTIONS: invalid connection option "conn_max_age"
#   %2Frun%2Fpostgresql   dj-database-url HOST '/run/postgresql'          django-environ HOST '%2Frun%2Fpostgresql'
#   h1:5432,h2:5433       dj-database-url ParseError                      django-environ HOST 'h1,h2' PORT '5432,5433'
#   pool=true             dj-database-url True                            django-environ 'true'
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 \
    dj-database-url==3.1.2 django-environ==0.14.0 psycopg==3.3.4 psycopg-binary==3.3.4

cat >"$folder/read.py" <<'PYTHON'
import dj_database_url
import environ
import psycopg


def dj(url):
    try:
        return dj_database_url.parse(url)
    except Exception as error:
        return {"error": type(error).__name__}


other = environ.Env.db_url_config
url = "postgres://ann:secret@db/app?conn_max_age=600"
print("conn_max_age:", dj(url)["OPTIONS"], dj(url)["CONN_MAX_AGE"], other(url).get("OPTIONS"), other(url)["CONN_MAX_AGE"])
try:
    psycopg.conninfo.make_conninfo(dbname="app", **dj(url)["OPTIONS"])
except psycopg.ProgrammingError as error:
    print("psycopg:", str(error).strip())
url = "postgres://ann:secret@%2Frun%2Fpostgresql/app"
print("socket:", dj(url)["HOST"], other(url)["HOST"])
url = "postgres://ann:secret@h1:5432,h2:5433/app"
print("hosts:", dj(url), other(url)["HOST"], other(url)["PORT"])
url = "postgres://ann:secret@db/app?pool=true"
print("pool:", repr(dj(url)["OPTIONS"]["pool"]), repr(other(url)["OPTIONS"]["pool"]))
PYTHON

"$folder/venv/bin/python" "$folder/read.py" | tee "$folder/seen"

diff - "$folder/seen" <<'EXPECTED'
conn_max_age: {'conn_max_age': 600} 0 {} 600
psycopg: invalid connection option "conn_max_age"
socket: /run/postgresql %2Frun%2Fpostgresql
hosts: {'error': 'ParseError'} h1,h2 5432,5433
pool: True 'true'
EXPECTED
