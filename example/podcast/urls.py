"""One page, five ways to a file, and a sign of life."""

from django.urls import path

from . import views

app_name = "podcast"

urlpatterns = [
    path("", views.home, name="home"),
    path("download/<path:name>", views.download, name="download"),
    path("inline/<path:name>", views.inline, name="inline"),
    path("file/<path:name>", views.via_storage, name="via-storage"),
    path("object/<path:key>", views.from_store, name="object"),
    path("object-link/<path:key>", views.link_to_store, name="object-link"),
    path("ping", views.ping, name="ping"),
]
