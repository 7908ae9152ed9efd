"""Django and `simplejwt serve` as they are compared, what they use of the machine, and load."""

import contextlib
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

import servers
from servers import PASSWORD, Profile, Server, Site, free_port

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
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
        self.database.kind = database
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
            "SIMPLEJWT_DRAIN_DELAY": "0",
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


def cpu_ticks(pids):
    """User and system time of each of these processes that is still there."""
    ticks = {}
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks[pid] = int(fields[11]) + int(fields[12])
    return ticks


def cpu_seconds(before, after):
    """What they used in between; those that came meanwhile, all of it."""
    return sum(ticks - before.get(pid, 0) for pid, ticks in after.items()) / TICK


def database_processes(site):
    """Those of the database server, if it has any; what asks for them is none of them."""
    if site.database.kind == "mysql":
        # One process, whatever else it does meanwhile.
        return [int(pathlib.Path(site.sql("SELECT @@pid_file")[0][0]).read_text())]
    if site.database.kind != "postgres":
        return []
    return [pid for (pid,) in site.sql("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")]


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
        self.site = site
        self.server = server
        self.file = site.folder / f"{server.name}.tokens"
        self.file.write_text("".join(f"{refresh}\n" for refresh, _ in site.log_in(server, connections)))

    def run(self, seconds, *rate):
        watched = {
            "cpu": lambda: cpu_ticks(processes(self.server)),
            "database_cpu": lambda: cpu_ticks(database_processes(self.site)),
        }
        before = {name: ticks() for name, ticks in watched.items()}
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        address = f"127.0.0.1:{self.server.port}"
        figures = generator("load", address, REFRESH, self.file, seconds, *rate)
        done = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = {name: cpu_seconds(before[name], ticks()) for name, ticks in watched.items()}
        used["load_cpu"] = done.ru_utime + done.ru_stime - spent.ru_utime - spent.ru_stime
        if figures["failures"]:
            print(f"  {self.server.name}: {figures['failures']} failures: {figures['failure']}")
        figures["rps"] = figures["requests"] / figures["seconds"]
        for name, seconds in used.items():
            figures[f"{name}_us"] = seconds * 1e6 / max(figures["requests"], 1)
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
