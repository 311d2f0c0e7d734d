"""Tools of the tests and of the notebooks: a proxy that breaks connections, descriptors, log lines, privileges, ports."""

import asyncio
import gc
import logging
import os
import re
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any
from urllib.parse import urlsplit


def free_port() -> int:
    """A TCP port on loopback that nobody is listening on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def descriptors() -> int:
    """How many descriptors this process has open (Linux)."""
    gc.collect()  # what was dropped may hang in a traceback until then
    return len(os.listdir("/proc/self/fd"))


@contextmanager
def logged(
    name: str = "fileresponse",  # of a logger
) -> Iterator[list[str]]:
    """The messages that are logged as long as the block lasts, in place of being shown."""
    lines: list[str] = []
    logger, handler = logging.getLogger(name), logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    propagate, logger.propagate, level = logger.propagate, False, logger.level
    logger.setLevel(min(logger.getEffectiveLevel(), logging.WARNING))
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
        logger.setLevel(level)


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Give up the superuser's privileges for as long as the block lasts."""
    superuser = os.geteuid() == 0
    if superuser:
        os.seteuid(65534)
    try:
        yield
    finally:
        if superuser:
            os.seteuid(0)


_LENGTH = re.compile(rb"(\r\ncontent-length: *)(\d+)", re.IGNORECASE)


class FaultyProxy:
    """A TCP proxy on loopback whose connections break on demand."""

    def __init__(
        self,
        url: str,  # of the server behind it
    ) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self.url = ""  # known when it runs
        self.connections = 0  # how many have been made
        self._resets: list[int] = []  # bytes of answers until the next cut
        self._stall: int | None = None  # bytes of answers until all goes silent
        self._refusing = False
        self._lie = 0  # bytes more than there are, or less
        self._writers: set[StreamWriter] = set()
        self._links = 0  # clients that are connected

    def reset_after(
        self,
        *counts: int,  # bytes of answers, each counted from the cut before
    ) -> None:
        """Cut a connection, as often as there are counts."""
        self._resets = list(counts)

    def stall_after(
        self,
        count: int,  # bytes of answers
    ) -> None:
        """Pass no answers on any more, and keep the connections open."""
        self._stall = count

    def refuse(self) -> None:
        """Cut all connections, and every new one at once."""
        self._refusing = True
        self._on_loop(self._abort_all())

    def lie(
        self,
        count: int,  # bytes more than there are, or less
    ) -> None:
        """Announce bodies of another length than they have."""
        self._lie = count

    def heal(self) -> None:
        """Pass everything on again, as it is."""
        self._resets, self._stall, self._refusing, self._lie = [], None, False, 0

    def __enter__(self) -> "FaultyProxy":
        ready: Future[tuple[asyncio.AbstractEventLoop, int]] = Future()
        self._thread = Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        self._loop, port = ready.result()
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.refuse()
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    def _on_loop(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _serve(self, ready: "Future[tuple[asyncio.AbstractEventLoop, int]]") -> None:
        self._stopped = asyncio.Event()
        async with await asyncio.start_server(self._link, "127.0.0.1", 0, backlog=512) as server:
            ready.set_result((asyncio.get_running_loop(), server.sockets[0].getsockname()[1]))
            await self._stopped.wait()
            while self._links:  # noqa: ASYNC110 - they are cut, but have not ended yet
                await asyncio.sleep(0.01)

    async def _abort_all(self) -> None:
        for writer in self._writers:
            _abort(writer)

    async def _link(self, from_client: StreamReader, to_client: StreamWriter) -> None:
        """Give a client a connection of its own to the server."""
        self.connections += 1
        self._links += 1
        try:
            await self._connect(from_client, to_client)
        finally:
            self._links -= 1

    async def _connect(self, from_client: StreamReader, to_client: StreamWriter) -> None:
        if self._refusing:
            return _abort(to_client)
        try:
            from_server, to_server = await asyncio.open_connection(*self._target)
        except OSError:
            return _abort(to_client)
        self._writers |= {to_client, to_server}
        upward, downward = (
            self._pump(from_client, to_server, False),
            self._pump(from_server, to_client, True),
        )
        await asyncio.gather(upward, downward, return_exceptions=True)
        for writer in (to_client, to_server):
            self._writers.discard(writer)
            writer.close()

    async def _pump(self, source: StreamReader, sink: StreamWriter, is_answer: bool) -> None:
        """Pass on what one side sends, until it ends or a fault is due."""
        try:
            while data := await source.read(1 << 16):
                data = self._as_told(data) if is_answer and self._lie else data
                allowed = await self._allowed(len(data)) if is_answer else len(data)
                sink.write(data[:allowed])
                await sink.drain()
                if allowed < len(data):
                    raise ConnectionAbortedError
            sink.write_eof()
        except OSError:
            await self._abort_all() if self._refusing else _abort(sink)
            raise

    def _as_told(self, data: bytes) -> bytes:
        """The begin of a good answer with a length that is wrong (RFC 9112, 6.3); all else as it is."""
        if not data.startswith(b"HTTP/1.1 2"):
            return data
        return _LENGTH.sub(
            lambda found: found[1] + b"%d" % max(int(found[2]) + self._lie, 0), data, count=1
        )

    async def _allowed(self, count: int) -> int:
        """How many of the bytes may pass; less than all of them: cut. Waits while stalled."""
        while self._stall is not None and self._stall < count and not self._refusing:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        if self._stall is not None:
            self._stall -= count
        if self._resets and self._resets[0] < count:
            return self._resets.pop(0)
        if self._resets:
            self._resets[0] -= count
        return count


def _abort(writer: StreamWriter) -> None:
    """End a connection with a reset, so that no client takes it for a proper end."""
    connection = writer.get_extra_info("socket")
    with suppress(OSError):  # it has been closed already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
