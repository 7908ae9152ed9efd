#!/usr/bin/env bash
# mysql_common 0.37.3 (the protocol of mysql_async 0.37.1), Rust 1.95.
#
# A login with MariaDB's plugin ed25519 fails now and then with the right password ("Access denied", 1045). The
# server asks for the plugin with a nonce of 32 random bytes, none of which ends it. The driver takes a last byte that
# is zero for an end, as older plugins send one behind their 20 bytes, and signs the 31 that are left. So it is one
# login in 256, the next of which succeeds; PyMySQL 1.1.2 signs all of them.
#
# Seen:
#   mysql_common, a nonce that ends in 7: 32 bytes of 32
#   mysql_common, a nonce that ends in 0: 31 bytes of 32
#   PyMySQL, a nonce that ends in 7: 32 bytes of 32
#   PyMySQL, a nonce that ends in 0: 32 bytes of 32
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "nonce"
version = "0.0.0"
edition = "2021"

[dependencies]
flate2 = { version = "1", features = ["rust_backend"] }
mysql_common = { version = "=0.37.3", default-features = false }
TOML
cat >"$folder/src/main.rs" <<'RUST'
use mysql_common::io::ParseBuf;
use mysql_common::packets::AuthSwitchRequest;

fn main() {
    for last in [7, 0] {
        // The request for another plugin: 0xfe, its name, and the rest of the packet.
        let mut packet = b"\xfeclient_ed25519\0".to_vec();
        packet.extend([1; 31]);
        packet.push(last);
        let request: AuthSwitchRequest<'_> = ParseBuf(&packet).parse(()).unwrap();
        println!("mysql_common, a nonce that ends in {last}: {} bytes of 32", request.plugin_data().len());
    }
}
RUST
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'PyMySQL[ed25519]==1.1.2' 'PyNaCl==1.6.0'
cat >"$folder/nonce.py" <<'PYTHON'
from pymysql import _auth
from pymysql.connections import Connection
from pymysql.protocol import MysqlPacket

# What the client hands to its signature.
_auth.ed25519_password = lambda password, scramble: print(f"{len(scramble)} bytes of 32") or b""
for last in (7, 0):
    packet = MysqlPacket(b"\xfeclient_ed25519\0" + b"\1" * 31 + bytes([last]), "utf8")
    connection = Connection(password="any", defer_connect=True)
    connection.write_packet, connection._read_packet = lambda data: None, lambda: packet
    packet.read_uint8()
    print(f"PyMySQL, a nonce that ends in {last}: ", end="")
    connection._process_auth(packet.read_string(), packet)
PYTHON
seen=$(
    cargo run --quiet --manifest-path "$folder/Cargo.toml"
    "$folder/venv/bin/python" "$folder/nonce.py"
)
printf '%s\n' "$seen"
expected=$(sed -n '/^# Seen:/,/^set/s/^#   //p' "$0")
[ "$seen" = "$expected" ]
