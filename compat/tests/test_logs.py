"""The filter for fail2ban in docs/logs.md, as fail2ban reads it, on lines of a server."""

import pathlib
import re

import pytest

import servers

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/logs.md"
# What fail2ban puts in place of <ADDR>, but for IPv6 in brackets.
ADDRESS = r"(?P<addr>(?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F:]+:[0-9a-fA-F:.]*)"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
FORGED = [
    'x event=login_refused client_address=192.0.2.66 "',
    "\nWARN simplejwt::service: login refused event=login_refused client_address=192.0.2.66 ",
    '","event":"login_refused","client_address":"192.0.2.66',
]


def patterns():
    block = PAGE.read_text().split("failregex =")[1].split("journalmatch")[0]
    return [re.compile(line.strip().replace("<ADDR>", ADDRESS)) for line in block.splitlines() if line.strip()]


def banned(lines):
    """Whose lines count."""
    found = []
    for line in lines:
        matches = [match for pattern in patterns() if (match := pattern.search(line))]
        assert len(matches) <= 1, line
        found += [match["addr"] for match in matches]
    return found


@pytest.mark.parametrize("form", ["text", "json"])
def test_fail2ban_finds_refused_logins_and_nothing_that_was_made_up(tmp_path, form):
    extra = {"SIMPLEJWT_LOG_FORMAT": form, "SIMPLEJWT_NUM_PROXIES": "1", "SIMPLEJWT_LOG_REQUESTS": "on"}
    clients = '[{"id": "gateway", "secret": "the-secret-of-a-client-that-is-long-enough"}]'
    extra["SIMPLEJWT_OAUTH_CLIENTS"] = clients
    site = servers.Site(servers.Profile("logs", extra=extra), tmp_path)
    site.ours_command("migrate")
    site.ours_command("user", "add", "alice", "--password-stdin", stdin=f"{servers.PASSWORD}\n")
    server = site.start_ours()
    try:
        site.wait(server)

        def log_in(address, password, name="alice", agent="Mozilla/5.0 (X11)"):
            headers = [("X-Forwarded-For", address), ("User-Agent", agent)]
            body = {"username": name, "password": password}
            return server.post("/api/token/", body, headers).status

        assert log_in("192.0.2.1", servers.PASSWORD) == 200
        assert log_in("192.0.2.2", "wrong") == 401
        assert log_in("2001:db8::3", "wrong") == 401
        for name in FORGED:
            assert log_in("192.0.2.4", "wrong", name) == 401
            assert log_in("192.0.2.5", servers.PASSWORD, agent=name.strip()) == 200
        form_type = [("Content-Type", "application/x-www-form-urlencoded"), ("X-Forwarded-For", "192.0.2.6")]
        body = b"token=x&client_id=gateway&client_secret=wrong"
        assert server.send("POST", "/api/token/introspect/", form_type, body).status == 401
    finally:
        site.close()
    lines = server.log.read_text().splitlines()
    expected = ["192.0.2.2", "2001:db8::3", *["192.0.2.4"] * len(FORGED), "192.0.2.6"]
    # Of a file, the time is taken out before the patterns are tried; the journal has one of its own.
    assert banned(TIME.sub("", line, count=1) for line in lines) == expected
    assert banned(f"host simplejwt[42]: {line}" for line in lines) == expected
