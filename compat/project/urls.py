import os

from django.contrib.auth import authenticate, login
from django.http import HttpResponse
from django.urls import path
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt import views
from rest_framework_simplejwt.authentication import (
    JWTAuthentication,
    JWTStatelessUserAuthentication,
)

STATELESS = os.environ.get("SIMPLEJWT_AUTHENTICATION") == "stateless"


class Protected(APIView):
    permission_classes = [IsAuthenticated]
    authentication_classes = [
        JWTStatelessUserAuthentication if STATELESS else JWTAuthentication
    ]

    def get(self, request):
        user = request.user
        name = user.username if STATELESS else user.get_username()
        return Response({"message": f"Welcome, {name}!"})


class ProtectedStateless(APIView):
    permission_classes = [IsAuthenticated]
    authentication_classes = [JWTStatelessUserAuthentication]

    def get(self, request):
        return Response({"message": f"Welcome, {request.user.username}!"})


def web_login(request):
    """As the login form of a site: the user is kept in Django's own session."""
    user = authenticate(request, username=request.POST["username"], password=request.POST["password"])
    login(request, user)
    return HttpResponse(user.get_username())


def web_user(request):
    return HttpResponse(request.user.get_username())


urlpatterns = [
    path("web/login/", web_login),
    path("web/user/", web_user),
    path("api/token/", views.token_obtain_pair),
    path("api/token/refresh/", views.token_refresh),
    path("api/token/verify/", views.token_verify),
    path("api/token/blacklist/", views.token_blacklist),
    path("api/token/sliding/", views.token_obtain_sliding),
    path("api/token/sliding/refresh/", views.token_refresh_sliding),
    path("api/protected/", Protected.as_view()),
    path("api/protected-stateless/", ProtectedStateless.as_view()),
]
if os.environ.get("COMPAT_ADMIN") == "true":
    from django.contrib import admin

    urlpatterns.append(path("admin/", admin.site.urls))
