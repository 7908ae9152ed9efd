#!/usr/bin/env bash
# Django 5.2.19 and 4.2.30.
#
# Each release of Django has a number of PBKDF2 iterations of its own, and a stored hash with another
# number is rewritten at the next login. The comparison is "not equal", not "fewer": where two releases
# share a table, the older one replaces the newer one's hash by a cheaper one, and the two take turns.
#
# Seen:
#   made by 5.2.19: pbkdf2_sha256$1000000
#   after a login at 4.2.30: pbkdf2_sha256$600000
#   after a login at 5.2.19: pbkdf2_sha256$1000000
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 4.2.30 5.2.19; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "Django==$version"
done

cat >"$folder/login.py" <<'PYTHON'
import sys

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="not used here",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
)
django.setup()

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import call_command

if sys.argv[2] == "make":
    call_command("migrate", verbosity=0)
    User.objects.create_user("alice", password="wonderland")
else:
    assert authenticate(username="alice", password="wonderland")
algorithm, iterations = User.objects.get().password.split("$")[:2]
verb = "made by" if sys.argv[2] == "make" else "after a login at"
print(f"{verb} {django.__version__}: {algorithm}${iterations}")
PYTHON

{
    "$folder/5.2.19/bin/python" "$folder/login.py" "$folder/db.sqlite3" make
    "$folder/4.2.30/bin/python" "$folder/login.py" "$folder/db.sqlite3" login
    "$folder/5.2.19/bin/python" "$folder/login.py" "$folder/db.sqlite3" login
} | tee "$folder/seen"

diff - "$folder/seen" <<'EXPECTED'
made by 5.2.19: pbkdf2_sha256$1000000
after a login at 4.2.30: pbkdf2_sha256$600000
after a login at 5.2.19: pbkdf2_sha256$1000000
EXPECTED
