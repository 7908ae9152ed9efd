"""Sessions, which only we know of, with Django on the same database."""

from concurrent.futures import ThreadPoolExecutor

import pytest

import servers
from servers import EVERY_DATABASE, PASSWORD, Profile
from test_together import BLACKLISTED, BOTH_WAYS, ROTATING, ok, pair, refused
from tokens import Mint, payload

NAMED = Profile("sessions", ROTATING.simple_jwt, extra={"SIMPLEJWT_SESSION_CLAIM": "true"})
UNNAMED = Profile("sessions-unnamed", ROTATING.simple_jwt)
STRICT = Profile("sessions-strict", ROTATING.simple_jwt, extra={"SIMPLEJWT_REUSE_TOLERANCE": "0"})
GRACE = Profile("sessions-grace", ROTATING.simple_jwt, extra={"SIMPLEJWT_ROTATION_GRACE": "60", "SIMPLEJWT_SESSION_CLAIM": "true"})
WITHOUT = Profile("sessions-off", ROTATING.simple_jwt, extra={"SIMPLEJWT_SESSIONS": "false"})
EITHER = pytest.mark.parametrize("profile", [NAMED, UNNAMED], ids=["sid", "no sid"])
CHANGED = {"detail": "The user's password has been changed.", "code": "password_changed"}
GONE = {"detail": "No active account found for the given token."}


@pytest.fixture(autouse=True)
def with_the_binary():
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not sessions'")


def add_user(made, name, hasher="md5", **fields):
    made.shell(
        "from django.contrib.auth.hashers import make_password\n"
        f"User.objects.create(username={name!r}, password=make_password({PASSWORD!r}, hasher={hasher!r}), **{fields!r})"
    )
    return {"username": name, "password": PASSWORD}


def log_in(server, user):
    return ok(server.post("/api/token/", user))


def refresh(server, token):
    return server.post("/api/token/refresh/", {"refresh": token})


def next_token(server, token):
    return ok(refresh(server, token))["refresh"]


def sessions(made, token):
    return ok(made.ours.get("/api/token/sessions/", token))


def ended(made, jti):
    rows = made.sql(
        "SELECT s.ended_at, s.end_reason FROM simplejwt_session s"
        " JOIN simplejwt_session_token t ON t.session_id = s.id WHERE t.jti = ?",
        jti,
    )
    assert len(rows) == 1
    return rows[0][1] if rows[0][0] is not None else None


def dead(made, token):
    for server in (made.ours, made.theirs):
        refused(refresh(server, token), 401, BLACKLISTED)


@EVERY_DATABASE
@EITHER
def test_a_token_of_djangos_joins_a_session(site, request, profile):
    made = site(profile)
    user = add_user(made, request.node.name)
    first = log_in(made.theirs, user)
    assert sessions(made, first["access"]) == []
    second = ok(refresh(made.ours, first["refresh"]))
    assert [one["id"] for one in sessions(made, second["access"])] == [payload(first["refresh"])["jti"]]
    if profile is NAMED:
        assert payload(second["refresh"])["sid"] == payload(first["refresh"])["jti"]
        assert payload(second["access"])["sid"] == payload(first["refresh"])["jti"]
    else:
        assert "sid" not in payload(second["refresh"])
    ok(made.theirs.get("/api/protected/", second["access"]))
    assert ended(made, payload(second["refresh"])["jti"]) is None


@EVERY_DATABASE
@EITHER
@BOTH_WAYS
def test_tokens_go_back_and_forth(site, request, profile, way):
    made = site(profile)
    one, other = pair(made, way)
    user = add_user(made, request.node.name)
    tokens = log_in(one, user)
    for turn in range(6):
        server, reader = (other, one) if turn % 2 == 0 else (one, other)
        spent = tokens["refresh"]
        tokens = ok(refresh(server, spent))
        assert ok(reader.get("/api/protected/", tokens["access"])) == {"message": f"Welcome, {user['username']}!"}
        assert made.theirs.post("/api/token/verify/", {"token": spent}).status == 400
    # A token that Django made counts from when it is seen here.
    tokens = ok(refresh(made.ours, tokens["refresh"]))
    assert len(sessions(made, tokens["access"])) == 1
    assert ok(made.ours.post("/api/token/logout/", {"refresh": tokens["refresh"]}))
    dead(made, tokens["refresh"])


