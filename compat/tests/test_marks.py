"""Marks that keep refresh tokens out, and claims that consumers need, as PyJWT and Django read them."""

import json

import jwt
import pytest

import servers
from servers import EVERY_DATABASE, PASSWORD, SECRET, Profile
from test_together import ROTATING
from tokens import Mint, payload

KEY = "a-key-of-the-server-alone-that-is-long-enough-for-hs256"
OWN = "https://example.com/refresh"
API = "https://api.example.com"
CLAIMS = {
    "jid": {"template": "{username}@example.org"},
    "fresh": {"fresh": True},
    "auth_time": {"auth_time": True},
    "scope": {"groups": {"staff": "read:* write:*", "ops": "admin read:*"}},
}
EVERYTHING = Profile(
    "marks",
    {**ROTATING.simple_jwt, "AUDIENCE": API, "ISSUER": "https://example.com", "USER_ID_CLAIM": "sub"},
    extra={
        "SIMPLEJWT_SIGNING_KEY": KEY,
        "SIMPLEJWT_REFRESH_AUDIENCE": OWN,
        "SIMPLEJWT_TYP": "by_kind",
        "SIMPLEJWT_PROFILE": "rfc9068",
        "SIMPLEJWT_CLIENT_ID": "web",
        "SIMPLEJWT_ENSURE_ASCII": "false",
        "SIMPLEJWT_CLAIMS": json.dumps(CLAIMS),
    },
)
BY_KIND = Profile("typ-by-kind", ROTATING.simple_jwt, extra={"SIMPLEJWT_TYP": "by_kind"})
AUDIENCE = Profile(
    "refresh-audience",
    ROTATING.simple_jwt,
    # The same key as Django's, but named.
    extra={"SIMPLEJWT_SIGNING_KEY": SECRET, "SIMPLEJWT_REFRESH_AUDIENCE": OWN},
)

PEOPLE = f"""
from django.contrib.auth.models import Group
user = User.objects.create_user("Zoë", "zoe@example.com", {PASSWORD!r})
user.groups.add(Group.objects.create(name="ops"), Group.objects.create(name="staff"))
"""


@pytest.fixture(autouse=True)
def with_the_binary():
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not marks'")


def log_in(server, name="alice"):
    answer = server.post("/api/token/", {"username": name, "password": PASSWORD})
    assert answer.status == 200, answer.body
    return answer.json()


def refreshed(server, token):
    answer = server.post("/api/token/refresh/", {"refresh": token})
    assert answer.status == 200, answer.body
    return answer.json()


def read(token, audience):
    required = {"require": ["iss", "sub", "aud", "exp", "iat", "jti"]}
    return jwt.decode(token, KEY, ["HS256"], audience=audience, issuer="https://example.com", options=required)


@EVERY_DATABASE
def test_pyjwt_reads_them_and_keeps_refresh_tokens_out(site):
    made = site(EVERYTHING, lambda made: made.shell(PEOPLE))
    first = log_in(made.ours, "Zoë")
    second = refreshed(made.ours, first["refresh"])
    login = payload(first["access"])["iat"]
    for pair, fresh in [(first, True), (second, False)]:
        access, refresh = read(pair["access"], API), read(pair["refresh"], OWN)
        assert jwt.get_unverified_header(pair["access"])["typ"] == "at+jwt"
        assert jwt.get_unverified_header(pair["refresh"])["typ"] == "refresh+jwt"
        assert (access["client_id"], access["iss"], access["aud"]) == ("web", "https://example.com", API)
        assert "client_id" not in refresh
        for claims in (access, refresh):
            assert claims["jid"] == "Zoë@example.org"
            assert claims["fresh"] is fresh
            assert claims["auth_time"] == login
            assert claims["scope"] == "admin read:* write:*"
        # Programs that know their own audience, or none.
        for audience in (API, None):
            with pytest.raises(jwt.InvalidAudienceError):
                read(pair["refresh"], audience)
        with pytest.raises(jwt.InvalidAudienceError):
            read(pair["access"], OWN)
        # Raw, as HAProxy wants it.
        assert "Zoë" in jwt.api_jws.decode(pair["access"], KEY, ["HS256"]).decode()


@EVERY_DATABASE
def test_django_goes_on_beside_a_typ_by_kind(site):
    made = site(BY_KIND)
    ours = log_in(made.ours)
    assert made.theirs.get("/api/protected/", ours["access"]).status == 200
    theirs = refreshed(made.theirs, ours["refresh"])
    assert jwt.get_unverified_header(theirs["refresh"])["typ"] == "JWT"
    assert made.ours.get("/api/protected/", theirs["access"]).status == 200
    again = refreshed(made.ours, theirs["refresh"])
    assert jwt.get_unverified_header(again["refresh"])["typ"] == "refresh+jwt"
    # Of another kind, whatever the claims say.
    for typ, status in [("JWT", 200), ("at+jwt", 200), ("refresh+jwt", 401), ("logout+jwt", 401)]:
        token = jwt.encode(payload(Mint().access()), SECRET, "HS256", headers={"typ": typ})
        assert made.ours.get("/api/protected/", token).status == status, typ
        assert made.theirs.get("/api/protected/", token).status == 200


def test_what_django_makes_of_an_audience_for_refresh_tokens(site):
    """Why it is not for use beside a Django that refreshes: DIFFERENCE."""
    made = site(AUDIENCE)
    ours = log_in(made.ours)
    # Without AUDIENCE, Django looks at no aud, and copies it into access tokens.
    theirs = refreshed(made.theirs, ours["refresh"])
    assert payload(theirs["access"])["aud"] == OWN
    assert made.ours.get("/api/protected/", theirs["access"]).status == 401
    assert made.theirs.get("/api/protected/", theirs["access"]).status == 200
    # Its own refresh tokens are accepted here.
    assert refreshed(made.ours, log_in(made.theirs)["refresh"])


def test_django_with_an_audience_refuses_these_refresh_tokens(site):
    both = {**ROTATING.simple_jwt, "AUDIENCE": API}
    made = site(Profile("refresh-audience-and-audience", both, extra=AUDIENCE.extra))
    ours = log_in(made.ours)
    assert made.theirs.get("/api/protected/", ours["access"]).status == 200
    refused = made.theirs.post("/api/token/refresh/", {"refresh": ours["refresh"]})
    assert (refused.status, refused.json()["code"]) == (401, "token_not_valid")
    assert refreshed(made.ours, ours["refresh"])
