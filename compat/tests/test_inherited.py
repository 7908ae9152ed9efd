"""Users of a model that inherits from another by tables, beside Django on both."""

import tokens
from servers import PASSWORD, Profile, every_database_with

# Either of the two may be named.
EVERY_TABLE = every_database_with("table", ["staff_person", "staff_customer"], few=("staff_customer",))


def profile(table):
    extra = {
        "COMPAT_STAFF": "Customer",
        "SIMPLEJWT_USERS_TABLE": table,
        "SIMPLEJWT_USERS_IS_STAFF": "",
        "SIMPLEJWT_USERS_IS_SUPERUSER": "",
        "SIMPLEJWT_CLAIMS": "phone=phone",
    }
    return Profile(f"inherited-{table}", {"UPDATE_LAST_LOGIN": True}, staff="customer", extra=extra)


def people(made):
    made.shell(
        f"User.objects.create_user('ann', {PASSWORD!r}, phone='555')\n"
        "from staff.models import Person\n"
        "bob = Person(username='bob')\n"
        f"bob.set_password({PASSWORD!r})\n"
        "bob.save()"
    )


def log_in(server, name):
    return server.post("/api/token/", {"username": name, "password": PASSWORD})


@EVERY_TABLE
def test_users_in_two_tables(site, table):
    made = site(profile(table), people)
    for server in (made.theirs, made.ours):
        # A person, and no customer.
        assert log_in(server, "bob").status == 401
    for one, other in ((made.theirs, made.ours), (made.ours, made.theirs)):
        pair = log_in(one, "ann").json()
        assert other.get("/api/protected/", pair["access"]).status == 200
        assert other.post("/api/token/refresh/", {"refresh": pair["refresh"]}).status == 200
        assert other.post("/api/token/blacklist/", {"refresh": pair["refresh"]}).status == 200
        assert one.post("/api/token/refresh/", {"refresh": pair["refresh"]}).status == 401
    owners = made.sql("SELECT DISTINCT user_id FROM token_blacklist_outstandingtoken")
    assert owners == made.sql("SELECT person_ptr_id FROM staff_customer")
    claims = tokens.payload(log_in(made.ours, "ann").json()["access"])
    assert claims["phone"] == "555"
    assert made.sql("SELECT COUNT(*) FROM staff_person WHERE last_login IS NOT NULL") == [(1,)]
