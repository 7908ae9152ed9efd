"""Claims of the users' table, groups and permissions: what Django says of the same rows."""

import json

import pytest

import servers
from servers import EVERY_DATABASE, PASSWORD, Profile
from tokens import payload

CLAIMS = {
    "mail": "email",
    "joined": "date_joined",
    "staff": "is_staff",
    "roles": {"groups": True},
    "perms": {"permissions": True},
    "tenant": {"value": "acme"},
}
WITH_CLAIMS = Profile("claims", extra={"SIMPLEJWT_CLAIMS": json.dumps(CLAIMS)})
RECOMPUTED = Profile("claims-recomputed", extra={**WITH_CLAIMS.extra, "SIMPLEJWT_CLAIMS_ON_REFRESH": "recompute"})

PEOPLE = f"""
from django.contrib.auth.models import Group, Permission
def permission(name):
    label, code = name.split(".")
    return Permission.objects.get(content_type__app_label=label, codename=code)
writers = Group.objects.create(name="writers")
writers.permissions.add(permission("auth.add_user"), permission("auth.change_user"))
readers = Group.objects.create(name="Zoë's readers")
readers.permissions.add(permission("auth.view_user"))
for name in ("grouped", "own", "both"):
    User.objects.create_user(name, name + "@example.com", {PASSWORD!r})
for name in ("grouped", "both"):
    User.objects.get(username=name).groups.add(writers, readers)
for name in ("own", "both"):
    User.objects.get(username=name).user_permissions.add(permission("auth.add_user"), permission("auth.delete_group"))
"""

# What DRF makes of the same row.
SAID = """
from rest_framework import serializers
class Row(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ["email", "date_joined", "is_staff"]
user = User.objects.get(username=%r)
row = Row(user).data
print(json.dumps({
    "mail": row["email"], "joined": row["date_joined"], "staff": row["is_staff"],
    "roles": sorted(group.name for group in user.groups.all()),
    "perms": sorted(user.get_all_permissions()), "tenant": "acme",
}))
"""


def prepare(made):
    made.shell(PEOPLE)


def ours(made):
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not claims'")
    return made.ours


def log_in(server, name):
    answer = server.post("/api/token/", {"username": name, "password": PASSWORD})
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def claims_of(token):
    return {name: payload(token)[name] for name in CLAIMS}


@EVERY_DATABASE
@pytest.mark.parametrize("name", ["alice", "grouped", "own", "both", "root"])
def test_claims_are_what_django_says_of_the_user(site, name):
    made = site(WITH_CLAIMS, prepare)
    pair = log_in(ours(made), name)
    said = made.shell(SAID % name)
    assert claims_of(pair["access"]) == claims_of(pair["refresh"]) == said
    # Everything there is, for a superuser; nothing for a user without.
    assert bool(said["perms"]) == (name != "alice")
    # Django takes the token, and carries the claims over as they are.
    answer = made.theirs.post("/api/token/refresh/", {"refresh": pair["refresh"]})
    assert answer.status == 200, answer.body
    assert claims_of(json.loads(answer.body)["access"]) == said


@EVERY_DATABASE
@pytest.mark.parametrize("profile", [WITH_CLAIMS, RECOMPUTED], ids=lambda profile: profile.name)
def test_claims_at_refresh_are_copied_or_read_again(site, profile):
    made = site(profile, prepare)
    server = ours(made)
    pair = log_in(server, "own")
    before = made.shell(SAID % "own")
    made.shell(
        "from django.contrib.auth.models import Group\n"
        "user = User.objects.get(username='own'); user.groups.set(Group.objects.all())"
    )
    after = made.shell(SAID % "own")
    assert before["perms"] != after["perms"]
    answer = server.post("/api/token/refresh/", {"refresh": pair["refresh"]})
    assert answer.status == 200, answer.body
    expected = after if profile is RECOMPUTED else before
    assert claims_of(json.loads(answer.body)["access"]) == expected
    made.shell("User.objects.get(username='own').groups.clear()")
