"""The ways in which the same episode can leave, and what each needs."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest
from fileresponse.http import AiobotocoreFileResponse, AsyncFileResponse, StorageFileResponse

from .models import Episode, Show
from .samples import sample_names

SLOW = 256 * 1024  # bytes per second


class ReadAndSendResponse(StorageFileResponse):
    """Reads every chunk itself: who makes chunks in a way of its own is asked for them, always."""

    def iter_chunks(self) -> Any:
        """The chunks as ever."""
        return super().iter_chunks()

    def aiter_chunks(self) -> Any:
        """The same, on an event loop."""
        return super().aiter_chunks()


@dataclass(frozen=True)
class Way:
    """A way, and whether it is open."""

    key: str
    title: str
    text: str
    respond: Callable[[Episode, HttpRequest], AsyncFileResponse] = field(repr=False)
    off: Callable[[Episode, HttpRequest], str] = field(repr=False)  # why not; empty: it is open


@dataclass(frozen=True)
class Offer:
    """A way, as it is offered for one episode under this server."""

    way: Way
    off: str  # why not; empty: it is open
    is_chosen: bool


def server_copies(request: HttpRequest) -> bool:
    """Whether the server offers to copy a file into the socket by itself."""
    scope = getattr(request, "scope", None)
    if scope is None:
        return "wsgi.file_wrapper" in request.environ
    offer = (scope.get("extensions") or {}).get("http.response.zerocopysend")
    return bool(offer and offer.get("exact"))


def is_wsgi(request: HttpRequest) -> bool:
    """Whether the request has come by WSGI."""
    return not hasattr(request, "scope")


def object_key(episode: Episode) -> str | None:
    """The object with the episode's audio; `None`: there is none."""
    if not hasattr(settings, "FILERESPONSE_S3_ENDPOINT_URL"):
        return None
    name = episode.audio.name
    return name if episode.show.place == Show.Place.OBJECTS or name in sample_names() else None


def _needs_file(episode: Episode) -> str:
    return "This episode is in the S3 store, not in a folder." * (
        episode.show.place == Show.Place.OBJECTS
    )


def _needs_copying(episode: Episode, request: HttpRequest) -> str:
    return _needs_file(episode) or "This server does not offer it." * (not server_copies(request))


def _needs_server_in_front(episode: Episode, request: HttpRequest) -> str:
    off = "No server in front has been announced; see EXAMPLE_OFFLOAD in config/settings.py."
    return _needs_file(episode) or off * (not hasattr(settings, "FILERESPONSE_OFFLOAD"))


def _needs_object(episode: Episode, request: HttpRequest) -> str:
    return "This episode is not in an S3 store." * (object_key(episode) is None)


def _needs_wsgi(episode: Episode, request: HttpRequest) -> str:
    off = "This is an ASGI server; run the project with: gunicorn --threads 8 config.wsgi"
    return off * (not is_wsgi(request))


def _stored(
    episode: Episode, kind: type[StorageFileResponse] = StorageFileResponse, **options: Any
) -> AsyncFileResponse:
    """The audio from wherever the show has it."""
    return kind(episode.audio, content_type=episode.content_type, **options)


def _object(episode: Episode, **options: Any) -> AsyncFileResponse:
    """The audio from the S3 store."""
    key, content_type = object_key(episode) or "", episode.content_type
    return AiobotocoreFileResponse(None, key, content_type=content_type, **options)


WAYS = (
    Way(
        "zero-copy",
        "Copied by the kernel",
        "The view names the file, the server hands its descriptor to the kernel: no byte passes through Python.",
        lambda episode, request: _stored(episode, offload=False),
        _needs_copying,
    ),
    Way(
        "plain",
        "Read and sent",
        "Chunk by chunk, read without blocking the event loop and sent as fast as the client takes them. It works under every server.",
        lambda episode, request: _stored(episode, ReadAndSendResponse, offload=False),
        lambda episode, request: _needs_file(episode),
    ),
    Way(
        "slow",
        "At 256 KiB a second",
        "The same, with max_rate=: nobody takes more than is good for all. Audio needs less.",
        lambda episode, request: _stored(episode, max_rate=SLOW, offload=False),
        lambda episode, request: "",
    ),
    Way(
        "store",
        "From the S3 store, through Django",
        "The object is streamed as it arrives; a range is asked of the store as a range.",
        lambda episode, request: _object(episode, redirect=False),
        _needs_object,
    ),
    Way(
        "redirect",
        "Redirected to the S3 store",
        "The answer is an address of the store, signed and soon expired. The bytes never come here.",
        lambda episode, request: _object(episode, redirect=True),
        _needs_object,
    ),
    Way(
        "offload",
        "Left to the server in front",
        "The view decides and answers with one header; nginx sends the file.",
        lambda episode, request: _stored(episode, offload=True),
        _needs_server_in_front,
    ),
    Way(
        "wsgi",
        "By a WSGI server",
        "The same view under gunicorn: a worker thread sends, by its file wrapper.",
        lambda episode, request: _stored(episode, offload=False),
        _needs_wsgi,
    ),
)


def offers(episode: Episode, request: HttpRequest) -> list[Offer]:
    """All ways; the one that was asked for, or else the first that is open, is chosen."""
    off = {way.key: way.off(episode, request) for way in WAYS}
    wanted = request.GET.get("way", "")
    if off.get(wanted, "unknown"):
        wanted = next(key for key, reason in off.items() if not reason)
    return [Offer(way, off[way.key], way.key == wanted) for way in WAYS]


def respond(episode: Episode, request: HttpRequest) -> tuple[str, AsyncFileResponse]:
    """The name of the chosen way, and its response; by default what the settings make of the audio."""
    if request.GET.get("way"):
        way = next(offer.way for offer in offers(episode, request) if offer.is_chosen)
        return way.key, way.respond(episode, request)
    if episode.show.place == Show.Place.OBJECTS:
        return "store", _stored(episode)
    return "zero-copy" if server_copies(request) else "plain", _stored(episode)


async def shown_headers(episode: Episode, request: HttpRequest, key: str) -> list[tuple[str, str]]:
    """Status and headers of the answer that a player would get, without asking for any of its bytes."""
    probe = copy.copy(request)
    probe.method = "GET" if key == "redirect" else "HEAD"  # the latter is never redirected
    probe.META = {
        name: value
        for name, value in request.META.items()
        if not name.startswith(("HTTP_IF", "HTTP_RANGE"))
    }
    probe.__dict__.pop("headers", None)  # a cached property
    way = next(way for way in WAYS if way.key == key)
    response = way.respond(episode, probe)
    try:
        await response.aprepare(probe)
        status = f"{response.status_code} {response.reason_phrase}"
        return [("Status", status), *response.items()]
    except Http404:
        return [("Status", "404 Not Found")]
    finally:
        await response.arelease()
