"""A Django project in one module: files that are fine, and files that fail or take long.

It is both the settings and the URLs: `DJANGO_SETTINGS_MODULE=faults.site`. The files are in FAULTS_ROOT.
"""

import asyncio
import errno
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from fileresponse.http import AiobotocoreFileResponse, AiofileFileResponse, AsyncFileResponse
from fileresponse.semantics.answer import Stat
from fileresponse.sources.base import OffsetSource
from fileresponse.streams import CSVResponse, ZipResponse
from fileresponse.views import PathDownloadView

ROOT = Path(os.environ.get("FAULTS_ROOT", "."))
DISKS = Path(os.environ.get("FAULTS_DISKS", ROOT))
ROWS = 20_000

SECRET_KEY = "faults"  # noqa: S105
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = __name__
INSTALLED_APPS = ["fileresponse"]
MIDDLEWARE = ["fileresponse.middleware.FileResponseMiddleware"]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
globals().update(json.loads(os.environ.get("FAULTS_SETTINGS", "{}")))


class Troubled(OffsetSource):
    """Zeros of a device that fails at a byte, or takes its time for each read."""

    def __init__(self, size: int, fails_at: int | None = None, seconds: float = 0) -> None:
        super().__init__("troubled.bin")
        self._size, self._fails_at, self._seconds = size, fails_at, seconds

    def __repr__(self) -> str:
        return "Troubled('troubled.bin')"

    def read(self, start: int, size: int) -> bytes:
        """Wait, then read or fail."""
        time.sleep(self._seconds)
        if start == self._fails_at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        stop = self._fails_at if self._fails_at is not None else self._size
        return bytes(min(size, stop - start))

    def stat(self) -> Stat:
        """Size, and nothing else."""
        return Stat(self._size)

    def open(self, start: int = 0, stop: int | None = None) -> Stat:
        """The same; there is nothing to open."""
        return self.stat()

    def release(self) -> None:
        """Nothing is open."""


def plain(request: HttpRequest, name: str) -> HttpResponseBase:
    """A file by its path, from a view that needs no event loop."""
    return AiofileFileResponse(ROOT / name, request=request)


def failing(request: HttpRequest, size: int, at: int) -> HttpResponseBase:
    """A file whose device fails at a byte."""
    return AsyncFileResponse(Troubled(size, fails_at=at), request=request)


def slow(request: HttpRequest, size: int, milliseconds: int) -> HttpResponseBase:
    """A file whose device needs so long for each read."""
    return AsyncFileResponse(Troubled(size, seconds=milliseconds / 1000), request=request)


def archive(request: HttpRequest) -> HttpResponseBase:
    """All files as one archive, whose length is not known before its end."""
    members = [(file.name, file) for file in sorted(ROOT.glob("load-*"))]
    return ZipResponse(members, request=request, compressed=True)


def table(request: HttpRequest) -> HttpResponseBase:
    """A table that is made while it is sent."""

    def rows() -> Iterator[tuple[int, str]]:
        for number in range(ROWS):
            yield number, f"row {number}"

    return CSVResponse(rows(), request=request)


async def stored(request: HttpRequest, key: str) -> HttpResponseBase:
    """An object of the S3 store."""
    return AiobotocoreFileResponse(None, key, request=request)


def plain_object(request: HttpRequest, key: str) -> HttpResponseBase:
    """The same, from a view that needs no event loop."""
    return AiobotocoreFileResponse(None, key, request=request)


async def strict(request: HttpRequest) -> HttpResponse:
    """From now on the event loop reports steps that take more than 100 ms, whatever the server has chosen."""
    asyncio.get_running_loop().set_debug(True)
    return HttpResponse("strict", content_type="text/plain")


async def careless(request: HttpRequest) -> HttpResponse:
    """Block the event loop, and leave a socket to the garbage collector: what development mode has to find."""
    time.sleep(0.2)  # noqa: ASYNC251
    socket.socket()
    return HttpResponse("careless", content_type="text/plain")


async def ping(request: HttpRequest) -> HttpResponse:
    """A sign of life."""
    return HttpResponse("pong", content_type="text/plain")


urlpatterns = [
    path("files/<path:path>", PathDownloadView.as_view(document_root=ROOT)),
    path("fuse/<path:path>", PathDownloadView.as_view(document_root=DISKS / "fuse")),
    path("full/<path:path>", PathDownloadView.as_view(document_root=DISKS / "full")),
    path("plain/<str:name>", plain),
    path("failing/<int:size>/<int:at>", failing),
    path("slow/<int:size>/<int:milliseconds>", slow),
    path("archive.zip", archive),
    path("table.csv", table),
    path("objects/<path:key>", stored),
    path("plain-objects/<path:key>", plain_object),
    path("strict", strict),
    path("careless", careless),
    path("ping", ping),
]