@EVERY_DATABASE
def test_difference_a_spent_token_that_comes_again_ends_its_session(site, request):
    made = site(STRICT)
    first = log_in(made.ours, add_user(made, request.node.name))["refresh"]
    second = next_token(made.ours, first)
    third = next_token(made.ours, second)
    refused(refresh(made.ours, first), 401, BLACKLISTED)
    assert ended(made, payload(first)["jti"]) == "reuse"
    dead(made, third)


@EVERY_DATABASE
@EITHER
@BOTH_WAYS
def test_five_refreshes_at_once_leave_the_winner_logged_in(site, request, profile, way):
    made = site(profile)
    one, other = pair(made, way)
    first = log_in(one, add_user(made, request.node.name))["refresh"]
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: refresh(made.ours, first), range(5)))
    won = [answer for answer in answers if answer.status == 200]
    assert len(won) == 1, answers
    for answer in answers:
        if answer is not won[0]:
            refused(answer, 401, BLACKLISTED)
    second = ok(won[0])
    ok(other.get("/api/protected/", second["access"]))
    # The winner's token is good at either, one after the other.
    third = next_token(made.ours, second["refresh"])
    refused(refresh(made.ours, first), 401, BLACKLISTED)
    assert ended(made, payload(first)["jti"]) is None
    fourth = next_token(made.theirs, third)
    # Spent by Django, and presented here at once.
    refused(refresh(made.ours, third), 401, BLACKLISTED)
    assert ended(made, payload(third)["jti"]) is None
    ok(refresh(made.ours, fourth))


@EVERY_DATABASE
def test_difference_a_spent_token_logs_out_of_its_session(site, request):
    for profile in (NAMED, GRACE):
        made = site(profile)
        user = add_user(made, f"{request.node.name} {profile.name}")
        for path in ("/api/token/logout/", "/api/token/blacklist/"):
            first = log_in(made.ours, user)["refresh"]
            second = next_token(made.ours, first)
            ok(made.ours.post(path, {"refresh": first}))
            dead(made, second)
            refused(made.ours.post(path, {"refresh": first}), 401, BLACKLISTED)


@EVERY_DATABASE
def test_a_password_changed_in_django_comes_before_a_repeated_pair(site, request):
    made = site(GRACE)
    user = add_user(made, request.node.name)
    first = log_in(made.ours, user)["refresh"]
    second = next_token(made.ours, first)
    assert next_token(made.ours, first) == second
    made.shell(f"u = User.objects.get(username={user['username']!r}); u.set_password('another one'); u.save()")
    refused(refresh(made.ours, first), 401, CHANGED)
    assert ended(made, payload(first)["jti"]) == "password"
    dead(made, second)


@EVERY_DATABASE
@EITHER
def test_a_row_deleted_in_djangos_admin_is_made_anew(site, request, profile):
    made = site(profile)
    first = log_in(made.ours, add_user(made, request.node.name))["refresh"]
    jti = payload(first)["jti"]
    delete = "from rest_framework_simplejwt.token_blacklist.models import OutstandingToken\nOutstandingToken.objects.filter(jti=%r).delete()"
    made.shell(delete % jti)
    second = next_token(made.ours, first)
    rows = made.sql("SELECT COUNT(*) FROM token_blacklist_outstandingtoken WHERE jti = ?", jti)
    assert rows == [(1,)]
    refused(refresh(made.theirs, first), 401, BLACKLISTED)
    # Here a spent token stays spent without its row.
    made.shell(delete % jti)
    refused(refresh(made.ours, first), 401, BLACKLISTED)
    made.shell(delete % payload(second)["jti"])
    third = next_token(made.ours, second)
    ok(refresh(made.theirs, third))


