"""Where each URL leads: the podcast host at the root, static files under their prefix."""

from django.urls import include, path
from podcast.views import static_file

urlpatterns = [
    path("", include("podcast.urls")),
    path("static/<path:name>", static_file, name="static"),
]
