#!/usr/bin/env bash
# django-ninja-jwt 5.4.5, PyJWT 2.15.1, Django 5.2.19.
#
# NINJA_JWT["JWK_URL"] can't be used with any URL: the setting is validated by pydantic, which makes an `AnyUrl` of it,
# and PyJWT's PyJWKClient takes text alone. Every request is answered by an ImportError, which names neither: the
# exception comes up while `ninja_jwt.state` is imported as a part of the first request.
#
# Seen:
#   the setting is a AnyUrl
#   TokenBackend: AttributeError 'AnyUrl' object has no attribute 'decode'
#   with the same URL as text: made
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 django-ninja-jwt==5.4.5 \
    PyJWT==2.15.1 cryptography==50.0.2

"$folder/venv/bin/python" - <<'PYTHON' 2>/dev/null | tee "$folder/seen"
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a secret of at least thirty-two bytes",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "ninja_jwt"],
    NINJA_JWT={"ALGORITHM": "RS256", "JWK_URL": "https://login.example.com/.well-known/jwks.json"},
)
django.setup()
from ninja_jwt.backends import TokenBackend
from ninja_jwt.settings import api_settings

print(f"the setting is a {type(api_settings.JWK_URL).__name__}")
try:
    TokenBackend("RS256", jwk_url=api_settings.JWK_URL)
    print("TokenBackend: made")
except Exception as error:
    print(f"TokenBackend: {type(error).__name__} {error}")
TokenBackend("RS256", jwk_url=str(api_settings.JWK_URL))
print("with the same URL as text: made")
PYTHON

diff - "$folder/seen" <<'EXPECTED'
the setting is a AnyUrl
TokenBackend: AttributeError 'AnyUrl' object has no attribute 'decode'
with the same URL as text: made
EXPECTED
