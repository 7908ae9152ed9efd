"""Users of either side at the other, with every hasher of Django's."""

import django
import pytest

import servers
from servers import EVERY_DATABASE, PASSWORD, Profile, every_database_with

HASHERS = {
    "pbkdf2_sha256": "PBKDF2PasswordHasher",
    "pbkdf2_sha1": "PBKDF2SHA1PasswordHasher",
    "argon2": "Argon2PasswordHasher",
    "bcrypt_sha256": "BCryptSHA256PasswordHasher",
    "bcrypt": "BCryptPasswordHasher",
    "scrypt": "ScryptPasswordHasher",
    "md5": "MD5PasswordHasher",
}
EVERY_HASHER = every_database_with("hasher", HASHERS, few=("argon2", "md5"))
# Unlike each other in everything a hasher could trip over, within bcrypt's 72 bytes.
PASSWORDS = [PASSWORD, " pa\u00dfwört🦀 "]


def by_hasher(preferred):
    """All hashers, this one first."""
    others = [name for name in HASHERS.values() if name != HASHERS[preferred]]
    return Profile(f"hasher-{preferred}", hashers=(HASHERS[preferred], *others), blacklist=False)


def stored(made, name):
    return made.sql("SELECT password FROM auth_user WHERE username = ?", name)[0][0]


def log_in(server, name, password=PASSWORD):
    return server.post("/api/token/", {"username": name, "password": password}).status


def every_hash(made):
    made.shell(
        "from django.contrib.auth.hashers import make_password\n"
        f"for hasher in {list(HASHERS)!r}:\n"
        "    for who in ('theirs', 'ours'):\n"
        f"        User.objects.create(username=who + '_' + hasher, password=make_password({PASSWORD!r}, hasher=hasher))\n"
    )


@EVERY_HASHER
def test_hash_made_by_django_logs_in_and_is_upgraded_alike(site, hasher):
    made = site(by_hasher("argon2"), every_hash)
    after = {}
    for side in ("theirs", "ours"):
        name = f"{side}_{hasher}"
        before = stored(made, name)
        server = getattr(made, side)
        assert log_in(server, name, "wrong") == 401
        assert stored(made, name) == before
        assert log_in(server, name) == 200
        after[side] = stored(made, name)
        assert (after[side] == before) == (hasher == "argon2")
    # Parameters too are those that Django would have written.
    assert after["ours"].split("$")[:4] == after["theirs"].split("$")[:4]
    for side in ("theirs", "ours"):
        for server in (made.theirs, made.ours):
            assert log_in(server, f"{side}_{hasher}") == 200
        assert stored(made, f"{side}_{hasher}") == after[side]
    good = made.shell(
        "from django.contrib.auth.hashers import check_password, identify_hasher\n"
        f"h = {after['ours']!r}\n"
        f"print(json.dumps([check_password({PASSWORD!r}, h), identify_hasher(h).must_update(h)]))"
    )
    assert good == [True, False]


@EVERY_HASHER
def test_user_made_here_logs_in_at_django_with_every_hasher(site, hasher):
    made = site(by_hasher("argon2"), every_hash)
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not made_here'")
    order = [HASHERS[hasher], *(name for name in HASHERS.values() if name != HASHERS[hasher])]
    password_hashers = __import__("json").dumps([servers.HASHERS + name for name in order])
    name = f"made_{hasher}"
    made.ours_command("user", "add", name, "--password-stdin", stdin=PASSWORDS[0] + "\n", PASSWORD_HASHERS=password_hashers)
    value = stored(made, name)
    assert value.startswith(hasher + "$")
    checked = made.shell(
        "from django.contrib.auth.hashers import check_password, get_hashers_by_algorithm\n"
        f"h = {value!r}\n"
        f"print(json.dumps([check_password({PASSWORDS[0]!r}, h), check_password('x', h),"
        f" get_hashers_by_algorithm()[{hasher!r}].must_update(h)]))"
    )
    # Each release of Django has other iterations, and this server has those of 5.2.
    has_another_cost = hasher.startswith("pbkdf2") and django.VERSION[:2] != (5, 2)
    assert checked == [True, False, has_another_cost]
    assert log_in(made.theirs, name) == 200
    assert log_in(made.ours, name) == 200
    user = made.shell(
        f"u = User.objects.get(username={name!r})\n"
        "print(json.dumps([u.is_active, u.is_staff, u.is_superuser, u.email, u.first_name, u.last_name,"
        " u.last_login is None, u.date_joined is not None]))"
    )
    assert user == [True, False, False, "", "", "", True, True]


