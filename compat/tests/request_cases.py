"""The requests that both servers get. Ids are path-like: endpoint, then what is special."""

import base64

from compare import Case
from servers import PASSWORD

TOKEN, REFRESH, VERIFY, BLACKLIST = "/api/token/", "/api/token/refresh/", "/api/token/verify/", "/api/token/blacklist/"
SLIDING, SLIDE = "/api/token/sliding/", "/api/token/sliding/refresh/"
PROTECTED, STATELESS = "/api/protected/", "/api/protected-stateless/"
NAMES = {TOKEN: "obtain", REFRESH: "refresh", VERIFY: "verify", BLACKLIST: "blacklist", SLIDING: "sliding", SLIDE: "slide", PROTECTED: "protected", STATELESS: "stateless"}
# The field that holds the token, and the kind the endpoint takes.
FIELDS = {REFRESH: ("refresh", "refresh"), VERIFY: ("token", "access"), BLACKLIST: ("refresh", "refresh"), SLIDE: ("token", "sliding")}
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


def json_body(template, kind="refresh", **changes):
    """The template with a fresh token of that kind in the place of %s."""
    return lambda mint: template.replace("%s", mint.make(kind, **changes))


def login():
    good = f'{{"username":"alice","password":"{PASSWORD}"}}'
    bodies = {
        "good": good,
        "good, other order and spaces": f' {{ "password" : "{PASSWORD}" , "username" : "alice" }}\n',
        "good, more fields": good[:-1] + ',"x":[1],"y":null}',
        "good, escaped names": good.replace("username", "\\u0075sername"),
        "name with spaces around": good.replace("alice", " \\t alice\\u00a0 "),
        "name in upper case": good.replace("alice", "ALICE"),
        "wrong password": good.replace("correct", "wrong"),
        "unknown user": good.replace("alice", "nobody"),
        "inactive user": good.replace("alice", "inactive"),
        "inactive user, wrong password": good.replace("alice", "inactive").replace("correct", "wrong"),
        "unusable password": good.replace("alice", "unusable"),
        "unknown hasher": good.replace("alice", "unknownhash"),
        "empty hash": good.replace("alice", "emptyhash"),
        "corrupt pbkdf2 hash": good.replace("alice", "corrupthash"),
        "non-ASCII user": good.replace("alice", "Zoë 🦀"),
        "superuser": good.replace("alice", "root"),
        "password with spaces in it": good.replace("alice", "spaced").replace(PASSWORD, "  outer  "),
        "password with spaces around it": good.replace(PASSWORD, f" {PASSWORD} "),
        "long password": good.replace(PASSWORD, "x" * 2000),
        "username only": '{"username":"alice"}',
        "password only": '{"password":"x"}',
        "nothing": "{}",
        "nulls": '{"username":null,"password":null}',
        "booleans": '{"username":true,"password":false}',
        "lists": '{"username":[],"password":["x"]}',
        "objects": '{"username":{},"password":{"a":1}}',
        "numbers": '{"username":1,"password":2}',
        "fractions": '{"username":1.5,"password":-0.0}',
        "blanks": '{"username":"","password":"  "}',
        "white space": '{"username":" \\u2003\\u001c","password":"\\u0085"}',
        "NUL": '{"username":"a\\u0000b","password":"\\u0000"}',
        "lone surrogate": '{"username":"\\ud800","password":"a\\udfffb"}',
        "NUL and lone surrogate": '{"username":"\\u0000\\ud800","password":"x"}',
        "doubled password": '{"username":"alice","password":"no","password":"%s"}' % PASSWORD,
    }
    for name, body in bodies.items():
        yield Case(f"obtain: {name}", TOKEN, body)
    for name in ("good", "wrong password", "inactive user", "nothing", "nulls"):
        yield Case(f"sliding: {name}", SLIDING, bodies[name])


