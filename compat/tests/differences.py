"""Every deliberate difference from upstream: why, and what this project answers instead.

A key is the id of a case in request_cases.py; what isn't named in `ours` has to be as upstream's.
docs/django-compatibility.md has the same list for readers.
"""

import dataclasses


@dataclasses.dataclass
class Difference:
    reason: str
    ours: dict
    # Whether it is one with sessions only, and without rotation only.
    sessions: bool = False


DIFFERENCES = {}
REALM = 'Bearer realm="api"'


def anything(_):
    return True


def detail(text, code=None):
    return f'{{"detail":"{text}","code":"{code}"}}' if code else f'{{"detail":"{text}"}}'


def refusal(body):
    """A 401 that writes nothing."""
    return {
        "status": 401,
        "body": body,
        "rows": [],
        "Content-Type": "application/json",
        "Vary": "Accept",
        "Allow": anything,
        "WWW-Authenticate": REALM,
    }


def add(reason, ours, *ids, sessions=False):
    for name in ids:
        assert name not in DIFFERENCES, name
        DIFFERENCES[name] = Difference(reason, ours, sessions)


INVALID = refusal(detail("Token is invalid", "token_not_valid"))
NO_ACCOUNT = refusal(detail("No active account found with the given credentials"))
NO_ACCOUNT_FOR_TOKEN = refusal(detail("No active account found for the given token."))
NO_USER_CLAIM = refusal(detail("Token contained no recognizable user identification", "token_not_valid"))
USER_NOT_FOUND = refusal(detail("User not found", "user_not_found"))

# --- passwords ---
EXACT_PASSWORD = "passwords are verified exactly as sent; upstream trims them"
add(EXACT_PASSWORD, NO_ACCOUNT, "obtain: password with spaces around it")
add(
    EXACT_PASSWORD,
    {"status": 200, "body": lambda body: body.startswith('{"refresh":"<token'), "rows": lambda rows: len(rows) == 1, "WWW-Authenticate": None},
    "obtain: password with spaces in it",
)
BLANK = '["This field may not be blank."]'
add(EXACT_PASSWORD, {"body": f'{{"username":{BLANK}}}'}, "obtain: blanks", "obtain: white space")
add("a hash that can't be read is a refused login; upstream answers 500", NO_ACCOUNT, "obtain: corrupt pbkdf2 hash")

# --- never a 500 for a token ---
NO_500 = "no token is a server error; upstream answers 500"
EVERY = ("refresh", "verify", "blacklist", "slide")
add(NO_500, INVALID, *(f"{name}: exp {value}" for name in EVERY for value in ("as text", "of the year 10000")), "slide: refresh_exp as text")
add(NO_500, refusal(detail("Token has no id", "token_not_valid")), *(f"{name}: without jti" for name in ("refresh", "blacklist", "slide")))
add("a time of the wrong JSON type makes a token invalid; upstream reads true as 1", INVALID, *(f"{name}: exp true" for name in EVERY))

# --- the user of a token ---
GONE = "a token of a user who is gone is refused; upstream answers 500"
BIG = "9" * 40
add(GONE, NO_ACCOUNT_FOR_TOKEN, *(f"refresh: user_id {value!r}" for value in ("99999", "-1", BIG)))
TYPED = "the user claim is an id in its one spelling, or there is no such user; upstream converts what Python's int() takes, skips what counts as false, and answers 500 to the rest"
add(TYPED, NO_ACCOUNT_FOR_TOKEN, *(f"refresh: user_id {value!r}" for value in ("01", " 1 ", "1.0", "abc", "", None, 0, False, True, 1.7, [1], {}, "1_0")))
add(TYPED, USER_NOT_FOUND, *(f"protected: user_id {value!r}" for value in ("01", "abc", "", True, [1])))
add(TYPED, NO_USER_CLAIM, *(f"stateless: user_id {value!r}" for value in (None, True, [1])))
add("refreshing without a user claim is refused; upstream skips the user check", NO_USER_CLAIM, "refresh: without user_id")
NO_USER_ROW = {"status": 200, "body": "{}", "Content-Type": "application/json", "Vary": "Accept", "Allow": anything, "rows": lambda rows: len(rows) == 1 and rows[0][2] is None}
add(TYPED, NO_USER_ROW, *(f"blacklist: user_id {value!r}" for value in ("01", " 1 ", "1.0", "abc", "", True, 1.7, [1], {})))
SLIDES = "sliding tokens of users who are inactive or gone aren't renewed; upstream doesn't look at the user"
add(SLIDES, NO_ACCOUNT_FOR_TOKEN, "slide: of the user inactive", *(f"slide: user_id {value!r}" for value in ("99999", "-1", BIG, "01", " 1 ", "1.0", "abc", "", None, 0, False, True, 1.7, [1], {}, "1_0")))
add(SLIDES, NO_USER_CLAIM, "slide: without user_id")

