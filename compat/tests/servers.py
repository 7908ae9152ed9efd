"""Starts Django under gunicorn, and `simplejwt serve`, on one database."""

import dataclasses
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

import pytest

import databases

PROJECT = pathlib.Path(__file__).resolve().parent.parent / "project"
HASHERS = "django.contrib.auth.hashers."
SECRET = "a-secret-key-of-the-compatibility-tests-that-is-long-enough-for-hs512-too"
PASSWORD = "correct horse battery staple"
# Those that the tests run on.
DATABASES = ["sqlite", "postgres", "mysql"]
EVERY_DATABASE = pytest.mark.parametrize("database", DATABASES)


def every_database_with(name, values, few):
    """All the values on SQLite, and a few on each server: for what means little to a database."""
    pairs = [(kind, value) for kind in DATABASES for value in (values if kind == "sqlite" else few)]
    return pytest.mark.parametrize(("database", name), pairs)


@dataclasses.dataclass(frozen=True)
class Profile:
    """What both servers are told, by the same names."""

    name: str
    simple_jwt: dict = dataclasses.field(default_factory=dict)
    # None: neither side is told.
    hashers: tuple | None = ("MD5PasswordHasher", "PBKDF2PasswordHasher")
    blacklist: bool = True
    custom_user: bool = False
    # Which of the models in `staff` the users are of, if they are.
    staff: str = ""
    extra: dict = dataclasses.field(default_factory=dict)

    def environment(self, url):
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SECRET_KEY": SECRET,
            "SIMPLE_JWT": json.dumps(self.simple_jwt),
            "DATABASE_URL": url,
            "SIMPLEJWT_TOKEN_BLACKLIST": "true" if self.blacklist else "false",
            "SIMPLEJWT_DEMO": "true",
            # Upstream has none, and the tests fail logins by the hundred.
            "SIMPLEJWT_THROTTLE_ENABLED": "false",
            **self.extra,
        }
        if self.hashers:
            environment["PASSWORD_HASHERS"] = json.dumps([HASHERS + name for name in self.hashers])
        if self.custom_user:
            environment.update(
                COMPAT_CUSTOM_USER="true",
                SIMPLEJWT_USERS_TABLE="accounts_user",
                SIMPLEJWT_USERS_KEY_TYPE="uuid",
                SIMPLEJWT_USERS_USERNAME_FIELD="email",
            )
        return environment


@dataclasses.dataclass
class Answer:
    status: int
    headers: list
    body: bytes

    def header(self, name):
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    def json(self):
        return json.loads(self.body)


@dataclasses.dataclass
class Server:
    name: str
    port: int
    process: subprocess.Popen
    log: pathlib.Path

    def send(self, method, path, headers=(), body=None):
        """One request as it is: nothing is added but Host and, with a body, Content-Length."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", f"127.0.0.1:{self.port}")
            for name, value in headers:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def post(self, path, value, headers=()):
        body = json.dumps(value).encode()
        return self.send("POST", path, [("Content-Type", "application/json"), *headers], body)

    def get(self, path, token=None):
        headers = [("Authorization", f"Bearer {token}")] if token else []
        return self.send("GET", path, headers)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def binary():
    """The path of our binary; without it nothing here is a test."""
    path = os.environ.get("SIMPLEJWT_BIN")
    if not path:
        raise RuntimeError("SIMPLEJWT_BIN is not set: set it to the path of the simplejwt binary")
    if not os.access(path, os.X_OK):
        raise RuntimeError(f"SIMPLEJWT_BIN: {path} is no executable file; run `cargo build -p simplejwt-server`")
    return str(pathlib.Path(path).resolve())


def django_4_2():
    """The Python that has Django 4.2, made by `cargo xtask test`."""
    made = PROJECT.parent / ".venv-django42/bin/python"
    python = pathlib.Path(os.environ.get("COMPAT_DJANGO42") or made)
    if not python.exists():
        raise RuntimeError(f"there is no {python}: `cargo xtask test` makes it of compat/requirements-django42.txt")
    return str(python)


def django_only():
    """Whether Django is compared with itself, which tests the comparison."""
    return os.environ.get("COMPAT_OTHER") == "django"


class Site:
    """A database with both servers on it."""

    def __init__(self, profile, folder, database="sqlite", python=sys.executable):
        self.profile = profile
        self.python = python
        self.folder = folder
        self.database = databases.make(database, folder)
        self.environment = profile.environment(self.database.url)
        self.servers = []

    def manage(self, *arguments, **environment):
        return self.run([self.python, str(PROJECT / "manage.py"), *arguments], **environment)

    def ours_command(self, *arguments, stdin="", **environment):
        return self.run([binary(), *arguments], stdin=stdin, **environment)

    def run(self, command, stdin="", **environment):
        done = subprocess.run(
            command,
            env={**self.environment, **environment},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=self.folder,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def shell(self, code):
        """Runs code in Django; what it prints as JSON is returned."""
        head = (
            "import django, json; django.setup()\n"
            "from django.contrib.auth import get_user_model; User = get_user_model()\n"
        )
        out = self.run([self.python, "-c", head + code], DJANGO_SETTINGS_MODULE="settings", PYTHONPATH=str(PROJECT))
        return json.loads(out) if out.strip() else None

    def sql(self, statement, *values):
        """Runs one statement, with a question mark for each value; its rows."""
        return self.database.run(statement, *values)

    def start(self):
        if not django_only():
            # The tables of the sessions, beside those that Django made.
            self.ours_command("migrate")
        self.theirs = self.start_django("django")
        self.ours = self.start_django("django-2") if django_only() else self.start_ours()
        for server in self.servers:
            self.wait(server)

    def start_django(self, name):
        port = free_port()
        command = [self.python, "-m", "gunicorn", "wsgi", "--chdir", str(PROJECT)]
        command += ["--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", "4"]
        command += ["--worker-tmp-dir", str(self.folder), "--no-control-socket"]
        return self.launch(name, port, command, {})

    def start_ours(self, name="simplejwt", **environment):
        port = free_port()
        environment["SIMPLEJWT_BIND"] = f"127.0.0.1:{port}"
        environment.setdefault("SIMPLEJWT_DRAIN_DELAY", "0")
        return self.launch(name, port, [binary(), "serve"], environment)

    def launch(self, name, port, command, environment):
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                env={**self.environment, **environment},
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )
        server = Server(name, port, process, log)
        self.servers.append(server)
        return server

    def wait(self, server):
        until = time.monotonic() + 30
        while True:
            if server.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{server.name} doesn't answer:\n{server.log.read_text()}")
            try:
                server.send("GET", "/api/protected/")
                return
            except OSError:
                time.sleep(0.05)

    def terminate(self):
        """Asks all to end, without waiting for any."""
        for server in self.servers:
            server.process.terminate()

    def stop(self):
        self.terminate()
        for server in self.servers:
            server.stop()
        self.servers = []

    def close(self):
        """Stops the servers and drops the database."""
        self.stop()
        self.database.drop()
