#!/usr/bin/env bash
# Django 5.2.19, Django REST framework 3.16.1, djangorestframework-simplejwt 5.5.1.
#
# RefreshToken.access_token copies every claim of the refresh token but token_type, exp, jti and iat. Without
# AUDIENCE, `aud` isn't looked at and is copied, too: from a refresh token that is meant for the place where tokens
# are refreshed comes an access token that is meant for that place, and that programs which check `aud` refuse. With
# AUDIENCE, the same refresh token is refused.
#
# Seen:
#   without AUDIENCE: 200, and the access token's aud is https://login.example.com/refresh/
#   with AUDIENCE: 401
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 \
    djangorestframework==3.16.1 djangorestframework_simplejwt==5.5.1

cat >"$folder/refresh.py" <<'PYTHON'
import sys
import time
import warnings

warnings.simplefilter("ignore")
import django
import jwt
from django.conf import settings

SECRET = "a secret of at least thirty-two bytes"
name, audience = sys.argv[1:]
settings.configure(
    SECRET_KEY=SECRET,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    SIMPLE_JWT={"AUDIENCE": audience or None},
)
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import path
from rest_framework_simplejwt.views import TokenRefreshView

urlpatterns = [path("refresh/", TokenRefreshView.as_view())]
call_command("migrate", verbosity=0)
User.objects.create(id=1, username="alice")
now = int(time.time())
claims = {"token_type": "refresh", "exp": now + 600, "iat": now, "jti": "1", "user_id": "1"}
refresh = jwt.encode({**claims, "aud": "https://login.example.com/refresh/"}, SECRET)
answer = Client().post("/refresh/", {"refresh": refresh})
if answer.status_code == 200:
    access = jwt.decode(answer.json()["access"], options={"verify_signature": False})
    print(f"{name}: 200, and the access token's aud is {access['aud']}")
else:
    print(f"{name}: {answer.status_code}")
PYTHON

{
    "$folder/venv/bin/python" "$folder/refresh.py" "without AUDIENCE" "" 2>/dev/null
    "$folder/venv/bin/python" "$folder/refresh.py" "with AUDIENCE" "https://api.example.com" 2>/dev/null
} | tee "$folder/seen"

diff - "$folder/seen" <<'EXPECTED'
without AUDIENCE: 200, and the access token's aud is https://login.example.com/refresh/
with AUDIENCE: 401
EXPECTED
