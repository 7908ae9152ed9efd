"""Memory of the server that `quickstart` sets up on SQLite: idle, and for each connection that is kept open."""

import contextlib
import json
import os
import pathlib
import resource
import socket
import subprocess
import time

from servers import PASSWORD, binary
from sides import heading, until

# So many have ports at one address of the loopback interface.
OF_ONE_ADDRESS = 20_000
# What both sides need beside the connections.
OTHER_FILES = 300
LOGIN = "/api/token/"
VERIFY = "/api/token/verify/"


def run(folder, connections=10_000, seconds=5, requests=2_000):
    connections = allowed(connections)
    folder = folder / "memory"
    folder.mkdir()
    command(folder, "quickstart", "--no-serve")
    command(folder, "user", "add", "user0", "--password-stdin", input=f"{PASSWORD}\n")
    with Idle(folder) as server:
        heading("an idle server")
        print(f"{'':24}{'RSS':>9}{'anonymous':>11}{'of files':>10}{'threads':>9}")
        server.show("after its start")
        with server.connect() as connection:
            for _ in range(requests):
                server.ask(connection, get())
        server.show(f"after {requests:,} requests")
    heading(f"bytes of RSS for each of {connections:,} connections")
    print(f"{'':40}{'at once':>9}{f'after {seconds} s':>12}{'anonymous':>11}")
    for name, use in USES:
        with Idle(folder) as server:
            measure(server, name, use, connections, seconds)


def allowed(connections):
    """As many of these as there can be open files."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES
    if most != resource.RLIM_INFINITY:
        wanted = min(wanted, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    return min(connections, wanted - OTHER_FILES)


def command(folder, *words, **options):
    subprocess.run([binary(), *words], cwd=folder, check=True, capture_output=True, text=True, **options)


class Idle:
    """A server of its own for what is measured, with nothing to do but that."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        log = self.folder / "log"
        # No connection ends because it is idle.
        environment = {**os.environ, "SIMPLEJWT_BIND": "127.0.0.1:0", "SIMPLEJWT_HEADER_TIMEOUT": "1h"}
        with log.open("w") as stderr:
            self.process = subprocess.Popen([binary(), "serve"], cwd=self.folder, env=environment, stderr=stderr)
        self.port = until(lambda: port(log.read_text()))
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def settled(self):
        """Its memory once it no longer changes: all of it, and what is anonymous."""
        last, since = None, time.monotonic()
        while time.monotonic() - since < 1:
            time.sleep(0.1)
            if (now := self.memory()) != last:
                last, since = now, time.monotonic()
        return last

    def memory(self):
        lines = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()[1:]
        sizes = {name: 1024 * int(size.split()[0]) for name, _, size in (line.partition(":") for line in lines)}
        return sizes["Rss"], sizes["Anonymous"]

    def show(self, name):
        rss, anonymous = self.settled()
        threads = len(list(pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()))
        print(
            f"{name:24}{rss / 1e6:6.1f} MB{anonymous / 1e6:8.1f} MB{(rss - anonymous) / 1e6:7.1f} MB{threads:9}",
            flush=True,
        )

    def connect(self, number=0):
        # One address is enough for most, and then the system chooses better.
        source = (f"127.0.0.{1 + number // OF_ONE_ADDRESS}", 0) if number >= OF_ONE_ADDRESS else None
        return socket.create_connection(("127.0.0.1", self.port), timeout=30, source_address=source)

    def ask(self, connection, request):
        connection.sendall(request)
        return self.answer(connection)

    def answer(self, connection):
        """The body of an answer that is good."""
        data = connection.recv(65536)
        while b"\r\n\r\n" not in data:
            data += received(connection)
        head, _, body = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), data
        fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:])
        while len(body) < int(fields[b"content-length"]):
            body += received(connection)
        return body

    def access_token(self):
        with self.connect() as connection:
            login = {"username": "user0", "password": PASSWORD}
            return json.loads(self.ask(connection, post(LOGIN, login)))["access"]


def received(connection):
    data = connection.recv(65536)
    assert data, "the connection ended"
    return data


def port(log):
    for line in log.split("\n")[:-1]:
        if line.startswith("listening on "):
            return int(line.rpartition(":")[2])
    return None


def get():
    return b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(path, value):
    body = json.dumps(value).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def never(server, connect, connections):
    for number in range(connections):
        connect(number)


def healthz(server, connect, connections):
    for number in range(connections):
        server.ask(connect(number), get())


def verify(server, connect, connections):
    request = post(VERIFY, {"token": server.access_token()})
    for number in range(connections):
        server.ask(connect(number), request)


def together(server, connect, connections):
    """All of them ask before the first answer is read."""
    opened = [connect(number) for number in range(connections)]
    for connection in opened:
        connection.sendall(get())
    for connection in opened:
        server.answer(connection)


USES = (
    ("that never spoke", never),
    ("after GET /healthz", healthz),
    ("after POST verify/", verify),
    ("after GET /healthz on all at once", together),
)


def measure(server, name, use, connections, seconds):
    # What is allocated once, and the code that is read from the file.
    with contextlib.ExitStack() as open_for_now:
        use(server, lambda number: open_for_now.enter_context(server.connect(number)), 20)
    rss, anonymous = server.settled()
    with contextlib.ExitStack() as kept:
        use(server, lambda number: kept.enter_context(server.connect(number)), connections)
        figures = [server.memory()[0] - rss]
        time.sleep(seconds)
        after = server.settled()
        figures += [after[0] - rss, after[1] - anonymous]
        at_once, later, of_it = (figure / connections for figure in figures)
        print(f"{name:40}{at_once:9.0f}{later:12.0f}{of_it:11.0f}", flush=True)
