"""Refreshing beside few and beside many stored tokens, and what these take on the disk."""

import contextlib
import hashlib
import sqlite3
import statistics

from sides import BenchSite, Load, heading, profile

# Tokens that are valid for a day, stored without their signature: so many to a session, each but the last of them spent.
POSTGRES = (
    """
    INSERT INTO token_blacklist_outstandingtoken (token, created_at, expires_at, user_id, jti)
    SELECT 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.' || translate(encode(convert_to(json_build_object(
    'token_type', 'refresh', 'exp', extract(epoch FROM now())::bigint + 86400, 'iat', extract(epoch FROM now())::bigint,
    'jti', md5(n::text), 'user_id', '1')::text, 'UTF8'), 'base64'), '+/=' || chr(10), '-_') || '.',
    now(), now() + interval '1 day', (SELECT min(id) FROM auth_user), md5(n::text)
    FROM generate_series({first}, {last}) AS n
    """,
    """
    INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id)
    SELECT now(), o.id FROM generate_series({first}, {last}) AS n
    JOIN token_blacklist_outstandingtoken AS o ON o.jti = md5(n::text) WHERE mod(n + 1, {each}) <> 0
    """,
    """
    INSERT INTO simplejwt_session_token (jti, session_id, parent_jti, access_jti, created_at, used_at, expires_at)
    SELECT md5(n::text), md5((n - mod(n, {each}))::text),
    CASE WHEN mod(n, {each}) > 0 THEN md5((n - 1)::text) END, md5(n::text || 'a'), at, at, at + 86400000000
    FROM generate_series({first}, {last}) AS n, (SELECT (extract(epoch FROM now()) * 1000000)::bigint AS at) AS now
    """,
    """
    INSERT INTO simplejwt_session (id, user_id, created_at, expires_at)
    SELECT md5(n::text), '1', at, at + 86400000000
    FROM generate_series({first}, {last}, {each}) AS n, (SELECT (extract(epoch FROM now()) * 1000000)::bigint AS at) AS now
    """,
)
TABLES = (
    "token_blacklist_outstandingtoken",
    "token_blacklist_blacklistedtoken",
    "simplejwt_session_token",
    "simplejwt_session",
)
# As long as those of POSTGRES.
TOKEN = "x" * 220


def run(folder, few=10_000, many=10_000_000, each=10, connections=16, rate=100, window=10, databases=("postgres", "sqlite")):
    for database in databases:
        site = BenchSite(profile("size"), folder / f"size-{database}", database, users=connections)
        try:
            compare(site, database, (few, many), each, connections, rate, window)
        finally:
            site.close()


def compare(site, database, sizes, each, connections, rate, window):
    p99, stored = [], 0
    for rows in sizes:
        heading(f"{database}: {rows:,} tokens, {each} to a session; refreshing {rate} times a second")
        before = size(site, database)
        fill(site, database, stored, rows - 1, each)
        after = size(site, database)
        print(f"{(after - before) / (rows - stored):.0f} bytes on the disk for each token of a session of {each}")
        stored = rows
        server = site.ours(f"simplejwt-{rows}")
        load = Load(site, server, connections)
        load.run(3, rate)
        windows = [load.run(window, rate) for _ in range(5)]
        p50, high = (statistics.median(one[key] for one in windows) / 1000 for key in ("p50_us", "p99_us"))
        failures = sum(one["failures"] for one in windows)
        cpu = statistics.median(one["cpu_us"] for one in windows)
        print(f"p50 {p50:.2f} ms, p99 {high:.2f} ms, CPU {cpu:.0f} us a request, {failures} failures")
        p99.append(high)
        server.stop()
        site.servers.remove(server)
    print(f"p99 beside {sizes[1]:,} tokens over p99 beside {sizes[0]:,}: {p99[1] / p99[0]:.2f} (asked: at most 1.3)")
    alone(site, database, sizes[1], each)


def alone(site, database, first, each):
    """What a session takes, and what each of its rotations adds."""
    sessions = 20_000
    first += -first % each
    before = size(site, database)
    fill(site, database, first, first + sessions - 1, 1)
    one = (size(site, database) - before) / sessions
    before = size(site, database)
    first += sessions
    fill(site, database, first, first + sessions * each - 1, each)
    more = (size(site, database) - before) / sessions
    print(f"a session: {one:.0f} bytes on the disk, and {(more - one) / (each - 1):.0f} for each of its rotations")


def fill(site, database, first, last, each):
    if database == "postgres":
        for statement in POSTGRES:
            site.sql(statement.format(first=first, last=last, each=each))
        for table in TABLES:
            site.sql(f"VACUUM ANALYZE {table}")
        site.sql("CHECKPOINT")
        return
    with contextlib.closing(sqlite3.connect(site.database.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -4000000")
        user, now, micros = connection.execute(
            "SELECT min(id), datetime('now', '+1 day'), unixepoch() * 1000000 FROM auth_user"
        ).fetchone()
        numbers = range(first, last + 1)
        steps = (
            (
                "INSERT INTO token_blacklist_outstandingtoken (token, created_at, expires_at, user_id, jti)"
                " VALUES (?, ?, ?, ?, ?)",
                ((TOKEN, now, now, user, md5(n)) for n in numbers),
            ),
            (
                "INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id)"
                " SELECT ?, id FROM token_blacklist_outstandingtoken WHERE jti = ?",
                ((now, md5(n)) for n in numbers if (n + 1) % each),
            ),
            (
                "INSERT INTO simplejwt_session_token (jti, session_id, parent_jti, access_jti, created_at, used_at,"
                " expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        md5(n),
                        md5(n - n % each),
                        md5(n - 1) if n % each else None,
                        md5(f"{n}a"),
                        micros,
                        micros,
                        micros + 86_400_000_000,
                    )
                    for n in numbers
                ),
            ),
            (
                "INSERT INTO simplejwt_session (id, user_id, created_at, expires_at) VALUES (?, '1', ?, ?)",
                ((md5(n), micros, micros + 86_400_000_000) for n in numbers[::each]),
            ),
        )
        for statement, rows in steps:
            connection.execute("BEGIN")
            connection.executemany(statement, rows)
            connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def md5(value):
    return hashlib.md5(str(value).encode(), usedforsecurity=False).hexdigest()


def size(site, database):
    """The bytes of the tables with their indexes."""
    if database == "postgres":
        return sum(int(site.sql(f"SELECT pg_total_relation_size('{table}')")[0][0]) for table in TABLES)
    pages, free, length = (site.sql(f"PRAGMA {name}")[0][0] for name in ("page_count", "freelist_count", "page_size"))
    return (pages - free) * length
