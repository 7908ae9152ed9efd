"""The page whose configurations are run: docs/consumers.md."""

from blocks import ROOT, blocks

PAGE = ROOT / "docs/consumers.md"
# Where the page's token service is.
SITE = "https://login.example.com/"
# The algorithm that most know, and another in its place.
WRITTEN, USED = "ES256", "ES256"
BLOCKS = blocks(PAGE)


def ours(heading):
    """What the section says for simplejwt.toml; nothing if it needs nothing."""
    text = "".join(block.text for block in BLOCKS if block.heading == heading and block.language == "toml")
    return text.replace(WRITTEN, USED)


def theirs(heading, language, issuer, pairs=()):
    """The consumer's configuration, with a test's addresses in place of the page's, and nothing else changed."""
    found = [block.text for block in BLOCKS if block.heading == heading and block.language == language]
    if len(found) != 1:
        raise RuntimeError(f"{PAGE} has {len(found)} blocks of {language} under {heading!r}")
    text = found[0].replace(SITE, f"{issuer.url}/").replace(WRITTEN, USED)
    for written, used in dict(pairs).items():
        # What isn't replaced would be used itself.
        if written not in text:
            raise RuntimeError(f"{written!r} isn't in the configuration of {heading}:\n{text}")
        text = text.replace(written, str(used))
    return text
