"""A Django project in one module: a folder behind every view that takes a name from the URL.

It is both the settings and the URLs: `DJANGO_SETTINGS_MODULE=tests.filesite`. The folder is FILESITE_ROOT, and
the database lies beside it.
"""

import os
from pathlib import Path

from django.contrib.auth.decorators import login_required
from django.core.files.storage import FileSystemStorage
from django.http import HttpRequest, HttpResponse
from django.urls import path

from fileresponse.media import media
from fileresponse.views import LoginRequiredMixin
from fileresponse.views import PathDownloadView, StorageDownloadView, serve

ROOT = Path(os.environ["FILESITE_ROOT"])
PAGE = '<img id="svg" src="/media/logo.svg"><img id="png" src="/media/dot.png"><script src="/media/script.js"></script>'

SECRET_KEY = "tests"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = __name__
LOGIN_URL = "/login/"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "fileresponse.middleware.FileResponseMiddleware",
]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ROOT.parent / "db.sqlite3"}
}
MEDIA_URL, MEDIA_ROOT = "/media/", ROOT
NOT_FOUND = ("django.template.loaders.locmem.Loader", {"404.html": "not found: {{ exception }}"})
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {"loaders": [NOT_FOUND]},
    }
]
LOGGING_CONFIG = None


class MembersView(LoginRequiredMixin, PathDownloadView):
    """A file below the folder, for users."""

    document_root = ROOT


async def page(request: HttpRequest) -> HttpResponse:
    """A page that shows uploads."""
    return HttpResponse(PAGE)


urlpatterns = [
    path("", page),
    path("serve/<path:path>", serve, {"document_root": ROOT, "precompressed": True}),
    path("paths/<path:path>", PathDownloadView.as_view(document_root=ROOT, precompressed=True)),
    path("stored/<path:path>", StorageDownloadView.as_view(storage=FileSystemStorage(ROOT))),
    path("members/<path:path>", MembersView.as_view()),
    *media(),
    *media("wrapped/", wrap=login_required),
]
