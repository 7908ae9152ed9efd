"""The purge of expired rows, and what refreshing notices of it."""

import json
import statistics
import time

from sides import BenchSite, Load, heading, profile, rss_bytes

# Tokens that expired two days ago, as they are stored without their signature: half of them spent, ten to a session.
FILL = (
    """
    INSERT INTO token_blacklist_outstandingtoken (token, created_at, expires_at, user_id, jti)
    SELECT 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.' || translate(encode(convert_to(json_build_object(
    'token_type', 'refresh', 'exp', extract(epoch FROM now())::bigint - 172800, 'iat', extract(epoch FROM now())::bigint
    - 691200, 'jti', md5(n::text), 'user_id', '1')::text, 'UTF8'), 'base64'), '+/=' || chr(10), '-_') || '.',
    now() - interval '8 days', now() - interval '2 days' - n * interval '1 millisecond',
    (SELECT min(id) FROM auth_user), md5(n::text) FROM generate_series(1, ?) AS n
    """,
    """
    INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id)
    SELECT now() - interval '3 days', id FROM token_blacklist_outstandingtoken WHERE expires_at < now() AND mod(id, 2) = 0
    """,
    """
    INSERT INTO simplejwt_session_token (jti, session_id, created_at, used_at, expires_at)
    SELECT jti, md5((id / 10)::text), micros - 604800000000, micros - 604800000000, micros FROM (
        SELECT jti, id, (extract(epoch FROM expires_at) * 1000000)::bigint AS micros
        FROM token_blacklist_outstandingtoken WHERE expires_at < now()
    ) AS expired
    """,
    """
    INSERT INTO simplejwt_session (id, user_id, created_at, expires_at)
    SELECT session_id, '1', min(created_at), max(expires_at) FROM simplejwt_session_token
    WHERE expires_at < extract(epoch FROM now()) * 1000000 GROUP BY session_id
    """,
)
TABLES = (
    "token_blacklist_outstandingtoken",
    "token_blacklist_blacklistedtoken",
    "simplejwt_session_token",
    "simplejwt_session",
)


def run(folder, rows=1_000_000, rounds=2, connections=16, rate=200, window=10):
    site = BenchSite(profile("purge"), folder / "purge", "postgres", users=connections)
    try:
        idle, purging = [], []
        for number in range(1, rounds + 1):
            heading(f"round {number}: {rows:,} expired tokens; refreshing {rate} times a second meanwhile")
            one_round(site, rows, connections, rate, window, idle, purging)
        report(idle, purging, window)
    finally:
        site.close()


def one_round(site, rows, connections, rate, window, idle, purging):
    fill(site, rows)
    server = site.ours("idle")
    load = Load(site, server, connections)
    load.run(2, rate)
    windows(load, 4, window, rate, idle)
    switch(site, server)

    server = site.ours("purging", SIMPLEJWT_PURGE_INTERVAL="1h", SIMPLEJWT_LOG_FORMAT="json")
    started = time.monotonic()
    load.server = server
    load.run(2, rate)
    most = rss_bytes(server)
    while not (done := finished(server)):
        windows(load, 1, window, rate, purging)
        most = max(most, rss_bytes(server))
    left = site.sql("SELECT count(*) FROM token_blacklist_outstandingtoken WHERE expires_at < now()")[0][0]
    assert left == 0, left
    print(
        f"deleted {done['tokens']} tokens and {done['session_rows']} rows of sessions within"
        f" {time.monotonic() - started:.0f} s; the longest transaction {done['longest_ms']} ms (asked: under 50);"
        f" RSS {most / 1e6:.1f} MB at most"
    )
    switch(site, server)

    server = site.ours("idle")
    load.server = server
    load.run(2, rate)
    windows(load, 4, window, rate, idle)
    switch(site, server)


def fill(site, rows):
    site.sql(FILL[0], rows)
    for statement in FILL[1:]:
        site.sql(statement)
    # What filling left to do is not to be done while it is measured.
    for table in TABLES:
        site.sql(f"VACUUM ANALYZE {table}")
    site.sql("CHECKPOINT")


def switch(site, server):
    server.stop()
    site.servers.remove(server)
    site.sql("DELETE FROM simplejwt_lease")


def windows(load, count, seconds, rate, into):
    for _ in range(count):
        into.append(load.run(seconds, rate))


def finished(server):
    """What the purge says once it is through."""
    for line in server.log.read_text().splitlines():
        if "expired rows deleted" in line:
            entry = json.loads(line)
            return entry.get("fields", entry)
    return None


def report(idle, purging, window):
    heading(f"latency of refreshing, by windows of {window} s")
    for name, figures in (("idle", idle), ("purging", purging)):
        p50, p99 = ([one[key] / 1000 for one in figures] for key in ("p50_us", "p99_us"))
        print(
            f"{name:8} {len(figures)} windows: p50 {statistics.median(p50):.2f} ms, p99 {statistics.median(p99):.2f} ms"
            f" (windows from {min(p99):.2f} to {max(p99):.2f})"
        )
    median = [statistics.median(one["p99_us"] for one in figures) for figures in (purging, idle)]
    print(f"p99 while purging over p99 when idle: {median[0] / median[1]:.2f} (asked: at most 1.2)")
