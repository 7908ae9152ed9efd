"""Tables: ours equal Django's, and Django's migrations take ours for their own."""

import re

import pytest

import servers
from servers import PASSWORD, Profile, Site

TABLES = ("auth_user", "token_blacklist_outstandingtoken", "token_blacklist_blacklistedtoken")


@pytest.fixture
def migrated_here(tmp_path):
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not schema'")
    made = Site(Profile("schema"), tmp_path)
    made.ours_command("migrate")
    return made


def columns(made, table):
    return [row[1:] for row in made.sql(f"PRAGMA table_info({table})")]


def indexes(made, table):
    found = []
    for _, name, unique, origin, _ in made.sql(f"PRAGMA index_list({table})"):
        names = [row[2] for row in made.sql(f"PRAGMA index_info({name})")]
        found.append((None if name.startswith("sqlite_autoindex") else name, unique, origin, names))
    return sorted(found, key=str)


def foreign_keys(made, table):
    return sorted(row[2:] for row in made.sql(f"PRAGMA foreign_key_list({table})"))


def statement(made, table):
    text = made.sql("SELECT sql FROM sqlite_master WHERE name = ?", table)[0][0]
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("table", TABLES)
def test_table_equals_djangos(site, migrated_here, table):
    django = site(Profile("default"))
    for look in (columns, indexes, foreign_keys, statement):
        assert look(migrated_here, table) == look(django, table)


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
    try:
        for server in (made.theirs, made.ours):
            assert server.post("/api/token/", {"username": "early", "password": PASSWORD}).status == 200
    finally:
        made.stop()


def test_our_migration_of_djangos_database_changes_nothing_of_it(tmp_path):
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not schema'")
    made = Site(Profile("schema"), tmp_path)
    made.manage("migrate", "--verbosity", "0")
    select = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'simplejwt_%' AND tbl_name NOT LIKE 'simplejwt_%' ORDER BY name"
    before = made.sql(select)
    made.ours_command("migrate")
    made.ours_command("migrate")
    assert made.sql(select) == before
    made.manage("migrate", "--check")
    made.manage("makemigrations", "--check", "--dry-run")
