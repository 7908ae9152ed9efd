#!/usr/bin/env bash
# Django 5.2.19, Django REST framework 3.16.1, djangorestframework-simplejwt 5.5.1.
#
# Where USERNAME_FIELD is a UUIDField, TokenObtainPairView answers 401 to an unknown UUID, and 400 to a
# login name that is no UUID: the field raises Django's ValidationError inside the serializer's validate(),
# and the framework makes a validation error of the request out of it, under `non_field_errors`. A client
# that treats 401 as "wrong name or password" has a second case to treat.
#
# Seen:
#   an unknown UUID: 401 ['detail']
#   a name that is no UUID: 400 ['non_field_errors']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 \
    djangorestframework==3.16.1 djangorestframework_simplejwt==5.5.1

mkdir "$folder/people"
touch "$folder/people/__init__.py"
cat >"$folder/people/models.py" <<'PYTHON'
import uuid

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models


class Person(AbstractBaseUser):
    badge = models.UUIDField(unique=True, default=uuid.uuid4)
    USERNAME_FIELD = "badge"
    objects = BaseUserManager()
PYTHON
cat >"$folder/login.py" <<'PYTHON'
import uuid

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a secret of at least thirty-two bytes",
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "rest_framework",
        "people",
    ],
    AUTH_USER_MODEL="people.Person",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()

from django.db import connection
from django.urls import path
from people.models import Person
from rest_framework.test import APIClient
from rest_framework_simplejwt.views import TokenObtainPairView

urlpatterns = [path("token/", TokenObtainPairView.as_view())]
with connection.schema_editor() as editor:
    editor.create_model(Person)
for name, badge in (("an unknown UUID", str(uuid.uuid4())), ("a name that is no UUID", "4711")):
    answer = APIClient().post("/token/", {"badge": badge, "password": "x"}, format="json")
    print(f"{name}: {answer.status_code} {list(answer.json())}")
PYTHON

(cd "$folder" && venv/bin/python login.py 2>/dev/null) | tee "$folder/seen"

diff - "$folder/seen" <<'EXPECTED'
an unknown UUID: 401 ['detail']
a name that is no UUID: 400 ['non_field_errors']
EXPECTED
