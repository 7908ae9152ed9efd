"""Revocation and introspection, as a client library from elsewhere asks for them."""

import json

import pytest
from authlib.integrations.requests_client import OAuth2Session

import servers
from servers import EVERY_DATABASE, Profile
from test_sessions import add_user, log_in, next_token
from test_together import ROTATING, ok
from tokens import Mint, payload

# Authlib sends them as they are, where RFC 6749 has them form-encoded.
SECRET = "a+secret with %41 and =, of a client"
BILLING = Profile(
    "oauth",
    ROTATING.simple_jwt,
    extra={
        "SIMPLEJWT_SESSION_CLAIM": "true",
        "SIMPLEJWT_REVOCATION": "strict",
        "SIMPLEJWT_OAUTH_CLIENTS": json.dumps([{"id": "billing", "secret": SECRET, "refresh_tokens": True}]),
    },
)
METHODS = pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])


@pytest.fixture(autouse=True)
def with_the_binary():
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not oauth'")


class Client:
    def __init__(self, made, method, secret=SECRET):
        self.session = OAuth2Session("billing", secret, token_endpoint_auth_method=method)
        self.session.trust_env = False
        self.base = f"http://127.0.0.1:{made.ours.port}/api/token"

    def introspect(self, token, hint="access_token"):
        answer = self.session.introspect_token(f"{self.base}/introspect/", token=token, token_type_hint=hint)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.json()

    def revoke(self, token, hint="refresh_token"):
        return self.session.revoke_token(f"{self.base}/revoke/", token=token, token_type_hint=hint)


@METHODS
@EVERY_DATABASE
def test_a_session_from_log_in_to_revocation(site, request, method):
    made = site(BILLING)
    user = add_user(made, request.node.name)
    client = Client(made, method)
    pair = log_in(made.ours, user)
    claims = payload(pair["access"])
    assert client.introspect(pair["access"]) == {
        "active": True,
        "sub": claims["user_id"],
        "username": user["username"],
        "token_type": "Bearer",
        "exp": claims["exp"],
        "iat": claims["iat"],
        "jti": claims["jti"],
        "sid": claims["sid"],
        "simplejwt_token_type": "access",
    }
    refresh = client.introspect(pair["refresh"], "refresh_token")
    assert refresh["active"] and "token_type" not in refresh
    successor = next_token(made.ours, pair["refresh"])
    assert client.introspect(pair["refresh"], "refresh_token") == {"active": False}
    assert client.introspect(successor)["active"]

    revoked = client.revoke(pair["access"], "access_token")
    assert (revoked.status_code, revoked.content) == (200, b"")
    assert client.introspect(pair["access"]) == {"active": False}
    assert made.ours.get("/api/protected/", pair["access"]).status == 401
    assert client.introspect(successor)["active"]

    assert client.revoke(successor).status_code == 200
    assert client.introspect(successor) == {"active": False}
    # Django goes by the same blacklist.
    assert made.theirs.post("/api/token/refresh/", {"refresh": successor}).status == 401
    assert client.revoke(successor).status_code == 200
    assert client.revoke("not a token").status_code == 200


@EVERY_DATABASE
def test_tokens_that_django_issued(site, request):
    made = site(BILLING)
    user = add_user(made, request.node.name)
    client = Client(made, "client_secret_basic")
    pair = log_in(made.theirs, user)
    for token in pair.values():
        found = client.introspect(token)
        assert (found["active"], found["username"]) == (True, user["username"])
    ok(made.theirs.post("/api/token/blacklist/", {"refresh": pair["refresh"]}))
    assert client.introspect(pair["refresh"]) == {"active": False}
    other = log_in(made.theirs, user)
    assert client.revoke(other["refresh"]).status_code == 200
    assert made.theirs.post("/api/token/refresh/", {"refresh": other["refresh"]}).status == 401
    for forged in (Mint(key="x" * 32), Mint(user_id="987654")):
        assert client.introspect(forged.access()) == {"active": False}
    assert client.introspect(Mint(user_id=payload(pair["access"])["user_id"]).access(lifetime=-5)) == {"active": False}


@METHODS
def test_a_client_with_another_secret_learns_nothing(site, request, method):
    made = site(BILLING)
    pair = log_in(made.ours, add_user(made, request.node.name))
    client = Client(made, method, secret=SECRET + "x")
    for path in ("introspect", "revoke"):
        ask = getattr(client.session, f"{path}_token")
        answer = ask(f"{client.base}/{path}/", token=pair["refresh"])
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    next_token(made.ours, pair["refresh"])
