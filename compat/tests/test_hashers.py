"""Two programs, one column: whoever logs in where, no session ends on either side.

Each release of Django has other PBKDF2 iterations, and this server's default is that of 5.2.
"""

import subprocess
import sys
from urllib.parse import urlencode

import django as current_django
import pytest

import servers
from servers import DATABASES, PASSWORD, Profile, Site

ROTATION = {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True}
OURS = 1_000_000
COSTS = {"4.2": 600_000, "5.2": OURS, "6.1": 1_500_000}
CURRENT = ".".join(map(str, current_django.VERSION[:2]))
# Where there is one Django only, it stands for both.
OLDER = CURRENT if servers.django_4_2() == sys.executable else "4.2"
ITERATIONS = {version: COSTS[version] for version in (OLDER, CURRENT)}
# What the older one writes doesn't depend on the database.
EVERY_DJANGO = pytest.mark.parametrize(
    ("django", "database"), [*((CURRENT, kind) for kind in DATABASES), (OLDER, "sqlite")][: 3 + (OLDER != CURRENT)]
)
BOTH = pytest.mark.parametrize(("django", "database"), [(django, "sqlite") for django in ITERATIONS])
OLDER_DJANGO = pytest.mark.parametrize(("django", "database"), [(OLDER, "sqlite")])


@pytest.fixture
def beside(tmp_path_factory, sites, django, database):
    """A site whose hashers are left to their defaults, and whose Django has web sessions too."""
    kind = (database, "beside Django", django)
    if kind not in sites:
        profile = Profile("hashers", simple_jwt=ROTATION, hashers=None, extra={"COMPAT_WEB_SESSIONS": "true"})
        python = {"python": servers.django_4_2()} if django == "4.2" else {}
        made = sites[kind] = Site(profile, tmp_path_factory.mktemp("hashers"), database, **python)
        made.manage("migrate", "--verbosity", "0")
        made.start()
        made.configured = made.start_ours("configured", SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS=str(ITERATIONS[django]))
        made.wait(made.configured)
    return sites[kind]


def add(made, name, iterations=None):
    """A user as that Django makes one, or an older one that had these iterations."""
    made.shell(
        "from django.contrib.auth.hashers import PBKDF2PasswordHasher as Hasher\n"
        f"hash = Hasher().encode({PASSWORD!r}, Hasher().salt(), iterations={iterations!r})\n"
        f"User.objects.create(username={name!r}, password=hash)"
    )
    return name


def stored(made, name):
    return made.sql("SELECT password FROM auth_user WHERE username = ?", name)[0][0]


def iterations(made, name):
    return int(stored(made, name).split("$")[1])


class Token:
    """A session at one of the servers."""

    def __init__(self, server, name):
        self.server = server
        answer = server.post("/api/token/", {"username": name, "password": PASSWORD})
        assert answer.status == 200, answer.body
        self.refresh = answer.json()["refresh"]

    def goes_on(self):
        answer = self.server.post("/api/token/refresh/", {"refresh": self.refresh})
        if answer.status != 200:
            assert answer.json()["code"] == "password_changed", answer.body
            return False
        self.refresh = answer.json()["refresh"]
        return True


class Browser:
    """A session of Django's own, bound to the password by its session auth hash."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        body = urlencode({"username": name, "password": PASSWORD}).encode()
        form = [("Content-Type", "application/x-www-form-urlencoded")]
        answer = server.send("POST", "/web/login/", form, body)
        assert answer.status == 200, answer.body
        self.cookie = answer.header("Set-Cookie").split(";")[0]

    def goes_on(self):
        answer = self.server.send("GET", "/web/user/", [("Cookie", self.cookie)])
        return answer.body.decode() == self.name


@EVERY_DJANGO
def test_three_rounds_of_alternate_logins_end_no_session(beside, django):
    made = beside
    name = add(made, "alternating")
    first = stored(made, name)
    assert iterations(made, name) == ITERATIONS[django]
    sessions = []
    for _ in range(3):
        for server in (made.ours, made.theirs, made.configured):
            sessions.append(Token(server, name))
            if server is made.theirs:
                sessions.append(Browser(server, name))
            assert stored(made, name) == first, server.name
        for session in sessions:
            assert session.goes_on(), f"{session.server.name}, {type(session).__name__}"
    assert len(sessions) == 12


@BOTH
def test_difference_no_hash_is_rewritten_by_default_beside_django(beside, django):
    """DIFFERENCE: Django rewrites each hash that isn't of its own cost."""
    made = beside
    for cost in (260_000, ITERATIONS[django] + 1):
        name = add(made, f"kept {cost}", cost)
        before = stored(made, name)
        Token(made.ours, name)
        assert stored(made, name) == before
        Token(made.theirs, name)
        assert iterations(made, name) == ITERATIONS[django]