def shapes():
    """Bodies of the wrong shape, at every endpoint that takes one."""
    bodies = {
        "empty": "",
        "white space": "  ",
        "null": "null",
        "true": "true",
        "integer": "1",
        "float": "1.5",
        "string": '"x"',
        "list": "[]",
        "list of objects": "[{}]",
        "word": "garbage",
        "cut off": '{"refresh":',
        "trailing comma": '{"refresh":"x",}',
        "two objects": "{}{}",
        "single quotes": "{'refresh':'x'}",
        "control character": '{"refresh":"a\tb"}',
        "bad escape": '{"refresh":"\\x"}',
        "NaN": '{"refresh":NaN}',
        "Infinity": '{"refresh":-Infinity}',
        "byte order mark": b"\xef\xbb\xbf{}",
        "bad UTF-8": b'{"refresh":"\xff"}',
        "deep": "[" * 50_000,
        "deep and closed": '{"refresh":' + "[" * 400 + "]" * 400 + "}",
        "many digits": '{"refresh":' + "1" * 5000 + "}",
    }
    for name, body in bodies.items():
        yield Case(f"refresh: body {name}", REFRESH, body)
    for path in (TOKEN, VERIFY, BLACKLIST, SLIDING, SLIDE):
        for name in ("empty", "null", "list", "word"):
            yield Case(f"{NAMES[path]}: body {name}", path, bodies[name])


def tokens():
    for path, (field, kind) in FIELDS.items():
        name = NAMES[path]
        wrapped = f'{{"{field}":"%s"}}'

        def one(what, body, name=name, path=path):
            return Case(f"{name}: {what}", path, body)

        yield one("good", json_body(wrapped, kind))
        yield one("good with white space around", json_body(f'{{"{field}":" \\n%s\\u00a0 "}}', kind))
        for other in ("access", "refresh", "sliding", "custom"):
            if other != kind:
                yield one(f"a token of type {other}", json_body(wrapped, other))
        yield one("expired", json_body(wrapped, kind, lifetime=-10))
        for claim in ("exp", "jti", "token_type", "user_id", "iat"):
            yield one(f"without {claim}", json_body(wrapped, kind, drop=(claim,)))
        yield one("wrong secret", lambda mint, f=field, k=kind: f'{{"{f}":"{mint.make(k)[:-6]}AAAAAA"}}')
        yield one("extra claims", json_body(wrapped, kind, name="Zoë 🦀", f=0.5, w=1.0, n={"b": [None, True], "a": 1}, big=10**30))
        yield one("aud, iss, sub and nbf", json_body(wrapped, kind, aud=["a"], iss="i", sub="s", nbf=5))
        yield one("nbf in the future", json_body(wrapped, kind, nbf=4_000_000_000))
        for value in (1, "01", " 1 ", "1.0", "abc", "", None, 0, False, True, 1.7, [1], {}, "99999", "-1", "9" * 40, "1_0"):
            yield one(f"user_id {value!r}", json_body(wrapped, kind, user_id=value))
        for who, number in (("inactive", "2"), ("unusable", "3")):
            yield one(f"of the user {who}", json_body(wrapped, kind, user_id=number))
        for value, what in (('""', "blank"), ('"  "', "spaces"), ("null", "null"), ("true", "true"), ("1", "number"), ("[]", "list"), ("{}", "object"), ('"\\u0000"', "NUL"), ('"\\ud800"', "lone surrogate"), ('"x"', "a word"), ('"a.b.c"', "three words"), ('"é.é.é"', "non-ASCII words")):
            yield one(f"token {what}", f'{{"{field}":{value}}}')
        yield one("the field missing", '{"x":1}')
        yield one("exp as text", json_body(wrapped, kind, exp="4000000000"))
        yield one("exp true", json_body(wrapped, kind, exp=True))
        yield one("exp of the year 10000", json_body(wrapped, kind, exp=253402300800))
        yield one("exp as a fraction", json_body(wrapped, kind, exp=4000000000.5))
        yield one("jti as a number", json_body(wrapped, kind, jti=7))
    yield Case("slide: without refresh_exp", SLIDE, json_body('{"token":"%s"}', "sliding", drop=("refresh_exp",)))
    yield Case("slide: refresh_exp passed", SLIDE, json_body('{"token":"%s"}', "sliding", refresh_exp=1000))
    yield Case("slide: refresh_exp as text", SLIDE, json_body('{"token":"%s"}', "sliding", refresh_exp="x"))


