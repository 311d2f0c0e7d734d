"""A load client that costs little: HTTP/1.1 on plain sockets, every answer checked."""

import asyncio
import hashlib
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

HOST = "127.0.0.1"
BUFFER = 1 << 20  # bytes
SLOW_BUFFER = 1 << 16  # bytes that the kernel takes for a client that does not read
STATUS, LENGTH, CHUNKED, CLOSES = "status", "content-length", "transfer-encoding", "connection"


class Wrong(Exception):
    """An answer that is not the expected one; it ends the benchmark."""


@dataclass(frozen=True)
class Item:
    """What is asked for, and what has to come."""

    path: str
    size: int  # bytes
    sha256: str


@dataclass(frozen=True)
class Timing:
    """How long an answer took, in seconds from the request."""

    first_byte: float  # of the body
    total: float


class Connection:
    """One keep-alive connection; it connects by itself, again if the server has closed it."""

    def __init__(self, port: int, kernel_buffer: int | None = None) -> None:
        self._port, self._kernel_buffer = port, kernel_buffer
        self._socket: socket.socket | None = None
        self._buffer = bytearray(BUFFER)
        self._view = memoryview(self._buffer)
        self._start = self._stop = 0  # what has been received and not taken
        self._first_byte = 0.0

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._start, self._stop = None, 0, 0

    async def get(self, item: Item, hashed: bool = False) -> Timing:
        """Ask for an item and read all of it; `Wrong` if something else came."""
        digest = hashlib.sha256() if hashed else None
        started = time.perf_counter()
        head = await self._ask(item)
        if CHUNKED in head:
            size = await self._chunked(digest)
        else:
            size = await self._take(int(head.get(LENGTH, "-1")), digest)
        total = time.perf_counter() - started
        if size != item.size or (digest and digest.hexdigest() != item.sha256):
            raise Wrong(f"{item.path}: {size} bytes, or not the right ones, of {item.size}")
        if head.get(CLOSES, "").lower() == "close":
            self.close()
        return Timing(self._first_byte - started, total)

    async def stall(self, item: Item, count: int) -> None:
        """Ask for an item, read the first bytes of it, and then no more."""
        head = await self._ask(item)
        if CHUNKED in head:
            await self._line()
        await self._take(count, None)

    async def _ask(self, item: Item) -> dict[str, str]:
        """Send a request; the head of its answer, when the first byte of the body is there."""
        loop = asyncio.get_running_loop()
        if self._socket is None:
            self._socket = socket.socket()
            self._socket.setblocking(False)
            if self._kernel_buffer:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._kernel_buffer)
            await loop.sock_connect(self._socket, (HOST, self._port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = f"GET {item.path} HTTP/1.1\r\nHost: {HOST}:{self._port}\r\n\r\n"
        await loop.sock_sendall(self._socket, request.encode("ascii"))
        head = {STATUS: (await self._line()).split()[1]}
        while line := await self._line():
            name, _, value = line.partition(":")
            head[name.lower()] = value.strip()
        if head[STATUS] != "200":
            raise Wrong(f"{item.path}: status {head[STATUS]}")
        if self._start == self._stop:
            await self._fill()
        self._first_byte = time.perf_counter()
        return head

    async def _chunked(self, digest: Any) -> int:
        """Read a chunked body; its size."""
        total = 0
        while size := int((await self._line()).partition(";")[0], 16):
            total += await self._take(size, digest)
            await self._line()
        await self._line()
        return total

    async def _line(self) -> str:
        """The next line, without its end."""
        while (end := self._buffer.find(b"\r\n", self._start, self._stop)) < 0:
            await self._fill()
        line = self._buffer[self._start : end].decode("latin-1")
        self._start = end + 2
        return line

    async def _take(self, count: int, digest: Any) -> int:
        """Take that many bytes of the body."""
        left = count
        while left > 0:
            if self._start == self._stop:
                await self._fill()
            taken = min(left, self._stop - self._start)
            if digest:
                digest.update(self._view[self._start : self._start + taken])
            self._start += taken
            left -= taken
        return count

    async def _fill(self) -> None:
        """Receive more, behind what is there already."""
        if self._start == self._stop:
            self._start = self._stop = 0
        elif self._stop == BUFFER:
            rest = self._buffer[self._start : self._stop]
            self._start, self._stop = 0, len(rest)
            self._buffer[: self._stop] = rest
        loop = asyncio.get_running_loop()
        received = await loop.sock_recv_into(self._socket, self._view[self._stop :])
        if not received:
            raise Wrong("the connection was closed before the answer's end")
        self._stop += received


@contextmanager
def connections(port: int, count: int, kernel_buffer: int | None = None) -> Iterator[Any]:
    """That many connections, closed in the end."""
    opened = [Connection(port, kernel_buffer) for _ in range(count)]
    try:
        yield opened
    finally:
        for connection in opened:
            connection.close()


async def together(
    work: Callable[[Connection], Awaitable[None]], clients: list[Connection]
) -> float:
    """Seconds until all have done their work; the first failure ends it."""
    started = time.perf_counter()
    tasks = [asyncio.ensure_future(work(client)) for client in clients]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return time.perf_counter() - started


def fetch(port: int, items: list[Item], clients: int, limit: float, hashed: bool = False) -> float:
    """Seconds for all items, each fetched once, by some clients at a time."""

    async def run() -> float:
        left = iter(items)

        async def work(client: Connection) -> None:
            for item in left:
                await client.get(item, hashed)

        with connections(port, clients) as opened:
            return await together(work, opened)

    return asyncio.run(asyncio.wait_for(run(), limit))


def repeat(
    port: int, item: Item, clients: int, seconds: float, count: int
) -> tuple[float, list[float]]:
    """Ask again and again, for some seconds or so many requests: requests/s, first bytes in s."""

    async def run() -> tuple[float, list[float]]:
        first_bytes: list[float] = []
        deadline = time.perf_counter() + seconds

        async def work(client: Connection) -> None:
            while time.perf_counter() < deadline and len(first_bytes) < count:
                first_bytes.append((await client.get(item)).first_byte)

        with connections(port, clients) as opened:
            elapsed = await together(work, opened)
        return len(first_bytes) / elapsed, first_bytes

    return asyncio.run(asyncio.wait_for(run(), seconds + 120))


def hold(port: int, item: Item, clients: int, limit: float, meanwhile: Callable[[], Any]) -> Any:
    """Do something while clients have begun to read an item and then do not read on."""

    async def run() -> Any:
        with connections(port, clients, SLOW_BUFFER) as opened:
            await asyncio.wait_for(together(lambda one: one.stall(item, 4096), opened), limit)
            return await asyncio.to_thread(meanwhile)

    return asyncio.run(run())
