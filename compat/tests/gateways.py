"""nginx and Caddy, configured as docs/gateways.md says, and the programs around them."""

import base64
import contextlib
import hashlib
import http.client
import http.server
import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import tempfile
import threading
import time

import servers
from servers import free_port

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/gateways.md"
# Longer bodies are counted and not kept.
KEPT = 1 << 20
NGINX_FRAME = """
daemon off;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{page}
}}
"""
# No administration by another port, and no certificates.
CADDY_FRAME = "{{\n\tadmin off\n\tauto_https off\n}}\n{page}"


class Recorder(http.server.ThreadingHTTPServer):
    """Answers with what it got; or, given a port, hands it on and keeps what it got."""

    daemon_threads = True

    def __init__(self, port=None):
        self.port = port
        self.seen = []
        # What the program answers with.
        self.status = 200
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        seen = {"method": self.command, "path": self.path, "headers": self.headers.items()}
        body = self.body()
        seen["length"] = len(body)
        seen["body"] = body.decode() if len(body) <= KEPT else ""
        self.server.seen.append(seen)
        if self.server.port is not None:
            return self.hand_on(body, seen["headers"])
        if "websocket" in self.headers.get("Upgrade", "").lower():
            return self.echo_frame()
        return self.send(self.server.status, [], json.dumps(seen).encode())

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while length := int(self.rfile.readline(), 16):
            body += self.rfile.read(length)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def hand_on(self, body, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            connection.request(self.command, self.path, body or None, dict(headers))
            response = connection.getresponse()
        except OSError:
            # As if nobody listened.
            self.close_connection = True
            return None
        kept = [(name, value) for name, value in response.getheaders() if name.lower() != "content-length"]
        self.send(response.status, kept, response.read())
        connection.close()

    def echo_frame(self):
        """One text frame of RFC 6455, sent back as it came."""
        guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        key = base64.b64encode(hashlib.sha1(self.headers["Sec-WebSocket-Key"].encode() + guid).digest()).decode()
        self.send_response_only(101)
        for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", key)):
            self.send_header(name, value)
        self.end_headers()
        length = self.rfile.read(2)[1] & 127
        mask, data = self.rfile.read(4), self.rfile.read(length)
        self.wfile.write(bytes([0x81, length]) + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)))
        self.close_connection = True

    def send(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def running(server):
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def program(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    assert found, f"there is no {name}: `cargo xtask test` installs it, or says how"
    return found


def block(language, **replaced):
    """The page's configuration, with other addresses and nothing else."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.S)
    for written, used in replaced.items():
        assert written in text, written
        text = text.replace(written, used)
    return text


def nginx(port, ours, app, headers=()):
    """The file, its text, and the command."""
    replaced = {"listen 8080": f"listen 127.0.0.1:{port}", "127.0.0.1:8000": f"127.0.0.1:{ours}", "127.0.0.1:9000": f"127.0.0.1:{app}"}
    page = block("nginx", **replaced)
    for name in headers:
        # As the page has it for X-Auth-Email.
        for line in re.findall(r".*auth_email.*\n", page):
            page = page.replace(line, line + line.replace("auth_email", f"auth_{name}").replace("X-Auth-Email", f"X-Auth-{name.title()}"))
    return "nginx.conf", NGINX_FRAME.format(page=page), [program("nginx"), "-e", "stderr", "-p", ".", "-c", "nginx.conf"]


def caddy(port, ours, app, headers=()):
    replaced = {"app.example.org": f"http://:{port}", "127.0.0.1:8000": f"127.0.0.1:{ours}", "127.0.0.1:9000": f"127.0.0.1:{app}"}
    page = block("caddyfile", **replaced)
    for name in headers:
        page = page.replace("X-Auth-User X-Auth-Email", f"X-Auth-User X-Auth-Email X-Auth-{name.title()}")
    return "Caddyfile", CADDY_FRAME.format(page=page), [program("caddy"), "run", "--config", "Caddyfile", "--adapter", "caddyfile"]


GATEWAYS = {"nginx": nginx, "caddy": caddy}


@contextlib.contextmanager
def gateway(name, ours, app, headers=()):
    """The gateway in front of both, run by an account without rights."""
    port = free_port()
    file, text, command = GATEWAYS[name](port, ours, app, headers)
    with tempfile.TemporaryDirectory(prefix=f"simplejwt-{name}-") as folder:
        account = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        (pathlib.Path(folder) / file).write_text(text)
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}
        with (pathlib.Path(folder) / "log").open("w+b") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment, **account)
            made = servers.Server(name, port, process, pathlib.Path(log.name))
            try:
                until = time.monotonic() + 30
                while True:
                    if process.poll() is not None or time.monotonic() > until:
                        raise RuntimeError(f"{name} doesn't answer:\n{made.log.read_text()}")
                    with contextlib.suppress(OSError):
                        made.send("GET", "/")
                        break
                    time.sleep(0.05)
                yield made
            finally:
                made.stop()
