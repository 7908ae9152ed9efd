"""Refreshing beside few and beside many stored tokens, and what these take on the disk."""

import contextlib
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
# The same on SQLite, which has no md5: ids that are as far apart as random ones, computed from the number.
SQLITE_ID = "printf('%08x%024x', ({n}) * 2654435761 % 4294967296, {n})"
SQLITE_NUMBERS = (
    "WITH RECURSIVE numbers (n) AS (SELECT {first} UNION ALL SELECT n + {step} FROM numbers WHERE n + {step} <= {last})"
)
SQLITE = (
    (
        1,
        "INSERT INTO token_blacklist_outstandingtoken (token, created_at, expires_at, user_id, jti)"
        " {numbers} SELECT {token}, datetime(), datetime('now', '+1 day'), (SELECT min(id) FROM auth_user), {own}"
        " FROM numbers",
    ),
    (
        1,
        "INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id)"
        " {numbers} SELECT datetime(), {offset} + n FROM numbers WHERE (n + 1) % {each} <> 0",
    ),
    (
        1,
        "INSERT INTO simplejwt_session_token (jti, session_id, parent_jti, access_jti, created_at, used_at, expires_at)"
        " {numbers} SELECT {own}, {of_session}, CASE WHEN n % {each} > 0 THEN {parent} END, 'a' || substr({own}, 2),"
        " unixepoch() * 1000000, unixepoch() * 1000000, unixepoch() * 1000000 + 86400000000 FROM numbers",
    ),
    (
        None,
        "INSERT INTO simplejwt_session (id, user_id, created_at, expires_at)"
        " {numbers} SELECT {own}, '1', unixepoch() * 1000000, unixepoch() * 1000000 + 86400000000 FROM numbers",
    ),
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
        if rows <= stored:
            raise SystemExit(f"there are {stored:,} tokens by then: write many={10 * stored} or more")
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
        if rows == sizes[0]:
            stored = alone(site, database, rows, each)
    print(f"p99 beside {sizes[1]:,} tokens over p99 beside {sizes[0]:,}: {p99[1] / p99[0]:.2f} (asked: at most 1.3)")


def alone(site, database, first, each):
    """Prints what a session takes, and what each of its rotations adds; the number of the next token."""
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
    return first + sessions * each


def fill(site, database, first, last, each):
    if database == "postgres":
        with without_indexes(site) if last - first > 1_000_000 else contextlib.nullcontext():
            for statement in POSTGRES:
                site.sql(statement.format(first=first, last=last, each=each))
        for table in TABLES:
            site.sql(f"VACUUM ANALYZE {table}")
        site.sql("CHECKPOINT")
        return
    with contextlib.closing(sqlite3.connect(site.database.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -4000000")
        newest = connection.execute("SELECT coalesce(max(id), 0) FROM token_blacklist_outstandingtoken").fetchone()[0]
        words = {
            "token": f"'{TOKEN}'",
            "own": SQLITE_ID.format(n="n"),
            "of_session": SQLITE_ID.format(n=f"n - n % {each}"),
            "parent": SQLITE_ID.format(n="n - 1"),
            # The number of a token and its key in the table grow together.
            "offset": newest + 1 - first,
            "each": each,
        }
        for step, statement in SQLITE:
            numbers = SQLITE_NUMBERS.format(first=first, last=last, step=step or each)
            connection.execute(statement.format(numbers=numbers, **words))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextlib.contextmanager
def without_indexes(site):
    """Without what PostgreSQL would keep in order at random places of the disk for each row; made anew at the end."""
    tables = ", ".join(f"'{table}'::regclass" for table in TABLES)
    constraints = site.sql(
        "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint"
        f" WHERE conrelid IN ({tables}) AND contype IN ('f', 'p', 'u') ORDER BY contype = 'f' DESC"
    )
    for table, name, _ in constraints:
        site.sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    indexes = site.sql(
        f"SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid IN ({tables})"
    )
    for name, _ in indexes:
        site.sql(f"DROP INDEX {name}")
    yield
    for table, name, definition in reversed(constraints):
        site.sql(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    for _, definition in indexes:
        site.sql(definition)


def size(site, database):
    """The bytes of the tables with their indexes."""
    if database == "postgres":
        return sum(int(site.sql(f"SELECT pg_total_relation_size('{table}')")[0][0]) for table in TABLES)
    pages, free, length = (site.sql(f"PRAGMA {name}")[0][0] for name in ("page_count", "freelist_count", "page_size"))
    return (pages - free) * length
