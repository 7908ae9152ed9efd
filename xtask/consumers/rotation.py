"""Keys that follow each other every few seconds, under load on two nodes: `cargo xtask consumers rotation [SECONDS]`.

Tokens are made at both nodes, and asked about at all consumers as long as they live and after it. A token that is
good must never be refused. A token that has expired must never be let in, nor one that is signed anew by a key that is
no longer published; for that, a consumer has the time for which it keeps the set.
"""

import contextlib
import pathlib
import random
import sys
import tempfile
import threading
import time

import jwt
from issuer import PASSWORD, USER, Issuer, header
from node_libraries import Jose, JwksRsa
from page import ours
from python_applications import AnotherSimplejwt
from python_libraries import PyJWKClient
from kinds import Web
from scenario import IN, OUT

PERIOD, LIFETIME = 4, 8
# The clocks of a token are whole seconds.
BLUR = 1.5
# The time for which somebody may keep the set after a key has ended: each fetches it for every other key at least,
# since the one after it is published already.
KEPT = 3 * PERIOD
VARIABLES = {
    "SIMPLEJWT_ACCESS_TOKEN_LIFETIME": f"{LIFETIME}s",
    "SIMPLEJWT_REFRESH_TOKEN_LIFETIME": f"{LIFETIME + 1}s",
    "SIMPLEJWT_KEYS_STORE": "database",
    "SIMPLEJWT_KEYS_FILE": "",
    "SIMPLEJWT_KEYS_ENCRYPTION_KEY": "c2l4dGVlbiBieXRlcyBvZiBrZXkgc2l4dGVlbiBieXQ=",
    "SIMPLEJWT_KEYS_PUBLICATION_DELAY": f"{PERIOD}s",
    "SIMPLEJWT_KEYS_ROTATE_EVERY": f"{PERIOD}s",
    # A key stays for as long as the longest of all lifetimes.
    "SIMPLEJWT_SLIDING_TOKEN_LIFETIME": f"{LIFETIME}s",
    "SIMPLEJWT_SLIDING_TOKEN_REFRESH_LIFETIME": f"{LIFETIME + 1}s",
    "SIMPLEJWT_DEMO": "true",
}


class Node(Web):
    """One of the two, which are consumers of each other's tokens."""

    path = "/api/protected-stateless/"
    # Each reads the keys four times in the publication delay.
    kept = PERIOD / 2

    def __init__(self, server):
        self.name, self.server = server.name, server


class QuickPyJWKClient(PyJWKClient):
    """With times that fit to those of the keys, as the page says for longer ones."""

    pairs = {'jwks.json")': f'jwks.json", cooldown_duration=1, lifespan={PERIOD})'}


class QuickJose(Jose):
    pairs = {'jwks.json"));': f'jwks.json"), {{ cooldownDuration: 1000, cacheMaxAge: {PERIOD * 1000} }});'}


class QuickJwksRsa(JwksRsa):
    pairs = {'jwks.json" });': f'jwks.json", cacheMaxAge: {PERIOD * 1000} }});'}


