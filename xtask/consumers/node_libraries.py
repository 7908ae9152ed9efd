"""npm's libraries: the page's block is a module that exports `check`, or a server."""

import json
import os
import pathlib
import tempfile
import time

from kinds import Lines, Web
from page import theirs
from scenario import Consumer
from servers import free_port

HERE = pathlib.Path(__file__).parent
# Where `npm ci` has put what node/package.json names.
PACKAGES = pathlib.Path(os.environ.get("SIMPLEJWT_CONSUMERS_CACHE", ".")) / "node"


class Package(Consumer):
    way = "JWKS"
    needs = ("node",)
    package: str
    # The time in seconds for which it doesn't fetch the set again for a key that it doesn't know.
    cooldown = 0
    # What a test puts in place of what the page says.
    pairs = {}

    def version(self):
        return json.loads((PACKAGES / "node_modules" / self.package / "package.json").read_text())["version"]

    def module(self, issuer, folder, stack, pairs=()):
        """Where node finds the packages."""
        place = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=PACKAGES)))
        path = place / "module.mjs"
        path.write_text(theirs(self.name, "js", issuer, {**self.pairs, **dict(pairs)}))
        return str(path)

    def rotated(self, issuer, folder):
        time.sleep(self.cooldown)


class Function(Package, Lines):
    def start(self, issuer, folder, stack):
        self.ask(stack, ["node", str(HERE / "node/lines.js"), self.module(issuer, folder, stack)], folder)


class Application(Package, Web):
    def start(self, issuer, folder, stack):
        port = free_port()
        self.serve(stack, ["node", self.module(issuer, folder, stack, {"3000": port})], folder, port)


class Jose(Function):
    name = "jose"
    package = "jose"
    cooldown = 30


class JwksRsa(Function):
    name = "jwks-rsa, with jsonwebtoken"
    package = "jwks-rsa"


class FastJwt(Function):
    name = "fast-jwt"
    package = "fast-jwt"
    way = "keys in a file"

    def start(self, issuer, folder, stack):
        self.stack = stack
        file = folder / "jwks.json"
        file.write_text(issuer.public("jwks"))
        module = self.module(issuer, folder, stack, {'"jwks.json"': json.dumps(str(file))})
        self.ask(stack, ["node", str(HERE / "node/lines.js"), module], folder)

    def rotated(self, issuer, folder):
        self.start(issuer, folder, self.stack)


class Express(Application):
    name = "express-oauth2-jwt-bearer"
    package = "express-oauth2-jwt-bearer"
    cooldown = 30


class Hono(Application):
    name = "Hono"
    package = "hono"


CONSUMERS = [Jose, JwksRsa, FastJwt, Express, Hono]
