"""Both servers at once on one database: what one does, the other goes by."""

import pathlib

import jwt
import pytest

import servers
from servers import EVERY_DATABASE, PASSWORD, SECRET, Profile, every_database_with
from tokens import Mint, describe, payload

KEYS = pathlib.Path(__file__).resolve().parents[2] / "crates/simplejwt/tests/fixtures/keys"
ALICE = {"username": "alice", "password": PASSWORD}
ROTATING = Profile("rotating", {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True})
BLACKLISTED = {"detail": "Token is blacklisted", "code": "token_not_valid"}
BOTH_WAYS = pytest.mark.parametrize("way", ["django first", "ours first"])


def pair(site, way):
    return (site.theirs, site.ours) if way == "django first" else (site.ours, site.theirs)


def ok(answer):
    assert answer.status == 200, answer
    return answer.json()


def refused(answer, status, body):
    assert (answer.status, answer.json()) == (status, body)


def key(name):
    return (KEYS / name).read_text()


def algorithm_profile(algorithm):
    name = {"ES256": "p256", "ES256K": "secp256k1", "ES384": "p384", "ES512": "p521", "EdDSA": "ed25519"}.get(algorithm, "rsa")
    settings = {"ALGORITHM": algorithm, "AUTH_TOKEN_CLASSES": [
        "rest_framework_simplejwt.tokens.AccessToken",
        "rest_framework_simplejwt.tokens.SlidingToken",
    ]}
    if not algorithm.startswith("HS"):
        settings.update(SIGNING_KEY=key(f"{name}-pkcs8.pem"), VERIFYING_KEY=key(f"{name}-spki.pem"))
    return Profile(f"algorithm-{algorithm}", settings)


ALGORITHMS = (
    "HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES256K ES384 ES512 EdDSA".split()
)


@BOTH_WAYS
@every_database_with("algorithm", ALGORITHMS, few=("HS256", "RS512"))
def test_tokens_of_either_at_the_other(site, way, algorithm):
    made = site(algorithm_profile(algorithm))
    one, other = pair(made, way)
    tokens = ok(one.post("/api/token/", ALICE))
    assert jwt.get_unverified_header(tokens["access"]) == {"alg": algorithm, "typ": "JWT"}
    assert ok(other.get("/api/protected/", tokens["access"])) == {"message": "Welcome, alice!"}
    assert ok(other.get("/api/protected-stateless/", tokens["access"])) == {"message": "Welcome, !"}
    for token in tokens.values():
        assert ok(other.post("/api/token/verify/", {"token": token})) == {}
    refreshed = ok(other.post("/api/token/refresh/", {"refresh": tokens["refresh"]}))
    assert ok(one.get("/api/protected/", refreshed["access"])) == {"message": "Welcome, alice!"}
    assert describe(refreshed["access"]) == describe(tokens["access"])
    assert ok(other.post("/api/token/blacklist/", {"refresh": tokens["refresh"]})) == {}
    sliding = ok(one.post("/api/token/sliding/", ALICE))["token"]
    assert ok(other.get("/api/protected/", sliding)) == {"message": "Welcome, alice!"}
    slid = ok(other.post("/api/token/sliding/refresh/", {"token": sliding}))["token"]
    assert payload(slid)["jti"] == payload(sliding)["jti"]
    assert ok(one.get("/api/protected/", slid)) == {"message": "Welcome, alice!"}
    cut = tokens["access"][:-8] + "AAAAAAAA"
    assert other.get("/api/protected/", cut).status == 401


@EVERY_DATABASE
@BOTH_WAYS
def test_blacklisted_by_one_is_refused_by_the_other(site, way):
    one, other = pair(site(ROTATING), way)
    token = ok(one.post("/api/token/", ALICE))["refresh"]
    assert ok(one.post("/api/token/blacklist/", {"refresh": token})) == {}
    for server in (one, other):
        refused(server.post("/api/token/refresh/", {"refresh": token}), 401, BLACKLISTED)
        refused(server.post("/api/token/blacklist/", {"refresh": token}), 401, BLACKLISTED)
        refused(server.post("/api/token/verify/", {"token": token}), 400, {"non_field_errors": ["Token is blacklisted"]})


