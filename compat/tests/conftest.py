import shutil

import pytest

pytest.register_assert_rewrite("compare")

import servers
from servers import PASSWORD, Profile, Site

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
    if not servers.django_only():
        try:
            servers.binary()
        except RuntimeError as error:
            raise pytest.UsageError(str(error)) from None


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    """A file that Django migrated and filled, made once for each set of tables."""
    files = {}

    def get(profile):
        kind = (profile.blacklist, profile.custom_user)
        if kind not in files:
            made = Site(profile, tmp_path_factory.mktemp("migrated"))
            made.manage("migrate", "--verbosity", "0")
            if not profile.custom_user:
                made.shell(USERS)
                made.manage(
                    "createsuperuser", "--noinput", "--username", "root", "--email", "root@example.org",
                    DJANGO_SUPERUSER_PASSWORD=PASSWORD,
                )
            files[kind] = made.database
        return files[kind]

    return get


@pytest.fixture(scope="session")
def site(tmp_path_factory, migrated):
    """Both servers under a profile; started when first asked for, stopped at the end."""
    sites = {}

    def get(profile=Profile("default"), prepare=None):
        if profile.name not in sites:
            made = Site(profile, tmp_path_factory.mktemp(profile.name))
            shutil.copy(migrated(profile), made.database)
            sites[profile.name] = made
            if prepare:
                prepare(made)
            made.start()
        return sites[profile.name]

    yield get
    for made in sites.values():
        made.terminate()
    for made in sites.values():
        made.stop()
