"""A database that was made here becomes Django's by one command of ours and Django's own `migrate`."""

import pytest

import servers
from servers import DATABASES, PASSWORD, Profile, Site

ADMIN = Profile("takeover", extra={"COMPAT_ADMIN": "true"})
# The Django that the tests run with, on each; and an older one.
SITES = [(kind, "") for kind in DATABASES] + [("mysql", "4.2")]
# In one process, since each takes its time to start.
MIGRATES = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("migrate", "--check", verbosity=0)
call_command("makemigrations", "--check", "--dry-run", verbosity=0)
"""
LOGS_IN = f"""
from django.contrib.auth.models import Permission
from django.test import Client
client = Client(headers={{"host": "localhost"}})
assert client.login(username="early", password={PASSWORD!r})
pages = ["/admin/", "/admin/auth/user/", "/admin/auth/user/1/change/", "/admin/auth/group/add/"]
pages += ["/admin/token_blacklist/outstandingtoken/", "/admin/token_blacklist/blacklistedtoken/"]
print(json.dumps([[client.get(page).status_code for page in pages], Permission.objects.count()]))
"""


@pytest.fixture
def made_here(tmp_path, database):
    """Our tables, and a user in them."""
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not takeover'")
    made = Site(ADMIN, tmp_path, database)
    made.ours_command("migrate")
    options = ["--superuser", "--staff", "--password-stdin"]
    made.ours_command("user", "add", "early", *options, stdin=PASSWORD + "\n")
    yield made
    made.close()


def assert_both_are_content(made):
    assert "are already recorded as migrated" in made.ours_command("migrate", "--for-django")
    made.ours_command("migrate", "--check")


@pytest.mark.parametrize(("database", "django"), SITES)
def test_one_command_and_djangos_migrate(made_here, django):
    made = made_here
    if django:
        made.python = servers.django_4_2()
    told = made.ours_command("migrate", "--for-django")
    assert "auth.0012_alter_user_first_name_max_length" in told
    assert "token_blacklist.0013_alter_blacklistedtoken_options_and_more" in told
    pages, permissions = made.shell(MIGRATES + LOGS_IN)
    assert pages == [200] * len(pages)
    assert permissions >= 4 * 8
    assert_both_are_content(made)
    ours = made.start_ours()
    made.wait(ours)
    assert ours.post("/api/token/", {"username": "early", "password": PASSWORD}).status == 200


# On PostgreSQL it stops at its first statement, and leaves nothing.
@pytest.mark.parametrize("database", ["sqlite", "mysql"])
def test_after_a_migrate_of_djangos_that_stopped_at_our_tables(made_here):
    made = made_here
    with pytest.raises(AssertionError, match="already exists"):
        made.manage("migrate", "--verbosity", "0")
    made.ours_command("migrate", "--for-django")
    made.shell(MIGRATES)
    assert_both_are_content(made)