@EVERY_DATABASE
@BOTH_WAYS
def test_rotated_by_one_is_refused_by_the_other(site, way):
    one, other = pair(site(ROTATING), way)
    first = ok(one.post("/api/token/", ALICE))["refresh"]
    second = ok(one.post("/api/token/refresh/", {"refresh": first}))["refresh"]
    refused(other.post("/api/token/refresh/", {"refresh": first}), 401, BLACKLISTED)
    third = ok(other.post("/api/token/refresh/", {"refresh": second}))["refresh"]
    refused(one.post("/api/token/refresh/", {"refresh": second}), 401, BLACKLISTED)
    assert len({payload(token)["jti"] for token in (first, second, third)}) == 3
    assert [list(payload(token)) for token in (first, second)] == [list(payload(third))] * 2
    ok(one.post("/api/token/refresh/", {"refresh": third}))


@EVERY_DATABASE
@BOTH_WAYS
def test_a_blacklisted_sliding_token_opens_nothing_at_the_other(site, way):
    made = site(algorithm_profile("HS256"))
    one, other = pair(made, way)
    token = ok(one.post("/api/token/sliding/", ALICE))["token"]
    jti = payload(token)["jti"]
    made.shell(
        "from rest_framework_simplejwt.token_blacklist.models import *\n"
        f"BlacklistedToken.objects.create(token=OutstandingToken.objects.get(jti={jti!r}))"
    )
    refused(other.post("/api/token/sliding/refresh/", {"token": token}), 401, BLACKLISTED)
    assert other.get("/api/protected/", token).status == 401


@EVERY_DATABASE
def test_sessions_of_a_deleted_user_end_and_deleting_works(site):
    made = site(ROTATING)
    made.shell("User.objects.create_user('passing', password='x')")
    tokens = ok(made.ours.post("/api/token/", {"username": "passing", "password": "x"}))
    ok(made.ours.post("/api/token/refresh/", {"refresh": tokens["refresh"]}))
    made.shell("User.objects.get(username='passing').delete()")
    for server in (made.theirs, made.ours):
        refused(server.get("/api/protected/", tokens["access"]), 401, {"detail": "User not found", "code": "user_not_found"})


@EVERY_DATABASE
def test_outstanding_tokens_in_django_are_as_if_django_had_made_them(site):
    made = site(ROTATING)
    seen = []
    for server in (made.theirs, made.ours):
        token = ok(server.post("/api/token/", ALICE))["refresh"]
        seen.append(made.shell(
            "from rest_framework_simplejwt.token_blacklist.models import OutstandingToken\n"
            f"t = OutstandingToken.objects.get(jti={payload(token)['jti']!r})\n"
            f"print(json.dumps([t.user.username, t.token == {token!r}, (t.expires_at - t.created_at).days,"
            f" t.expires_at.timestamp() == {payload(token)['exp']}, str(t.created_at.tzinfo)]))"
        ))
    assert seen[0] == seen[1]
    assert seen[0][:2] == ["alice", True] and seen[0][3] is True


@EVERY_DATABASE
def test_flushexpiredtokens_takes_our_rows(site):
    made = site(ROTATING)
    expired = ok(made.ours.post("/api/token/", ALICE))["refresh"]
    live = ok(made.ours.post("/api/token/", ALICE))["refresh"]
    ok(made.ours.post("/api/token/blacklist/", {"refresh": expired}))
    ids = [payload(token)["jti"] for token in (expired, live)]
    made.sql("UPDATE token_blacklist_outstandingtoken SET expires_at = '2020-01-02 03:04:05' WHERE jti = ?", ids[0])
    made.manage("flushexpiredtokens")
    left = made.sql("SELECT jti FROM token_blacklist_outstandingtoken WHERE jti IN (?, ?)", *ids)
    assert left == [(ids[1],)]


@EVERY_DATABASE
@pytest.mark.parametrize("side", ["theirs", "ours"])
def test_update_last_login(site, side):
    made = site(Profile("last-login", {"UPDATE_LAST_LOGIN": True}))
    made.sql("UPDATE auth_user SET last_login = NULL")
    for path in ("/api/token/", "/api/token/sliding/"):
        made.sql("UPDATE auth_user SET last_login = '2020-01-02 03:04:05.678901' WHERE username = 'alice'")
        ok(getattr(made, side).post(path, ALICE))
        age = made.shell(
            "from django.utils import timezone\n"
            "print((timezone.now() - User.objects.get(username='alice').last_login).total_seconds())"
        )
        assert 0 <= age < 30, path
    assert getattr(made, side).post("/api/token/", {**ALICE, "password": "no"}).status == 401
    assert made.sql("SELECT COUNT(*) FROM auth_user WHERE last_login IS NOT NULL") == [(1,)]


