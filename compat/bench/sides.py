"""Django and `simplejwt serve` as they are compared, what they use of the machine, and load."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import servers
from servers import PASSWORD, Profile, Server, Site, free_port

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TICK = os.sysconf("SC_CLK_TCK")
REFRESH = "/api/token/refresh/"
ROTATING = {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True}
# What `simplejwt quickstart` writes into [sessions].
QUICKSTART = {
    "SIMPLEJWT_SESSION_CLAIM": "true",
    "SIMPLEJWT_ROTATION_GRACE": "10",
    "SIMPLEJWT_SESSION_LIFETIME": "90d",
    "SIMPLEJWT_REVOCATION": "feed",
    "SIMPLEJWT_TOKEN_AT_REST": "redacted",
}
WITHOUT_SESSIONS = {"SIMPLEJWT_SESSIONS": "false"}


def profile(name, lifetime=None, **extra):
    simple_jwt = {**ROTATING, "ACCESS_TOKEN_LIFETIME": lifetime} if lifetime else ROTATING
    django = {"DJANGO_SETTINGS_MODULE": "bench_settings", "PYTHONPATH": str(HERE)}
    return Profile(name, simple_jwt, hashers=("MD5PasswordHasher",), extra={**django, **extra})


class BenchSite(Site):
    """A database of its own, made by Django, with users; servers are started one by one."""

    def __init__(self, profile, folder, database, users=1):
        folder.mkdir(parents=True)
        super().__init__(profile, folder, database)
        self.manage("migrate", "--verbosity", "0")
        self.ours_command("migrate")
        self.shell(
            "from django.contrib.auth.hashers import make_password\n"
            f"password = make_password({PASSWORD!r})\n"
            f"User.objects.bulk_create(User(username=f'user{{n}}', password=password) for n in range({users}))"
        )
        self.users = users

    def shell(self, code):
        path = os.pathsep.join([str(HERE), str(servers.PROJECT)])
        head = "import django, json; django.setup()\nfrom django.contrib.auth.models import User\n"
        out = self.run([sys.executable, "-c", head + code], PYTHONPATH=path)
        return json.loads(out) if out.strip() else None

    def django(self, name="django", url=None, workers=("--workers", "2")):
        port = free_port()
        command = [sys.executable, "-m", "gunicorn", "wsgi", "--chdir", str(servers.PROJECT), *workers]
        command += ["--bind", f"127.0.0.1:{port}", "--no-control-socket", "--log-level", "warning"]
        return self.started(name, port, command, {}, url)

    def ours(self, name="simplejwt", url=None, **environment):
        port = free_port()
        environment = {
            "SIMPLEJWT_BIND": f"127.0.0.1:{port}",
            # Nothing is deleted unless that is what is measured.
            "SIMPLEJWT_PURGE_INTERVAL": "0",
            **environment,
        }
        return self.started(name, port, [servers.binary(), "serve"], environment, url)

    def started(self, name, port, command, environment, url):
        if url:
            environment = {**environment, "DATABASE_URL": url}
        server = self.launch(name, port, command, environment)
        self.wait(server)
        return server

    def log_in(self, server, count):
        """So many sessions; the refresh and the access token of each."""
        pairs = []
        for number in range(count):
            body = {"username": f"user{number % self.users}", "password": PASSWORD}
            answer = server.post("/api/token/", body)
            assert answer.status == 200, answer.body
            pairs.append((answer.json()["refresh"], answer.json()["access"]))
        return pairs


def processes(server: Server):
    """A server's process and all that it started."""
    found = [server.process.pid]
    for pid in found:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def cpu_seconds(server):
    """User and system time of a server, of all its processes."""
    ticks = 0
    for pid in processes(server):
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICK


def rss_bytes(server):
    pages = sum(int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in processes(server))
    return pages * os.sysconf("SC_PAGE_SIZE")


def generator(*words):
    """Runs the part of the benchmark that has to be quick; what it says."""
    command = [os.environ["SIMPLEJWT_BENCH_LOAD"], "bench", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stderr}")
    return json.loads(done.stdout)


class Load:
    """Connections to one server, each with its chain of refresh tokens."""

    def __init__(self, site, server, connections):
        self.server = server
        self.file = site.folder / f"{server.name}.tokens"
        self.file.write_text("".join(f"{refresh}\n" for refresh, _ in site.log_in(server, connections)))

    def run(self, seconds, *rate):
        before = cpu_seconds(self.server)
        address = f"127.0.0.1:{self.server.port}"
        figures = generator("load", address, REFRESH, self.file, seconds, *rate)
        figures["cpu"] = cpu_seconds(self.server) - before
        if figures["failures"]:
            print(f"  {self.server.name}: {figures['failures']} failures: {figures['failure']}")
        figures["rps"] = figures["requests"] / figures["seconds"]
        figures["cpu_us"] = figures["cpu"] * 1e6 / max(figures["requests"], 1)
        return figures


def median(rounds, name):
    return statistics.median(figures[name] for figures in rounds)


def heading(text):
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"\n{text} (load average {load})", flush=True)


def until(question, seconds=60, pause=0.02):
    """Asks until there is an answer."""
    end = time.monotonic() + seconds
    while not (answer := question()):
        if time.monotonic() > end:
            raise RuntimeError("it took too long")
        time.sleep(pause)
    return answer
