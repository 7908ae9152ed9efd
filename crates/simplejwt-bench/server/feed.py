"""Revocation by feed: how soon it is everywhere, what it costs a request, and memory."""

import base64
import json
import time

from counting import Counting, is_of_feed
from sides import QUICKSTART, BenchSite, generator, heading, profile, rss_bytes, until

PROTECTED = "/api/protected-stateless/"
WITH_USER = "/api/protected/"
REVOKE = """
WITH number AS (
    UPDATE simplejwt_sequence SET value = value + ? WHERE name = 'revocation' RETURNING value - ? AS first
)
INSERT INTO simplejwt_revocation (sequence, kind, subject, revoked_at, expires_at)
SELECT first + n, 'session', CASE n WHEN ? THEN ? ELSE md5(n::text) END, ?, ? FROM number, generate_series(1, ?) AS n
"""


def run(folder, logouts=1000, nodes=3, entries=1_000_000, requests=2000):
    # Nothing expires meanwhile.
    site = BenchSite(profile("feed", lifetime=3600, **QUICKSTART), folder / "feed", "postgres")
    try:
        latency(site, logouts, nodes)
        queries(site, requests)
        memory(site, entries)
    finally:
        site.close()


def latency(site, logouts, count):
    heading(f"{logouts} logouts on {count} nodes in turn, to the first 401 on each other node")
    nodes = [site.ours(f"node-{number}") for number in range(count)]
    file = site.folder / "sessions"
    file.write_text("".join(f"{refresh} {access}\n" for refresh, access in site.log_in(nodes[0], logouts)))
    figures = generator("logouts", PROTECTED, file, *(f"127.0.0.1:{node.port}" for node in nodes))
    p50, p99, most = (figures[name] / 1000 for name in ("p50_us", "p99_us", "max_us"))
    print(f"{figures['measured']} measured: p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {most:.1f} ms (asked: p99 under 1000)")
    for node in nodes:
        node.stop()
        site.servers.remove(node)


def queries(site, requests):
    heading(f"database queries of {requests} protected requests")
    with Counting(site.database.url) as counting:
        node = site.ours("counted", url=counting.url)
        access = site.log_in(node, 1)[0][1]
        for path, asked in ((PROTECTED, "0"), (WITH_USER, "the user's row, 1")):
            assert node.get(path, access).status == 200
            before = counting.snapshot()
            for _ in range(requests):
                assert node.get(path, access).status == 200
            texts = counting.snapshot().texts[len(before.texts) :]
            of_feed = sum(map(is_of_feed, texts))
            print(
                f"{path}: {(len(texts) - of_feed) / requests:.3f} a request"
                f" (asked: {asked}); {of_feed} by the feed itself meanwhile"
            )
        node.stop()
        site.servers.remove(node)


def memory(site, entries):
    heading(f"memory of {entries:,} revocations")
    node = site.ours("remembering", SIMPLEJWT_FEED_MAX_ENTRIES=str(entries + 1000))
    access = site.log_in(node, 1)[0][1]
    assert node.get(PROTECTED, access).status == 200
    time.sleep(1)
    before = rss_bytes(node)
    now = time.time_ns() // 1000
    site.sql(REVOKE, entries, entries, entries, session_of(access), now, now + 3600 * 10**6, entries)
    started = time.monotonic()
    until(lambda: node.get(PROTECTED, access).status == 401)
    took = time.monotonic() - started
    time.sleep(2)
    after = rss_bytes(node)
    print(
        f"RSS {before / 1e6:.1f} MB before, {after / 1e6:.1f} MB after: {(after - before) / entries:.0f} bytes an entry;"
        f" all of them heard of after {took:.1f} s"
    )


def session_of(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sid"]
