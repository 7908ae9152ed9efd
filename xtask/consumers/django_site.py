"""A Django with one of the packages: `python django_site.py PACKAGE PORT`, in a folder with the page's settings."""

import pathlib
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

package, port = sys.argv[1:]
found = {}
exec(pathlib.Path("settings.py").read_text(), found)
APPS = {
    "djoser": ["djoser"],
    "dj-rest-auth": ["dj_rest_auth"],
    "django-ninja-jwt": ["ninja_jwt", "ninja_extra"],
    "django-oauth-toolkit": ["oauth2_provider"],
}
JWT = "rest_framework_simplejwt.authentication.JWTAuthentication"
AUTHENTICATION = {"django-oauth-toolkit": "oauth2_provider.contrib.rest_framework.OAuth2Authentication"}
settings.configure(
    SECRET_KEY="a secret of at least thirty-two bytes",
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    USE_TZ=True,
    USE_X_FORWARDED_HOST=True,
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", *APPS.get(package, [])],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [AUTHENTICATION.get(package, JWT)]},
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"console": {"class": "logging.StreamHandler"}},
        "loggers": {"django.request": {"handlers": ["console"]}},
    },
    REST_AUTH={"TOKEN_MODEL": None},
    **{name: value for name, value in found.items() if name.isupper()},
)
django.setup()

from django.contrib.auth.models import User
from django.http import JsonResponse
from django.urls import include, path


def views():
    if package == "djoser":
        return [path("", include("djoser.urls"))]
    if package == "dj-rest-auth":
        return [path("", include("dj_rest_auth.urls"))]
    if package == "django-ninja-jwt":
        from ninja import NinjaAPI
        from ninja_jwt.authentication import JWTAuth

        api = NinjaAPI()
        api.get("", auth=JWTAuth())(lambda request: {"user": str(request.auth)})
        return [path("", api.urls)]
    from rest_framework.decorators import api_view, permission_classes
    from rest_framework.permissions import IsAuthenticated
    from rest_framework.response import Response

    view = api_view(["GET"])(permission_classes([IsAuthenticated])(lambda request: Response({"user": str(request.user)})))
    return [path("", view)]


class Silent(WSGIRequestHandler):
    def log_message(self, *_):
        pass


urlpatterns = [path("alive", lambda request: JsonResponse({})), *views()]
call_command("migrate", verbosity=0)
User.objects.get_or_create(id=1, username="alice")
make_server("127.0.0.1", int(port), get_wsgi_application(), handler_class=Silent).serve_forever()
