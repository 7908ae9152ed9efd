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

# --- sessions ---
JOINS = "a refresh token that is seen for the first time joins a session and is registered, without rotation too; upstream registers only what it issues"
TYPES = ("application/json; charset=utf-8", "APPLICATION/JSON", "application/json;x=y", "application/*", "*/*")
add(
    JOINS,
    {"rows": lambda rows: len(rows) == 1 and rows[0][1] == "jti of the token" and rows[0][5] == "None"},
    *(f"refresh: {name}" for name in (
        "good", "good with white space around", "without iat", "extra claims", "aud, iss, sub and nbf", "user_id 1",
        "of the user unusable", "exp as a fraction", "latin-1", "utf-16", "form", "form, doubled field", "multipart",
        "multipart, doubled field", *(f"content type {type!r}" for type in TYPES),
    )),
    sessions=True,
)
