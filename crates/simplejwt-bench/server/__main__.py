"""Benchmarks of the running server:
`cargo xtask bench server [refresh|first-seen|logins|fastify|size|feed|purge|clients|memory|flood] [postgres|sqlite|mysql] [NAME=VALUE...]`."""

import pathlib
import sys
import tempfile

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[3] / "compat/tests"))

import clients
import fastify
import feed
import first_seen
import flood
import logins
import memory
import purge
import refresh
import size
from sides import ROOT

PARTS = {
    "refresh": refresh.run,
    "first-seen": first_seen.run,
    "logins": logins.run,
    "fastify": fastify.run,
    "size": size.run,
    "feed": feed.run,
    "purge": purge.run,
    "clients": clients.run,
    "memory": memory.run,
    "flood": flood.run,
}


# The parts that are run on each database, or on those that are named.
ON_EACH = ("refresh", "first-seen", "size")
DATABASES = ("postgres", "sqlite", "mysql")


def main(words):
    databases = [word for word in words if word in DATABASES]
    names = [word for word in words if "=" not in word and word not in DATABASES]
    names = names or list(ON_EACH if databases else PARTS)
    options = {name: int(value) for name, _, value in (word.partition("=") for word in words) if value}
    if unknown := set(names) - set(PARTS):
        sys.exit(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(PARTS)}")
    # Beside the project: /tmp may be a file system that keeps nothing.
    cache = ROOT / ".cache"
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=cache) as folder:
        for name in names:
            on = {"databases": databases} if databases and name in ON_EACH else {}
            PARTS[name](pathlib.Path(folder), **on, **options)


main(sys.argv[1:])
