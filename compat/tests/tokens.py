"""Tokens made here, by PyJWT, and tokens taken apart."""

import base64
import json
import re
import time
import uuid

import jwt

from servers import SECRET

TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
TIMES = ("exp", "refresh_exp", "nbf")


class Mint:
    """Fresh tokens: a new id each, since one use may spend a token."""

    def __init__(self, key=SECRET, algorithm="HS256", user_id="1", user_claim="user_id", extra=None):
        self.key = key
        self.algorithm = algorithm
        self.user_id = user_id
        self.user_claim = user_claim
        self.extra = extra or {}

    def make(self, kind, lifetime=3600, drop=(), **claims):
        now = int(time.time())
        payload = {"token_type": kind, "exp": now + lifetime, "iat": now, "jti": uuid.uuid4().hex}
        if kind == "sliding":
            payload["refresh_exp"] = now + 86400
        payload[self.user_claim] = self.user_id
        payload = {**payload, **self.extra, **claims}
        for name in drop:
            payload.pop(name, None)
        return jwt.encode(payload, self.key, self.algorithm)

    def refresh(self, **changes):
        return self.make("refresh", **changes)

    def access(self, **changes):
        return self.make("access", **changes)

    def sliding(self, **changes):
        return self.make("sliding", **changes)


def part(segment):
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)).decode()


def payload(token):
    return json.loads(part(token.split(".")[1]))


def describe(token):
    """What of a token has to be the same on both sides: all but its id and its moment."""
    header, body, _ = token.split(".")
    claims = json.loads(part(body))
    issued = claims.get("iat")
    shown = []
    for name, value in claims.items():
        if name == "iat" and isinstance(value, int):
            value = "now" if abs(value - time.time()) < 30 else "another time"
        elif name in TIMES and isinstance(value, (int, float)) and abs(value - time.time()) >= 1e8:
            # Years away: it goes by no clock.
            value = f"{type(value).__name__} {value}"
        elif name in TIMES and isinstance(value, (int, float)) and isinstance(issued, (int, float)):
            # To ten seconds: the two sides weren't asked in the same second.
            value = f"{type(value).__name__} {round((value - issued) / 10) * 10} s after iat"
        elif name in TIMES and isinstance(value, int) and abs(value - time.time()) < 1e8:
            value = f"{round((value - time.time()) / 10) * 10} s from now"
        elif isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value):
            value = "an id"
        shown.append([name, value])
    return f"<token {part(header)} {json.dumps(shown)}>"


def described(text):
    return TOKEN.sub(lambda found: describe(found.group()), text)
