"""The tokens whose reading is compared: settings, token and, where ours differs, how.

A case is (name, class, token text); a group is a list of cases under one set of settings.
"""

import base64
import hashlib
import hmac
import json

from vector_keys import SECRETS

NOW = 1_800_000_000
SECRET = SECRETS["HS256"]
INVALID = "Token is invalid"
HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}

WRONG_TYPE_OF_TIME = "a time of the wrong JSON type makes the token invalid (RFC 7519 section 2)"
NEVER_500 = "upstream raises an exception (a 500 on the wire); no token is a server error here"
STRICT_BASE64 = "base64url is read strictly: no padding (RFC 7515 section 2)"
STRICT_JSON = "JSON is UTF-8 and nothing else, without NaN and Infinity (RFC 8259 sections 6, 8.1)"
DOUBLED = "doubled member names are refused (RFC 7519 section 4)"
CRIT = "no critical extension is implemented, b64 neither (RFC 7515 section 4.1.11)"
DEPTH = "nesting is bounded"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign_segments(header, payload, alg="HS256", secret=SECRET):
    """A token of two segments as they are, with an HMAC over them."""
    signature = hmac.new(secret.encode(), f"{header}.{payload}".encode(), HASHES[alg]).digest()
    return f"{header}.{payload}.{b64(signature)}"


def sign_bytes(payload, header=b'{"alg":"HS256","typ":"JWT"}', alg="HS256"):
    if isinstance(payload, str):
        payload = payload.encode()
    if isinstance(header, str):
        header = header.encode()
    return sign_segments(b64(header), b64(payload), alg)


BASE = {
    "token_type": "access",
    "exp": NOW + 300,
    "iat": NOW,
    "jti": "0123456789abcdef0123456789abcdef",
    "user_id": "1",
}
ABSENT = object()


def claims(**changed):
    merged = {**BASE, **changed}
    return {name: value for name, value in merged.items() if value is not ABSENT}


def token(**changed):
    return sign_bytes(json.dumps(claims(**changed), separators=(",", ":")))


def raw(text):
    """A token whose payload is the base claims without exp, then this text."""
    base = json.dumps(claims(exp=ABSENT), separators=(",", ":"))
    return sign_bytes(f"{base[:-1]},{text}}}")


def header(text):
    return sign_bytes(json.dumps(claims(), separators=(",", ":")), text)


def case(name, text, kind="access", difference=None, ours=INVALID):
    return {"name": name, "class": kind, "token": text, "difference": difference, "ours": ours}


def times():
    for offset in (-1, 0, 1):
        yield case(f"exp at now{offset:+}", token(exp=NOW + offset))
        yield case(f"nbf at now{offset:+}", token(nbf=NOW + offset))
        yield case(f"iat at now{offset:+}", token(iat=NOW + offset))
    for text in ("0", "-1", "1800000300.5", "1800000000.5", "1799999999.9", "1.8000003e9", "1e400", "-1e400", "null", "[]", "{}", '"soon"', '""'):
        yield case(f"exp {text}", raw(f'"exp":{text}'))
    yield case("exp last second of the year 9999", raw('"exp":253402300799'))
    for text in ("253402300800", "1000000000000000", "9223372036854775807", "9223372036854775808", "18446744073709551916", "1" + "0" * 30, "1e300"):
        yield case(f"exp {text}", raw(f'"exp":{text}'), difference=NEVER_500)
    yield case("exp numeric text", raw('"exp":"1800000300"'), difference=NEVER_500)
    yield case("exp numeric text, passed", raw('"exp":"1700000000"'), difference=WRONG_TYPE_OF_TIME)
    yield case("exp true", raw('"exp":true'), difference=WRONG_TYPE_OF_TIME)
    yield case("exp false", raw('"exp":false'), difference=WRONG_TYPE_OF_TIME)
    yield case("exp NaN", raw('"exp":NaN'))
    yield case("exp Infinity", raw('"exp":Infinity'))
    for name in ("nbf", "iat"):
        changed = {name: ABSENT}
        yield case(f"{name} absent", token(**changed))
        for value in (1799999999.5, 1800000000.5, 1800000001.0, -5, 0, 10**30):
            yield case(f"{name} {value}", token(**{name: value}))
        for value in (None, [], {}, "soon", "1e3"):
            yield case(f"{name} {json.dumps(value)}", token(**{name: value}))
        for value in ("1700000000", True, False):
            yield case(f"{name} {json.dumps(value)}", token(**{name: value}), difference=WRONG_TYPE_OF_TIME)


