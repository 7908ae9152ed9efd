"""What every consumer goes through, and what it said."""

import dataclasses
import pathlib
import tempfile
import time

from issuer import Issuer
from page import ours

IN, OUT = "in", "out"


class Consumer:
    """A program or library that reads our tokens. Its name is the heading of its section."""

    name: str
    # How it knows that a token is good: "key", "JWKS", "introspection", "guard".
    way: str
    # What has to be installed for it beside Python's packages: "node", "system".
    needs = ()
    # The time in seconds for which it keeps what it was told about a token.
    keeps = 0
    # What it says to the access token of an ended session.
    after_logout = IN
    # What else it says other than EXPECTED.
    expected = {}
    # The heading of the configuration, where several ways share a section.
    heading = None

    def version(self):
        raise NotImplementedError

    def start(self, issuer, folder, stack):
        """Starts it; what has to end is pushed on the stack."""

    def says(self, token):
        """IN or OUT, and why."""
        raise NotImplementedError

    def rotated(self, issuer, folder):
        """What the page says is to be done about a new key, before it signs: nothing with a JWKS."""

    # Where the tokens come from that it is asked about.
    def issuer(self, folder):
        return Issuer(folder, ours(self.heading or self.name))


@dataclasses.dataclass
class Row:
    consumer: Consumer
    version: str
    # What was said at each step, in order.
    said: dict
    surprises: list

    def cells(self):
        shown = {step: {IN: "let in", OUT: "kept out"}.get(word, word) for step, word in self.said.items()}
        if self.said.get("logged out") == IN:
            shown["logged out"] = "until `exp`"
        return [self.consumer.name, self.version, self.consumer.way, *(shown.get(step, "?") for step in STEPS)]


STEPS = ("access", "refresh", "foreign", "expired", "rotated", "older", "logged out")
HEADINGS = (
    "consumer",
    "version",
    "by",
    "access token",
    "refresh token",
    "another's key",
    "expired",
    "new key",
    "key before it",
    "logged out",
)
EXPECTED = {"access": IN, "refresh": OUT, "foreign": OUT, "expired": OUT, "rotated": IN, "older": IN}


def run(consumer, stack):
    """The row of one consumer; whatever it started is on the stack."""
    folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="simplejwt-consumer-")))
    place = folder / "issuer"
    place.mkdir()
    issuer = stack.enter_context(consumer.issuer(place))
    (folder / "consumer").mkdir()
    row = Row(consumer, consumer.version(), {}, [])
    consumer.start(issuer, folder / "consumer", stack)

    expected = {**EXPECTED, "logged out": consumer.after_logout, **consumer.expected}

    def step(name, token):
        word, why = consumer.says(token)
        row.said[name] = word
        if word != expected[name]:
            row.surprises.append(f"{name}: {word}, where {expected[name]} was expected: {why}")

    pair = issuer.log_in()
    step("access", pair["access"])
    step("refresh", pair["refresh"])
    if expected["refresh"] == IN:
        # What the page advises.
        for token, word in ((issuer.sliding(), IN), (issuer.expired(issuer.sliding()), OUT)):
            if consumer.says(token)[0] != word:
                row.surprises.append(f"a sliding token: not {word}")
    step("foreign", issuer.foreign(pair["access"]))
    step("expired", issuer.expired(pair["access"]))
    issuer.next_key()
    consumer.rotated(issuer, folder / "consumer")
    issuer.wait_for_next_key()
    newer = issuer.log_in()
    step("rotated", newer["access"])
    step("older", pair["access"])
    issuer.log_out(newer)
    time.sleep(consumer.keeps)
    step("logged out", newer["access"])
    return row


def table(rows):
    lines = [f"| {' | '.join(cells)} |" for cells in [HEADINGS, *(row.cells() for row in rows)]]
    return "\n".join([lines[0], f"{'|---' * len(HEADINGS)}|", *lines[1:]])
