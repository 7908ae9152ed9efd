"""The tutorial's application, in Django (compat/tutorial) and here (the example quickstart).

docs/from-django.md compares their lines: each has to do the same for that.
"""

import os
import pathlib
import subprocess
import sys
import time
import urllib.parse

import pytest

from servers import PASSWORD, Server, binary, free_port

TUTORIAL = pathlib.Path(__file__).resolve().parent.parent / "tutorial"
QUICKSTART = pathlib.Path(binary()).parent / "examples" / "quickstart"


def django(folder):
    environment = {**os.environ, "DATABASE": str(folder / "db.sqlite3")}
    for command in [["migrate", "--verbosity", "0"], ["createsuperuser", "--noinput", "--username", "alice", "--email", "a@example.org"]]:
        subprocess.run(
            [sys.executable, "manage.py", *command],
            env={**environment, "DJANGO_SUPERUSER_PASSWORD": PASSWORD},
            cwd=TUTORIAL,
            check=True,
        )
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "wsgi", "--bind", f"127.0.0.1:{port}", "--no-control-socket"]
    log = folder / "django.log"
    process = subprocess.Popen(command, env=environment, cwd=TUTORIAL, stderr=log.open("wb"))
    server = Server("django", port, process, log)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            server.get("/api/hello/")
            return server, PASSWORD
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(log.read_text())


def quickstart(folder):
    assert QUICKSTART.exists(), f"{QUICKSTART} isn't built: cargo build --examples --all-features"
    environment = {**os.environ, "DATABASE": str(folder / "db.sqlite3")}
    process = subprocess.Popen([QUICKSTART, "127.0.0.1:0"], env=environment, stdout=subprocess.PIPE, text=True)
    password = process.stdout.readline().removeprefix("alice's password: ").strip()
    port = int(process.stdout.readline().rsplit(":", 1)[1])
    return Server("quickstart", port, process, folder), password


@pytest.mark.parametrize("start", [django, quickstart])
def test_both_do_the_same(start, tmp_path):
    server, password = start(tmp_path)
    try:
        def post(path, **form):
            headers = [("Content-Type", "application/x-www-form-urlencoded")]
            return server.send("POST", path, headers, urllib.parse.urlencode(form).encode())

        assert server.get("/api/hello/").status == 401
        assert post("/api/token/", username="alice", password="wrong").status == 401
        pair = post("/api/token/", username="alice", password=password).json()
        hello = server.get("/api/hello/", pair["access"])
        assert hello.status == 200 and b"Hello, alice!" in hello.body
        assert post("/api/token/verify/", token=pair["access"]).status == 200
        rotated = post("/api/token/refresh/", refresh=pair["refresh"]).json()
        assert rotated.keys() == {"access", "refresh"}
        assert post("/api/token/blacklist/", refresh=rotated["refresh"]).status == 200
        assert post("/api/token/refresh/", refresh=rotated["refresh"]).status == 401
        assert post("/api/token/refresh/", refresh=pair["refresh"]).status == 401
    finally:
        server.stop()
