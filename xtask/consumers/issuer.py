"""A running `simplejwt serve`, configured as docs/consumers.md says, and tokens of it."""

import contextlib
import json
import os
import pathlib
import re
import secrets
import socket
import subprocess
import time

import certificates
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from page import ours
from servers import Server, binary, free_port

USER, PASSWORD = "alice", "wonderland"
PATIENCE = 30
# What the page leaves at its default, and a test can't wait for.
QUICK = {
    "SIMPLEJWT_KEYS_PUBLICATION_DELAY": "1s",
    "SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS": "1000",
    "SIMPLEJWT_DRAIN_DELAY": "0",
}
# A new key for the algorithms that begin like this.
OTHERS = {
    "HS": lambda: secrets.token_hex(32),
    "Ed": ed25519.Ed25519PrivateKey.generate,
    "ES": lambda: ec.generate_private_key(ec.SECP256R1()),
    "PS": lambda: rsa.generate_private_key(65537, 2048),
    "RS": lambda: rsa.generate_private_key(65537, 2048),
}
SECTION = re.compile(r"^\[+.+\]+$", re.M)


def merged(*texts):
    """One configuration of several: a later line takes the place of an earlier one of the same name."""
    sections = {}
    for text in texts:
        place = sections.setdefault("", {})
        for line in text.splitlines():
            line = line.strip()
            if SECTION.fullmatch(line):
                place = sections.setdefault(line, {})
            elif "=" in line and not line.startswith("#"):
                place[line.partition("=")[0].strip()] = line
    return "\n".join("\n".join([section, *lines.values()]) for section, lines in sections.items()) + "\n"


def header(token):
    return jwt.get_unverified_header(token)


class Issuer:
    """In a folder of its own; `more` is what a consumer's section adds to the common configuration."""

    def __init__(self, folder, more="", **environment):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **QUICK, **environment}
        (self.folder / "simplejwt.toml").write_text(merged(ours("The token service"), more))
        (self.folder / "client-secret").write_text("a-secret-of-thirty-two-characters-or-more")
        self.server = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def run(self, *words, stdin=""):
        done = subprocess.run(
            [binary(), *words],
            env=self.environment,
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"simplejwt {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def prepare(self):
        self.run("migrate")
        self.run("user", "add", USER, "--password-stdin", "--no-validate", stdin=PASSWORD)
        self.run("key", "rotate")

    def start_tls(self, stack):
        """Another process of the same service that speaks TLS; its URL, and the authority of its certificate."""
        certificate, key, authority = certificates.write(self.folder)
        variables = {"SIMPLEJWT_TLS_CERTIFICATE": str(certificate), "SIMPLEJWT_TLS_KEY": str(key)}
        server = self.start("issuer-tls", ready=listening, **variables)
        stack.callback(server.stop)
        return f"https://127.0.0.1:{server.port}/", authority

    def start(self, name="issuer", port=None, ready=None, **environment):
        """Another process with the same configuration, or with some variables more."""
        port = port or free_port()
        log = self.folder / f"{name}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                [binary(), "serve"],
                env={**self.environment, "SIMPLEJWT_BIND": f"127.0.0.1:{port}", **environment},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        server = Server(name, port, process, log)
        try:
            (ready or answering)(server, "/readyz")
        except BaseException:
            server.stop()
            raise
        return server

    def __enter__(self):
        self.prepare()
        self.server = self.start(port=self.port)
        return self

    def __exit__(self, *_):
        self.server.stop()

    def log_in(self, path="/api/token/"):
        answer = self.server.post(path, {"username": USER, "password": PASSWORD})
        if answer.status != 200:
            raise RuntimeError(f"login: {answer}")
        return answer.json()

    def sliding(self):
        """The one token of a login that gives no refresh token."""
        return self.log_in("/api/token/sliding/")["token"]

    def log_out(self, pair):
        """Ends the session, and waits until the server itself refuses the access token."""
        answer = self.server.post("/api/token/logout/", {"refresh": pair["refresh"]})
        if answer.status != 200:
            raise RuntimeError(f"logout: {answer}")
        wait(lambda: self.server.get("/api/token/authenticate/", pair["access"]).status == 401, "the logout is heard of")

    def next_key(self):
        """Publishes the next key, which signs a little later."""
        self.before = header(self.log_in()["access"])["kid"]
        self.run("key", "rotate")

    def wait_for_next_key(self):
        wait(lambda: header(self.log_in()["access"])["kid"] != self.before, "the next key signs")

    def foreign(self, token):
        """The same token, with the same header, signed by a key that isn't ours."""
        return resigned(token, OTHERS[header(token)["alg"][:2]](), {})

    def expired(self, token):
        """The same token as it would have been an hour earlier, signed by our key."""
        now = int(time.time())
        return resigned(token, self.secret("--format", "raw", "--no-newline"), {"iat": now - 3900, "exp": now - 3600})

    def public(self, form="pem", *words):
        return self.run("key", "public", "--format", form, *words)

    def kids(self):
        """Those of the keys, the one that signs first."""
        listed = [line.split("\t") for line in self.run("key", "list").splitlines()]
        return [row[0] for state in ("active", "next") for row in listed if row[2] == state]

    def secret(self, *words):
        return self.run("key", "secret", *words)


def resigned(token, key, changed):
    head = header(token)
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode({**claims, **changed}, key, head["alg"], headers={"kid": head["kid"], "typ": head["typ"]})


def listening(server, _path):
    """Returns once the program takes connections."""

    def asked():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port)):
            return True
        return False

    wait(asked, f"{server.name} listens")


def wait(ask, what, seconds=PATIENCE):
    until = time.monotonic() + seconds
    while not ask():
        if time.monotonic() > until:
            raise RuntimeError(f"it never comes that {what}")
        time.sleep(0.05)


def answering(server, path="/", seconds=PATIENCE):
    """Returns once the program answers anything to a request."""

    def asked():
        if server.process.poll() is not None:
            raise RuntimeError(f"{server.name} ended:\n{server.log.read_text(errors='replace')[-4000:]}")
        with contextlib.suppress(OSError):
            return server.send("GET", path).status != 503 or path == "/"
        return False

    try:
        wait(asked, f"{server.name} answers", seconds)
    except RuntimeError as error:
        raise RuntimeError(f"{error}\n{server.log.read_text(errors='replace')[-4000:]}") from None