@EVERY_DATABASE
@BOTH_WAYS
def test_check_revoke_token(site, way):
    made = site(Profile("revoke", {"CHECK_REVOKE_TOKEN": True}))
    one, other = pair(made, way)
    tokens = ok(one.post("/api/token/", ALICE))
    assert len(payload(tokens["access"])["hash_password"]) == 32
    assert ok(other.get("/api/protected/", tokens["access"])) == {"message": "Welcome, alice!"}
    ok(other.post("/api/token/refresh/", {"refresh": tokens["refresh"]}))
    stored = made.sql("SELECT password FROM auth_user WHERE username = 'alice'")[0][0]
    made.shell(f"u = User.objects.get(username='alice'); u.set_password({PASSWORD!r}); u.save()")
    changed = {"detail": "The user's password has been changed.", "code": "password_changed"}
    try:
        for server in (one, other):
            refused(server.get("/api/protected/", tokens["access"]), 401, changed)
        # DIFFERENCE: upstream 5.5.1 goes on refreshing after the password has changed.
        assert made.theirs.post("/api/token/refresh/", {"refresh": tokens["refresh"]}).status == 200
        if not servers.django_only():
            assert made.ours.post("/api/token/refresh/", {"refresh": tokens["refresh"]}).status == 401
    finally:
        made.sql("UPDATE auth_user SET password = ? WHERE username = 'alice'", stored)


@EVERY_DATABASE
@BOTH_WAYS
def test_user_id_field_username(site, way):
    made = site(Profile("by-username", {"USER_ID_FIELD": "username", "USER_ID_CLAIM": "sub"}))
    one, other = pair(made, way)
    tokens = ok(one.post("/api/token/", {**ALICE, "username": "Zoë 🦀"}))
    assert payload(tokens["access"])["sub"] == "Zoë 🦀"
    assert ok(other.get("/api/protected/", tokens["access"])) == {"message": "Welcome, Zoë 🦀!"}
    ok(other.post("/api/token/refresh/", {"refresh": tokens["refresh"]}))
    nobody = Mint(user_id="nobody", user_claim="sub").access()
    refused(other.get("/api/protected/", nobody), 401, {"detail": "User not found", "code": "user_not_found"})


def add_custom_users(made):
    made.shell(f"User.objects.create_user('alice@example.org', {PASSWORD!r})")
    made.shell(f"User.objects.create_user('gone@example.org', {PASSWORD!r}, is_active=False)")


@EVERY_DATABASE
@BOTH_WAYS
def test_custom_user_model_with_uuid_and_email(site, way):
    made = site(Profile("custom-user", custom_user=True), add_custom_users)
    one, other = pair(made, way)
    tokens = ok(one.post("/api/token/", {"email": "alice@example.org", "password": PASSWORD}))
    written = made.shell("print(json.dumps(str(User.objects.get(email='alice@example.org').pk)))")
    assert payload(tokens["access"])["user_id"] == written
    assert ok(other.get("/api/protected/", tokens["access"])) == {"message": "Welcome, alice@example.org!"}
    ok(other.post("/api/token/refresh/", {"refresh": tokens["refresh"]}))
    ok(other.post("/api/token/blacklist/", {"refresh": tokens["refresh"]}))
    rows = made.sql("SELECT DISTINCT user_id FROM token_blacklist_outstandingtoken")
    assert rows == [(made.database.uuid_text(written),)]
    refused(other.post("/api/token/", {}), 400, {name: ["This field is required."] for name in ("email", "password")})
    assert other.post("/api/token/", {"email": "gone@example.org", "password": PASSWORD}).status == 401
    nobody = Mint(user_id="00000000-0000-4000-8000-000000000000").access()
    refused(other.get("/api/protected/", nobody), 401, {"detail": "User not found", "code": "user_not_found"})


@EVERY_DATABASE
@BOTH_WAYS
def test_inactive_users_where_they_are_allowed(site, way):
    settings = {"CHECK_USER_IS_ACTIVE": False}
    strict = site(Profile("inactive-tokens", settings))
    allowed = site(Profile("inactive-logins", settings, extra={"SIMPLEJWT_ALLOW_INACTIVE_LOGIN": "true"}))
    inactive = {"username": "inactive", "password": PASSWORD}
    one, other = pair(strict, way)
    refused(other.post("/api/token/", inactive), 401, {"detail": "No active account found with the given credentials"})
    mint = Mint(user_id="2")
    assert ok(other.get("/api/protected/", mint.access())) == {"message": "Welcome, inactive!"}
    ok(other.post("/api/token/refresh/", {"refresh": mint.refresh()}))
    one, other = pair(allowed, way)
    tokens = ok(one.post("/api/token/", inactive))
    assert ok(other.get("/api/protected/", tokens["access"])) == {"message": "Welcome, inactive!"}


