"""Tables: ours equal Django's, and each side's migrations leave the other's as they are."""

import re

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
    assert exact_ids(migrated_here.database.described(table)) == django.database.described(table)


def exact_ids(described):
    """DIFFERENCE: on MySQL, a table that is made here compares the bytes of an id."""
    if not isinstance(described, dict) or not described.get("options"):
        return described
    exact = re.compile(r"(`jti` varchar\(255\)) CHARACTER SET utf8mb4 COLLATE \w+_bin")
    columns = [exact.sub(r"\1", column) for column in described["columns"]]
    return {**described, "columns": columns}


def ours(entry):
    """Whether an index is one of our own, by its name."""
    return "simplejwt_" in str(entry)


def schema(made):
    """All tables and indexes but our own."""
    database = made.database
    names = [name for name in sorted(database.tables()) if not name.startswith("simplejwt_")]
    found = {name: database.described(name) for name in names}
    for table in found.values():
        for heading in ("indexes", "keys"):
            if heading in table:
                table[heading] = [entry for entry in table[heading] if not ours(entry)]
    return found


def assert_django_is_content(made):
    made.manage("migrate", "--check")
    made.manage("makemigrations", "--check", "--dry-run")
    assert made.manage("migrate", "--plan").strip() == "Planned operations:\n  No planned migration operations."


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
    # There is nothing that Django would have to be told.
    with pytest.raises(AssertionError, match=r"(?s): 4\n.*auth_user.*manage.py migrate"):
        made.ours_command("migrate", "--for-django")
    assert schema(made) == before
    assert any(name.startswith("simplejwt_") for name in made.database.tables())
    assert "simplejwt_outstandingtoken_expires_at" in str(made.database.described(TABLES[1]))
    assert_django_is_content(made)


@EVERY_DATABASE
def test_django_can_migrate_down_and_up_again_beside_our_tables(empty_site):
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not schema'")
    made = empty_site
    made.manage("migrate", "--verbosity", "0")
    made.ours_command("migrate")
    made.manage("migrate", "token_blacklist", "zero", "--verbosity", "0")
    assert not set(TABLES[1:]) & set(made.database.tables())
    made.manage("migrate", "--verbosity", "0")
    made.ours_command("migrate")
    made.ours_command("migrate", "--check")
    assert_django_is_content(made)
