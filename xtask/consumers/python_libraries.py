"""Python's libraries, in this process: the page's block is run as a module with a function `check`."""

import importlib.metadata
import time
import types

from page import theirs
from scenario import IN, OUT, Consumer


class Library(Consumer):
    """One that fetches the keys itself."""

    way = "JWKS"
    package: str
    # The time in seconds for which it doesn't fetch the set again for a key that it doesn't know.
    cooldown = 0
    # What a test puts in place of what the page says.
    pairs = {}

    def version(self):
        return importlib.metadata.version(self.package)

    def start(self, issuer, folder, stack):
        self.folder = folder
        self.text = theirs(self.name, "python", issuer, self.files())
        self.load()

    def files(self):
        return self.pairs

    def load(self):
        module = types.ModuleType(self.package)
        exec(compile(self.text, self.name, "exec"), module.__dict__)
        self.check = module.check

    def rotated(self, issuer, folder):
        time.sleep(self.cooldown)

    def says(self, token):
        try:
            return IN, self.check(token)
        except Exception as error:
            return OUT, f"{type(error).__name__}: {error}"


class WithFile(Library):
    """One that reads them from a file, which is written again for the next key."""

    way = "keys in a file"

    def start(self, issuer, folder, stack):
        self.write(issuer, folder)
        super().start(issuer, folder, stack)

    def files(self):
        return {'"jwks.json"': repr(str(self.folder / "jwks.json"))}

    def write(self, issuer, folder):
        (folder / "jwks.json").write_text(issuer.public("jwks"))

    def rotated(self, issuer, folder):
        self.write(issuer, folder)
        self.load()


class PyJWKClient(Library):
    name = "PyJWT"
    package = "PyJWT"
    cooldown = 30


class PyJWT(WithFile):
    name = "PyJWT, with the keys in a file"
    package = "PyJWT"


class Joserfc(WithFile):
    name = "joserfc"
    package = "joserfc"


class Authlib(WithFile):
    name = "Authlib"
    package = "Authlib"


class Jwcrypto(WithFile):
    name = "jwcrypto"
    package = "jwcrypto"


CONSUMERS = [PyJWKClient, PyJWT, Joserfc, Authlib, Jwcrypto]