def media_types():
    text = json_body('{"refresh":"%s"}')
    for media in ("application/json; charset=utf-8", "APPLICATION/JSON", "application/json;x=y", "application/*", "*/*", "text/plain", "application/xml", "text/json", "application/json+x", "json", "", "application/octet-stream", "text/plain; charset=utf-8"):
        yield Case(f"refresh: content type {media!r}", REFRESH, text, type=media)
    yield Case("refresh: no content type", REFRESH, text, type=None)
    yield Case("refresh: no body", REFRESH, None)
    yield Case("refresh: empty text/plain", REFRESH, "", type="text/plain")
    yield Case("refresh: latin-1", REFRESH, lambda mint: f'{{"refresh":"{mint.refresh()}","é":1}}'.encode("latin-1"), type="application/json; charset=latin-1")
    yield Case("refresh: utf-16", REFRESH, lambda mint: f'{{"refresh":"{mint.refresh()}"}}'.encode("utf-16"), type="application/json; charset=utf-16")
    yield Case("refresh: form", REFRESH, json_body("refresh=%s&x=1"), type=FORM)
    yield Case("refresh: form, doubled field", REFRESH, json_body("refresh=x&refresh=%s"), type=FORM)
    yield Case("refresh: form, empty", REFRESH, "", type=FORM)
    yield Case("refresh: form, blank", REFRESH, "refresh=", type=FORM)
    yield Case("refresh: form, garbage", REFRESH, "%zz&&=", type=FORM)
    yield Case("obtain: form", TOKEN, f"username=alice&password={PASSWORD.replace(' ', '+')}", type=FORM)
    yield Case("obtain: form, escapes", TOKEN, f"username=Zo%C3%AB+%F0%9F%A6%80&password={PASSWORD.replace(' ', '%20')}", type=FORM)
    field = '--b\r\nContent-Disposition: form-data; name="refresh"\r\n\r\n%s\r\n'
    yield Case("refresh: multipart", REFRESH, json_body(field + "--b--\r\n"), type=MULTIPART)
    yield Case("refresh: multipart, doubled field", REFRESH, json_body(field.replace("%s", "x") + field + "--b--\r\n"), type=MULTIPART)
    yield Case("refresh: multipart, no field", REFRESH, "--b--\r\n", type=MULTIPART)
    yield Case("refresh: multipart without boundary", REFRESH, "--b--\r\n", type="multipart/form-data")
    last = "--b--\r\n"
    named = field.replace('name="refresh"', "%n")
    for what, name in (
        ("attachment", 'name="refresh"; x=y'),
        ("blanks in the name", 'name=" refresh "'),
        ("a name without quotes", "name=refresh"),
        ("an empty file name", 'name="refresh"; filename=""'),
        ("a file", 'name="refresh"; filename="x"'),
        ("a file of another charset", "name=refresh; filename*=utf-8''x"),
        ("a file name of folders alone", 'name="refresh"; filename="a/.."'),
        ("no name", "x=y"),
    ):
        yield Case(f"refresh: multipart, {what}", REFRESH, json_body(named.replace("%n", name) + last), type=MULTIPART)
    yield Case("refresh: multipart, FORM-DATA", REFRESH, json_body(field.replace("Content-Disposition: form-data; name", "CONTENT-DISPOSITION: FORM-DATA; NAME") + last), type=MULTIPART)
    yield Case("refresh: multipart, no last boundary", REFRESH, json_body(field), type=MULTIPART)
    yield Case("refresh: multipart, cut off in the value", REFRESH, json_body(field[:-2]), type=MULTIPART)
    yield Case("refresh: multipart, line feeds alone", REFRESH, json_body((field + last).replace("\r\n", "\n")), type=MULTIPART)
    yield Case("refresh: multipart, base64", REFRESH, lambda mint: (field.replace("\r\n\r\n", "\r\nContent-Transfer-Encoding: base64\r\n\r\n") + last).replace("%s", base64.b64encode(mint.refresh().encode()).decode()), type=MULTIPART)
    yield Case("refresh: multipart, a long header", REFRESH, json_body(named.replace("%n", f'x={"y" * 1024}; name="refresh"') + last), type=MULTIPART)
    for boundary in ("()/,:=?'+_-.", "a b", '"a;b"', "b; boundary=c", "", "b" * 202):
        text = boundary.strip('"').rpartition("boundary=")[2]
        yield Case(f"refresh: multipart, boundary {boundary[:20]!r}", REFRESH, json_body((field + last).replace("--b", f"--{text}")), type=f"multipart/form-data; boundary={boundary}")
    yield Case("refresh: multipart, Multipart", REFRESH, json_body(field + last), type="Multipart/form-data; boundary=b")
    for charset, encoding in (
        ("us-ascii", "ascii"), ("us-ascii", "utf-8"), ("gb2312", "gb2312"), ("gb2312", "gbk"), ("gbk", "gbk"), ("utf-32", "utf-32"), ("utf-32", "utf-32-le"),
        ("utf-8-sig", "utf-8-sig"), ("utf-8", "utf-8-sig"), ("utf-16", "utf-16-le"), ("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be"), ("latin-1; charset=utf-8", "utf-8"), ("utf-8; charset=latin-1", "latin-1"),
        ("'utf-8'", "utf-8"), ("UTF_8", "utf-8"), ("koi8-r", "koi8-r"), ("shift_jis", "shift_jis"), ("euc-jp", "euc-jp"), ("big5", "big5"), ("iso-8859-15", "iso-8859-15"), ("cp1252", "cp1252"), ("klingon", "utf-8"),
    ):
        letter = {"ascii": "a", "gbk": "丂", "gb2312": "你", "koi8-r": "ж", "shift_jis": "か", "euc-jp": "か", "big5": "你"}.get(encoding, "é")
        yield Case(f"refresh: charset {charset} of {encoding}", REFRESH, lambda mint, e=encoding, c=letter: f'{{"refresh":"{mint.refresh()}","{c}":1}}'.encode(e), type=f"application/json; charset={charset}")
    yield Case("obtain: form in latin-1", TOKEN, b"username=Zo%EB&password=x\xeb", type=f"{FORM}; charset=latin-1")
    yield Case("obtain: form that isn't UTF-8", TOKEN, b"username=Zo\xeb&password=x", type=FORM)
    yield Case("refresh: form of 1000 fields", REFRESH, json_body("&" * 999 + "refresh=%s"), type=FORM)
    yield Case("refresh: form of 1001 fields", REFRESH, json_body("&" * 1000 + "refresh=%s"), type=FORM)
    part = '--b\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n'
    yield Case("refresh: multipart of 1000 parts", REFRESH, json_body(part * 999 + field + last), type=MULTIPART)
    yield Case("refresh: multipart of 1001 parts", REFRESH, json_body(part * 1000 + field + last), type=MULTIPART)
    yield Case("refresh: JSON of 5000 members", REFRESH, json_body('{"refresh":"x",' + "".join(f'"{n}":{n},' for n in range(5000)) + '"refresh":"%s"}'))


