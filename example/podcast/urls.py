"""Shows and episodes, what has been downloaded, and every way to a file of the media folder."""

from django.urls import path

from . import shows, statistics, views
from .feeds import ShowFeed

app_name = "podcast"

urlpatterns = [
    path("", views.home, name="home"),
    path("shows/<slug:slug>/", shows.show_page, name="show"),
    path("shows/<slug:slug>/feed.xml", ShowFeed(), name="feed"),
    path("shows/<slug:slug>/episodes.zip", shows.archive, name="archive"),
    path("shows/<slug:show>/<slug:slug>/", shows.episode_page, name="episode"),
    path("shows/<slug:show>/<slug:slug>/audio", shows.AudioView.as_view(), name="audio"),
    path("shows/<slug:show>/<slug:slug>/notes", shows.NotesView.as_view(), name="notes"),
    path("shows/<slug:show>/<slug:slug>/share", shows.share, name="share"),
    path("upload/", shows.UploadView.as_view(), name="upload"),
    path("downloads/", statistics.dashboard, name="dashboard"),
    path("downloads.csv", statistics.export, name="export"),
    path("download/<path:name>", views.download, name="download"),
    path("inline/<path:name>", views.inline, name="inline"),
    path("file/<path:name>", views.via_storage, name="via-storage"),
    path("object/<path:key>", views.from_store, name="object"),
    path("object-link/<path:key>", views.link_to_store, name="object-link"),
    path("ping", views.ping, name="ping"),
]
