"""A load client that costs little: HTTP/1.1 on plain sockets and epoll, every answer checked."""

import hashlib
import select
import socket
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat as endlessly
from statistics import median, quantiles
from typing import Any

HOST = "127.0.0.1"
OWN_BUFFER = 1 << 16  # bytes: heads, chunks, what came with them
BODY_BUFFER = 1 << 20  # bytes: bodies, whose bytes nobody keeps
ENOUGH, PATIENCE = 10**7, 20  # bytes, seconds: below so many a flood goes on for so long
SLOW_BUFFER = 1 << 16  # bytes that the kernel takes for a client that does not read
STATUS, LENGTH, CHUNKED, CLOSES = "status", "content-length", "transfer-encoding", "connection"
Steps = Generator[int, None, Any]  # yields the descriptor that it waits for


class Wrong(Exception):
    """An answer that is not the expected one; it ends the benchmark."""


@dataclass(frozen=True)
class Item:
    """What is asked for, and what has to come."""

    path: str
    size: int  # bytes
    sha256: str = ""


@dataclass
class Load:
    """What came back in some seconds."""

    seconds: float = 0.0
    size: int = 0  # bytes of bodies, with those of answers that the end of the time cut off
    first_bytes: list[float] = field(default_factory=list)  # seconds, one for each whole answer

    @property
    def mb_s(self) -> float:
        """Throughput."""
        return self.size / 1e6 / self.seconds

    @property
    def rps(self) -> float:
        """Whole answers per second."""
        return len(self.first_bytes) / self.seconds


class Connection:
    """One keep-alive connection; it connects by itself, again if the server has closed it."""

    def __init__(self, port: int, clients: "Clients") -> None:
        self._port, self._clients = port, clients
        self._socket: Any = None
        self._buffer = bytearray(OWN_BUFFER)
        self._view = memoryview(self._buffer)
        self._start = self._stop = 0  # what has been received and not taken
        self.first_byte = 0.0  # when it came, of the last answer's body
        self.received = 0  # bytes of all bodies

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._start, self._stop = None, 0, 0

    def get(self, item: Item, hashed: bool = False) -> Generator[int, None, float]:
        """Ask for an item and read all of it; seconds to its first byte. `Wrong` if something else came."""
        digest = hashlib.sha256() if hashed else None
        started = time.perf_counter()
        head = yield from self._ask(item)
        if CHUNKED in head:
            size = yield from self._chunked(digest)
        else:
            size = yield from self._take(int(head.get(LENGTH, "-1")), digest)
        if size != item.size or (digest and digest.hexdigest() != item.sha256):
            raise Wrong(f"{item.path}: {size} bytes, or not the right ones, of {item.size}")
        if head.get(CLOSES, "").lower() == "close":
            self.close()
        return self.first_byte - started

    def stall(self, item: Item, count: int) -> Steps:
        """Ask for an item, read the first bytes of it, and then no more."""
        head = yield from self._ask(item)
        if CHUNKED in head:
            yield from self._line()
        yield from self._take(count, None)

    def _ask(self, item: Item) -> Generator[int, None, dict[str, str]]:
        """Send a request; the head of its answer, when the first byte of the body is there."""
        if self._socket is None:
            self._socket = self._clients.connect(self._port)
        request = f"GET {item.path} HTTP/1.1\r\nHost: {HOST}:{self._port}\r\n\r\n"
        self._socket.sendall(request.encode("ascii"))
        while (end := self._buffer.find(b"\r\n\r\n", self._start, self._stop)) < 0:
            yield from self._fill()
        head = parsed_head(self._buffer[self._start : end])
        self._start = end + 4
        if head[STATUS] != "200":
            raise Wrong(f"{item.path}: status {head[STATUS]}")
        if self._start == self._stop:
            yield from self._fill()
        self.first_byte = time.perf_counter()
        return head

    def _chunked(self, digest: Any) -> Generator[int, None, int]:
        """Read a chunked body; its size."""
        total = 0
        while size := int((yield from self._line()).partition(b";")[0], 16):
            total += yield from self._take(size, digest)
            yield from self._line()
        yield from self._line()
        return total

    def _line(self) -> Generator[int, None, bytes]:
        """The next line, without its end."""
        while (end := self._buffer.find(b"\r\n", self._start, self._stop)) < 0:
            yield from self._fill()
        line = bytes(self._view[self._start : end])
        self._start = end + 2
        return line

    def _take(self, count: int, digest: Any) -> Generator[int, None, int]:
        """Take that many bytes of the body."""
        left = count
        while left > 0:
            if self._start == self._stop and left >= OWN_BUFFER:
                taken, data = yield from self._pass(left)
            else:
                if self._start == self._stop:
                    yield from self._fill()
                taken = min(left, self._stop - self._start)
                data = self._view[self._start : self._start + taken]
                self._start += taken
            if digest:
                digest.update(data)
            self.received += taken
            left -= taken
        return count

    def _pass(self, most: int) -> Generator[int, None, tuple[int, memoryview]]:
        """Receive some of a body into the buffer that all share."""
        yield self._socket.fileno()
        body, flags = self._clients.body, self._clients.flags
        received = self._socket.recv_into(body, min(most, BODY_BUFFER), flags)
        if not received:
            raise Wrong("the connection was closed before the answer's end")
        return received, body[:received]

    def _fill(self) -> Steps:
        """Receive more, behind what is there already."""
        if self._start == self._stop:
            self._start = self._stop = 0
        elif self._stop == OWN_BUFFER:
            rest = self._buffer[self._start : self._stop]
            self._start, self._stop = 0, len(rest)
            self._buffer[: self._stop] = rest
        yield self._socket.fileno()
        received = self._socket.recv_into(self._view[self._stop :])
        if not received:
            raise Wrong("the connection was closed before the answer's end")
        self._stop += received


