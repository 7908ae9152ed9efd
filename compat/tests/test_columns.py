"""Users who log in with a number or a UUID, beside Django on the same table."""

import pytest

import servers
from servers import EVERY_DATABASE, PASSWORD, Profile

SERIAL = "6f1c3a52-9a38-4d5e-8a52-0123456789ab"
NAMES = {
    "employee": [
        "4711", " 4711 ", "+4711", "004711", "4_711", 4711, "4711x", "4711.0", "1e3", "0x1267", "47 11", "4__711",
        "-4711", "4712", "2147483648", "9223372036854775808", "9" * 40, "+-1", "x", "😀", "NaN",
    ],
    "device": [
        SERIAL, SERIAL.replace("-", ""), SERIAL.upper(), "{%s}" % SERIAL, f"urn:uuid:{SERIAL}", SERIAL[:-1],
        SERIAL[:-1] + "g", "6f1c3a52-9a38-4d5e-8a52-0123456789ac", "x", "😀", "4711", 4711,
    ],
}  # fmt: skip
NUMBER = {"employee": 4711, "device": SERIAL}
FIELD = {"employee": "number", "device": "serial"}


def profile(model):
    extra = {
        "COMPAT_STAFF": model.capitalize(),
        "SIMPLEJWT_USERS_TABLE": f"staff_{model}",
        "SIMPLEJWT_USERS_USERNAME_FIELD": FIELD[model],
        "SIMPLEJWT_USERS_IS_STAFF": "",
        "SIMPLEJWT_USERS_IS_SUPERUSER": "",
    }
    return Profile(f"staff-{model}", staff=model, extra=extra)


def people(model):
    def add(made):
        made.shell(f"User.objects.create_user({NUMBER[model]!r}, {PASSWORD!r})")

    return add


def log_in(server, model, name):
    return server.post("/api/token/", {FIELD[model]: name, "password": PASSWORD})


@EVERY_DATABASE
@pytest.mark.parametrize("model", NAMES)
def test_login_columns_that_are_no_text(site, model):
    made = site(profile(model), people(model))
    found = 0
    for name in NAMES[model]:
        theirs, ours = log_in(made.theirs, model, name), log_in(made.ours, model, name)
        # DIFFERENCE: what the field's type can't hold is an unknown user; Django raises an exception, out of
        # which Django REST framework makes a 400 where it is a ValidationError.
        expected = 401 if theirs.status in (400, 500) else theirs.status
        assert ours.status == expected, (name, theirs.status, ours.body)
        found += ours.status == 200
    assert found >= 4
    for one, other in ((made.theirs, made.ours), (made.ours, made.theirs)):
        tokens = log_in(one, model, NUMBER[model]).json()
        assert other.get("/api/protected/", tokens["access"]).status == 200
        assert other.post("/api/token/refresh/", {"refresh": tokens["refresh"]}).status == 200


@EVERY_DATABASE
def test_digits_of_other_scripts(site):
    made = site(profile("employee"), people("employee"))
    assert log_in(made.theirs, "employee", "٤٧١١").status == 200
    # DIFFERENCE: the digits of a number are ASCII's.
    assert log_in(made.ours, "employee", "٤٧١١").status == 401


@EVERY_DATABASE
@pytest.mark.parametrize("model", NAMES)
def test_numbers_for_booleans_are_written(site, model):
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not booleans'")
    made = site(profile(model), people(model))
    made.ours_command("user", "disable", str(NUMBER[model]))
    assert made.sql(f"SELECT is_active FROM staff_{model}") == [(0,)]
    assert log_in(made.theirs, model, NUMBER[model]).status == 401
    assert log_in(made.ours, model, NUMBER[model]).status == 401
    made.ours_command("user", "enable", str(NUMBER[model]))
    assert made.sql(f"SELECT is_active FROM staff_{model}") == [(1,)]
    assert log_in(made.theirs, model, NUMBER[model]).status == 200
    assert log_in(made.ours, model, NUMBER[model]).status == 200