@EVERY_DATABASE
def test_fewer_iterations_are_upgraded_by_both(site):
    made = site(Profile("default"))
    for side in ("theirs", "ours"):
        made.shell(
            "from django.contrib.auth.hashers import PBKDF2PasswordHasher\n"
            f"User.objects.create(username='old_{side}', password=PBKDF2PasswordHasher().encode({PASSWORD!r}, 'salt', 1000))"
        )
        assert log_in(getattr(made, side), f"old_{side}") == 200
    assert stored(made, "old_ours").split("$")[0] == stored(made, "old_theirs").split("$")[0] == "md5"


@EVERY_DATABASE
def test_disabled_here_is_out_there(site):
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not disabled_here'")
    made = site(Profile("default"))
    made.shell(f"User.objects.create_user('leaving', password={PASSWORD!r})")
    assert log_in(made.theirs, "leaving") == 200
    made.ours_command("user", "disable", "leaving")
    assert log_in(made.theirs, "leaving") == log_in(made.ours, "leaving") == 401
    made.ours_command("user", "enable", "leaving")
    made.ours_command("user", "set-password", "leaving", "--password-stdin", stdin="another one that is long\n")
    for server in (made.theirs, made.ours):
        assert log_in(server, "leaving") == 401
        assert log_in(server, "leaving", "another one that is long") == 200


@EVERY_DATABASE
def test_names_are_stored_as_create_user_does(site):
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not create_user'")
    made = site(Profile("default"))
    names = ["\ufb01n", "zoe\u0308-2"]
    for name in names:
        made.ours_command("user", "add", name, "--email", "A@EXAMPLE.org", "--password-stdin", stdin=PASSWORD + "\n")
    stored = made.shell(
        f"names = {names!r}\n"
        "theirs = [User.normalize_username(name) for name in names]\n"
        "print(json.dumps([sorted(theirs), sorted(User.objects.filter(username__in=theirs)"
        ".values_list('username', 'email'))]))"
    )
    assert [list(row) for row in stored[1]] == [[name, "A@example.org"] for name in stored[0]]
    assert log_in(made.theirs, "fin") == log_in(made.ours, "fin") == 200


@EVERY_DATABASE
def test_deleted_here_leaves_what_django_leaves(site):
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not deleted_here'")
    made = site(Profile("default"))
    made.shell(
        "from django.contrib.auth.models import Group\n"
        "group, _ = Group.objects.get_or_create(name='leavers')\n"
        "for name in ('by_django', 'by_us'):\n"
        f"    User.objects.create_user(name, password={PASSWORD!r}).groups.add(group)"
    )
    for name in ("by_django", "by_us"):
        for server in (made.theirs, made.ours):
            assert log_in(server, name) == 200
    before = made.sql("SELECT COUNT(*) FROM token_blacklist_outstandingtoken")
    nobodys = "SELECT COUNT(*) FROM token_blacklist_outstandingtoken WHERE user_id IS NULL"
    members = "SELECT COUNT(*) FROM auth_user_groups"
    counts = []
    for delete in (
        lambda: made.shell("User.objects.get(username='by_django').delete()"),
        lambda: made.ours_command("user", "delete", "by_us", "--yes"),
    ):
        then = [made.sql(nobodys)[0][0], made.sql(members)[0][0]]
        delete()
        now = [made.sql(nobodys)[0][0], made.sql(members)[0][0]]
        counts.append([after - earlier for after, earlier in zip(now, then)])
    assert counts[0] == counts[1] == [2, -1]
    assert made.sql("SELECT COUNT(*) FROM token_blacklist_outstandingtoken") == before
    for server in (made.theirs, made.ours):
        assert log_in(server, "by_us") == 401