def parsed_head(data: bytes | bytearray) -> dict[str, str]:
    """The headers of an answer, their names in lower case; `status` is its status."""
    first, *lines = data.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return {
        STATUS: first.split(" ", 2)[1],
        **{name.lower(): value.strip() for name, _, value in pairs},
    }


class Clients:
    """Connections that are served by one thread, as their bytes come."""

    def __init__(self, port: int, count: int, kernel_buffer: int | None, discards: bool) -> None:
        self._epoll, self._kernel_buffer = select.epoll(), kernel_buffer
        self.body = memoryview(bytearray(BODY_BUFFER))
        # tcp(7): with MSG_TRUNC the kernel throws the bytes away and copies nothing
        self.flags = socket.MSG_TRUNC if discards else 0
        self.all = [Connection(port, self) for _ in range(count)]

    def connect(self, port: int) -> socket.socket:
        """A new connection, watched."""
        client = socket.socket()
        if self._kernel_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._kernel_buffer)
        client.connect((HOST, port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._epoll.register(client, select.EPOLLIN)
        return client

    @property
    def received(self) -> int:
        """Bytes of all bodies so far."""
        return sum(connection.received for connection in self.all)

    def drive(
        self, works: Iterable[Steps], seconds: float, is_enough: Callable[[], bool] = lambda: True
    ) -> bool:
        """Go on with all of them as bytes come; False if the time is over before they are done."""
        deadline = time.perf_counter() + seconds
        waiting = {waits_for: work for work in works if (waits_for := next(work, None)) is not None}
        while waiting:
            left = deadline - time.perf_counter()
            if left <= 0 and (is_enough() or left <= -PATIENCE):
                return False
            for descriptor, _ in self._epoll.poll(max(left, 0.01)):
                if descriptor not in waiting:  # nothing is asked for there: it was closed
                    self._epoll.unregister(descriptor)
                    continue
                work = waiting.pop(descriptor)
                if (waits_for := next(work, None)) is not None:
                    waiting[waits_for] = work
        return True

    def close(self) -> None:
        """End all connections."""
        for connection in self.all:
            connection.close()
        self._epoll.close()


@contextmanager
def connected(
    port: int, count: int, kernel_buffer: int | None = None, discards: bool = False
) -> Iterator[Clients]:
    """Clients, closed in the end."""
    clients = Clients(port, count, kernel_buffer, discards)
    try:
        yield clients
    finally:
        clients.close()


def _gets(connection: Connection, items: Iterator[Item], hashed: bool, load: Load) -> Steps:
    """One client's work: the next item, as long as there is one."""
    for item in items:
        load.first_bytes.append((yield from connection.get(item, hashed)))


def _load(
    clients: Clients,
    items: Iterator[Item],
    seconds: float,
    hashed: bool = False,
    is_flood: bool = False,
) -> tuple[Load, bool]:
    """What came for these items, and whether all of them did in that time."""
    load, started = Load(), time.perf_counter()

    def is_enough() -> bool:
        return not is_flood or bool(load.first_bytes) or clients.received > ENOUGH

    works = [_gets(connection, items, hashed, load) for connection in clients.all]
    is_done = clients.drive(works, seconds, is_enough)
    load.seconds, load.size = time.perf_counter() - started, clients.received
    return load, is_done


def fetch(port: int, items: list[Item], clients: int, limit: float, hashed: bool = False) -> float:
    """Seconds for all items, each fetched once, by some clients at a time."""
    with connected(port, min(clients, len(items))) as opened:
        load, is_done = _load(opened, iter(items), limit, hashed)
    if not is_done:
        raise TimeoutError(f"{len(load.first_bytes)} of {len(items)} answers in {limit} s")
    return load.seconds


def repeat(
    port: int, item: Item, clients: int, seconds: float, count: int
) -> tuple[float, list[float]]:
    """Ask again and again, for some seconds or so many requests: requests/s, first bytes in s."""
    deadline = time.perf_counter() + seconds

    def items() -> Iterator[Item]:
        for _ in range(count):
            if time.perf_counter() >= deadline:
                return
            yield item

    with connected(port, min(clients, count)) as opened:
        load, is_done = _load(opened, items(), seconds + 120)
    if not is_done:
        raise TimeoutError(f"no answer in {seconds + 120} s")
    return load.rps, load.first_bytes


def flood(
    port: int, items: Item | list[Item], clients: int, seconds: float, discards: bool = False
) -> Load:
    """Ask for one item all the time, or for each of some once; in the end answers are cut off."""
    wanted = endlessly(items) if isinstance(items, Item) else iter(items)
    with connected(port, clients, discards=discards) as opened:
        load, _ = _load(opened, wanted, seconds, is_flood=True)
    return load


def pings(port: int, item: Item, seconds: float, pause: float) -> list[float]:
    """Seconds that one request takes whenever somebody asks, after a pause."""
    deadline, took = time.perf_counter() + seconds, []
    with connected(port, 1) as opened:
        while time.perf_counter() < deadline:
            started = time.perf_counter()
            if not opened.drive([opened.all[0].get(item)], 60):
                raise TimeoutError("no answer in 60 s")
            took.append(time.perf_counter() - started)
            time.sleep(pause)
    return took


def hold(
    port: int,
    item: Item,
    clients: int,
    limit: float,
    meanwhile: Callable[[], Any],
    kernel_buffer: int | None = SLOW_BUFFER,
) -> Any:
    """Do something while clients have begun to read an item and then do not read on."""
    with connected(port, clients, kernel_buffer) as opened:
        if not opened.drive([one.stall(item, 4096) for one in opened.all], limit):
            raise TimeoutError(f"not every client had a first byte in {limit} s")
        return meanwhile()


def milliseconds(seconds: list[float], prefix: str, least: int = 100) -> dict[str, float]:
    """Median and p99; no p99 of fewer than so many."""
    found = {f"{prefix}_ms": median(seconds) * 1e3} if seconds else {}
    if len(seconds) >= least:
        found[f"{prefix}_p99_ms"] = quantiles(seconds, n=100, method="inclusive")[98] * 1e3
    return found
