"""A project that writes down what happens around each request, for Django's handler and for ours.

`stock` and `ours` are the same project under either handler. A request for `/-/NAME/VALUE` is
answered by neither: it says who listens, which middleware there is, how long connections live.
"""

import asyncio
import contextvars
import json
import os
import sys
import threading
import types
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core import signals
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.handlers.asgi import ASGIHandler
from django.db import connection, connections
from django.db.backends.signals import connection_created
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import get_urlconf, path
from django.views.decorators.csrf import csrf_exempt

FOLDER = Path(os.environ.get("LIFECYCLES", "."))
NOTE = FOLDER / "note.txt"
MARK: contextvars.ContextVar[str] = contextvars.ContextVar("MARK", default="unmarked")


class Notes:
    """What happened in the request of the moment, and in which thread."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.threads = [threading.main_thread()]
        self.started = 0  # threads of the request's own: not those that the event loop keeps
        self.request: Any = None
        self.response: Any = None

    def add(self, what: str, *more: Any) -> None:
        """An event, its thread (0 is the event loop's), and what the context holds."""
        thread = threading.current_thread()
        if thread not in self.threads:
            self.threads.append(thread)
        place = [self.threads.index(thread), MARK.get(), str(get_urlconf())]
        self.events.append([what, *place, *more])


notes = Notes()


class CountedCache(LocMemCache):
    """A cache that wants to be closed."""

    def close(self, **kwargs: Any) -> None:
        notes.add("cache closed")


class PlainCache(LocMemCache):
    """A cache that does not care, as most of Django's."""


def observe_the_machinery() -> None:
    """Tell of connections and of threads that start; a listener would change what happens."""
    start, close = threading.Thread.start, DatabaseWrapper._close

    def counted(self: threading.Thread) -> None:
        notes.started += not self.name.startswith("asyncio_")
        start(self)

    def closed(self: Any) -> Any:
        if self.connection is not None:
            notes.add("database closed")
        return close(self)

    threading.Thread.start = counted  # type: ignore[method-assign]
    DatabaseWrapper._close = closed
    connection_created.connect(lambda **_: notes.add("database opened"), weak=False)


# Who listens.


def told(what: str) -> Callable[..., None]:
    """A synchronous receiver."""

    def receiver(signal: Any, sender: Any, **more: Any) -> None:
        closed = getattr(notes.response, "closed", None)
        notes.add(what, issubclass(sender or object, ASGIHandler), sorted(more), closed)

    return receiver


def atold(what: str, waits: bool = False) -> Callable[..., Any]:
    """An asynchronous receiver; it may wait for `told`, as Django 5.2 starts both at once."""

    async def receiver(signal: Any, sender: Any, **more: Any) -> None:
        await asyncio.sleep(0)
        while waits and what not in [event[0] for event in notes.events]:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        told(what)(signal, sender, **more)

    return receiver


def both(what: str) -> list[Callable[..., Any]]:
    """A synchronous receiver and an asynchronous one."""
    return [told(what), atold(what, waits=True)]


def failing(what: str) -> Callable[..., None]:
    """A receiver that raises."""

    def receiver(**more: Any) -> None:
        notes.add(what)
        raise RuntimeError(what)

    return receiver


STARTED, FINISHED = signals.request_started, signals.request_finished
FAILED = signals.got_request_exception
ALL = {"started": STARTED, "finished": FINISHED, "failed": FAILED}
LISTENERS: dict[str, list[tuple[Any, Callable[..., Any], Any]]] = {
    "nobody": [],
    "everybody": [(signal, made, None) for name, signal in ALL.items() for made in both(name)],
    "sync": [(signal, told(name), None) for name, signal in ALL.items()],
    "async": [(signal, atold(name), None) for name, signal in ALL.items()],
    "at-start": [(STARTED, told("started"), None)],
    "at-end": [(FINISHED, told("finished"), None)],
    "async-at-end": [(FINISHED, atold("finished"), None)],
    "of-others": [(signal, told(name), HttpRequest) for name, signal in ALL.items()],
    "failing-start": [(STARTED, failing("started"), None)],
    "failing-end": [(FINISHED, failing("finished"), None)],
}


def listen(name: str) -> None:
    """Connect one set of listeners; a weakly connected one that is gone is always among them."""
    for group in LISTENERS.values():
        for signal, receiver, sender in group:
            signal.disconnect(receiver, sender=sender)
    for signal, receiver, sender in LISTENERS[name]:
        signal.connect(receiver, sender=sender)
    FINISHED.connect(failing("gone"))


# Middleware.


def keeping(get_response: Any) -> Any:
    """Keep request and response for the end; change and break what a header asks for."""

    async def middleware(request: Any) -> Any:
        notes.request = request
        if request.headers.get("X-Urlconf"):
            request.urlconf = "lifecycles_elsewhere"
        if request.headers.get("X-Raise") == "before":
            raise RuntimeError("before the view")
        notes.response = await get_response(request)
        if request.headers.get("X-Raise") == "after":
            raise RuntimeError("after the view")
        if request.headers.get("X-Close"):
            notes.response._resource_closers.append(lambda: notes.add("closer"))
        return notes.response

    return middleware


keeping.async_capable, keeping.sync_capable = True, False  # type: ignore[attr-defined]


def synchronous(get_response: Any) -> Any:
    """A middleware that runs in the thread of the request."""

    def middleware(request: Any) -> Any:
        notes.add("sync middleware")
        return get_response(request)

    return middleware


synchronous.async_capable, synchronous.sync_capable = False, True  # type: ignore[attr-defined]

PREPARING = "fileresponse.middleware.FileResponseMiddleware"
MIDDLEWARE = {
    "one": [f"{__name__}.keeping", PREPARING],
    "sync": [f"{__name__}.keeping", f"{__name__}.synchronous", PREPARING],
    "django": [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        f"{__name__}.keeping",
        PREPARING,
    ],
}


# Views.


async def page(request: Any) -> Any:
    MARK.set("by the view")
    notes.add("view")
    return HttpResponse("a page")


async def numbers(request: Any) -> Any:
    return JsonResponse({"numbers": [1, 2, 3]})


def sync_page(request: Any) -> Any:
    MARK.set("by the view")
    notes.add("view")
    return HttpResponse("a page from a thread")


async def in_thread(request: Any) -> Any:
    await sync_to_async(notes.add)("in a thread")
    return HttpResponse("a page")


async def in_any_thread(request: Any) -> Any:
    await asyncio.to_thread(notes.add, "in another thread")
    return HttpResponse("a page")


async def raising(request: Any) -> Any:
    raise RuntimeError("in the view")


def sync_raising(request: Any) -> Any:
    raise RuntimeError("in the view")


async def orm(request: Any) -> Any:
    from django.contrib.sessions.models import Session

    return HttpResponse(str(await Session.objects.acount()))


def sync_orm(request: Any) -> Any:
    from django.contrib.sessions.models import Session

    return HttpResponse(str(Session.objects.count()))


async def wrapper_on_loop(request: Any) -> Any:
    return HttpResponse(connection.vendor)


async def cached(request: Any) -> Any:
    await caches["default"].aset("key", "value")
    return HttpResponse(await caches["default"].aget("key"))


async def cache_on_loop(request: Any) -> Any:
    return HttpResponse(str(len(caches[request.GET["cache"]].make_key("key"))))


def sync_cached(request: Any) -> Any:
    caches["default"].set("key", "value")
    return HttpResponse("cached")


async def streaming(request: Any) -> Any:
    async def lines() -> AsyncIterator[bytes]:
        for number in range(3):
            notes.add("line")
            yield b"%d\n" % number

    return StreamingHttpResponse(lines())


def sync_streaming(request: Any) -> Any:
    def lines() -> Iterator[bytes]:
        for number in range(3):
            yield b"%d\n" % number

    return StreamingHttpResponse(lines())


async def breaking(request: Any) -> Any:
    async def lines() -> AsyncIterator[bytes]:
        yield b"first\n"
        raise RuntimeError("in the stream")

    return StreamingHttpResponse(lines())


async def endless(request: Any) -> Any:
    async def lines() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"more " * 1000
                await asyncio.sleep(0.01)
        finally:
            notes.add("stream ended")

    return StreamingHttpResponse(lines())


async def waiting(request: Any) -> Any:
    try:
        await asyncio.sleep(30)
    finally:
        notes.add("view ended")
    return HttpResponse("too late")


async def stubborn(request: Any) -> Any:
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        notes.add("cancelled")
    return HttpResponse("all the same")


def django_file(request: Any) -> Any:
    return FileResponse(NOTE.open("rb"))


async def file(request: Any) -> Any:
    from fileresponse.http import AiofileFileResponse

    return AiofileFileResponse(NOTE)


async def open_file(request: Any) -> Any:
    from django.core.files import File

    from fileresponse.http import create_async_file_response

    with NOTE.open("rb") as opened:
        return await create_async_file_response(File(opened, "note.txt"), request=request)


async def missing(request: Any) -> Any:
    from fileresponse.http import AiofileFileResponse

    return AiofileFileResponse(FOLDER / "missing.txt")


async def body(request: Any) -> Any:
    return HttpResponse(str(len(request.body)))


async def upload(request: Any) -> Any:
    notes.add("uploaded", sorted((name, file.size) for name, file in request.FILES.items()))
    return HttpResponse("thanks")


class Careful(HttpResponse):
    """A response that does something when it is closed."""

    def close(self) -> None:
        notes.add("close of its own")
        super().close()


async def careful(request: Any) -> Any:
    return Careful("a page")


async def own_close(request: Any) -> Any:
    response, taken = HttpResponse("a page"), HttpResponse.close

    def close() -> None:
        notes.add("close of the instance")
        taken(response)

    response.close = close  # type: ignore[method-assign]
    return response


async def leaving_a_task(request: Any) -> Any:
    async def later() -> None:
        await sync_to_async(notes.add)("task")
        done.set()

    done = asyncio.Event()
    notes.request.kept = asyncio.create_task(later())
    await done.wait()
    return HttpResponse("a page")


VIEWS = [value for value in list(globals().values()) if getattr(value, "__annotations__", {}).get("request") is Any]  # fmt: skip
urlpatterns = [path(view.__name__, csrf_exempt(view)) for view in VIEWS if view is not keeping]


# The project.


def project() -> None:
    """Set Django up."""
    sys.modules["lifecycles_elsewhere"] = elsewhere = types.ModuleType("lifecycles_elsewhere")
    elsewhere.urlpatterns = urlpatterns  # type: ignore[attr-defined]
    django.setup(set_prefix=False)
    NOTE.write_text("a note\n" * 100)
    os.utime(NOTE, (1_700_000_000, 1_700_000_000))  # so that the validators are the same
    thread = threading.Thread(target=make_tables)
    thread.start()
    thread.join()
    observe_the_machinery()
    listen("nobody")


def make_tables() -> None:
    """The tables of the database, made in a thread of their own."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    connection.close()


class Project:
    """The application: everything about a request is written down when its end has come."""

    def __init__(self, make_handler: Callable[[], Any]) -> None:
        project()
        self.make_handler = make_handler
        self.handler = make_handler()

    def change(self, name: str, value: str) -> None:
        """Listeners, middleware or the age of connections."""
        if name == "listeners":
            listen(value)
        elif name == "middleware":
            settings.MIDDLEWARE = MIDDLEWARE[value]
            self.handler = self.make_handler()
        elif name == "max-age":
            connections.settings["default"]["CONN_MAX_AGE"] = (
                None if value == "None" else int(value)
            )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        if scope["path"].startswith("/-/"):
            self.change(*scope["path"].split("/")[2:])
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        notes.__init__()  # type: ignore[misc]
        try:
            await self.handler(scope, receive, send)
            notes.add("returned")
        except BaseException as error:
            notes.add("raised", repr(error))
            raise
        finally:
            with (FOLDER / "notes.jsonl").open("a") as lines:
                lines.write(json.dumps([notes.events, self.left(), notes.started]) + "\n")

    def left(self) -> dict[str, Any]:
        """The state of request and response after their end."""
        response, stream = notes.response, getattr(notes.request, "_stream", None)
        return {
            "closed": getattr(response, "closed", None),
            "closers": len(getattr(response, "_resource_closers", [])),
            "body closed": getattr(stream, "closed", None),
        }


def stock() -> Project:
    """The project under Django's handler."""
    return Project(ASGIHandler)


def ours() -> Project:
    """The project under this library's."""
    from fileresponse.handlers import AsyncFileASGIHandler

    return Project(AsyncFileASGIHandler)