def required():
    for kind in ("access", "refresh", "sliding", "untyped"):
        for typed in ("access", "refresh", "sliding", "untyped", "Access", "", None, 1, ["access"], ABSENT):
            label = "absent" if typed is ABSENT else json.dumps(typed)
            yield case(f"token_type {label} read as {kind}", token(token_type=typed), kind)
        yield case(f"exp absent, read as {kind}", token(exp=ABSENT), kind)
        yield case(f"jti absent, read as {kind}", token(jti=ABSENT), kind)
    yield case("exp, jti and type absent", token(exp=ABSENT, jti=ABSENT, token_type=ABSENT))
    yield case("jti and type absent", token(jti=ABSENT, token_type=ABSENT))
    yield case("user claim absent", token(user_id=ABSENT))
    yield case("expired and of the wrong type", token(exp=NOW - 5, token_type="refresh"))
    for value in (1, None, True, ["x"], {}):
        yield case(f"jti {json.dumps(value)}", token(jti=value))
        yield case(f"sub {json.dumps(value)}", token(sub=value))
    yield case("jti empty", token(jti=""))
    yield case("sub text", token(sub="someone"))
    for value in (1, 10**20, 1.5, None, True, [], {}, "", "Zoë", "\u2028"):
        yield case(f"user_id {json.dumps(value)}", token(user_id=value))
    for value in ("a", ["a", "b"], [], "", 1, None, [1], {}):
        yield case(f"aud {json.dumps(value)}, none configured", token(aud=value))
        yield case(f"iss {json.dumps(value)}, none configured", token(iss=value))


def headers():
    for text in (
        '{"alg":"HS256"}',
        '{"typ":"JWT","alg":"HS256"}',
        '{"alg":"HS256","typ":"jwt"}',
        '{"alg":"HS256","typ":null}',
        '{"alg":"HS256","typ":7}',
        '{"alg":"HS256","kid":"a"}',
        '{"alg":"HS256","kid":"../../etc/passwd"}',
        '{"alg":"HS256","kid":1}',
        '{"alg":"HS256","kid":null}',
        '{"alg":"HS256","kid":["a"]}',
        '{"alg":"HS256","jku":"https://attacker.example/","jwk":{"kty":"oct","k":"AA"},"x5u":1,"x5c":{}}',
        '{"alg":"HS256","b64":true}',
        '{"alg":"HS256","b64":false}',
        '{"alg":"HS256","cty":"JWT"}',
        ' {"alg" : "HS256"}\n',
        '{"\\u0061lg":"HS256"}',
        '{"alg":"hs256"}',
        '{"alg":"Hs256"}',
        '{"alg":"HS256 "}',
        '{"alg":["HS256"]}',
        '{"alg":{"HS256":1}}',
        '{"alg":null}',
        '{"alg":""}',
        '{"alg":256}',
        '{"alg":"HS384"}',
        '{"alg":"RS256"}',
        '{"alg":"none"}',
        '{"alg":"None"}',
        '{"alg":"NONE"}',
        '{"alg":"n\\u006fne"}',
        "{}",
        "[]",
        "null",
        '"HS256"',
        "",
        '{"alg":"HS256"',
        '{"alg":"HS256"}x',
        '{"alg":"HS256","crit":[]}',
        '{"alg":"HS256","crit":null}',
        '{"alg":"HS256","crit":"b64"}',
        '{"alg":"HS256","crit":{}}',
        '{"alg":"HS256","crit":[1]}',
        '{"alg":"HS256","crit":["exp"],"exp":1}',
        '{"alg":"HS256","crit":["b64"]}',
        '{"alg":"HS256","crit":["b64"],"b64":false}',
        '{"alg":"HS256","crit":["b64","exp"],"b64":true,"exp":1}',
    ):
        yield case(f"header {text}", header(text))
    for text in ('{"alg":"HS256","b64":true,"crit":["b64"]}', '{"alg":"HS256","b64":true,"crit":["b64","b64"]}'):
        yield case(f"header {text}", header(text), difference=CRIT)
    for text in ('{"alg":"HS256","b64":null}', '{"alg":"HS256","b64":"false"}', '{"alg":"HS256","b64":0}'):
        yield case(f"header {text}", header(text), difference="b64 is a boolean (RFC 7797 section 3)")
    for text in ('{"alg":"none","alg":"HS256"}', '{"alg":"HS256","x":1,"x":2}'):
        yield case(f"header {text}", header(text), difference=DOUBLED)
    yield case('header {"alg":"HS256","alg":"none"}', header('{"alg":"HS256","alg":"none"}'))
    yield case("header with NaN", header('{"alg":"HS256","x":NaN}'), difference=STRICT_JSON)
    yield case("header as UTF-16", header('{"alg":"HS256"}'.encode("utf-16-le")), difference=STRICT_JSON)
    yield case("header with a byte order mark", header(b'\xef\xbb\xbf{"alg":"HS256"}'), difference=STRICT_JSON)
    yield case("header with bad UTF-8", header(b'{"alg":"HS256","x":"\xff"}'))


