import pytest

pytest.register_assert_rewrite("compare")

import databases
import servers
from servers import DATABASES, PASSWORD, Profile, Site

USERS = f"""
from django.contrib.auth.hashers import make_password
good = make_password({PASSWORD!r}, hasher="md5")
def add(name, **fields):
    User.objects.create(**{{User.USERNAME_FIELD: name, "password": good, **fields}})
add("alice"); add("inactive", is_active=False); add("unusable", password=make_password(None))
add("unknownhash", password="whirlpool$1$salt$hash"); add("emptyhash", password="")
add("corrupthash", password="pbkdf2_sha256$many$salt$hash"); add("Zoë 🦀")
add("spaced", password=make_password("  outer  ", hasher="md5"))
"""


def pytest_configure():
    # Missing, it fails the run at once: nothing here would be a test without it.
    try:
        if not servers.django_only():
            servers.binary()
        for kind in DATABASES:
            if kind in databases.SERVERS:
                databases.server(kind)
    except RuntimeError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.fixture
def database():
    """The kind of database; EVERY_DATABASE puts each in its place."""
    return "sqlite"


@pytest.fixture(scope="session")
def sites():
    """All sites that stay until the end, by database and what they are for."""
    made = {}
    yield made
    for one in made.values():
        one.terminate()
    for one in made.values():
        one.close()


@pytest.fixture
def migrated(tmp_path_factory, sites, database):
    """A database that Django migrated and filled, made once for each set of tables."""

    def get(profile):
        kind = (database, "migrated", profile.blacklist, profile.custom_user, profile.staff)
        if kind not in sites:
            made = sites[kind] = Site(profile, tmp_path_factory.mktemp("migrated"), database)
            made.manage("migrate", "--verbosity", "0")
            if not profile.custom_user and not profile.staff:
                made.shell(USERS)
                made.manage(
                    "createsuperuser", "--noinput", "--username", "root", "--email", "root@example.org",
                    DJANGO_SUPERUSER_PASSWORD=PASSWORD,
                )
        return sites[kind].database

    return get


@pytest.fixture
def site(tmp_path_factory, sites, database, migrated):
    """Both servers under a profile; started when first asked for, stopped at the end."""

    def get(profile=Profile("default"), prepare=None):
        kind = (database, profile.name)
        if kind not in sites:
            made = sites[kind] = Site(profile, tmp_path_factory.mktemp(profile.name), database)
            migrated(profile).copy_to(made.database)
            if prepare:
                prepare(made)
            made.start()
        return sites[kind]

    return get


@pytest.fixture
def empty_site(tmp_path, database):
    """Both servers, not started, and a database without a table; gone after the test."""
    made = Site(Profile("empty"), tmp_path, database)
    yield made
    made.close()
