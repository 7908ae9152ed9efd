"""Beside fastify with fast-jwt and better-sqlite3: one process each, on an SQLite file in WAL mode."""

import pathlib
import shutil
import subprocess

from servers import SECRET, free_port
from sides import (
    QUICKSTART,
    REFRESH,
    ROOT,
    BenchSite,
    Load,
    cpu_seconds,
    cpu_ticks,
    generator,
    heading,
    median,
    processes,
    profile,
    rss_bytes,
    until,
)

SOURCE = pathlib.Path(__file__).resolve().parent.parent / "fastify"
FULL, NORMAL = "fastify, FULL", "fastify, NORMAL"
REPEATED = (("verify", "verify", "/api/token/verify/"), ("protected, token alone", "get", "/api/protected-stateless/"))


def installed():
    """The folder with the server and its packages, which npm installs by the lock file."""
    folder = ROOT / ".cache/bench-fastify"
    lock = (SOURCE / "package-lock.json").read_bytes()
    done = folder / "node_modules/installed"
    if not done.exists() or done.read_bytes() != lock:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCE / name, folder)
        print(f"npm ci in {folder}: fastify, fast-jwt, better-sqlite3 (which may be compiled)", flush=True)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, check=True)
        done.write_bytes(lock)
    shutil.copy(SOURCE / "server.js", folder)
    return folder


def fastify(site, name, synchronous):
    port = free_port()
    command = ["node", str(installed() / "server.js")]
    path = site.database.url.removeprefix("sqlite:///")
    environment = {"PORT": str(port), "DATABASE": path, "SECRET_KEY": SECRET, "SYNCHRONOUS": synchronous}
    server = site.launch(name, port, command, environment)
    until(lambda: answers(server))
    return server


def answers(server):
    try:
        return server.get("/healthz").status == 200
    except OSError:
        return False


def run(folder, seconds=4, rounds=5, connections=32):
    site = BenchSite(profile("fastify", lifetime=3600), folder / "fastify", "sqlite", users=connections)
    try:
        ours = [site.ours(), site.ours("simplejwt, quickstart", **QUICKSTART)]
        theirs = [fastify(site, FULL, "FULL"), fastify(site, NORMAL, "NORMAL")]
        sides = [*ours, *theirs]
        for server in sides:
            print(f"{server.name}: RSS {rss_bytes(server) / 1e6:.1f} MB, idle")
        access = site.log_in(ours[0], 1)[0][1]
        for title, ask, path in REPEATED:
            heading(f"{title}: {connections} connections, {rounds} rounds of {seconds} s each in turn")
            alternatives = [ours[0], theirs[0]]
            measure(alternatives, rounds, lambda server, a=ask, p=path: repeat(server, a, p, access, connections, seconds))
        heading(f"rotation and blacklist: {connections} connections, {rounds} rounds of {seconds} s each in turn")
        loads = {server.name: tokens(site, ours[0], server, connections) for server in sides}
        measure(sides, rounds, lambda server: rotations(server, loads[server.name], seconds))
        for server in sides:
            print(f"{server.name}: RSS {rss_bytes(server) / 1e6:.1f} MB")
    finally:
        site.close()


def tokens(site, issuer, server, connections):
    file = site.folder / f"{server.name}.tokens"
    file.write_text("".join(f"{refresh}\n" for refresh, _ in site.log_in(issuer, connections)))
    return file


def repeat(server, ask, path, token, connections, seconds):
    return generator("repeat", f"127.0.0.1:{server.port}", ask, path, token, connections, seconds)


def rotations(server, file, seconds):
    figures = generator("load", f"127.0.0.1:{server.port}", REFRESH, file, seconds)
    assert figures["failures"] == 0, figures
    return figures


def measure(servers, rounds, load):
    """Each server under this load in turn; prints the medians, and ratios to fastify's."""
    results = {server.name: [] for server in servers}
    for server in servers:
        load(server)
    for _ in range(rounds):
        for server in servers:
            before = cpu_ticks(processes(server))
            figures = load(server)
            used = cpu_seconds(before, cpu_ticks(processes(server)))
            figures["rps"] = figures["requests"] / figures["seconds"]
            figures["cpu_us"] = used * 1e6 / figures["requests"]
            results[server.name].append(figures)
    print(f"{'':24}{'requests/s':>11}{'CPU us/req':>11}{'p50 ms':>9}{'p99 ms':>9}")
    for name, rows in results.items():
        print(
            f"{name:24}{median(rows, 'rps'):11.0f}{median(rows, 'cpu_us'):11.1f}"
            f"{median(rows, 'p50_us') / 1000:9.2f}{median(rows, 'p99_us') / 1000:9.2f}"
        )
    for name, rows in results.items():
        for other, theirs in results.items():
            if other.startswith("fastify") and not name.startswith("fastify"):
                rate = median(rows, "rps") / median(theirs, "rps")
                cpu = median(theirs, "cpu_us") / median(rows, "cpu_us")
                print(f"{name}: {rate:.2f} times the requests of {other}, {cpu:.2f} times as many per processor second")