def payloads():
    text = json.dumps(claims(), separators=(",", ":"))
    for name, payload in (
        ("empty", ""), ("a list", "[]"), ("null", "null"), ("a string", '"x"'), ("a number", "1"),
        ("cut off", text[:-1]), ("with data behind", text + "x"), ("twice", text + text), ("single quotes", "{'exp':1}"),
        ("a trailing comma", text[:-1] + ",}"), ("white space around", f" \r\n\t{text}\n"), ("a form feed before", f"\f{text}"),
        ("a raw control character", text[:-1] + ',"x":"\t"}'), ("a leading zero", text[:-1] + ',"x":01}'), ("a plus sign", text[:-1] + ',"x":+1}'),
        ("an escaped slash", text[:-1] + ',"x":"\\/"}'), ("a bad escape", text[:-1] + ',"x":"\\x"}'), ("a NUL in a string", text[:-1] + ',"x":"\\u0000"}'),
        ("a big integer", text[:-1] + ',"x":123456789012345678901234567890}'), ("an empty name", text[:-1] + ',"":1}'),
        ("an escaped name", text.replace("exp", "\\u0065xp")), ("non-ASCII", text[:-1] + ',"x":"Zoë 🦀"}'), ("escaped non-ASCII", text[:-1] + ',"x":"Zo\\u00eb \\ud83e\\udd80"}'),
        ("a surrogate pair", text[:-1] + ',"x":"\\ud83e\\udd80"}'), ("negative zero", text[:-1] + ',"x":-0.0}'), ("an exponent", text[:-1] + ',"x":1E5}'),
        ("many digits", text[:-1] + ',"x":0.1000000000000000055511151231257827}'), ("a fraction of zero", text[:-1] + ',"x":1.0}'),
        ("nesting of 60", text[:-1] + ',"x":' + "[" * 60 + "]" * 60 + "}"),
    ):
        yield case(f"payload {name}", sign_bytes(payload))
    yield case("payload with a lone surrogate", sign_bytes(text[:-1] + ',"x":"\\ud800"}'))
    yield case("payload with nesting of 200", sign_bytes(text[:-1] + ',"x":' + "[" * 200 + "]" * 200 + "}"), difference=DEPTH)
    yield case("payload with nesting of 5,000", sign_bytes(text[:-1] + ',"x":' + "[" * 5000 + "]" * 5000 + "}"))
    for name in ("exp", "jti", "token_type", "user_id", "x"):
        doubled = f'{text[:-1]},"{name}":"old","{name}":{json.dumps(BASE.get(name, 1))}}}'
        yield case(f"payload with {name} doubled", sign_bytes(doubled), difference=DOUBLED)
    for number in ("NaN", "Infinity", "-Infinity"):
        yield case(f"payload with {number}", sign_bytes(f'{text[:-1]},"x":{number}}}'), difference=STRICT_JSON)
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"):
        yield case(f"payload as {encoding}", sign_bytes(text.encode(encoding)), difference=STRICT_JSON)
    surrogate = text[:-1].encode() + b',"x":"\xed\xa0\x80"}'
    yield case("payload with a surrogate in UTF-8", sign_bytes(surrogate), difference=STRICT_JSON)
    yield case("payload with bad UTF-8", sign_bytes(text[:-1].encode() + b',"x":"\xff"}'))