@BOTH
def test_a_hash_of_an_older_django_is_rewritten_once_by_whoever_has_djangos_cost(beside, django):
    made = beside
    for rewrites in (made.theirs, made.configured):
        name = add(made, f"older {rewrites.name}", 260_000)
        mine = Token(made.ours, name)
        kept = Token(rewrites, name)
        rewritten = stored(made, name)
        assert iterations(made, name) == ITERATIONS[django]
        # A hash that Django has rewritten can't be told from a changed password.
        assert mine.goes_on() == (rewrites is not made.theirs)
        assert kept.goes_on()
        later = [Token(server, name) for server in (made.ours, made.theirs, made.configured)]
        assert stored(made, name) == rewritten
        assert all(session.goes_on() for session in [kept, *later])


@BOTH
def test_costs_that_are_set_go_both_ways_as_djangos_do(beside, django):
    made = beside
    for more in (-1, 1):
        for server in (made.theirs, made.configured):
            name = add(made, f"{more} {server.name}", ITERATIONS[django] + more)
            Token(server, name)
            assert iterations(made, name) == ITERATIONS[django], server.name


@OLDER_DJANGO
def test_another_cost_than_djangos_with_always_ends_sessions_at_each_turn(beside, django):
    """What the rounds above would show if anything were rewritten; the settings ask for it."""
    made = beside
    server = made.start_ours("always", SIMPLEJWT_PASSWORD_REHASH="always")
    made.wait(server)
    name = add(made, "fought over")
    ended = []
    for _ in range(2):
        browser, mine = Browser(made.theirs, name), Token(server, name)
        ended.append(not browser.goes_on())
        assert iterations(made, name) == OURS
        Token(made.theirs, name)
        assert iterations(made, name) == ITERATIONS[django]
        ended.append(not mine.goes_on())
    assert ended == [True] * 4
    assert "each login here rewrites them" in server.log.read_text()


def config_check(made, **environment):
    done = subprocess.run(
        [servers.binary(), "config", "check"],
        env={**made.environment, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "fine" in done.stdout
    return [line.removeprefix("warning: ") for line in done.stderr.splitlines()]


@pytest.mark.parametrize(("django", "database"), [(CURRENT, "sqlite"), *((OLDER, kind) for kind in DATABASES)])
def test_config_check_names_the_number_to_write(tmp_path, django, database):
    python = {"python": servers.django_4_2()} if django == "4.2" else {}
    profile = Profile("check", simple_jwt=ROTATION, hashers=None)
    made = Site(profile, tmp_path, database, **python)
    try:
        made.manage("migrate", "--verbosity", "0")
        made.ours_command("migrate")
        made.shell(
            "for n in range(3): User.objects.create_user(f'user{n}', password='p')\n"
            "User.objects.create_user('sso')\n"
            "User.objects.create(username='old', password='sha1$salt$5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8')"
        )
        lines = config_check(made)
        assert any("1 of 4" in line and "sha1" in line and "5baa" not in line for line in lines), lines
        number = f"SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS={ITERATIONS[django]}"
        named = [line for line in lines if "iterations" in line]
        if ITERATIONS[django] == OURS:
            assert named == []
            other = config_check(made, SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS="600000")
            named = [line for line in other if "iterations" in line]
            assert "this server writes 600000: each login here rewrites them" in named[0]
        else:
            assert f'this server writes {OURS}: with rehash = "always" each login here would' in named[0]
        assert named[0].startswith(f"3 of 4 stored hashes have {ITERATIONS[django]} iterations"), named
        assert named[0].endswith(number), named
        variable, value = number.split("=")
        assert not [line for line in config_check(made, **{variable: value}) if "iterations" in line]
    finally:
        made.close()


@OLDER_DJANGO
def test_a_kind_that_is_not_accepted_is_said_in_the_log_without_the_hash(beside):
    made = beside
    secret = "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8"
    hashes = {
        "sha1": f"sha1$salt${secret}",
        "pbkdf2_sha512": f"pbkdf2_sha512$1000$salt${secret}",
        "bare bcrypt": f"$2b$12$abcdefghijklmnopqrstu{secret[:32]}",
        "an unknown kind": secret,
        "malformed pbkdf2_sha256": f"pbkdf2_sha256$many$salt${secret}",
    }
    made.shell(
        f"for name, value in {hashes!r}.items(): User.objects.create(username=name, password=value)\n"
        "User.objects.create_user('no password')"
    )
    for algorithm in hashes:
        answer = made.ours.post("/api/token/", {"username": algorithm, "password": PASSWORD})
        assert answer.status == 401
        log = made.ours.log.read_text()
        lines = [line for line in log.splitlines() if "event=hash_unusable" in line and algorithm in line]
        assert len(lines) == 1, log
        assert secret[:10] not in log
    made.ours.post("/api/token/", {"username": "no password", "password": PASSWORD})
    assert made.ours.log.read_text().count("event=hash_unusable") == len(hashes)
