"""nginx, configured as docs/gateways.md says, in front of a program that knows no tokens."""

import contextlib
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

import pytest

import servers
from servers import Profile, free_port
from test_sessions import add_user, log_in
from test_together import ROTATING, ok
from tokens import Mint, payload

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/gateways.md"
BEHIND = Profile(
    "gateway",
    ROTATING.simple_jwt,
    extra={
        "SIMPLEJWT_SESSION_CLAIM": "true",
        "SIMPLEJWT_REVOCATION": "feed",
        "SIMPLEJWT_GATEWAY_HEADERS": json.dumps({"X-Auth-Email": "email"}),
    },
)
FRAME = """
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
{server}
}}
"""


class Recorder(http.server.ThreadingHTTPServer):
    """Answers with what it got; or, given a port, hands it on and keeps what it got."""

    def __init__(self, port=None):
        self.port = port
        self.seen = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        seen = {"method": self.command, "path": self.path, "headers": self.headers.items()}
        seen["body"] = self.rfile.read(length).decode()
        assert "Transfer-Encoding" not in self.headers
        self.server.seen.append(seen)
        if self.server.port is None:
            return self.send(200, [], json.dumps(seen).encode())
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        connection.request(self.command, self.path, seen["body"] or None, dict(seen["headers"]))
        response = connection.getresponse()
        headers = [(name, value) for name, value in response.getheaders() if name.lower() != "content-length"]
        self.send(response.status, headers, response.read())
        connection.close()

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


def program():
    found = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    assert found, "there is no nginx: install Debian's nginx-light"
    return found


@contextlib.contextmanager
def nginx(simplejwt, app):
    """The page's configuration with other ports, run by an account without rights."""
    port = free_port()
    (server,) = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(), re.S)
    for written, used in (("listen 8080", f"listen 127.0.0.1:{port}"), ("127.0.0.1:8000", f"127.0.0.1:{simplejwt}"), ("127.0.0.1:9000", f"127.0.0.1:{app}")):
        assert written in server
        server = server.replace(written, used)
    with tempfile.TemporaryDirectory(prefix="simplejwt-nginx-") as folder:
        account = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        (pathlib.Path(folder) / "nginx.conf").write_text(FRAME.format(server=server))
        with (pathlib.Path(folder) / "log").open("w+b") as log:
            command = [program(), "-e", "stderr", "-p", folder, "-c", "nginx.conf"]
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **account)
            gateway = servers.Server("nginx", port, process, pathlib.Path(log.name))
            try:
                until = time.monotonic() + 30
                while True:
                    if process.poll() is not None or time.monotonic() > until:
                        raise RuntimeError(f"nginx doesn't answer:\n{gateway.log.read_text()}")
                    with contextlib.suppress(OSError):
                        gateway.send("GET", "/")
                        break
                    time.sleep(0.05)
                yield gateway
            finally:
                gateway.stop()


class World:
    def __init__(self, made, gateway, asked, app):
        self.made, self.gateway, self.asked, self.app = made, gateway, asked, app

    def send(self, method, token=None, headers=(), body=None, path="/orders/7?a=1"):
        bearer = [("Authorization", f"Bearer {token}")] if token else []
        self.asked.seen.clear()
        self.app.seen.clear()
        return self.gateway.send(method, path, [*bearer, *headers], body)


@pytest.fixture
def world(site):
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not gateway'")
    made = site(BEHIND)
    with running(Recorder(made.ours.port)) as asked, running(Recorder()) as app:
        with nginx(asked.server_port, app.server_port) as gateway:
            yield World(made, gateway, asked, app)


def identity(seen):
    """What a program takes for the user's: by CGI's rules, hyphens and underscores are one."""
    headers = [(name.lower().replace("_", "-"), value) for name, value in seen["headers"]]
    return [(name, value) for name, value in headers if name.startswith("x-auth-")]


