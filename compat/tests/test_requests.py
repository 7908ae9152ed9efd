"""The same request to Django and to us: status, body, headers that matter, rows written."""

import pathlib

import pytest

import servers
from compare import check
from differences import DIFFERENCES
from request_cases import all_cases
from servers import Profile
from tokens import Mint

CASES = list(all_cases())
ROTATING = Profile("rotating", {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_request(site, case):
    check(site(), case, Mint(), difference_of(case), servers.django_only())


ROTATED = [case for case in CASES if case.id.startswith(("refresh: ", "verify: ", "blacklist: "))]
ROTATED = [case for case in ROTATED if "content type" not in case.id and "accept" not in case.id and "method" not in case.id and " body " not in case.id]


def difference_of(case, rotating=False, sessions=True):
    found = DIFFERENCES.get(case.id)
    if found and found.sessions and (rotating or not sessions):
        found = None
    return DIFFERENCES.get(f"rotating {case.id}", found) if rotating else found


@pytest.mark.parametrize("case", ROTATED, ids=lambda case: case.id)
def test_request_with_rotation(site, case):
    check(site(ROTATING), case, Mint(), difference_of(case, rotating=True), servers.django_only())


WITHOUT_SESSIONS = {"SIMPLEJWT_SESSIONS": "false"}
REFRESHES = [case for case in CASES if case.id.startswith("refresh: ")]


@pytest.mark.parametrize("case", REFRESHES, ids=lambda case: case.id)
def test_request_without_sessions(site, case):
    profile = Profile("no-sessions", extra=WITHOUT_SESSIONS)
    check(site(profile), case, Mint(), difference_of(case, sessions=False), servers.django_only())


@pytest.mark.parametrize("case", ROTATED, ids=lambda case: case.id)
def test_request_with_rotation_without_sessions(site, case):
    profile = Profile("rotating-no-sessions", ROTATING.simple_jwt, extra=WITHOUT_SESSIONS)
    difference = difference_of(case, rotating=True, sessions=False)
    check(site(profile), case, Mint(), difference, servers.django_only())


def test_ids_are_unique_and_every_difference_has_its_case():
    ids = [case.id for case in CASES]
    assert len(set(ids)) == len(ids)
    known = {*ids, *(f"rotating {case.id}" for case in ROTATED)}
    assert set(DIFFERENCES) <= known
    document = (pathlib.Path(__file__).parents[2] / "docs/django-compatibility.md").read_text()
    for difference in DIFFERENCES.values():
        assert difference.reason in document.replace("\n  ", " "), difference.reason
