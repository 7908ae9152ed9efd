"""Makes the test vectors of the Rust side with the real PyJWT and simplejwt.

    python compat/make_vectors.py                     writes the fixtures
    python compat/make_vectors.py --check-ours FILE   verifies tokens made by the Rust side

See compat/README.md for what is in the file.
"""

import argparse
import datetime
import importlib.metadata
import json
import multiprocessing
import pathlib
import sys
import warnings

import vector_cases
import vector_keys
from vector_cases import NOW, SECRET

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "crates/simplejwt/tests/fixtures"
KEYS = FIXTURES / "keys"
PASSWORD_HASH = "md5$salt$9fd3c5cbdb0a1b4c8f2bbdf6f4c7b2f1"
LIFETIMES = ("ACCESS_TOKEN_LIFETIME", "REFRESH_TOKEN_LIFETIME", "SLIDING_TOKEN_LIFETIME", "SLIDING_TOKEN_REFRESH_LIFETIME")


class Frozen:
    """Time and token ids as the case wants them."""

    def __init__(self):
        self.now = NOW
        self.ids = 0

    def moment(self):
        return datetime.datetime.fromtimestamp(self.now, datetime.timezone.utc)

    def next_id(self):
        self.ids += 1
        return f"{self.ids:032x}"


def with_simplejwt(settings):
    """Sets Django up in this process, which is good for one set of settings."""
    import django
    from django.conf import settings as django_settings

    simple_jwt = dict(settings)
    for name in LIFETIMES:
        if name in simple_jwt:
            simple_jwt[name] = datetime.timedelta(seconds=simple_jwt[name])
    django_settings.configure(
        SECRET_KEY=SECRET,
        USE_TZ=True,
        SIMPLE_JWT=simple_jwt,
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    )
    django.setup()
    import jwt.api_jwt
    from rest_framework_simplejwt import tokens

    frozen = Frozen()

    class FrozenDatetime(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return frozen.moment().astimezone(tz)

    class Uuid:
        @property
        def hex(self):
            return frozen.next_id()

    jwt.api_jwt.datetime = FrozenDatetime
    tokens.aware_utcnow = frozen.moment
    tokens.uuid4 = Uuid
    return tokens, frozen


def compact(value):
    """As simplejwt writes a payload; valid JSON inside a string whatever it holds."""
    return json.dumps(value, separators=(",", ":"))


def outcome(kind, text):
    from rest_framework_simplejwt.exceptions import TokenError

    try:
        return {"payload": compact(kind(text).payload)}
    except TokenError as error:
        return {"error": str(error.args[0])}
    except Exception as error:  # What upstream lets through is a 500 on the wire.
        return {"exception": type(error).__name__}


def decode_group(group):
    name, settings, make = group
    tokens, _ = with_simplejwt(settings)
    kinds = {
        "access": tokens.AccessToken,
        "refresh": tokens.RefreshToken,
        "sliding": tokens.SlidingToken,
        "untyped": tokens.UntypedToken,
    }
    cases, problems = [], []
    for case in make():
        upstream = outcome(kinds[case["class"]], case["token"])
        made = {
            "name": f"{name}: {case['name']}",
            "settings": settings,
            "class": case["class"],
            "token": case["token"],
            "upstream": upstream,
        }
        if case["difference"]:
            made["difference"] = case["difference"]
            made["ours"] = {"error": case["ours"]}
            if made["ours"] == upstream:
                problems.append(f"{made['name']}: named a difference, but there is none")
        elif "exception" in upstream:
            problems.append(f"{made['name']}: upstream raises {upstream}, and the case doesn't say so")
        cases.append(made)
    if problems:
        raise ValueError("\n".join(problems))
    return cases


# --- minting -------------------------------------------------------------------------------

EXTRA = [
    ("name", "Zoë 🦀"),
    ("line", "\u2028\u0000\"\\/\u007f"),
    ("float", 0.1),
    ("whole", 1.0),
    ("small", 1e-7),
    ("large", 1e22),
    ("negative zero", -0.0),
    ("big", 123456789012345678901234567890),
    ("nested", {"b": [1, None, {"a": "é"}], "a": True}),
    ("empty", {"list": [], "object": {}}),
    ("Ключ", "x"),
]
PLAIN = {}
KEYED = {
    "HS384": {"SIGNING_KEY": vector_keys.SECRETS["HS384"]},
    "HS512": {"SIGNING_KEY": vector_keys.SECRETS["HS512"]},
}

MINTS = [
    ("defaults", PLAIN, [], None),
    ("extra claims", PLAIN, EXTRA, None),
    ("lifetimes", {"ACCESS_TOKEN_LIFETIME": 1, "REFRESH_TOKEN_LIFETIME": 864000, "SLIDING_TOKEN_LIFETIME": 60, "SLIDING_TOKEN_REFRESH_LIFETIME": 61}, [], None),
    ("rotation", {"ROTATE_REFRESH_TOKENS": True}, EXTRA, None),
    ("aud and iss", {"AUDIENCE": "a", "ISSUER": "https://id.example", "ROTATE_REFRESH_TOKENS": True}, [("x", 1)], None),
    ("list of audiences", {"AUDIENCE": ["a", "bé"], "ROTATE_REFRESH_TOKENS": True}, [("x", 1)], None),
    ("aud and iss as claims", PLAIN, [("aud", "mine"), ("iss", "me"), ("sub", "s"), ("nbf", NOW - 5)], None),
    ("aud as claim and setting", {"AUDIENCE": "a", "ISSUER": "i"}, [("aud", "mine"), ("x", 1), ("iss", "me")], None),
    ("renamed claims", {"TOKEN_TYPE_CLAIM": "kind", "JTI_CLAIM": "tid", "USER_ID_CLAIM": "uid", "SLIDING_TOKEN_REFRESH_EXP_CLAIM": "until", "ROTATE_REFRESH_TOKENS": True}, [("jti", "of somebody else"), ("token_type", "copied")], None),
    ("password fingerprint", {"CHECK_REVOKE_TOKEN": True, "ROTATE_REFRESH_TOKENS": True}, [("x", 1)], None),
    ("renamed fingerprint", {"CHECK_REVOKE_TOKEN": True, "REVOKE_TOKEN_CLAIM": "pw"}, [], None),
    ("by username", {"USER_ID_FIELD": "username", "USER_ID_CLAIM": "sub"}, [], None),
    ("no type claim", {"TOKEN_TYPE_CLAIM": None}, [], "upstream writes a claim named \"null\"; a claim without a name is not written here"),
    ("no id claim", {"JTI_CLAIM": None}, [], "upstream writes a claim named \"null\"; a claim without a name is not written here"),
]


def mint_group(group):
    """One login and its refreshes 100 seconds later, pair and sliding."""
    name, settings, extra, difference = group
    from_file = {**settings}
    for key in ("SIGNING_KEY", "VERIFYING_KEY"):
        if str(settings.get(key, "")).startswith("keys/"):
            from_file[key] = (FIXTURES / settings[key]).read_text()
    tokens, frozen = with_simplejwt(from_file)
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from rest_framework_simplejwt import serializers

    call_command("migrate", verbosity=0)
    user = User.objects.create(id=7, username="Zoë", password=PASSWORD_HASH)

    def refreshed(serializer, field, text):
        checked = serializer(data={field: text})
        checked.is_valid(raise_exception=True)
        return checked.validated_data

    made = {
        "name": name,
        "settings": settings,
        "user": {"id": "7", "username": user.username, "password": PASSWORD_HASH},
        "extra": [[claim, compact(value)] for claim, value in extra],
        "login_at": NOW,
        "refresh_at": NOW + 100,
        "ids": "the n-th id drawn since login is n in 32 hexadecimal digits",
    }
    refresh = tokens.RefreshToken.for_user(user)
    for claim, value in extra:
        refresh[claim] = value
    made["refresh"] = str(refresh)
    made["access"] = str(refresh.access_token)
    if not difference:
        frozen.now = NOW + 100
        again = refreshed(serializers.TokenRefreshSerializer, "refresh", made["refresh"])
        made["refreshed_access"] = again["access"]
        made["refreshed_refresh"] = again.get("refresh")
        frozen.now = NOW
    frozen.ids = 0
    sliding = tokens.SlidingToken.for_user(user)
    for claim, value in extra:
        sliding[claim] = value
    made["sliding"] = str(sliding)
    # Within the shortest lifetime of the cases.
    if not difference:
        frozen.now = NOW + 59
        made["sliding_refreshed_at"] = frozen.now
        again = refreshed(serializers.TokenRefreshSlidingSerializer, "token", made["sliding"])
        made["refreshed_sliding"] = again["token"]
    if difference:
        made["difference"] = difference
    return made


def mint_groups():
    groups = list(MINTS)
    for algorithm, settings in KEYED.items():
        groups.append((algorithm, {"ALGORITHM": algorithm, **settings}, EXTRA, None))
    for algorithm in ("RS256", "RS384", "RS512", "EdDSA"):
        key = vector_keys.key_of(algorithm)
        settings = {
            "ALGORITHM": algorithm,
            "SIGNING_KEY": f"keys/{key}-pkcs8.pem",
            "VERIFYING_KEY": f"keys/{key}-spki.pem",
            "ROTATE_REFRESH_TOKENS": True,
        }
        groups.append((algorithm, settings, EXTRA, None))
    return groups


# --- algorithms and key forms --------------------------------------------------------------


def algorithm_cases(files, before):
    import jwt

    payload = vector_cases.claims(alg="")
    old = {case["name"]: case for case in before.get("algorithms", [])}
    cases = []
    for algorithm, secret in vector_keys.SECRETS.items():
        token = jwt.encode({**payload, "alg": algorithm}, secret, algorithm)
        cases.append({"name": algorithm, "alg": algorithm, "secret": secret, "token": token, "deterministic": True})
    for algorithm in [*vector_keys.RSA_ALGORITHMS, *vector_keys.EC_CURVES, "EdDSA"]:
        private, public = files[vector_keys.key_of(algorithm)]
        deterministic = algorithm.startswith("RS") or algorithm == "EdDSA"
        for signing_form, signing in private.items():
            for verifying_form, verifying in public.items():
                name = f"{algorithm}, {signing_form}, {verifying_form}"
                claims = {**payload, "alg": algorithm}
                token = jwt.encode(claims, (KEYS / signing).read_text(), algorithm)
                kept = old.get(name, {}).get("token")
                spki = (KEYS / public["spki"]).read_text()
                if kept and not deterministic and accepts(algorithm, spki, kept) == claims:
                    token = kept
                case = {
                    "name": name,
                    "alg": algorithm,
                    "signing_key": f"keys/{signing}",
                    "verifying_key": f"keys/{verifying}",
                    "token": token,
                    "deterministic": deterministic,
                }
                if accepts(algorithm, (KEYS / verifying).read_text(), token) != claims:
                    assert verifying_form == "certificate", name
                    case["difference"] = "PyJWT takes no certificate as it is; here it is a key form like the others"
                cases.append(case)
    return cases


def accepts(algorithm, key, token):
    import jwt

    options = {"verify_exp": False, "verify_iat": False, "verify_aud": False}
    try:
        return jwt.decode(token, key, algorithms=[algorithm], options=options)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None


def check_ours(path):
    """Verifies [{alg, key, token}]; the key is the text of a secret or public key."""
    cases = json.loads(pathlib.Path(path).read_text())
    if not cases:
        sys.exit(f"{path} holds no token")
    refused = [case for case in cases if accepts(case["alg"], case["key"], case["token"]) is None]
    for case in refused:
        print(f"PyJWT refuses the {case['alg']} token {case['token']}", file=sys.stderr)
    if refused:
        sys.exit(1)
    algorithms = sorted({case["alg"] for case in cases})
    print(f"PyJWT accepts all {len(cases)} tokens: {', '.join(algorithms)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check-ours", metavar="FILE", help="verify tokens made by the Rust side")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.check_ours:
        return check_ours(arguments.check_ours)
    target = FIXTURES / "vectors.json"
    before = json.loads(target.read_text()) if target.exists() else {}
    files = vector_keys.write_missing(KEYS)
    # simplejwt reads its settings when it is imported, so each set of settings has its process.
    with multiprocessing.get_context("spawn").Pool(2, maxtasksperchild=1) as pool:
        decoded = [pool.apply_async(decode_named, (index,)) for index in range(len(vector_cases.GROUPS))]
        minted = [pool.apply_async(mint_group, (group,)) for group in mint_groups()]
        decode = [case for group in decoded for case in group.get()]
        mint = [group.get() for group in minted]
    packages = ("PyJWT", "djangorestframework_simplejwt", "Django", "cryptography")
    vectors = {
        "made_with": {name: importlib.metadata.version(name) for name in packages},
        "now": NOW,
        "secret": SECRET,
        "algorithms": algorithm_cases(files, before),
        "decode": decode,
        "mint": mint,
    }
    target.write_text(json.dumps(vectors, indent=1) + "\n")
    print(f"{target}: {len(vectors['algorithms'])} keys, {len(decode)} tokens to read, {len(mint)} logins")


def decode_named(index):
    warnings.simplefilter("ignore")
    return decode_group(vector_cases.GROUPS[index])


if __name__ == "__main__":
    main()
