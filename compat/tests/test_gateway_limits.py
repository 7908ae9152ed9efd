"""What goes wrong behind gateways: uploads, big headers and queries, WebSockets, ports, refusals."""

import contextlib
import json

import pytest
import websocket

import gateways
from gateways import Recorder, running
from servers import PASSWORD, Profile, Site, free_port
from test_browser import Browser, chromium  # noqa: F401, a fixture
from tokens import Mint

HEADERS = {"X-Auth-Email": "email", "X-Auth-Groups": "groups"}
BEHIND = Profile("gateway-limits", extra={"SIMPLEJWT_GATEWAY_HEADERS": json.dumps(HEADERS)})
COOKIES = Profile(
    "gateway-cookies",
    {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True},
    # A name that isn't this machine's for the browser, which then says nothing but Origin and Host.
    extra={"SIMPLEJWT_TRANSPORT": "cookie", "SIMPLEJWT_SESSION_CLAIM": "true", "SIMPLEJWT_COOKIE_SECURE": "false"},
)
NAME = pytest.mark.parametrize("name", gateways.GATEWAYS)


class Front:
    def __init__(self, gateway, asked, app):
        self.gateway, self.asked, self.app = gateway, asked, app

    def send(self, method, path, access=None, body=None, headers=()):
        self.app.seen.clear()
        bearer = [("Authorization", f"Bearer {access}")] if access else []
        return self.gateway.send(method, path, [*bearer, *headers], body)


@pytest.fixture(scope="module", params=gateways.GATEWAYS)
def started(request):
    with running(Recorder(0)) as asked, running(Recorder()) as app:
        with gateways.gateway(request.param, asked.server_port, app.server_port, ["groups"]) as gateway:
            yield Front(gateway, asked, app)


@pytest.fixture
def made(migrated, sites, tmp_path_factory):
    """Our server under a profile, without Django beside it."""

    def get(profile):
        if profile.name not in sites:
            one = sites[profile.name] = Site(profile, tmp_path_factory.mktemp(profile.name))
            migrated(profile).copy_to(one.database)
            one.ours_command("migrate")
            one.ours = one.start_ours()
            one.wait(one.ours)
        return sites[profile.name]

    return get


@pytest.fixture
def front(started, made):
    started.asked.port = made(BEHIND).ours.port
    yield started
    started.app.status = 200


@pytest.fixture
def user(made):
    ((user,),) = made(BEHIND).sql("SELECT id FROM auth_user WHERE username = 'alice'")
    return str(user)


@pytest.fixture
def access(user):
    return Mint(user_id=user).access()