# --- HTTP ---
add(
    "nesting is bounded; upstream answers 500",
    {"status": 400, "body": lambda body: body.startswith('{"detail":"JSON parse error - '), "Content-Type": "application/json", "Vary": "Accept", "Allow": anything},
    "refresh: body deep",
)
add(
    "nesting is bounded, in well-formed bodies too",
    {"status": 400, "body": lambda body: body.startswith('{"detail":"JSON parse error - ')},
    "refresh: body deep and closed",
)
NO_PAGES = "there are no HTML pages; upstream shows its browsable API"
add(NO_PAGES, {"body": "{}", "Content-Type": "application/json"}, "verify: accept 'text/html'")
add(NO_PAGES, {"body": detail("Authentication credentials were not provided."), "Content-Type": "application/json"}, "protected: accept 'text/html'")
add(
    "there are no HTML pages; a path that isn't there is answered in JSON",
    {"body": detail("Not found."), "Content-Type": "application/json", "Vary": anything},
    "unknown path", "unknown path without slash", "doubled slash", "upper case path", "root",
)
SCHEME = "the authentication scheme is taken in any case (RFC 9110 section 11.1); upstream compares exactly"
for view, message in (("protected", "Welcome, alice!"), ("stateless", "Welcome, !")):
    welcome = {"status": 200, "body": f'{{"message":"{message}"}}', "WWW-Authenticate": None}
    add(SCHEME, welcome, f"{view}: authorization lower case", f"{view}: authorization upper case")

TWICE = "a header field that may stand once is refused where it stands twice (RFC 9110 section 5.3); upstream's server joins them"
add(
    TWICE,
    {"status": 400, "body": lambda body: '"code":"repeated_header"' in body, "WWW-Authenticate": None},
    "protected: two headers", "stateless: two headers",
)
MANY = "a form of more than 1000 fields is refused in JSON; upstream's 400 is Django's HTML page"
add(
    MANY,
    {"body": lambda body: body.startswith('{"detail":"') and "arse error - " in body, "Content-Type": "application/json", "Vary": "Accept", "Allow": anything},
    "refresh: form of 1001 fields", "refresh: multipart of 1001 parts",
)
add(
    "an encoded slash is no slash; upstream's server decodes it",
    {"status": 404, "body": detail("Not found."), "Content-Type": "application/json", "Vary": anything, "Allow": anything},
    "verify: a slash as percent sign",
)

# --- sessions ---
JOINS = "a refresh token that is seen for the first time joins a session and is registered, without rotation too; upstream registers only what it issues"
TYPES = ("application/json; charset=utf-8", "APPLICATION/JSON", "application/json;x=y", "application/*", "*/*")
add(
    JOINS,
    {"rows": lambda rows: len(rows) == 1 and rows[0][1] == "jti of the token" and rows[0][5] == "None"},
    *(f"refresh: {name}" for name in (
        "good", "good with white space around", "without iat", "extra claims", "aud, iss, sub and nbf", "user_id 1",
        "of the user unusable", "exp as a fraction", "latin-1", "utf-16", "form", "form, doubled field", "multipart",
        "multipart, doubled field", "multipart, attachment", "multipart, blanks in the name", "multipart, a name without quotes", "multipart, an empty file name", "multipart, FORM-DATA",
        "multipart, no last boundary", "multipart, cut off in the value", "multipart, base64", "form of 1000 fields", "multipart of 1000 parts", "JSON of 5000 members",
        *(f"multipart, boundary {boundary!r}" for boundary in ("()/,:=?'+_-.", "a b", '"a;b"', "b; boundary=c")),
        *(f"charset {charset}" for charset in (
            "us-ascii of ascii", "gb2312 of gb2312", "gbk of gbk", "utf-32 of utf-32", "utf-8-sig of utf-8-sig", "utf-16-le of utf-16-le", "utf-16-be of utf-16-be", "latin-1; charset=utf-8 of utf-8",
            "utf-8; charset=latin-1 of latin-1", "'utf-8' of utf-8", "UTF_8 of utf-8", "koi8-r of koi8-r", "shift_jis of shift_jis", "euc-jp of euc-jp", "big5 of big5", "iso-8859-15 of iso-8859-15",
            "cp1252 of cp1252", "klingon of utf-8",
        )),
        *(f"content type {type!r}" for type in TYPES),
    )),
    sessions=True,
)
