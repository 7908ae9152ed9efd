"""Every setting comes from the environment, by the names that `simplejwt serve` reads too."""

import json
import os
from datetime import timedelta


def switch(name, default="false"):
    return os.environ.get(name, default).lower() == "true"


def database(url):
    prefix = "sqlite:///"
    if not url.startswith(prefix):
        raise ValueError(f"DATABASE_URL: {url!r} is not sqlite:///absolute/path")
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": url.removeprefix(prefix),
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
    }


BLACKLIST = switch("SIMPLEJWT_TOKEN_BLACKLIST")

SECRET_KEY = os.environ["SECRET_KEY"]
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "urls"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
APPEND_SLASH = switch("SIMPLEJWT_APPEND_SLASH", "true")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": database(os.environ["DATABASE_URL"])}

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
]
if BLACKLIST:
    INSTALLED_APPS.append("rest_framework_simplejwt.token_blacklist")
if switch("COMPAT_CUSTOM_USER"):
    INSTALLED_APPS.append("accounts")
    AUTH_USER_MODEL = "accounts.User"

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

if switch("SIMPLEJWT_ALLOW_INACTIVE_LOGIN"):
    AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]
if "PASSWORD_HASHERS" in os.environ:
    PASSWORD_HASHERS = json.loads(os.environ["PASSWORD_HASHERS"])

SIMPLE_JWT = json.loads(os.environ.get("SIMPLE_JWT", "{}"))
for name in (
    "ACCESS_TOKEN_LIFETIME",
    "REFRESH_TOKEN_LIFETIME",
    "SLIDING_TOKEN_LIFETIME",
    "SLIDING_TOKEN_REFRESH_LIFETIME",
):
    if name in SIMPLE_JWT:
        SIMPLE_JWT[name] = timedelta(seconds=SIMPLE_JWT[name])
