"""What was revoked stays so beside a Django without USE_TZ, whose rows are off by its zone, and past both purges."""

import dataclasses
import subprocess

import pytest

from servers import EVERY_DATABASE, PASSWORD, Profile, binary
from test_together import BLACKLISTED, ok, refused

ALICE = {"username": "alice", "password": PASSWORD}
SEVEN_HOURS = Profile("zone", {
    "ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True, "REFRESH_TOKEN_LIFETIME": 7 * 3600,
})


def check(made, environment):
    command = [binary(), "config", "check"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=made.folder)


@EVERY_DATABASE
def test_a_blacklist_that_nobody_mentions_is_refused(site):
    made = site(SEVEN_HOURS)
    silent = {name: value for name, value in made.environment.items() if name != "SIMPLEJWT_TOKEN_BLACKLIST"}
    silent["SIMPLE_JWT"] = "{}"
    refusal = check(made, silent)
    assert refusal.returncode == 3
    assert "token_blacklist = true" in refusal.stderr and "SIMPLEJWT_TOKEN_BLACKLIST=true" in refusal.stderr
    meant = check(made, {**silent, "SIMPLEJWT_TOKEN_BLACKLIST": "false"})
    assert meant.returncode == 0 and "blacklisted are accepted here" in meant.stderr


@pytest.mark.parametrize("database", ["postgres"])
@pytest.mark.parametrize(
    ("zone", "named"), [("Asia/Shanghai", "UTC+08:00"), ("America/Caracas", "UTC-04:00"), ("UTC", None)]
)
def test_logged_out_tokens_stay_so_without_use_tz(site, zone, named):
    extra = {"COMPAT_USE_TZ": "false", "COMPAT_TIME_ZONE": zone, "SIMPLEJWT_PURGE_INTERVAL": "0"}
    made = site(dataclasses.replace(SEVEN_HOURS, name=f"zone-{zone.replace('/', '-')}", extra=extra))
    revoked = []
    for server in (made.theirs, made.ours):
        token = ok(server.post("/api/token/", ALICE))["refresh"]
        token = ok(server.post("/api/token/refresh/", {"refresh": token}))["refresh"]
        ok(server.post("/api/token/blacklist/", {"refresh": token}))
        revoked.append(token)
    at_django, here = revoked
    # East of UTC a row of seven hours seems to be over at once.
    made.ours_command("token", "flush-expired")
    for server in (made.theirs, made.ours):
        for token in revoked:
            refused(server.post("/api/token/refresh/", {"refresh": token}), 401, BLACKLISTED)
    # West of UTC it is Django that takes ours for over: its own purge may forget them.
    made.sql("UPDATE token_blacklist_outstandingtoken SET expires_at = expires_at - interval '4 hours'")
    made.manage("flushexpiredtokens")
    refused(made.ours.post("/api/token/refresh/", {"refresh": here}), 401, BLACKLISTED)
    refused(made.ours.post("/api/token/verify/", {"token": here}), 400, {"non_field_errors": ["Token is blacklisted"]})

    at_django = ok(made.theirs.post("/api/token/", ALICE))["refresh"]
    checked = check(made, made.environment)
    assert checked.returncode == 0, checked.stderr
    assert at_django
    if named:
        assert f"USE_TZ = False in the time zone {named}" in checked.stderr
    else:
        assert "USE_TZ" not in checked.stderr