@EVERY_DATABASE
def test_difference_a_blacklist_row_that_was_removed_revives_nothing(site, request):
    made = site(UNNAMED)
    first = log_in(made.ours, add_user(made, request.node.name))["refresh"]
    second = next_token(made.ours, first)
    jti = payload(first)["jti"]
    made.shell(
        "from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken\n"
        f"BlacklistedToken.objects.filter(token__jti={jti!r}).delete()"
    )
    refused(refresh(made.ours, first), 401, BLACKLISTED)
    ok(refresh(made.theirs, first))
    ok(refresh(made.ours, second))


@EVERY_DATABASE
def test_staff_end_the_sessions_of_a_known_user_and_of_no_other(site, request):
    made = site(NAMED)
    staff = log_in(made.ours, add_user(made, f"staff {request.node.name}", is_staff=True))["access"]
    bearer = [("Authorization", f"Bearer {staff}")]
    tokens = log_in(made.ours, add_user(made, request.node.name))
    user = payload(tokens["access"])["user_id"]
    unknown = {"detail": "User not found", "code": "user_not_found"}
    for other in ("999999", "nobody"):
        refused(made.ours.post("/api/token/logout/", {"scope": "all", "user": other}, bearer), 404, unknown)
        refused(made.ours.send("GET", f"/api/token/sessions/?user={other}", bearer), 404, unknown)
    assert ok(made.ours.post("/api/token/logout/", {"scope": "all", "user": user}, bearer)) == {"ended": 1}
    dead(made, tokens["refresh"])


@EVERY_DATABASE
@BOTH_WAYS
def test_without_sessions_the_successor_lives_as_upstream_has_it(site, request, way):
    made = site(WITHOUT)
    one, other = pair(made, way)
    first = log_in(one, add_user(made, request.node.name))["refresh"]
    second = next_token(one, first)
    for server in (one, other):
        refused(refresh(server, first), 401, BLACKLISTED)
    ok(refresh(other, second))
    rows = made.sql("SELECT COUNT(*) FROM simplejwt_session")
    assert rows == [(0,)]


@EVERY_DATABASE
def test_sid_goes_through_djangos_refresh_and_logging_out_ends_all(site, request):
    made = site(NAMED)
    first = log_in(made.ours, add_user(made, request.node.name))
    session = payload(first["refresh"])["sid"]
    assert session == payload(first["refresh"])["jti"] == payload(first["access"])["sid"]
    theirs = ok(refresh(made.theirs, first["refresh"]))
    assert payload(theirs["refresh"])["sid"] == payload(theirs["access"])["sid"] == session
    answer = ok(made.ours.send("POST", "/api/token/logout/", [("Authorization", f"Bearer {theirs['access']}")]))
    assert answer == {"ended": 1}
    # It hasn't been here since Django made it; that it names the session is enough.
    refused(refresh(made.ours, theirs["refresh"]), 401, BLACKLISTED)
    refused(refresh(made.theirs, theirs["refresh"]), 401, BLACKLISTED)


@EVERY_DATABASE
@EITHER
def test_logging_out_with_a_token_that_django_rotated(site, request, profile):
    made = site(profile)
    first = log_in(made.ours, add_user(made, request.node.name))
    theirs = next_token(made.theirs, first["refresh"])
    answer = made.ours.post("/api/token/logout/", {"refresh": theirs})
    # Without the claim, nothing says which session it belongs to: it alone is ended.
    assert ok(answer) == {"ended": 1}
    dead(made, theirs)