class Proof:
    def __init__(self, issuer):
        self.issuer = issuer
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.tokens = []
        # The private keys by kid; and tokens of ended keys, with the time at which that was seen.
        self.keys, self.forged = {}, []
        self.asked, self.violations = {}, []

    def violation(self, text):
        with self.lock:
            self.violations.append(text)

    def guarded(self, work, *arguments):
        try:
            while not self.ended.is_set():
                work(*arguments)
        except Exception as error:
            self.violation(f"{work.__name__}: {type(error).__name__}: {error}")

    def log_in(self, node):
        answer = node.server.post("/api/token/", {"username": USER, "password": PASSWORD})
        if answer.status != 200:
            return self.violation(f"a login at {node.name}: {answer.status} {answer.body[:200]}")
        token = answer.json()["access"]
        made = (token, jwt.decode(token, options={"verify_signature": False})["exp"], header(token)["kid"])
        with self.lock:
            self.tokens.append(made)
            # Those that have expired long ago are no news.
            self.tokens = [one for one in self.tokens if one[1] > time.time() - LIFETIME]
        time.sleep(0.1)

    def follow(self, node):
        """Keeps each key that signs, and signs with each that isn't published any longer."""
        published = {key["kid"] for key in node.server.get("/.well-known/jwks.json").json()["keys"]}
        with self.lock:
            signing = {kid for _, _, kid in self.tokens}
        for kid in signing & published - self.keys.keys():
            with contextlib.suppress(RuntimeError):
                self.keys[kid] = self.issuer.secret("--format", "raw", f"--kid={kid}")
        for kid in self.keys.keys() - published - {kid for _, _, kid in self.forged}:
            claims = {**self.claims(), "exp": int(time.time()) + 3600}
            token = jwt.encode(claims, self.keys[kid], "ES256", headers={"kid": kid, "typ": "at+jwt"})
            with self.lock:
                self.forged.append((token, time.time(), kid))
        time.sleep(0.2)

    def claims(self):
        with self.lock:
            return jwt.decode(self.tokens[-1][0], options={"verify_signature": False})

    def ask(self, consumer):
        with self.lock:
            known = [(random.choice(self.tokens), False)] if self.tokens else []
            known += [(random.choice(self.forged), True)] if self.forged else []
        for (token, end, kid), forged in known:
            before = time.time()
            word, why = consumer.says(token)
            after = time.time()
            if before > end + (getattr(consumer, "kept", KEPT) if forged else BLUR):
                expected = OUT
            elif after < end - BLUR and not forged:
                expected = IN
            else:
                continue
            what = "of an ended key" if forged else {IN: "good", OUT: "expired"}[expected]
            counts = self.asked.setdefault(consumer.name, {"good": 0, "expired": 0, "of an ended key": 0})
            counts[what] += 1
            if word != expected:
                self.violation(f"{consumer.name}: a token that is {what} ({kid}): {word}: {why}")
        time.sleep(0.02)


CONSUMERS = (QuickPyJWKClient, QuickJose, QuickJwksRsa, AnotherSimplejwt)


def run(seconds=60.0):
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="simplejwt-rotation-")))
        (folder / "issuer").mkdir()
        issuer = Issuer(folder / "issuer", ours("The token service"), **VARIABLES)
        stack.enter_context(issuer)
        nodes = [Node(issuer.server), Node(issuer.start("second node"))]
        stack.callback(nodes[1].server.stop)
        nodes[0].name = "first node"
        consumers = [consumer() for consumer in CONSUMERS]
        for consumer in consumers:
            place = folder / consumer.name.split(",")[0]
            place.mkdir()
            consumer.start(issuer, place, stack)
        proof = Proof(issuer)
        work = [(proof.log_in, node) for node in nodes] + [(proof.follow, nodes[0])]
        work += [(proof.ask, one) for one in [*nodes, *consumers]]
        threads = [threading.Thread(target=proof.guarded, args=one) for one in work]
        for thread in threads:
            thread.start()
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(seconds)
        proof.ended.set()
        for thread in threads:
            thread.join()
        return report(proof, seconds)


def report(proof, seconds):
    print(f"\n{len(proof.keys)} keys signed in {seconds:.0f} s, and {len(proof.forged)} of them have ended\n")
    print("| | good tokens | expired ones | of keys that have ended | mistakes |")
    print("|---|---|---|---|---|")
    for name, counts in proof.asked.items():
        mistakes = sum(violation.startswith(f"{name}:") for violation in proof.violations)
        print(f"| {name} | {' | '.join(str(count) for count in counts.values())} | {mistakes} |")
    idle = [name for name, counts in proof.asked.items() if min(counts.values()) < 10]
    wrong = [*proof.violations[:20], *(f"{name}: hardly asked" for name in idle)]
    print(*wrong, sep="\n", file=sys.stderr)
    return 1 if wrong else 0
