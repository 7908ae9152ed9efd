"""nginx and Caddy, configured as docs/gateways.md says, in front of a program that knows no tokens."""

import http.client
import json
import time

import pytest

import gateways
import servers
from gateways import Recorder, running
from servers import PASSWORD, Profile
from test_sessions import add_user, log_in
from test_together import ROTATING, ok
from tokens import Mint, payload

BEHIND = Profile(
    "gateway",
    ROTATING.simple_jwt,
    extra={
        "SIMPLEJWT_SESSION_CLAIM": "true",
        "SIMPLEJWT_REVOCATION": "feed",
        "SIMPLEJWT_GATEWAY_HEADERS": json.dumps({"X-Auth-Email": "email"}),
    },
)


ALICE = {"username": "alice", "password": PASSWORD}


class World:
    def __init__(self, made, gateway, asked, app):
        self.made, self.gateway, self.asked, self.app = made, gateway, asked, app

    def send(self, method, token=None, headers=(), body=None, path="/orders/7?a=1"):
        bearer = [("Authorization", f"Bearer {token}")] if token else []
        self.asked.seen.clear()
        self.app.seen.clear()
        return self.gateway.send(method, path, [*bearer, *headers], body)


@pytest.fixture(scope="module", params=gateways.GATEWAYS)
def front(request):
    """A gateway, what it asks and what stands behind it, for all tests."""
    with running(Recorder(0)) as asked, running(Recorder()) as app:
        with gateways.gateway(request.param, asked.server_port, app.server_port) as gateway:
            yield gateway, asked, app


@pytest.fixture
def world(site, front):
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not gateway'")
    made = site(BEHIND)
    gateway, asked, app = front
    asked.port = made.ours.port
    return World(made, gateway, asked, app)


def named(world, request):
    """A user of this test's own."""
    return add_user(world.made, request.node.name)


def identity(seen):
    """What a program takes for the user's: by CGI's rules, hyphens and underscores are one. nginx sends
    no header that is empty, and Caddy does."""
    headers = [(name.lower().replace("_", "-"), value) for name, value in seen["headers"]]
    return [(name, value) for name, value in headers if name.startswith("x-auth-") and value]


SPOOFED = [
    ("X-Auth-User", "1"),
    ("x-auth-user", "1"),
    ("X_Auth_User", "1"),
    ("X_Auth-User", "1"),
    ("x-auth_user", "1"),
    ("X-Auth-Email", "root@example.org"),
    ("X_AUTH_EMAIL", "root@example.org"),
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_who_has_a_token_gets_through_as_who_they_are(world, method):
    access = log_in(world.made.ours, ALICE)["access"]
    body = b'{"order": 7}' if method in ("POST", "PUT", "PATCH") else None
    answer = world.send(method, access, [("Accept", "image/png"), *SPOOFED], body)
    assert answer.status == 200, answer
    (seen,) = world.app.seen
    assert (seen["method"], seen["path"], seen["body"]) == (method, "/orders/7?a=1", (body or b"").decode())
    assert identity(seen) == [("x-auth-user", payload(access)["user_id"])]
    (asked,) = world.asked.seen
    assert (asked["method"], asked["path"], asked["body"]) == ("GET", "/api/token/authenticate/", "")
    assert "content-length" not in {name.lower() for name, _ in asked["headers"]}


def test_a_body_in_chunks_stays_with_the_request(world):
    access = log_in(world.made.ours, ALICE)["access"]
    connection = http.client.HTTPConnection("127.0.0.1", world.gateway.port, timeout=30)
    headers = {"Authorization": f"Bearer {access}"}
    connection.request("POST", "/orders/", iter([b"one ", b"two"]), headers, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    assert (world.app.seen[-1]["body"], world.asked.seen[-1]["body"]) == ("one two", "")


@pytest.mark.parametrize("token", [None, "x", "expired", "refresh", "forged"])
def test_who_has_none_is_told_so_and_reaches_nothing(world, token):
    pair = log_in(world.made.ours, ALICE)
    mint = Mint(user_id=payload(pair["access"])["user_id"])
    sent = {"expired": mint.access(lifetime=-5), "refresh": pair["refresh"], "forged": pair["access"][:-6] + "AAAAAA"}
    answer = world.send("POST", sent.get(token, token), SPOOFED, b"{}")
    assert (answer.status, answer.header("WWW-Authenticate")) == (401, 'Bearer realm="api"')
    assert world.app.seen == []
    assert [seen["body"] for seen in world.asked.seen] == [""]


def test_claims_arrive_and_make_no_headers_of_their_own(world):
    access = log_in(world.made.ours, ALICE)["access"]
    user = payload(access)["user_id"]
    for email, expected in (("a@example.org", "a@example.org"), ("Zoë\r\nX-Auth-User: 1", "Zo%C3%AB%0D%0AX-Auth-User: 1")):
        token = Mint(user_id=user, extra={"email": email}).access()
        assert world.send("GET", token, SPOOFED).status == 200
        assert sorted(identity(world.app.seen[0])) == [("x-auth-email", expected), ("x-auth-user", user)]


def test_who_logs_out_is_out_within_a_second(world, request):
    user = named(world, request)
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
    user = named(world, request)
    access = log_in(world.made.ours, user)["access"]
    if world.gateway.name == "nginx":
        assert world.send("GET", access, path="/_authenticate").status == 404
    assert world.send("GET", access).status == 200
    world.made.shell(f"User.objects.filter(username={user['username']!r}).update(is_active=False)")
    assert (world.send("GET", access).status, world.app.seen) == (401, [])
