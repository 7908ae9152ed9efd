"""Involuntary logouts per 100 expiries, by the way in which clients refresh."""

from refreshing import WAYS, logouts
from sides import QUICKSTART, BenchSite, heading, profile


def run(folder, expiries=100):
    heading(f"{len(WAYS)} ways of refreshing, {expiries} expiries each: how many log the user out, per 100")
    plain = BenchSite(profile("clients"), folder / "clients", "sqlite")
    quick = BenchSite(profile("clients-quickstart", **QUICKSTART), folder / "clients-quickstart", "sqlite")
    try:
        sides = [
            ("Django", plain.django(workers=("--workers", "1"))),
            ("defaults", plain.ours()),
            ("quickstart", quick.ours()),
        ]
        print(f"{'':40}" + "".join(f"{name:>12}" for name, _ in sides))
        for way in WAYS:
            counts = [logouts(way, server, "user0", expiries) for _, server in sides]
            figures = "".join(f"{100 * count / expiries:>12.0f}" for count in counts)
            print(f"{way.name:40}{figures}", flush=True)
        print()
        for way in WAYS:
            print(f"{way.name}: {way.seen}")
    finally:
        plain.close()
        quick.close()
