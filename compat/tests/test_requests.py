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
    check(site(), case, Mint(), DIFFERENCES.get(case.id), servers.django_only())


ROTATED = [case for case in CASES if case.id.startswith(("refresh: ", "verify: ", "blacklist: "))]
ROTATED = [case for case in ROTATED if "content type" not in case.id and "accept" not in case.id and "method" not in case.id and " body " not in case.id]


@pytest.mark.parametrize("case", ROTATED, ids=lambda case: case.id)
def test_request_with_rotation(site, case):
    difference = DIFFERENCES.get(f"rotating {case.id}", DIFFERENCES.get(case.id))
    check(site(ROTATING), case, Mint(), difference, servers.django_only())


def test_ids_are_unique_and_every_difference_has_its_case():
    ids = [case.id for case in CASES]
    assert len(set(ids)) == len(ids)
    known = {*ids, *(f"rotating {case.id}" for case in ROTATED)}
    assert set(DIFFERENCES) <= known
    document = (pathlib.Path(__file__).parents[2] / "docs/django-compatibility.md").read_text()
    for difference in DIFFERENCES.values():
        assert difference.reason in document.replace("\n  ", " "), difference.reason
