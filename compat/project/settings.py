"""Every setting comes from the environment, by the names that `simplejwt serve` reads too."""

import json
import os
from datetime import timedelta
from urllib.parse import urlsplit

import django
import pymysql


def switch(name, default="false"):
    return os.environ.get(name, default).lower() == "true"


def database(url):
    parts = urlsplit(url)
    server = {
        "NAME": parts.path.removeprefix("/"),
        "USER": parts.username,
        "PASSWORD": parts.password,
        "HOST": parts.hostname,
        "PORT": parts.port,
    }
    if parts.scheme == "sqlite":
        options = {"timeout": 20}
        if django.VERSION >= (5, 1):
            options["transaction_mode"] = "IMMEDIATE"
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": server["NAME"], "OPTIONS": options}
    if parts.scheme in ("postgres", "postgresql"):
        return {"ENGINE": "django.db.backends.postgresql", **server}
    if parts.scheme in ("mysql", "mariadb"):
        pymysql.install_as_MySQLdb()
        options = {"charset": "utf8mb4"}
        return {"ENGINE": "django.db.backends.mysql", **server, "OPTIONS": options}
    raise ValueError(f"DATABASE_URL: {parts.scheme!r} is not sqlite, postgres or mysql")


BLACKLIST = switch("SIMPLEJWT_TOKEN_BLACKLIST")

SECRET_KEY = os.environ["SECRET_KEY"]
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "urls"
USE_TZ = switch("COMPAT_USE_TZ", "true")
TIME_ZONE = os.environ.get("COMPAT_TIME_ZONE", "UTC")
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

if "COMPAT_STAFF" in os.environ:
    INSTALLED_APPS.append("staff")
    AUTH_USER_MODEL = f"staff.{os.environ['COMPAT_STAFF']}"

ADMIN = switch("COMPAT_ADMIN")
WEB_SESSIONS = ADMIN or switch("COMPAT_WEB_SESSIONS")
if WEB_SESSIONS:
    INSTALLED_APPS.append("django.contrib.sessions")
if ADMIN:
    INSTALLED_APPS += ["django.contrib.admin", "django.contrib.messages"]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

if WEB_SESSIONS:
    MIDDLEWARE += [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
if ADMIN:
    MIDDLEWARE.append("django.contrib.messages.middleware.MessageMiddleware")
    PROCESSORS = [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]
    TEMPLATES[0]["OPTIONS"] = {"context_processors": PROCESSORS}

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
