"""Writes crates/simplejwt/tests/fixtures/password_hashes.json with Django's own hashers.

    python compat/make_password_vectors.py

Needs Django, argon2-cffi and bcrypt. Salts are fixed, so that a second run changes nothing
where the libraries agree. Each entry of `verify` is a stored hash with a password and what
Django's verify_password answers for the right and for a wrong password under the given
preferred hasher; null where Django raises instead of answering.
"""

import json
import os
import warnings
from pathlib import Path

import django
from django.conf import settings

PATHS = {
    "pbkdf2_sha256": "PBKDF2PasswordHasher",
    "pbkdf2_sha1": "PBKDF2SHA1PasswordHasher",
    "argon2": "Argon2PasswordHasher",
    "bcrypt_sha256": "BCryptSHA256PasswordHasher",
    "bcrypt": "BCryptPasswordHasher",
    "scrypt": "ScryptPasswordHasher",
    "md5": "MD5PasswordHasher",
}
PREFIX = "django.contrib.auth.hashers."
settings.configure(PASSWORD_HASHERS=[PREFIX + name for name in PATHS.values()])
django.setup()

import argon2  # noqa: E402
from django.contrib.auth import hashers  # noqa: E402

warnings.simplefilter("ignore")

SALT = "Qm3vX8sLdPz5RkT7wYbN2c"  # 22 characters
SHORT_SALT = SALT[:21]
BCRYPT_SALT = "abcdefghijklmnopqrstuu"
PASSWORDS = {
    "plain": "correct horse battery staple",
    "empty": "",
    "spaces": "  outer spaces \t ",
    "non-ascii": "pässwörd-Ω-密码-🔑",
    "long": "x" * 4096,
    "72 bytes": "y" * 72,
    "73 bytes": "y" * 73,
    "NUL": "nul\x00inside",
}
CHEAP = {
    "pbkdf2_iterations": 100,
    "argon2": {"time_cost": 1, "memory_cost": 64, "parallelism": 2},
    "bcrypt_rounds": 4,
    "scrypt": {"work_factor": 16, "block_size": 2, "parallelism": 1},
}
DEFAULT = {
    "pbkdf2_iterations": 1_000_000,
    "argon2": {"time_cost": 2, "memory_cost": 102400, "parallelism": 8},
    "bcrypt_rounds": 12,
    "scrypt": {"work_factor": 2**14, "block_size": 8, "parallelism": 5},
}


def hasher(name, parameters):
    """A hasher of Django's with other costs."""
    made = type("Hasher", (getattr(hashers, PATHS[name]),), {})()
    if name.startswith("pbkdf2"):
        made.iterations = parameters["pbkdf2_iterations"]
    elif name.startswith("bcrypt"):
        made.rounds = parameters["bcrypt_rounds"]
    elif name in ("argon2", "scrypt"):
        for key, value in parameters[name].items():
            setattr(made, key, value)
    return made


def encode(name, password, parameters, salt=None):
    if name.startswith("bcrypt"):
        salt = salt or f"$2b${parameters['bcrypt_rounds']:02}${BCRYPT_SALT}"
        return hasher(name, parameters).encode(password, salt.encode())
    return hasher(name, parameters).encode(password, salt or SALT)


def answer(password, encoded, preferred):
    try:
        correct, must_update = hashers.verify_password(password, encoded, preferred)
    except Exception:  # whatever it is, a request would answer 500
        return None
    return {"correct": correct, "must_update": must_update}


def entry(what, password, encoded, preferred_name, parameters):
    preferred = hasher(preferred_name, parameters)
    return {
        "what": what,
        "password": password,
        "encoded": encoded,
        "preferred": preferred_name,
        "parameters": {id(CHEAP): "cheap", id(DEFAULT): "default"}.get(id(parameters), parameters),
        "right": answer(password, encoded, preferred),
        "wrong": answer("wrong " + password[:40], encoded, preferred),
    }


