"""Where each URL leads: the podcast host at the root, the login, static files under their prefix."""

from django.contrib.auth.views import LogoutView
from django.urls import include, path
from podcast.accounts import DemoLoginView
from podcast.views import static_file

urlpatterns = [
    path("", include("podcast.urls")),
    path("login/", DemoLoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("static/<path:name>", static_file, name="static"),
]
