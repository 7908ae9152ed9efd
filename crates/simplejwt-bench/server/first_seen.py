"""Rotation of tokens that Django has issued and nobody here has seen, beside that of known ones."""

from sides import QUICKSTART, REFRESH, BenchSite, cpu_seconds, cpu_ticks, generator, heading, median, processes, profile


def run(folder, tokens=2000, rounds=5, connections=32, databases=("postgres", "mysql")):
    for database in databases:
        measure(folder / f"first-seen-{database}", database, tokens, rounds, connections)


def measure(folder, database, tokens, rounds, connections):
    site = BenchSite(profile("first-seen"), folder, database, users=connections)
    try:
        sides = [site.ours(), site.ours("simplejwt, quickstart", **QUICKSTART)]
        kind = type(site.database).__name__
        heading(f"rotation on {kind}: {connections} connections, {rounds} rounds of {tokens} tokens each")
        results = {}
        for _ in range(rounds):
            for server in sides:
                file = site.folder / f"{server.name}.tokens"
                file.write_text("".join(f"{' '.join(line)}\n" for line in issued(site, tokens, connections)))
                for kind, seconds in (("never seen", 600), ("known", 5)):
                    before = cpu_ticks(processes(server))
                    figures = generator("load", f"127.0.0.1:{server.port}", REFRESH, file, seconds)
                    assert figures["failures"] == 0, figures
                    used = cpu_seconds(before, cpu_ticks(processes(server)))
                    figures["rps"] = figures["requests"] / figures["seconds"]
                    figures["cpu_us"] = used * 1e6 / figures["requests"]
                    results.setdefault((server.name, kind), []).append(figures)
                    if kind == "never seen":
                        # From here on, a chain for each connection, of tokens that were issued here.
                        file.write_text("".join(f"{refresh}\n" for refresh, _ in site.log_in(server, connections)))
        print(f"{'':24}{'':12}{'requests/s':>11}{'CPU us/req':>11}{'p50 ms':>9}{'p99 ms':>9}")
        for (name, kind), figures in results.items():
            print(
                f"{name:24}{kind:12}{median(figures, 'rps'):11.0f}{median(figures, 'cpu_us'):11.0f}"
                f"{median(figures, 'p50_us') / 1000:9.2f}{median(figures, 'p99_us') / 1000:9.2f}"
            )
        for server in sides:
            known, unseen = (median(results[server.name, kind], "rps") for kind in ("known", "never seen"))
            print(f"{server.name}: known ones are {known / unseen:.2f} times as fast")
    finally:
        site.close()


def issued(site, tokens, connections):
    """So many of Django's tokens, registered by it, for each connection its share."""
    code = f"""
from rest_framework_simplejwt.tokens import RefreshToken
users = list(User.objects.order_by('id'))
print(json.dumps([[str(RefreshToken.for_user(user)) for _ in range({tokens // connections})] for user in users]))
"""
    return site.shell(code)
