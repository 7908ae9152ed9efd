"""One request to both servers: status, headers that matter, body, and rows written."""

import dataclasses
import re
from typing import Any, Callable, Union

from tokens import described

HEADERS = ("Content-Type", "Allow", "Vary", "WWW-Authenticate", "Location")
# What stands behind the dash is Python's own text, and no part of the contract.
PARSE_ERROR = re.compile(r'(?<="detail":"JSON parse error - ).*(?="})', re.S)
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?")

Content = Union[None, bytes, str, Callable[[Any], Any]]


@dataclasses.dataclass
class Case:
    """`body` and `headers` may be functions of the mint, so that each side spends its own token."""

    id: str
    path: str
    body: Content = None
    method: str = "POST"
    type: Union[str, None] = "application/json"
    headers: Any = ()


def request(case, mint):
    headers = list(case.headers(mint) if callable(case.headers) else case.headers)
    body = case.body(mint) if callable(case.body) else case.body
    if isinstance(body, str):
        body = body.encode()
    if case.type is not None and body is not None:
        headers.insert(0, ("Content-Type", case.type))
    return headers, body


def rows(site):
    if not site.profile.blacklist:
        return set()
    found = site.sql(
        "SELECT o.jti, o.token, o.user_id, o.created_at, o.expires_at, b.blacklisted_at"
        " FROM token_blacklist_outstandingtoken o"
        " LEFT JOIN token_blacklist_blacklistedtoken b ON b.token_id = o.id"
    )
    return set(found)


def time_form(value):
    # Django leaves the fraction out where it is zero.
    return "a time" if isinstance(value, str) and TIME.fullmatch(value) else repr(value)


def written(before, after):
    """The rows that a request wrote or changed, without what differs from run to run."""
    shown = []
    for jti, token, user, *times in after - before:
        same_id = jti in str(token_payload_ids(token))
        shown.append([described(token), "jti of the token" if same_id else jti, user, *map(time_form, times)])
    return sorted(shown, key=str)


def token_payload_ids(token):
    from tokens import payload

    return [value for value in payload(token).values() if isinstance(value, str)]


def observe(site, server, case, mint):
    headers, body = request(case, mint)
    before = rows(site)
    answer = server.send(case.method, case.path, headers, body)
    text = answer.body.decode("utf-8", "backslashreplace")
    if "csrfmiddlewaretoken" in text or "<title>Token" in text or "<title>Protected" in text:
        text = "the browsable page"
    text = PARSE_ERROR.sub("…", text)
    seen = {
        "status": answer.status,
        "body": described(text).replace(f":{server.port}", ":PORT"),
        "rows": written(before, rows(site)),
    }
    for name in HEADERS:
        value = answer.header(name)
        seen[name] = value and value.replace(f":{server.port}", ":PORT")
    return seen


def check(site, case, mint, difference, self_test):
    theirs = observe(site, site.theirs, case, mint)
    ours = observe(site, site.ours, case, mint)
    if difference is None or self_test:
        assert ours == theirs
        return
    assert ours != theirs, f"{case.id} is on the list of differences, but there is none: {ours}"
    for name, value in difference.ours.items():
        if callable(value):
            assert value(ours[name]), f"{name}: {ours[name]!r}"
        else:
            assert ours[name] == value, name
    for name in theirs.keys() - difference.ours.keys():
        assert ours[name] == theirs[name], name