def accepts():
    for value in ("application/json", "*/*", "application/*", "application/json;q=0", "application/xml, */*;q=0.1", "application/xml", "text/plain", "", "text/html", "text/html, application/json", "application/json; indent=4", "application/json; indent=99", "APPLICATION/JSON"):
        yield Case(f"verify: accept {value!r}", VERIFY, json_body('{"token":"%s"}', "access"), headers=[("Accept", value)])
        yield Case(f"protected: accept {value!r}", PROTECTED, method="GET", headers=[("Accept", value)])
    yield Case("verify: query format=json", VERIFY + "?format=json", json_body('{"token":"%s"}', "access"))
    yield Case("verify: query format=xml", VERIFY + "?format=xml", json_body('{"token":"%s"}', "access"))


def methods():
    for path, name in NAMES.items():
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
            yield Case(f"{name}: method {method}", path, method=method)
        yield Case(f"{name}: GET without slash", path[:-1], method="GET")
        yield Case(f"{name}: POST without slash", path[:-1] + "?a=1&b=%20", "{}")
    yield Case("refresh: method GET, accept XML", REFRESH, method="GET", headers=[("Accept", "text/xml")])
    yield Case("unknown path", "/api/token/unknown/", method="GET", type=None)
    yield Case("unknown path without slash", "/api/unknown", method="GET")
    yield Case("doubled slash", "/api/token//", method="GET")
    yield Case("upper case path", "/api/Token/", method="GET")
    yield Case("root", "/", method="GET")
    yield Case("verify: percent signs in the path", "/api/%74oken/ver%69fy/", "{}")
    yield Case("verify: percent signs in the path, without slash", "/api/%74oken/ver%69fy", "{}")
    yield Case("verify: a slash as percent sign", "/api%2Ftoken/verify/", "{}")


