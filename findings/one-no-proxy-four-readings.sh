#!/usr/bin/env bash
# ureq 3.5.1 (Rust), requests 2.32.5, httpx 0.28.1, aiohttp 3.13.2 (Python).
#
# Clients that take their proxy from the environment read the same NO_PROXY differently. With a blank after the
# comma, as it is often written, ureq takes only the first host of the list for one that is reached directly. A bare
# domain stands for its sub-domains, too, with the Python clients, and for itself alone with ureq; one that
# begins with a dot includes the domain itself with requests and aiohttp only. `*.` is understood by ureq alone, a
# port by requests and httpx, a network in CIDR form by requests.
#
# Seen:
#   'one.invalid,two.invalid', http://two.invalid/: ureq direct, requests direct, httpx direct, aiohttp direct
#   'one.invalid, two.invalid', http://two.invalid/: ureq proxy, requests direct, httpx direct, aiohttp direct
#   'one.invalid', http://sub.one.invalid/: ureq proxy, requests direct, httpx direct, aiohttp direct
#   '.one.invalid', http://sub.one.invalid/: ureq direct, requests direct, httpx direct, aiohttp direct
#   '.one.invalid', http://one.invalid/: ureq proxy, requests direct, httpx proxy, aiohttp direct
#   '*.one.invalid', http://sub.one.invalid/: ureq direct, requests proxy, httpx proxy, aiohttp proxy
#   'one.invalid:8080', http://one.invalid:8080/: ureq proxy, requests direct, httpx direct, aiohttp proxy
#   '127.0.0.0/8', http://127.0.0.2:1/: ureq proxy, requests direct, httpx proxy, aiohttp proxy
#
# It needs Python 3.10 with venv and PyPI, cargo and crates.io.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q requests==2.32.5 httpx==0.28.1 aiohttp==3.13.2
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "reads"
version = "0.0.0"
edition = "2021"

[dependencies]
ureq = { version = "=3.5.1", default-features = false }
TOML
cat >"$folder/src/main.rs" <<'RUST'
fn main() {
    let url = std::env::args().nth(1).unwrap();
    let _ = ureq::get(&url).call();
}
RUST
cargo build -q --manifest-path "$folder/Cargo.toml" --target-dir "$folder/target"
seen=$("$folder/venv/bin/python" - "$folder/target/debug/reads" <<'PYTHON'
import http.server, os, subprocess, sys, threading

asked = []

class Proxy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append(self.path)
        self.send_response(204)
        self.end_headers()

    def do_CONNECT(self):
        asked.append(self.path)
        self.send_error(502)

    def log_message(self, *_):
        pass

proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
threading.Thread(target=proxy.serve_forever, daemon=True).start()
CLIENTS = {
    "ureq": [sys.argv[1]],
    "requests": [sys.executable, "-c", "import requests, sys; requests.get(sys.argv[1])"],
    "httpx": [sys.executable, "-c", "import httpx, sys; httpx.get(sys.argv[1])"],
    "aiohttp": [sys.executable, "-c", """
import aiohttp, asyncio, sys
async def get():
    async with aiohttp.ClientSession(trust_env=True) as session:
        await session.get(sys.argv[1])
asyncio.run(get())"""],
}
for no_proxy, url in (
    ("one.invalid,two.invalid", "http://two.invalid/"),
    ("one.invalid, two.invalid", "http://two.invalid/"),
    ("one.invalid", "http://sub.one.invalid/"),
    (".one.invalid", "http://sub.one.invalid/"),
    (".one.invalid", "http://one.invalid/"),
    ("*.one.invalid", "http://sub.one.invalid/"),
    ("one.invalid:8080", "http://one.invalid:8080/"),
    ("127.0.0.0/8", "http://127.0.0.2:1/"),
):
    found = []
    for name, command in CLIENTS.items():
        asked.clear()
        address = f"http://127.0.0.1:{proxy.server_port}"
        environment = {"PATH": os.environ["PATH"], "http_proxy": address, "no_proxy": no_proxy}
        subprocess.run([*command, url], env=environment, stderr=subprocess.DEVNULL)
        found.append(f"{name} {'proxy' if asked else 'direct'}")
    print(f"{no_proxy!r}, {url}: {', '.join(found)}")
PYTHON
)
printf '%s\n' "$seen"
expected=$(sed -n '/^# Seen:/,/^set/s/^#   //p' "$0")
[ "$seen" = "$expected" ]
