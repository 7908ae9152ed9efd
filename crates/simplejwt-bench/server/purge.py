"""The purge of expired rows, and what refreshing notices of it."""

import base64
import json
import statistics
import time

from sides import BenchSite, Load, heading, profile, rss_bytes

DATABASES = ("postgres", "mysql", "sqlite")
DAY = 86400
# Tokens that expired two days ago: half of them blacklisted, ten to a session. `{rows}` is their number, and `token` the
# token of each, whose times alone matter; the jtis are random, as those of real tokens.
FILL = {
    "postgres": (
        """
        INSERT INTO token_blacklist_outstandingtoken (token, created_at, expires_at, user_id, jti)
        SELECT ?, now() - interval '8 days', now() - interval '2 days' - n * interval '1 millisecond',
        (SELECT min(id) FROM auth_user), md5(n::text || random()) FROM generate_series(1, {rows}) AS n
        """,
        """
        INSERT INTO simplejwt_session_token (jti, session_id, created_at, used_at, expires_at)
        SELECT jti, md5((id / 10)::text), micros - 604800000000, micros - 604800000000, micros FROM (
            SELECT jti, id, (extract(epoch FROM expires_at) * 1000000)::bigint AS micros
            FROM token_blacklist_outstandingtoken WHERE expires_at < now()
        ) AS expired
        """,
    ),
    "mysql": (
        """
        INSERT INTO token_blacklist_outstandingtoken (token, created_at, expires_at, user_id, jti)
        SELECT ?, utc_timestamp(6) - INTERVAL 8 DAY, utc_timestamp(6) - INTERVAL 2 DAY - INTERVAL seq * 1000 MICROSECOND,
        (SELECT min(id) FROM auth_user), md5(concat(seq, rand())) FROM seq_1_to_{rows}
        """,
        """
        INSERT INTO simplejwt_session_token (jti, session_id, created_at, used_at, expires_at)
        SELECT jti, md5(id DIV 10), micros - 604800000000, micros - 604800000000, micros FROM (
            SELECT jti, id, timestampdiff(MICROSECOND, '1970-01-01', expires_at) AS micros
            FROM token_blacklist_outstandingtoken WHERE expires_at < utc_timestamp()
        ) AS expired
        """,
    ),
    "sqlite": (
        """
        INSERT INTO token_blacklist_outstandingtoken (token, created_at, expires_at, user_id, jti)
        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows})
        SELECT ?, datetime('now', '-8 days'), strftime('%Y-%m-%d %H:%M:%f', 'now', '-2 days', (-n / 1000.0) || ' seconds'),
        (SELECT min(id) FROM auth_user), lower(hex(randomblob(16))) FROM numbers
        """,
        """
        INSERT INTO simplejwt_session_token (jti, session_id, created_at, used_at, expires_at)
        SELECT jti, printf('%08x%024x', (id / 10) * 2654435761 % 4294967296, id / 10), micros - 604800000000, micros - 604800000000, micros FROM (
            SELECT jti, id, cast((julianday(expires_at) - 2440587.5) * 86400 AS integer) * 1000000 AS micros
            FROM token_blacklist_outstandingtoken WHERE expires_at < datetime('now')
        ) AS expired
        """,
    ),
}
# The same everywhere, with the time in microseconds.
COMMON = (
    """
    INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id)
    SELECT created_at, id FROM token_blacklist_outstandingtoken
    WHERE id % 2 = 0 AND id NOT IN (SELECT token_id FROM token_blacklist_blacklistedtoken)
    """,
    """
    INSERT INTO simplejwt_session (id, user_id, created_at, expires_at)
    SELECT session_id, '1', min(created_at), max(expires_at) FROM simplejwt_session_token
    WHERE expires_at < {micros} GROUP BY session_id
    """,
)
TABLES = (
    "token_blacklist_outstandingtoken",
    "token_blacklist_blacklistedtoken",
    "simplejwt_session_token",
    "simplejwt_session",
)


def run(folder, rows=1_000_000, rounds=1, connections=16, rate=200, window=10, postgres=1, mysql=1, sqlite=1):
    wanted = {"postgres": postgres, "mysql": mysql, "sqlite": sqlite}
    for database in DATABASES:
        if wanted[database]:
            measure(folder, database, rows, rounds, connections, rate, window)


def measure(folder, database, rows, rounds, connections, rate, window):
    site = BenchSite(profile("purge"), folder / f"purge-{database}", database, users=connections)
    try:
        idle, purging = [], []
        for number in range(1, rounds + 1):
            heading(f"{database}, round {number}: {rows:,} expired tokens; refreshing {rate} times a second meanwhile")
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
    seconds = time.monotonic() - started
    # The last window wasn't beside the purge alone.
    if len(purging) > 1:
        purging.pop()
    left = site.sql("SELECT count(*) FROM simplejwt_session_token WHERE expires_at < ?", micros())[0][0]
    assert (left, done["tokens"]) == (0, rows), (left, done)
    print(
        f"deleted {done['tokens']} tokens and {done['session_rows']} rows of sessions within"
        f" {seconds:.0f} s; the longest transaction {done['longest_ms']} ms (asked: under 50);"
        f" RSS {most / 1e6:.1f} MB at most"
    )
    switch(site, server)

    server = site.ours("idle")
    load.server = server
    load.run(2, rate)
    windows(load, 4, window, rate, idle)
    switch(site, server)


def micros():
    return int(time.time() * 1_000_000)


def token():
    """As it is stored without its signature."""
    now = int(time.time())
    payload = {"token_type": "refresh", "exp": now - 2 * DAY, "iat": now - 8 * DAY, "jti": "0" * 32, "user_id": "1"}
    header = {"alg": "HS256", "typ": "JWT"}
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, payload))
    return ".".join(parts) + "."


def fill(site, rows):
    kind = site.database.kind
    tokens, sessions = FILL[kind]
    site.sql(tokens.format(rows=rows), token())
    site.sql(sessions)
    for statement in COMMON:
        site.sql(statement.format(micros=micros()).replace("%", "%" if kind == "sqlite" else "%%"))
    # What filling left to do is not to be done while it is measured.
    if kind == "postgres":
        for table in TABLES:
            site.sql(f"VACUUM ANALYZE {table}")
        site.sql("CHECKPOINT")
    elif kind == "mysql":
        site.sql(f"ANALYZE TABLE {', '.join(TABLES)}")
    else:
        site.sql("PRAGMA wal_checkpoint(TRUNCATE)")


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
    print(f"p99 while purging over p99 when idle: {median[0] / median[1]:.2f} (asked: at most 1.2)", flush=True)