SPOOFED = [
    ("X-Auth-User", "1"),
    ("x-auth-user", "1"),
    ("X_Auth_User", "1"),
    ("X-Auth-Email", "root@example.org"),
    ("X_AUTH_EMAIL", "root@example.org"),
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_who_has_a_token_gets_through_as_who_they_are(world, request, method):
    access = log_in(world.made.ours, add_user(world.made, request.node.name))["access"]
    body = b'{"order": 7}' if method in ("POST", "PUT", "PATCH") else None
    answer = world.send(method, access, [("Accept", "image/png"), *SPOOFED], body)
    assert answer.status == 200, answer
    (seen,) = world.app.seen
    assert (seen["method"], seen["path"], seen["body"]) == (method, "/orders/7?a=1", (body or b"").decode())
    assert identity(seen) == [("x-auth-user", payload(access)["user_id"])]
    (asked,) = world.asked.seen
    assert (asked["method"], asked["path"], asked["body"]) == ("GET", "/api/token/authenticate/", "")
    assert "content-length" not in {name.lower() for name, _ in asked["headers"]}


def test_a_body_in_chunks_stays_with_the_request(world, request):
    access = log_in(world.made.ours, add_user(world.made, request.node.name))["access"]
    connection = http.client.HTTPConnection("127.0.0.1", world.gateway.port, timeout=30)
    headers = {"Authorization": f"Bearer {access}"}
    connection.request("POST", "/orders/", iter([b"one ", b"two"]), headers, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    assert (world.app.seen[-1]["body"], world.asked.seen[-1]["body"]) == ("one two", "")


@pytest.mark.parametrize("token", [None, "x", "expired", "refresh", "forged"])
def test_who_has_none_is_told_so_and_reaches_nothing(world, request, token):
    pair = log_in(world.made.ours, add_user(world.made, request.node.name))
    mint = Mint(user_id=payload(pair["access"])["user_id"])
    sent = {"expired": mint.access(lifetime=-5), "refresh": pair["refresh"], "forged": pair["access"][:-6] + "AAAAAA"}
    answer = world.send("POST", sent.get(token, token), SPOOFED, b"{}")
    assert (answer.status, answer.header("WWW-Authenticate")) == (401, 'Bearer realm="api"')
    assert world.app.seen == []
    assert [seen["body"] for seen in world.asked.seen] == [""]


def test_claims_arrive_and_make_no_headers_of_their_own(world, request):
    access = log_in(world.made.ours, add_user(world.made, request.node.name))["access"]
    user = payload(access)["user_id"]
    for email, expected in (("a@example.org", "a@example.org"), ("Zoë\r\nX-Auth-User: 1", "Zo%C3%AB%0D%0AX-Auth-User: 1")):
        token = Mint(user_id=user, extra={"email": email}).access()
        assert world.send("GET", token, SPOOFED).status == 200
        assert sorted(identity(world.app.seen[0])) == [("x-auth-email", expected), ("x-auth-user", user)]


def test_who_logs_out_is_out_within_a_second(world, request):
    user = add_user(world.made, request.node.name)
    pair, other = log_in(world.gateway, user), log_in(world.gateway, user)
    assert world.send("GET", pair["access"]).status == 200
    ok(world.gateway.post("/api/token/logout/", {"refresh": pair["refresh"]}))
    until = time.monotonic() + 1
    while world.send("GET", pair["access"]).status == 200:
        assert time.monotonic() < until, "it still gets through"
        time.sleep(0.02)
    assert (world.send("GET", pair["access"]).status, world.app.seen) == (401, [])
    assert world.send("GET", other["access"]).status == 200


def test_nobody_asks_from_outside_and_an_inactive_user_is_out(world, request):
    user = add_user(world.made, request.node.name)
    access = log_in(world.made.ours, user)["access"]
    assert world.send("GET", access, path="/_authenticate").status == 404
    assert world.send("GET", access).status == 200
    world.made.shell(f"User.objects.filter(username={user['username']!r}).update(is_active=False)")
    assert (world.send("GET", access).status, world.app.seen) == (401, [])
