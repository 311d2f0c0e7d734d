"""A small ASGI application that sends spans of files by zero-copy; for the tests of servers."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from fileresponse.servers import EXTENSION, HttpToolsSendfileProtocol

FOLDER = Path(os.environ.get("SPANS_FOLDER", "."))


class Impatient(HttpToolsSendfileProtocol):
    """Gives a client half a second to take something."""

    write_timeout = 0.5


async def start(send: Any, *headers: tuple[str, str]) -> None:
    """The start of a 200."""
    pairs = [(name.encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": 200, "headers": pairs})


async def body(send: Any, data: bytes, more_body: bool = False) -> None:
    """An ordinary part of a body."""
    await send({"type": "http.response.body", "body": data, "more_body": more_body})


async def span(send: Any, file: Any, offset: int, count: int, more_body: bool = False) -> None:
    """A part of a body that the kernel sends."""
    event = {"file": file, "offset": offset, "count": count, "more_body": more_body}
    await send({"type": EXTENSION, **event})


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer `/ping`, `/extensions`, or one of the paths about a file."""
    if scope["type"] != "http":
        return
    path, query = scope["path"], dict(parse_qsl(scope["query_string"].decode()))
    if path in ("/ping", "/extensions"):
        text = (
            json.dumps(list(scope.get("extensions", {}))).encode() if path != "/ping" else b"pong"
        )
        await start(send, ("content-length", str(len(text))))
        await body(send, text)
        return
    with (FOLDER / query.pop("name")).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        await globals()[f"send_{path[1:]}"](send, file, size, **query)


async def send_whole(send: Any, file: Any, size: int) -> None:
    """The whole file in one event, with only what an event must have."""
    await start(send, ("content-length", str(size)))
    await send({"type": EXTENSION, "file": file})


async def send_span(send: Any, file: Any, size: int, offset: str, count: str) -> None:
    """One span."""
    await start(send, ("content-length", count))
    await span(send, file.fileno(), int(offset), int(count))


async def send_parts(send: Any, file: Any, size: int, length: str = "known") -> None:
    """Bytes and spans in turn, the way multipart/byteranges does it; the last is ordinary."""
    half = size // 2
    total = str(size + 3 * 8)
    await start(send, *([("content-length", total)] if length == "known" else []))
    for offset, count in ((0, half), (half, size - half)):
        await body(send, b"--part--", more_body=True)
        await span(send, file, offset, count, more_body=True)
    await body(send, b"--last--")


async def send_behind(send: Any, file: Any, size: int) -> None:
    """The file twice: by ordinary means, all at once, and then by zero-copy."""
    await start(send, ("content-length", str(2 * size)))
    await body(send, file.read(), more_body=True)
    await span(send, file, 0, size)


async def send_small(send: Any, file: Any, size: int) -> None:
    """The file in many spans of 10 kB, unknown length, one of them empty."""
    await start(send)
    await span(send, file, 0, 0, more_body=True)
    for offset in range(0, size, 10_000):
        await span(send, file, offset, min(10_000, size - offset), more_body=True)
    await span(send, file, size, 0)


async def send_too_much(send: Any, file: Any, size: int) -> None:
    """A byte more than is announced."""
    await start(send, ("content-length", str(size - 1)))
    await span(send, file, 0, size)


async def send_cancelled(send: Any, file: Any, size: int) -> None:
    """What an application does that has lost its patience, and ends as if all were well."""
    await start(send)
    try:
        await asyncio.wait_for(span(send, file, 0, size, more_body=True), 0.2)
    except asyncio.TimeoutError:
        await body(send, b"")
