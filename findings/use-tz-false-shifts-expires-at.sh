#!/usr/bin/env bash
# Django 5.2.19, djangorestframework-simplejwt 5.5.1, psycopg 3.3.9, PostgreSQL 16.2 (pgserver 0.1.4).
#
# With USE_TZ = False the package hands Django a UTC time without a zone, and Django's connection has
# TIME_ZONE as the session's zone. The column is `timestamp with time zone`, so what is stored is another
# moment than the token's `exp`: earlier east of UTC, later west of it. Django reads it back with the same
# distance and doesn't notice; whoever else reads the table does.
#
# Seen (`exp` less the stored `expires_at`, in hours):
#   Asia/Shanghai, USE_TZ off: 8.0
#   Etc/GMT+5 (as New York in winter), USE_TZ off: -5.0
#   Asia/Shanghai, USE_TZ on: 0.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 \
    djangorestframework==3.16.1 djangorestframework_simplejwt==5.5.1 'psycopg[binary]==3.3.9' pgserver==0.1.4

cat >"$folder/shift.py" <<'PYTHON'
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")
import django
import pgserver
from django.conf import settings

zone, use_tz = sys.argv[1], sys.argv[2] == "on"
server = pgserver.get_server(tempfile.mkdtemp(), cleanup_mode="delete")
place = server.get_postmaster_info()
settings.configure(
    SECRET_KEY="a secret of at least thirty-two bytes",
    USE_TZ=use_tz,
    TIME_ZONE=zone,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework_simplejwt.token_blacklist",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "postgres",
            "USER": "postgres",
            "HOST": str(place.socket_dir or place.hostname),
        }
    },
)
django.setup()

import psycopg
from django.contrib.auth.models import User
from django.core.management import call_command
from rest_framework_simplejwt.tokens import RefreshToken

call_command("migrate", verbosity=0)
user = User(username="alice")
user.set_unusable_password()
user.save()
token = RefreshToken.for_user(user)
with psycopg.connect(server.get_uri()) as connection:
    stored = connection.execute(
        "SELECT extract(epoch FROM expires_at)::bigint FROM token_blacklist_outstandingtoken"
    ).fetchone()[0]
print(f"{zone}, USE_TZ {sys.argv[2]}: {(token['exp'] - stored) / 3600}")
PYTHON

for case in "Asia/Shanghai off" "Etc/GMT+5 off" "Asia/Shanghai on"; do
    # shellcheck disable=SC2086
    "$folder/venv/bin/python" "$folder/shift.py" $case 2>/dev/null
done | tee "$folder/seen"

diff - "$folder/seen" <<'EXPECTED'
Asia/Shanghai, USE_TZ off: 8.0
Etc/GMT+5, USE_TZ off: -5.0
Asia/Shanghai, USE_TZ on: 0.0
EXPECTED