@EVERY_DATABASE
@EITHER
def test_logging_out_everywhere_ends_djangos_tokens_too(site, request, profile):
    made = site(profile)
    user = add_user(made, request.node.name)
    theirs, ours = log_in(made.theirs, user), log_in(made.ours, user)
    bearer = [("Authorization", f"Bearer {ours['access']}")]
    ok(made.ours.post("/api/token/logout/", {"scope": "all"}, bearer))
    for tokens in (theirs, ours):
        dead(made, tokens["refresh"])


@EVERY_DATABASE
@EITHER
def test_blacklisted_in_django_is_the_end_of_the_session(site, request, profile):
    made = site(profile)
    first = log_in(made.ours, add_user(made, request.node.name))["refresh"]
    jti = payload(first)["jti"]
    ok(made.theirs.post("/api/token/blacklist/", {"refresh": first}))
    refused(refresh(made.ours, first), 401, BLACKLISTED)
    assert ended(made, jti) is None, "within the tolerance"
    made.sql(
        "UPDATE token_blacklist_blacklistedtoken SET blacklisted_at = '2020-01-02 03:04:05' WHERE token_id ="
        " (SELECT id FROM token_blacklist_outstandingtoken WHERE jti = ?)",
        jti,
    )
    refused(refresh(made.ours, first), 401, BLACKLISTED)
    assert ended(made, jti) == "blacklisted"


@EVERY_DATABASE
@EITHER
def test_a_password_changed_in_django_ends_sessions_at_the_next_refresh(site, request, profile):
    made = site(profile)
    user = add_user(made, request.node.name)
    tokens = [next_token(made.ours, log_in(server, user)["refresh"]) for server in (made.ours, made.theirs)]
    made.shell(f"u = User.objects.get(username={user['username']!r}); u.set_password('another one'); u.save()")
    for token in tokens:
        refused(refresh(made.ours, token), 401, CHANGED)
        assert ended(made, payload(token)["jti"]) == "password"
        dead(made, token)
    new = log_in(made.ours, {**user, "password": "another one"})
    ok(refresh(made.ours, new["refresh"]))


@EVERY_DATABASE
def test_a_rehash_by_our_login_ends_no_session_and_one_by_djangos_does(site, request):
    made = site(UNNAMED)
    for server, goes_on in ((made.ours, True), (made.theirs, False)):
        user = add_user(made, f"{request.node.name} {server.name}", hasher="pbkdf2_sha256")
        number = made.sql("SELECT id, password FROM auth_user WHERE username = ?", user["username"])[0]
        token = next_token(made.ours, Mint(user_id=str(number[0])).refresh())
        log_in(server, user)
        stored = made.sql("SELECT password FROM auth_user WHERE username = ?", user["username"])[0][0]
        assert stored != number[1] and stored.startswith("md5$")
        if goes_on:
            ok(refresh(made.ours, token))
        else:
            refused(refresh(made.ours, token), 401, CHANGED)


@EVERY_DATABASE
@EITHER
@pytest.mark.parametrize("change", ["User.objects.get(username=NAME).delete()", "User.objects.filter(username=NAME).update(is_active=False)"], ids=["deleted", "inactive"])
def test_a_user_deleted_or_inactive_in_django_has_no_session_any_more(site, request, profile, change):
    made = site(profile)
    user = add_user(made, request.node.name)
    first = log_in(made.ours, user)
    second = next_token(made.ours, first["refresh"])
    other = log_in(made.ours, user)["refresh"]
    made.shell(f"NAME = {user['username']!r}\n{change}")
    refused(refresh(made.ours, second), 401, GONE)
    # One refresh is the end of all.
    for token in (second, other):
        assert ended(made, payload(token)["jti"]) == "user"
    assert refresh(made.ours, other).status == 401
    refused(refresh(made.theirs, second), 401, BLACKLISTED)
    if change.endswith("delete()"):
        rows = made.sql("SELECT COUNT(*) FROM token_blacklist_outstandingtoken WHERE jti = ? AND user_id IS NULL", payload(second)["jti"])
        assert rows == [(1,)]


