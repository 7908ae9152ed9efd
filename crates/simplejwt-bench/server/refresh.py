"""Refresh with rotation and blacklist, durable, beside Django with simplejwt."""

from counting import Counting, is_of_feed
from sides import QUICKSTART, REFRESH, WITHOUT_SESSIONS, BenchSite, Load, heading, median, profile

GTHREAD = ("--workers", "2", "--threads", "8", "--worker-class", "gthread")
COUNTED = 20


def variants(site):
    return [
        site.django(),
        site.django("django, gthread", workers=GTHREAD),
        site.ours(),
        site.ours("simplejwt, quickstart", **QUICKSTART),
        site.ours("simplejwt, no sessions", **WITHOUT_SESSIONS),
    ]


def run(folder, seconds=5, rounds=5, connections=32, databases=("postgres", "sqlite", "mysql")):
    for database in databases:
        site = BenchSite(profile("refresh"), folder / f"refresh-{database}", database, users=connections)
        try:
            measure(site, seconds, rounds, connections)
        finally:
            site.close()
    if "postgres" in databases:
        count(folder)


def measure(site, seconds, rounds, connections):
    kind = type(site.database).__name__
    heading(f"refresh on {kind}: {connections} connections, {rounds} rounds of {seconds} s each in turn")
    loads = [Load(site, server, connections) for server in variants(site)]
    results = {load.server.name: [] for load in loads}
    for load in loads:
        load.run(1)
    for _ in range(rounds):
        for load in loads:
            results[load.server.name].append(load.run(seconds))
    heading("medians")
    print(f"{'':24}{'requests/s':>11}{'CPU us/req':>11}{'database':>9}{'load':>6}{'p50 ms':>9}{'p99 ms':>9}{'failures':>9}")
    for name, figures in results.items():
        failures = sum(figure["failures"] for figure in figures)
        print(
            f"{name:24}{median(figures, 'rps'):11.0f}{median(figures, 'cpu_us'):11.0f}"
            f"{median(figures, 'database_cpu_us'):9.0f}{median(figures, 'load_cpu_us'):6.0f}"
            f"{median(figures, 'p50_us') / 1000:9.2f}{median(figures, 'p99_us') / 1000:9.2f}{failures:9}"
        )
    # Django's better set-up is what counts.
    django = [figures for name, figures in results.items() if name.startswith("django")]
    best_rps = max(median(figures, "rps") for figures in django)
    best_cpu = min(median(figures, "cpu_us") for figures in django)
    print(f"{'beside the better Django':24}{'times':>11}{'share':>11}   (asked: 25, 1/20)")
    for name, figures in results.items():
        if not name.startswith("django"):
            times, share = median(figures, "rps") / best_rps, median(figures, "cpu_us") / best_cpu
            print(f"{name:24}{times:11.1f}{f'1/{1 / share:.0f}':>11}")


def count(folder):
    """Statements and rows of a rotation, read off the wire to PostgreSQL."""
    heading(f"one rotation on PostgreSQL, mean of {COUNTED}, read off the wire")
    site = BenchSite(profile("count"), folder / "count", "postgres")
    try:
        print(f"{'':24}{'statements':>11}{'rows':>6}{'WAL bytes':>11}")
        for start in (
            lambda url: site.django(url=url, workers=("--workers", "1")),
            lambda url: site.ours(url=url),
            lambda url: site.ours("simplejwt, quickstart", url=url, **QUICKSTART),
            lambda url: site.ours("simplejwt, no sessions", url=url, **WITHOUT_SESSIONS),
        ):
            with Counting(site.database.url) as counting:
                server = start(counting.url)
                token = site.log_in(server, 1)[0][0]
                # The first finds no connection and no prepared statement.
                token = rotated(server, token)
                before, rows, position = counting.snapshot(), stored(site), wal(site)
                for _ in range(COUNTED):
                    token = rotated(server, token)
                written, added = wal(site, position), stored(site) - rows
                # The feed asks by itself, however many requests there are.
                texts = [text for text in counting.snapshot().texts[len(before.texts) :] if not is_of_feed(text)]
                print(
                    f"{server.name:24}{len(texts) / COUNTED:11.2f}"
                    f"{added / COUNTED:6.2f}{written / COUNTED:11.0f}"
                )
                for text in texts[-(len(texts) // COUNTED) :]:
                    print(f"    {text[:90]}")
                server.stop()
                site.servers.remove(server)
    finally:
        site.close()


def rotated(server, token):
    answer = server.post(REFRESH, {"refresh": token})
    assert answer.status == 200, answer.body
    return answer.json()["refresh"]


def stored(site):
    names = [name for name in site.database.tables() if name.startswith(("token_blacklist_", "simplejwt_"))]
    return sum(site.sql(f"SELECT count(*) FROM {name}")[0][0] for name in names)


def wal(site, since=None):
    if since is None:
        return site.sql("SELECT pg_current_wal_insert_lsn()::text")[0][0]
    return int(site.sql("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), ?::pg_lsn)", since)[0][0])
