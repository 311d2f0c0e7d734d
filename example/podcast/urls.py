"""One page, three ways to a file, and a sign of life."""

from django.urls import path

from . import views

app_name = "podcast"

urlpatterns = [
    path("", views.home, name="home"),
    path("download/<path:name>", views.download, name="download"),
    path("inline/<path:name>", views.inline, name="inline"),
    path("file/<path:name>", views.via_storage, name="via-storage"),
    path("ping", views.ping, name="ping"),
]