@EVERY_DATABASE
def test_the_sessions_of_a_deleted_user_can_be_ended_by_the_id(site, request):
    made = site(NAMED)
    user = add_user(made, request.node.name)
    tokens = log_in(made.ours, user)
    number = payload(tokens["access"])["user_id"]
    other = log_in(made.ours, add_user(made, f"other {request.node.name}"))
    made.shell(f"User.objects.get(username={user['username']!r}).delete()")
    staff = log_in(made.ours, add_user(made, f"staff {request.node.name}", is_staff=True))["access"]
    listed = made.ours.send("GET", f"/api/token/sessions/?user={number}", [("Authorization", f"Bearer {staff}")])
    assert [one["id"] for one in ok(listed)] == [payload(tokens["refresh"])["jti"]]
    made.ours_command("session", "end-all", number)
    assert ended(made, payload(tokens["refresh"])["jti"]) == "staff"
    assert ended(made, payload(other["refresh"])["jti"]) is None


@EVERY_DATABASE
def test_the_admins_collector_finds_nothing_that_protects_a_user(site, request):
    made = site(NAMED)
    user = add_user(made, request.node.name)
    next_token(made.ours, log_in(made.ours, user)["refresh"])
    found = made.shell(
        "from django.db.models.deletion import Collector\n"
        f"user = User.objects.get(username={user['username']!r})\n"
        "collector = Collector(using='default', origin=user); collector.collect([user])\n"
        "print(json.dumps([sorted(m._meta.label for m in collector.data), user.delete()[0]]))"
    )
    assert found == [["auth.User"], 1]


@EVERY_DATABASE
@EITHER
def test_expired_tokens_are_flushed_by_either(site, request, profile):
    made = site(profile)
    user = add_user(made, request.node.name)
    for flush in (lambda: made.manage("flushexpiredtokens"), lambda: made.ours_command("token", "flush-expired")):
        spent = [log_in(server, user)["refresh"] for server in (made.ours, made.theirs)]
        live = [next_token(made.ours, token) for token in spent]
        ids = [payload(token)["jti"] for token in spent]
        for jti in ids:
            assert len(made.sql("SELECT id FROM token_blacklist_outstandingtoken WHERE jti = ?", jti)) == 1
            # The token itself would say that it hasn't expired.
            made.sql(
                "UPDATE token_blacklist_outstandingtoken SET token = '', expires_at = '2020-01-02 03:04:05'"
                " WHERE jti = ?",
                jti,
            )
        flush()
        for jti in ids:
            assert made.sql("SELECT id FROM token_blacklist_outstandingtoken WHERE jti = ?", jti) == []
        # Their sessions go on.
        for token in live:
            ok(refresh(made.ours, token))
    orphans = made.sql(
        "SELECT COUNT(*) FROM token_blacklist_blacklistedtoken b"
        " LEFT JOIN token_blacklist_outstandingtoken o ON o.id = b.token_id WHERE o.id IS NULL"
    )
    assert orphans == [(0,)]


@EVERY_DATABASE
def test_a_session_id_with_a_nul_is_no_session(site, request):
    made = site(NAMED)
    access = log_in(made.ours, add_user(made, request.node.name, is_staff=True))["access"]
    bearer = [("Authorization", f"Bearer {access}")]
    for method, path in (("DELETE", "/api/token/sessions/a%00b/"), ("DELETE", "/api/token/sessions/%ff/")):
        assert made.ours.send(method, path, bearer).status == 404
    assert made.ours.send("GET", "/api/token/sessions/?user=1%00", bearer).status in (200, 404)
    answer = made.ours.post("/api/token/logout/", {"scope": "all", "user": "1\0"}, bearer)
    assert answer.status in (400, 404), answer
    for name in ("alice\0", "\0"):
        assert made.ours.post("/api/token/", {"username": name, "password": "x\0"}).status in (400, 401)