def segments():
    good = token()
    head, body, signature = good.split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # The 43rd character of a 32 byte signature has two bits that count for nothing.
    loose = signature[:-1] + alphabet[alphabet.index(signature[-1]) + 1]
    for name, text in (
        ("empty", ""), ("one segment", head), ("two segments", f"{head}.{body}"), ("no signature", f"{head}.{body}."),
        ("only dots", ".."), ("four segments", good + ".x"), ("five segments", f"{head}.{body}.{signature}.a.b"), ("a dot before", "." + good),
        ("a cut signature", good[:-2]), ("a longer signature", good + "AA"), ("another signature", f"{head}.{body}.{'A' * 43}"), ("unused bits set", f"{head}.{body}.{loose}"),
        ("a line break within", good[:20] + "\n" + good[20:]), ("a space within", good[:20] + " " + good[20:]), ("an asterisk", good[:20] + "*" + good[21:]), ("a letter that isn't ASCII", good[:20] + "é" + good[20:]),
        ("three padding signs", good + "==="), ("two padding signs", good + "=="), ("only a word", "garbage"), ("a JSON serialisation", json.dumps({"payload": body, "protected": head, "signature": signature})),
    ):
        yield case(f"token {name}", text)
    yield case("token with padding", good + "=", difference=STRICT_BASE64)
    padded_body = body + "=" * (-len(body) % 4)
    if padded_body == body:
        body_text = json.dumps(claims(x="12"), separators=(",", ":"))
        padded_body = base64.urlsafe_b64encode(body_text.encode()).decode()
    yield case("token with a padded payload", sign_segments(head, padded_body), difference=STRICT_BASE64)
    yield case("token signed with another secret", sign_segments(head, body, secret="x" * 64))
    yield case("token of HS384 over the same secret", sign_bytes(json.dumps(claims()), '{"alg":"HS384"}', "HS384"))
    yield case("token of none", b64(b'{"alg":"none"}') + f".{body}.")


def audience():
    for value in (ABSENT, None, "", "a", "b", "c", "A", "ab", ["a"], ["c", "b"], ["c"], [], [1, "a"], ["a", None], {"a": 1}, 1, True):
        label = "absent" if value is ABSENT else json.dumps(value)
        yield case(f"aud {label}", token(aud=value))


def issuer():
    for value in (ABSENT, None, "", "https://id.example", "https://id.example/", "https://id", "https://ID.example", ["https://id.example"], 1, {}):
        label = "absent" if value is ABSENT else json.dumps(value)
        yield case(f"iss {label}", token(iss=value))


def leeway():
    for offset in (-11, -10, -9, 0):
        yield case(f"exp at now{offset:+}", token(exp=NOW + offset))
    for offset in (9, 10, 11):
        yield case(f"nbf at now{offset:+}", token(nbf=NOW + offset))
        yield case(f"iat at now{offset:+}", token(iat=NOW + offset))


def renamed():
    yield case("both there", token(token_type=ABSENT, jti=ABSENT, kind="access", tid="x"))
    yield case("the usual names", token())
    yield case("jti under its usual name", token(token_type=ABSENT, kind="access"))
    yield case("type under its usual name", token(tid="x"))
    yield case("wrong type", token(kind="refresh", tid="x"))
    yield case("id that is a number", token(kind="access", tid=7))
    yield case("jti that is a number", token(kind="access", tid="x", jti=7))


def unchecked():
    yield case("neither", token(token_type=ABSENT, jti=ABSENT))
    yield case("wrong type", token(token_type="refresh"))
    yield case("exp absent", token(exp=ABSENT))
    yield case("jti that is a number", token(jti=7))


GROUPS = [
    ("times", {}, times),
    ("required", {}, required),
    ("headers", {}, headers),
    ("payloads", {}, payloads),
    ("segments", {}, segments),
    ("audience", {"AUDIENCE": "a"}, audience),
    ("audiences", {"AUDIENCE": ["a", "b"]}, audience),
    ("issuer", {"ISSUER": "https://id.example"}, issuer),
    ("leeway", {"LEEWAY": 10}, leeway),
    ("renamed", {"TOKEN_TYPE_CLAIM": "kind", "JTI_CLAIM": "tid", "USER_ID_CLAIM": "uid"}, renamed),
    ("id unchecked", {"JTI_CLAIM": None}, unchecked),
    ("type unchecked", {"TOKEN_TYPE_CLAIM": None}, unchecked),
    ("neither checked", {"JTI_CLAIM": None, "TOKEN_TYPE_CLAIM": None}, unchecked),
]
