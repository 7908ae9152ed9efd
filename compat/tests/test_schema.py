"""Tables: ours equal Django's, and Django's migrations take ours for their own."""

import pytest

import servers
from servers import EVERY_DATABASE, PASSWORD, Profile

TABLES = ("auth_user", "token_blacklist_outstandingtoken", "token_blacklist_blacklistedtoken")


@pytest.fixture
def migrated_here(empty_site):
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not schema'")
    empty_site.ours_command("migrate")
    return empty_site


@EVERY_DATABASE
@pytest.mark.parametrize("table", TABLES)
def test_table_equals_djangos(site, migrated_here, table):
    django = site(Profile("default"))
    assert migrated_here.database.described(table) == django.database.described(table)


@EVERY_DATABASE
def test_django_takes_over_our_database(migrated_here):
    made = migrated_here
    made.ours_command("user", "add", "early", "--password-stdin", stdin=PASSWORD + "\n")
    made.manage("migrate", "contenttypes", "--verbosity", "0")
    for app in ("auth", "token_blacklist"):
        made.manage("migrate", app, "--fake", "--verbosity", "0")
    made.manage("migrate", "--verbosity", "0")
    made.manage("makemigrations", "--check", "--dry-run")
    made.manage("migrate", "--check")
    made.ours_command("migrate", "--check")
    made.start()
    for server in (made.theirs, made.ours):
        assert server.post("/api/token/", {"username": "early", "password": PASSWORD}).status == 200


def schema(made):
    """All tables but those of our own."""
    database = made.database
    names = [name for name in sorted(database.tables()) if not name.startswith("simplejwt_")]
    return {name: database.described(name) for name in names}


@EVERY_DATABASE
def test_our_migration_of_djangos_database_changes_nothing_of_it(empty_site):
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not schema'")
    made = empty_site
    made.manage("migrate", "--verbosity", "0")
    before = schema(made)
    assert set(TABLES) <= set(before)
    made.ours_command("migrate")
    made.ours_command("migrate")
    assert schema(made) == before
    made.manage("migrate", "--check")
    made.manage("makemigrations", "--check", "--dry-run")