@BOTH_WAYS
def test_header_settings(site, way):
    settings = {"AUTH_HEADER_TYPES": ["JWT", "Token"], "AUTH_HEADER_NAME": "HTTP_X_ACCESS_TOKEN"}
    made = site(Profile("header", settings))
    one, other = pair(made, way)
    token = ok(one.post("/api/token/", ALICE))["access"]
    for scheme in settings["AUTH_HEADER_TYPES"]:
        assert ok(other.send("GET", "/api/protected/", [("X-Access-Token", f"{scheme} {token}")]))
    assert other.get("/api/protected/", token).status == 401
    answer = other.send("GET", "/api/protected/", [("X-Access-Token", f"Bearer {token}")])
    assert (answer.status, answer.header("WWW-Authenticate")) == (401, 'JWT realm="api"')


def test_append_slash_off(site):
    made = site(Profile("no-slash", extra={"SIMPLEJWT_APPEND_SLASH": "false"}))
    for server in (made.theirs, made.ours):
        assert server.send("GET", "/api/protected").status == 404
        assert server.send("POST", "/api/token").status == 404
        assert server.send("GET", "/api/protected/").status == 401


def test_protected_stateless_by_setting(site):
    made = site(Profile("stateless", extra={"SIMPLEJWT_AUTHENTICATION": "stateless"}))
    for server in (made.theirs, made.ours):
        token = Mint(user_id="99999", extra={"username": "zoe"}).access()
        assert ok(server.get("/api/protected/", token)) == {"message": "Welcome, zoe!"}


def test_audience_issuer_and_leeway(site):
    settings = {"AUDIENCE": ["a", "b"], "ISSUER": "https://id.example", "LEEWAY": 30}
    made = site(Profile("audience", settings))
    seen = []
    for server in (made.theirs, made.ours):
        tokens = ok(server.post("/api/token/", ALICE))
        seen.append([describe(token) for token in tokens.values()])
        good = Mint(extra={"aud": "b", "iss": "https://id.example"})
        assert ok(server.get("/api/protected/", good.access(lifetime=-10)))
        assert server.get("/api/protected/", good.access(lifetime=-31)).status == 401
        assert server.get("/api/protected/", good.access(aud="c")).status == 401
        assert server.get("/api/protected/", good.access(iss="https://id.example/")).status == 401
        assert server.get("/api/protected/", good.access(drop=("aud",))).status == 401
    assert seen[0] == seen[1]
    assert SECRET not in str(seen)


@EVERY_DATABASE
def test_difference_blacklisting_without_a_blacklist_is_no_silent_success(site):
    made = site(Profile("no-blacklist", blacklist=False))
    token = Mint().refresh()
    assert ok(made.theirs.post("/api/token/blacklist/", {"refresh": token})) == {}
    if not servers.django_only():
        answer = made.ours.post("/api/token/blacklist/", {"refresh": token})
        assert answer.status >= 400 and "detail" in answer.json(), answer


def test_difference_answers_with_tokens_are_not_cached(site):
    made = site(ROTATING)
    token = ok(made.theirs.post("/api/token/", ALICE))["refresh"]
    if not servers.django_only():
        for path, body in (("/api/token/", ALICE), ("/api/token/sliding/", ALICE), ("/api/token/refresh/", {"refresh": token})):
            answer = made.ours.post(path, body)
            assert (answer.status, answer.header("Cache-Control")) == (200, "no-store"), path


def test_difference_failed_logins_are_throttled(site):
    made = site(Profile("throttled", extra={"SIMPLEJWT_THROTTLE_ENABLED": "true"}))
    wrong = {"username": "alice", "password": "looking-glass"}
    for _ in range(12):
        assert made.theirs.post("/api/token/", wrong).status == 401
    assert made.theirs.post("/api/token/", ALICE).status == 200
    if servers.django_only():
        return
    for _ in range(10):
        refused(made.ours.post("/api/token/", wrong), 401, {"detail": "No active account found with the given credentials"})
    answer = made.ours.post("/api/token/", ALICE)
    seconds = int(answer.header("Retry-After"))
    assert 300 < seconds <= 360, answer
    refused(answer, 429, {"detail": f"Request was throttled. Expected available in {seconds} seconds.", "code": "throttled"})
    # Django REST framework's own words.
    words = made.shell(f"from rest_framework.exceptions import Throttled; print(json.dumps(str(Throttled({seconds}).detail)))")
    assert answer.json()["detail"] == words
    token = ok(made.theirs.post("/api/token/", ALICE))["access"]
    for _ in range(50):
        assert ok(made.ours.post("/api/token/verify/", {"token": token})) == {}