def test_an_upload_of_fifty_megabytes(front, access):
    body = b"0123456789abcdef" * (50 * 1024 * 1024 // 16)
    assert front.send("POST", "/up", access, body).status == 200
    (seen,) = front.app.seen
    assert seen["length"] == len(body)
    assert front.asked.seen[-1]["length"] == 0
    # Without a token nothing of it gets through.
    with contextlib.suppress(ConnectionError):
        assert front.send("POST", "/up", None, body).status == 401
    assert front.app.seen == []


def test_two_hundred_groups(front, user):
    groups = [f"a-group-with-a-name-{number:03}" for number in range(200)]
    access = Mint(user_id=user, extra={"groups": groups}).access()
    assert len(access) > 6000
    assert front.send("GET", "/", access).status == 200
    (seen,) = front.app.seen
    assert dict(seen["headers"])["X-Auth-Groups"] == ",".join(groups)


def test_a_query_of_twenty_kilobytes(front, access):
    path = "/search?q=" + "x" * 20_000
    assert front.send("GET", path, access).status == 200
    assert front.app.seen[0]["path"] == path
    assert front.asked.seen[-1]["path"].rstrip("?") == "/api/token/authenticate/"


def test_a_websocket(front, access):
    url = f"ws://127.0.0.1:{front.gateway.port}/chat"
    connection = websocket.create_connection(url, header=[f"Authorization: Bearer {access}"], timeout=30)
    connection.send("hello")
    assert connection.recv() == "hello"
    connection.close()
    front.app.seen.clear()
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        websocket.create_connection(url, timeout=30)
    assert refused.value.status_code == 401
    assert front.app.seen == []


@pytest.mark.parametrize("path", ["/api/token", "/api/token/"])
def test_logging_in_needs_no_token(front, path):
    answer = front.gateway.post(path, {"username": "alice", "password": PASSWORD})
    # Without its slash it is Django's redirect, from whichever.
    assert answer.status == (200 if path.endswith("/") else 301), answer
    assert front.app.seen == []


def test_what_the_program_says_stays_its_own(front, access):
    for status in (400, 401, 403, 404, 500, 503):
        front.app.status = status
        answer = front.send("GET", "/", access)
        assert (answer.status, answer.json()["path"]) == (status, "/")


def test_can_not_tell_is_503_with_retry_after(front, access):
    assert front.send("GET", "/", access).status == 200
    with running(Refusing()) as refusing:
        front.asked.port = refusing.server_port
        for status, expected in ((503, 503), (500, None), (400, 400), (403, 403)):
            refusing.status = status
            answer = front.send("GET", "/", access)
            if front.gateway.name == "nginx":
                expected = expected or 503
            assert answer.status == (expected or status)
            assert answer.header("Retry-After") == ("7" if status == 503 else None)
            assert front.app.seen == []
    # Nobody there at all.
    front.asked.port = free_port()
    answer = front.send("GET", "/", access)
    assert answer.status in (502, 503)
    assert front.app.seen == []


class Refusing(Recorder):
    """Answers everything with one status, and 503 with Retry-After."""

    def __init__(self):
        super().__init__()
        self.RequestHandlerClass = RefusingHandler


class RefusingHandler(gateways.Handler):
    def answer(self):
        self.body()
        headers = [("Retry-After", "7")] if self.server.status == 503 else []
        self.send(self.server.status, headers, b"{}")

    do_GET = answer


@NAME
def test_cookies_over_plain_http_on_another_port_in_a_browser(name, chromium, made):  # noqa: F811
    ours = made(COOKIES).ours
    with running(Recorder()) as app, gateways.gateway(name, ours.port, app.server_port) as gateway:
        browser = Browser(chromium, gateway, "app.lan")
        browser.log_in()
        assert browser.fetch("/api/token/refresh/", {})["status"] == 200
        # What a page changes in the program, with the cookie alone.
        answer = browser.fetch("/orders/7", {"order": 7})
        assert answer["status"] == 200, answer
        seen = app.seen[-1]
        assert seen["method"] == "POST" and dict(seen["headers"])["X-Auth-User"]
        assert browser.fetch("/api/token/logout/", {})["text"] == '{"ended":1}'
        assert browser.fetch("/orders/7")["status"] == 401


@NAME
def test_a_websocket_of_a_foreign_page_gets_no_further_by_cookie(name, made):
    ours = made(COOKIES).ours
    with running(Recorder()) as app, gateways.gateway(name, ours.port, app.server_port) as gateway:
        answer = gateway.post("/api/token/", {"username": "alice", "password": PASSWORD})
        assert answer.status == 200, answer
        cookie = "; ".join(value.split(";")[0] for header, value in answer.headers if header.lower() == "set-cookie")
        site = f"127.0.0.1:{gateway.port}"
        # Its own page, on a port other than 80.
        connection = websocket.create_connection(f"ws://{site}/chat", cookie=cookie, origin=f"http://{site}", timeout=30)
        connection.send("hello")
        assert connection.recv() == "hello"
        connection.close()
        app.seen.clear()
        for origin in ("http://evil.example", f"http://127.0.0.1:{free_port()}"):
            with pytest.raises(websocket.WebSocketBadStatusException) as refused:
                websocket.create_connection(f"ws://{site}/chat", cookie=cookie, origin=origin, timeout=30)
            assert refused.value.status_code == 403
        assert app.seen == []