def changed(path, value):
    parameters = json.loads(json.dumps(CHEAP))
    target = parameters
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return parameters


def argon2_raw(password, salt=SALT, version=19, kind=argon2.Type.ID, hash_len=32):
    data = argon2.low_level.hash_secret(
        password.encode(), salt.encode(), 1, 64, 2, hash_len, kind, version
    )
    return "argon2" + data.decode()


def main():
    plain = PASSWORDS["plain"]
    verify = []

    for name in PATHS:
        for what, password in PASSWORDS.items():
            if name == "bcrypt" and len(password.encode()) > 72:
                continue
            encoded = encode(name, password, CHEAP)
            verify.append(entry(f"{name}, {what}", password, encoded, name, CHEAP))
        encoded = encode(name, plain, DEFAULT)
        verify.append(entry(f"{name}, default cost", plain, encoded, name, DEFAULT))

    # What Django wants rehashed: every hasher's hash under every preferred one, ...
    for stored in PATHS:
        for preferred in PATHS:
            encoded = encode(stored, plain, CHEAP)
            verify.append(entry(f"{stored} under {preferred}", plain, encoded, preferred, CHEAP))
    # ... costs below and above today's, ...
    for name, path, values in [
        ("pbkdf2_sha256", ["pbkdf2_iterations"], (99, 101)),
        ("pbkdf2_sha1", ["pbkdf2_iterations"], (99, 101)),
        ("argon2", ["argon2", "time_cost"], (2,)),
        ("argon2", ["argon2", "memory_cost"], (63, 65)),
        ("argon2", ["argon2", "parallelism"], (1, 3)),
        ("bcrypt_sha256", ["bcrypt_rounds"], (5, 6)),
        ("bcrypt", ["bcrypt_rounds"], (5, 6)),
        ("scrypt", ["scrypt", "work_factor"], (8, 32)),
        ("scrypt", ["scrypt", "block_size"], (1, 3)),
        ("scrypt", ["scrypt", "parallelism"], (2,)),
    ]:
        for value in values:
            other = changed(path, value)
            what = f"{name}, {path[-1]} {value}"
            verify.append(entry(f"{what} stored", plain, encode(name, plain, other), name, CHEAP))
            verify.append(entry(f"{what} wanted", plain, encode(name, plain, CHEAP), name, other))
    # ... and salts.
    for name in ("pbkdf2_sha256", "pbkdf2_sha1", "argon2", "scrypt", "md5"):
        for salt in (SHORT_SALT, SALT + "more", "é" * 21, "é" * 22):
            if name == "argon2" and not salt.isascii():
                continue
            encoded = encode(name, plain, CHEAP, salt)
            verify.append(entry(f"{name}, salt {salt}", plain, encoded, name, CHEAP))

    for what, encoded in {
        "argon2i": argon2_raw(plain, kind=argon2.Type.I),
        "argon2d": argon2_raw(plain, kind=argon2.Type.D),
        "argon2id of version 16": argon2_raw(plain, version=16),
        "argon2i without a version": argon2_raw(plain, version=16, kind=argon2.Type.I).replace(
            "v=16$", ""
        ),
        "argon2 with a hash of 16 bytes": argon2_raw(plain, hash_len=16),
        "argon2 with a salt of 8 bytes": argon2_raw(plain, salt="saltsalt"),
    }.items():
        verify.append(entry(what, plain, encoded, "argon2", CHEAP))
    for version in ("2a", "2x", "2y"):
        for name in ("bcrypt", "bcrypt_sha256"):
            encoded = encode(name, plain, CHEAP, f"${version}$04${BCRYPT_SALT}")
            verify.append(entry(f"{name} ${version}", plain, encoded, name, CHEAP))

    # Nothing that anyone can log in with. `right` is the answer to the password that the
    # text was made from.
    texts = {"unusable": hashers.UNUSABLE_PASSWORD_PREFIX + "a" * 40, "empty": "", "!": "!"}
    for name in PATHS:
        good = encode(name, plain, CHEAP)
        texts[f"{name}, last character gone"] = good[:-1]
        texts[f"{name}, one more character"] = good + "A"
        texts[f"{name}, blank after it"] = good + " "
        texts[f"{name}, upper case"] = name + good[len(name):].upper()
        texts[f"{name}, one $ more"] = good + "$"
        texts[f"{name}, no $ after the name"] = good.replace("$", "", 1)
        texts[f"{name}, cut"] = good[: len(name) + 4]
        texts[f"{name}, name only"] = name
        texts[f"{name}, unknown name"] = "x" + good
        texts[f"{name}, unusable"] = "!" + good
    for name in ("pbkdf2_sha256", "pbkdf2_sha1"):
        good = encode(name, plain, CHEAP)
        for number in ("0", "-100", "+100", "0100", " 100", "1_00", "", "x", "99999999999999999999"):
            texts[f"{name}, iterations {number!r}"] = good.replace("$100$", f"${number}$")
        texts[f"{name}, no salt"] = good.replace(SALT, "")
    scrypt = encode("scrypt", plain, CHEAP)
    for number in ("0", "1", "15", "+16", "016", "-16", ""):
        texts[f"scrypt, n {number!r}"] = scrypt.replace("$16$", f"${number}$")
    texts["scrypt, r 0"] = scrypt.replace("$2$1$", "$0$1$")
    texts["scrypt, p 0"] = scrypt.replace("$2$1$", "$2$0$")
    bcrypt = encode("bcrypt", plain, CHEAP)
    for rounds in ("4", "004", "03", "32", "+4", "xx", ""):
        texts[f"bcrypt, rounds {rounds!r}"] = bcrypt.replace("$04$", f"${rounds}$")
    texts["bcrypt, version 2"] = bcrypt.replace("$2b$", "$2$")
    texts["bcrypt, version 2c"] = bcrypt.replace("$2b$", "$2c$")
    texts["bcrypt, loose bits in the salt"] = bcrypt.replace(BCRYPT_SALT, BCRYPT_SALT[:-1] + "v")
    good = encode("argon2", plain, CHEAP)
    texts["argon2, order of the cost"] = good.replace("m=64,t=1", "t=1,m=64")
    texts["argon2, version 20"] = good.replace("v=19", "v=20")
    texts["argon2, version 16 on the hash of 19"] = good.replace("v=19", "v=16")
    texts["argon2, variety"] = good.replace("argon2id", "argon2x")
    texts["argon2, padded"] = good + "="
    texts["argon2, leading zero"] = good.replace("m=64", "m=064")
    texts["argon2, memory below the lanes"] = good.replace("m=64", "m=15")
    texts["argon2, short salt"] = good.split("$", 4)[0] + "$argon2id$v=19$m=64,t=1,p=2$c2FsdA$AAAA"
    texts["plain text"] = plain
    texts["unsalted md5"] = "5f4dcc3b5aa765d61d8327deb882cf99"
    texts["unsalted md5 with its name"] = "md5$$5f4dcc3b5aa765d61d8327deb882cf99"
    texts["unsalted sha1"] = "sha1$$5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8"
    refused = [entry(what, plain, encoded, "pbkdf2_sha256", CHEAP) for what, encoded in texts.items()]
    for each in refused:
        assert not (each["right"] or {}).get("correct"), each

    target = Path(__file__).parent.parent / "crates/simplejwt/tests/fixtures/password_hashes.json"
    lines = {
        key: "[\n" + ",\n".join(json.dumps(each) for each in entries) + "\n]"
        for key, entries in (("verify", verify), ("refused", refused))
    }
    costs = {"cheap": CHEAP, "default": DEFAULT}
    target.write_text(
        f'{{"django": "{django.__version__}",\n"costs": {json.dumps(costs)},\n'
        f'"verify": {lines["verify"]},\n"refused": {lines["refused"]}}}\n'
    )
    print(len(verify), "to verify,", len(refused), "to refuse:", os.path.relpath(target))


main()