def bearer(value, kind="access", **changes):
    return lambda mint: [("Authorization", value.replace("%s", mint.make(kind, **changes)))]


def authorization():
    for path in (PROTECTED, STATELESS):
        name = NAMES[path]

        def one(what, headers, name=name, path=path, method="GET"):
            return Case(f"{name}: {what}", path, method=method, headers=headers)

        for what, value in (("good", "Bearer %s"), ("tab", "Bearer\t%s"), ("spaces", "  Bearer   %s  "), ("lower case", "bearer %s"), ("upper case", "BEARER %s"), ("token alone", "%s"), ("scheme alone", "Bearer"), ("scheme and space", "Bearer "), ("three parts", "Bearer %s x"), ("JWT", "JWT %s"), ("Basic", "Basic YTpi"), ("empty", ""), ("no space", "Bearer:%s"), ("quotes", 'Bearer "%s"'), ("comma", "Bearer %s,"), ("garbage", "Bearer garbage"), ("no-break space", "Bearer\u00a0%s")):
            yield one(f"authorization {what}", bearer(value))
        yield one("authorization of a HEAD", bearer("Bearer %s"), method="HEAD")
        yield one("authorization of an OPTIONS", bearer("Bearer %s"), method="OPTIONS")
        yield one("authorization of a POST", bearer("Bearer %s"), method="POST")
        for kind in ("refresh", "sliding", "untyped"):
            yield one(f"a token of type {kind}", bearer("Bearer %s", kind))
        yield one("expired", bearer("Bearer %s", lifetime=-10))
        for claim in ("exp", "jti", "token_type", "user_id", "iat"):
            yield one(f"without {claim}", bearer("Bearer %s", drop=(claim,)))
        for value in (1, "01", "abc", "", None, True, [1], "99999", "2", "3"):
            yield one(f"user_id {value!r}", bearer("Bearer %s", user_id=value))
        yield one("username as a claim", bearer("Bearer %s", username="Zoë\u2028"))
        yield one("token in the query", (), method="GET")
        yield one("two headers", lambda mint: [("Authorization", f"Bearer {mint.access()}"), ("Authorization", "Bearer x")])


def all_cases():
    for group in (login, shapes, tokens, media_types, accepts, methods, authorization):
        yield from group()
