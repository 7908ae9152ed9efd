"""docs/consumers.md: those of its programs that need nothing but what is here already, and its form.

All of them are started by `cargo xtask consumers`.
"""

import contextlib
import re
import sys

import pytest

import servers

sys.path.insert(1, str(servers.PROJECT.parent.parent / "xtask/consumers"))

import python_applications
import python_libraries
import scenario
from page import BLOCKS, PAGE

#: They fetch the set for an unknown key at once, which in the page takes half a minute.
AT_ONCE = {"cooldown": 0, "pairs": {'jwks.json")': 'jwks.json", cooldown_duration=0)'}}
#: What reads no tokens: it is the token service's own.
OURS = "The token service"


def at_once(consumer):
    return type(consumer.__name__, (consumer,), AT_ONCE)


@pytest.mark.parametrize(
    "consumer",
    [
        at_once(python_libraries.PyJWKClient),
        python_libraries.PyJWT,
        python_libraries.Joserfc,
        python_applications.AnotherSimplejwt,
    ],
    ids=lambda consumer: consumer.__name__,
)
def test_a_program_does_what_the_page_says(consumer):
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not consumers'")
    with contextlib.ExitStack() as stack:
        row = scenario.run(consumer(), stack)
    assert row.surprises == []
    assert list(row.said) == list(scenario.STEPS)


def test_a_program_that_lets_everybody_in_is_a_surprise(monkeypatch):
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not consumers'")
    monkeypatch.setattr(python_libraries.PyJWT, "says", lambda *_: (scenario.IN, ""))
    with contextlib.ExitStack() as stack:
        row = scenario.run(python_libraries.PyJWT(), stack)
    assert [surprise.partition(":")[0] for surprise in row.surprises] == ["refresh", "foreign", "expired"]


def test_the_table_has_every_program_of_the_page():
    """As `cargo xtask consumers` prints it, with what it says about each."""
    text = PAGE.read_text()
    lines = re.findall(r"^\| (.+) \|$", text[text.index("## The table") :], re.M)
    rows = [line.split(" | ") for line in lines]
    assert rows[0] == list(scenario.HEADINGS)
    named = {row[0] for row in rows[1:]}
    configured = {block.heading for block in BLOCKS} - {OURS}
    assert configured <= named, "a configuration that isn't run"
    for row in rows[1:]:
        assert len(row) == len(scenario.HEADINGS), row
        # Who is let in, and who isn't; exceptions are named under their own headings.
        assert row[3] == "let in" and row[5:8] == ["kept out", "kept out", "let in"], row
        assert row[9] == ("kept out" if row[2] in ("guard", "introspection") else "until `exp`"), row
    let_in = {row[0] for row in rows[1:] if row[4] != "kept out"}
    for name in let_in:
        section = text[text.index(f"## {name}\n") :].partition("\n## ")[0]
        assert "**It looks at no `aud`" in section, f"{name} lets refresh tokens in, and its section doesn't say so"
