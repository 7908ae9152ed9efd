"""Python's frameworks, each in a process of its own, and another simplejwt."""

import importlib.metadata
import pathlib
import subprocess
import sys
import time

from issuer import Issuer, answering
from kinds import Web
from page import theirs
from scenario import OUT
from servers import binary, free_port

HERE = pathlib.Path(__file__).parent
# What the page leaves to the application.
USERS = """\
import types

from fastapi_users import BaseUserManager, IntegerIDMixin


class Manager(IntegerIDMixin, BaseUserManager):
    reset_password_token_secret = verification_token_secret = "unused"

    async def get(self, id):
        return types.SimpleNamespace(id=id, is_active=True, is_verified=True, is_superuser=False)


async def get_user_manager():
    yield Manager(None)
"""


class Application(Web):
    way = "JWKS"
    package: str
    # The time in seconds for which it doesn't fetch the set again for a key that it doesn't know.
    cooldown = 0

    def version(self):
        return importlib.metadata.version(self.package)

    def rotated(self, issuer, folder):
        time.sleep(self.cooldown)


class Django(Application):
    cooldown = 30
    heading = "djangorestframework-simplejwt"

    def start(self, issuer, folder, stack):
        secret = (issuer.folder / "client-secret").read_text()
        page = theirs(self.heading, "python", issuer).replace("CLIENT_SECRET", secret)
        (folder / "settings.py").write_text(page)
        self.command = [sys.executable, str(HERE / "django_site.py"), self.package]
        port = free_port()
        self.serve(stack, [*self.command, str(port)], folder, port)


class Simplejwt(Django):
    name = package = "djangorestframework-simplejwt"


class Djoser(Django):
    name = package = "djoser"
    path = "/users/me/"


class DjRestAuth(Django):
    name = package = "dj-rest-auth"
    path = "/user/"


class OAuthToolkit(Django):
    name = package = heading = "django-oauth-toolkit"
    way = "introspection"
    headers = (("X-Forwarded-Host", "api.example.com"), ("X-Forwarded-Proto", "https"))
    cooldown = 0
    keeps = 1.1
    after_logout = OUT


class Flask(Application):
    name = package = "Flask-JWT-Extended"
    refusals = (401, 422)
    cooldown = 30

    def start(self, issuer, folder, stack):
        (folder / "module.py").write_text(theirs(self.name, "python", issuer))
        port = free_port()
        self.serve(stack, [sys.executable, "-m", "flask", "--app", "module", "run", "--port", str(port)], folder, port)


class OneKey(Application):
    """With a key that is given to it at its start."""

    way = "one key"
    expected = {"older": OUT}
    file = "module.py"
    command = ("-m", "uvicorn", "module:app", "--port")

    def start(self, issuer, folder, stack):
        self.stack = stack
        (folder / self.file).write_text(theirs(self.name, "python", issuer))
        (folder / "users.py").write_text(USERS)
        self.begin(issuer, folder, issuer.kids()[0])

    def begin(self, issuer, folder, kid):
        (folder / "key.pem").write_text(issuer.public("pem", f"--kid={kid}"))
        port = free_port()
        self.serve(self.stack, [sys.executable, *self.command, str(port)], folder, port)

    def rotated(self, issuer, folder):
        self.begin(issuer, folder, issuer.kids()[-1])


class NinjaJwt(OneKey):
    name = package = "django-ninja-jwt"
    file = "settings.py"
    command = (str(HERE / "django_site.py"), package)


class Litestar(OneKey):
    name = "Litestar"
    package = "litestar"


class FastapiUsers(OneKey):
    name = package = "fastapi-users"


class AnotherSimplejwt(Application):
    """It has no tokens of its own, and its database no sessions of the issuer."""

    name = "Another simplejwt"
    path = "/api/protected-stateless/"

    def version(self):
        done = subprocess.run([binary(), "--version"], capture_output=True, text=True, check=True)
        return done.stdout.split()[1]

    def issuer(self, folder):
        return Issuer(folder)

    def start(self, issuer, folder, stack):
        (folder / "simplejwt.toml").write_text(theirs(self.name, "toml", issuer))
        subprocess.run([binary(), "migrate"], cwd=folder, env={}, capture_output=True, check=True)
        port = free_port()
        variables = {"SIMPLEJWT_BIND": f"127.0.0.1:{port}", "SIMPLEJWT_DEMO": "true", "SIMPLEJWT_DRAIN_DELAY": "0"}
        self.serve(stack, [binary(), "serve"], folder, port, env=variables)
        answering(self.server, "/readyz")


CONSUMERS = [Simplejwt, Djoser, DjRestAuth, OAuthToolkit, Flask, NinjaJwt, Litestar, FastapiUsers, AnotherSimplejwt]
