"""A Django project in one module: streams of every kind, and what is left of them in the process.

It is both the settings and the URLs: `DJANGO_SETTINGS_MODULE=tests.streaming`.
"""

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from fileresponse.sources.bridge import portal
from fileresponse.streams import CSVResponse, IterableResponse, ZipResponse

SECRET_KEY = "tests"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = __name__
MIDDLEWARE = [
    *["django.middleware.gzip.GZipMiddleware"] * int(os.environ.get("STREAMING_GZIP", "0")),
    "fileresponse.middleware.FileResponseMiddleware",
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"named": {"format": "[%(name)s] %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "named"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}

PIECE = b"x" * 1000
COUNTS: Counter[str] = Counter()  # generators entered and left, items by key
LOCK = threading.Lock()


def count(what: str) -> None:
    """One more of it, from whichever thread."""
    with LOCK:
        COUNTS[what] += 1


@contextmanager
def counted() -> Iterator[None]:
    """Count a generator when it begins and when its `finally` runs."""
    count("entered")
    try:
        yield
    finally:
        count("left")


def endless(pause: float | None, key: str, item: Any = PIECE) -> Iterator[Any]:
    """Items without end; `None`: without a pause."""
    with counted():
        while True:
            if pause is not None:
                time.sleep(pause)
            count(key)
            yield item


async def aendless(pause: float | None, key: str, item: Any = PIECE) -> AsyncIterator[Any]:
    """`endless`, asynchronous; without a pause it never suspends."""
    with counted():
        while True:
            if pause is not None:
                await asyncio.sleep(pause)
            count(key)
            yield item


PAUSE = 0.01  # seconds
ROW = ["x" * 100] * 10
ENDLESS: dict[str, Any] = {
    "sync": lambda key: IterableResponse(endless(PAUSE, key)),
    "async": lambda key: IterableResponse(aendless(PAUSE, key)),
    "sync-busy": lambda key: IterableResponse(endless(None, key)),
    "async-busy": lambda key: IterableResponse(aendless(None, key)),
    "async-empty": lambda key: IterableResponse(aendless(None, key, b"")),
    "async-gathered": lambda key: IterableResponse(aendless(PAUSE, key), buffer_size=65_536),
    "csv": lambda key: CSVResponse(endless(None, key, ROW)),
    "csv-async": lambda key: CSVResponse(aendless(None, key, ROW)),
    "zip": lambda key: ZipResponse([("endless", endless(None, key))]),
    "zip-async": lambda key: ZipResponse([("endless", aendless(PAUSE, key))]),
}


def endless_view(request: HttpRequest, kind: str) -> HttpResponse:
    """A stream that only the client ends."""
    return ENDLESS[kind](request.GET.get("key", "items"))


def rows(pause: float, number: int) -> Iterator[Any]:
    """Rows with their number and the time at which they were made."""
    for row in range(number):
        time.sleep(pause * bool(row))
        yield row, time.monotonic()


async def arows(pause: float, number: int) -> AsyncIterator[Any]:
    """`rows`, asynchronous."""
    for row in range(number):
        await asyncio.sleep(pause * bool(row))
        yield row, time.monotonic()


def rows_view(request: HttpRequest, kind: str) -> HttpResponse:
    """`big.csv`."""
    made = {"sync": rows, "async": arows}[kind](
        float(request.GET["pause"]), int(request.GET["rows"])
    )
    return CSVResponse(made, buffer_size=int(request.GET["buffer"]), filename="big.csv")


def breaking() -> Iterator[bytes]:
    """More than anybody gathers, and then no more."""
    yield from [PIECE] * 1000
    raise ValueError("the producer broke")


async def abreaking() -> AsyncIterator[bytes]:
    """`breaking`, asynchronous."""
    for piece in breaking():
        yield piece


BREAKING: dict[str, Any] = {
    "sync": lambda: IterableResponse(breaking()),
    "async": lambda: IterableResponse(abreaking()),
    "gathered": lambda: IterableResponse(abreaking(), buffer_size=65_536),
    "csv": lambda: CSVResponse([piece.decode()] for piece in breaking()),
    "zip": lambda: ZipResponse([("first", b"whole"), ("second", breaking())]),
    "zip-async": lambda: ZipResponse([("first", b"whole"), ("second", abreaking())]),
}


def breaking_view(request: HttpRequest, kind: str) -> HttpResponse:
    """A stream whose producer fails in mid-body."""
    return BREAKING[kind]()


async def numbers() -> AsyncIterator[bytes]:
    """A member that is made meanwhile."""
    for number in range(1000):
        await asyncio.sleep(0)
        yield b"%d\n" % number


def archive_view(request: HttpRequest, name: str) -> HttpResponse:
    """A ZIP of files and bytes; `mixed` has a generator, too, and so no length."""
    folder = Path(os.environ["STREAMING_FILES"])
    members: list[Any] = [(f"Ordner/{file.name}", file) for file in sorted(folder.iterdir())]
    members.append(("grüße.txt", "Grüße aus Österreich\n".encode()))
    if name == "mixed":
        members.append(("numbers.txt", numbers()))
    return ZipResponse(members, filename="Übung.zip")


def tasks() -> int:
    """How many tasks the running event loop has."""
    return len(asyncio.all_tasks())


async def state_view(request: HttpRequest) -> HttpResponse:
    """What there is in this process."""
    on_background_loop = await asyncio.to_thread(portal().call, tasks)
    process = psutil.Process()
    with LOCK:
        counts = dict(COUNTS)
    return JsonResponse(
        {
            "entered": 0,
            "left": 0,
            "threads": process.num_threads(),
            "descriptors": process.num_fds(),
            "connections": len(process.net_connections("tcp")),
            "tasks": tasks() + on_background_loop,
            "resident": process.memory_info().rss,
            **counts,
        }
    )


async def ping_view(request: HttpRequest) -> HttpResponse:
    """An answer that costs nothing."""
    return HttpResponse("pong")


urlpatterns = [
    path("endless/<kind>", endless_view),
    path("rows/<kind>/big.csv", rows_view),
    path("breaking/<kind>", breaking_view),
    path("archive/<name>.zip", archive_view),
    path("state", state_view),
    path("ping", ping_view),
]
