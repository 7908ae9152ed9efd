"""Whom the ways in which real clients refresh log out: never more than Django, and nobody with quickstart's settings."""

import pytest

from refreshing import WAYS, logouts
from servers import Profile

ROTATING = {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True}
DEFAULTS = Profile("clients", ROTATING)
# What `simplejwt quickstart` writes into [sessions].
QUICKSTART = {
    "SIMPLEJWT_SESSION_CLAIM": "true",
    "SIMPLEJWT_ROTATION_GRACE": "10",
    "SIMPLEJWT_SESSION_LIFETIME": "90d",
    "SIMPLEJWT_REVOCATION": "feed",
    "SIMPLEJWT_TOKEN_AT_REST": "redacted",
}
ROUNDS = 5


@pytest.mark.parametrize("way", WAYS, ids=[way.name for way in WAYS])
def test_never_more_than_django_and_none_with_quickstart(site, way):
    made = site(DEFAULTS)
    quickstart = site(Profile("clients-quickstart", ROTATING, extra=QUICKSTART)).ours
    django = logouts(way, made.theirs, "alice", ROUNDS)
    ours = logouts(way, made.ours, "alice", ROUNDS)
    assert ours <= django, f"Django logs out {django} times of {ROUNDS}"
    assert logouts(way, quickstart, "alice", ROUNDS) == 0


def test_the_ways_differ(site):
    """What logs nobody out isn't for want of trying."""
    django = site(DEFAULTS).theirs
    counts = {way.name: logouts(way, django, "alice", ROUNDS) for way in WAYS}
    assert counts["each 401 refreshes"] == ROUNDS
    assert counts["two tabs, a shared promise in each"] > 0
    assert counts["lost answers, tried again"] > 0
    assert counts["a lock and a comparison"] == 0
