"""Writes crates/simplejwt/src/users/password/common.bin, and the fixture that its tests go by.

    python compat/make_common_passwords.py

Needs Django, whose list of common passwords (compiled by Royce Williams, and part of Django's
BSD-licensed sources) is read where it is installed. What is written is no copy of it: of each password
the first five bytes of its SHA-256, sorted. The fixture, crates/simplejwt/tests/fixtures/password_validators.json,
holds passwords with what Django's four default validators say of them.
"""

import gzip
import hashlib
import json
import random
from pathlib import Path

import django
from django.conf import settings

VALIDATORS = ("UserAttributeSimilarity", "MinimumLength", "CommonPassword", "NumericPassword")
settings.configure(
    AUTH_PASSWORD_VALIDATORS=[
        {"NAME": f"django.contrib.auth.password_validation.{name}Validator"} for name in VALIDATORS
    ],
    USE_I18N=False,
)
django.setup()

from django.contrib.auth import password_validation  # noqa: E402
from django.core.exceptions import ValidationError  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
LIST = Path(password_validation.__file__).parent / "common-passwords.txt.gz"
ATTRIBUTES = ("username", "first_name", "last_name", "email")
USERS = [
    ("alice", "Alice", "Liddell", "alice.liddell@example.org"),
    ("bob_the-builder", "", "", "bob+spam@example.co.uk"),
    ("zoë", "Zoë", "Ångström-Núñez", "zoe@bücher.example"),
    ("u", "", "", ""),
    ("long.name.with.many.parts.2024", "", "", ""),
    ("علي", "", "", "ali@example.org"),
    ("नमस्ते देव", "", "", ""),
    ("東京太郎", "太郎", "東京", ""),
    ("ISTANBUL_İSTANBUL", "ΣΊΣΥΦΟΣ", "Straße", "x@y"),
    ("correct horse", "battery", "staple", "correct@horse.example"),
]
WORDS = [
    "", "a", "short", "1234567", "12345678", "99999999999", "password", "PassWord", " password ", "\tpassword\n",
    "\x1cpassword\x1f", "password\u00a0", "password1", "p@ssw0rd", "trustno1", "correct horse battery staple",
    "alice", "alice123", "ALICE!!!", "aliceliddell", "ecila", "liddellalice", "example.org", "exampleorg1",
    "bob_the-builder", "builder_bob", "bob+spam@example.co.uk", "spam", "co.uk.example", "zoëzoëzoë", "ångström",
    "Ångström-Núñez", "núñez123", "b\u00fccher99", "uuuuuuuu", "long.name.with.many.parts.2024", "parts2024",
    "manyparts", "عليعلي", "علي١٢٣٤٥", "١٢٣٤٥٦٧٨", "１２３４５６７８", "²²²²²²²²", "①②③④⑤⑥⑦⑧", "१२३४५६७८",
    "नमस्तेदेव", "नमस्ते123", "東京太郎東京太郎", "太郎太郎太郎太郎", "istanbul", "i̇stanbul", "İSTANBUL", "σίσυφος", "ΣΊΣΥΦΟΣ",
    "sisyphos", "strasse1", "straße12", "STRASSE!", "correct horse", "horse correct", "batterystaple", "ｐａｓｓｗｏｒｄ",
    "🔑🔑🔑🔑🔑🔑🔑🔑", "👩‍👩‍👧‍👦", "e\u0301e\u0301e\u0301e\u0301", "x" * 200, "alice" * 40, "1" * 200, "letmein", "iloveyou2",
    "qwertyuiop", "zxcvbnm,./", "football1", "dragon", "master", "monkey123", "abc12345", "admin", "welcome1",
]


def said(password, attributes):
    user = type("User", (), dict(zip(ATTRIBUTES, attributes)))()
    # Of an attribute that isn't a field Django tells the name.
    user._meta = type("Meta", (), {"get_field": staticmethod(lambda name: type("F", (), {"verbose_name": name}))})
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        return [e.code + (":" + e.params["verbose_name"] if e.code == "password_too_similar" else "") for e in error.error_list]
    return []


def main():
    with gzip.open(LIST, "rt", encoding="utf-8") as file:
        common = sorted({line.strip() for line in file})
    digests = sorted(hashlib.sha256(word.encode()).digest()[:5] for word in common)
    target = ROOT / "crates/simplejwt/src/users/password/common.bin"
    target.write_bytes(b"".join(digests))

    rng = random.Random(20240601)
    cases = [(word, user) for word in WORDS for user in range(len(USERS))]
    letters = "abcdeilz019._-@ éß"
    for _ in range(1500):
        user = rng.randrange(len(USERS))
        source = rng.choice([a for a in USERS[user] if a])
        # Near an attribute: shuffled, cut, padded, in other letters.
        word = list(source)
        for _ in range(rng.randrange(5)):
            at = rng.randrange(len(word) + 1)
            word[at:at + rng.randrange(2)] = rng.choice(letters)
        if rng.random() < 0.3:
            rng.shuffle(word)
        if rng.random() < 0.3:
            word += [rng.choice(letters) for _ in range(rng.randrange(8))]
        word = "".join(word)
        cases.append((word.upper() if rng.random() < 0.2 else word, user))
    for word in rng.sample(common, 400):
        cases.append((word, 0))
        cases.append((word + rng.choice("!x"), 0))
    fixture = {
        "attributes": ATTRIBUTES,
        "users": USERS,
        "cases": [[word, user, said(word, USERS[user])] for word, user in cases],
    }
    target = ROOT / "crates/simplejwt/tests/fixtures/password_validators.json"
    target.write_text(json.dumps(fixture, ensure_ascii=False, indent=None, separators=(",", ":")) + "\n")
    print(len(common), "common passwords,", len(fixture["cases"]), "cases")


main()
