"""Where faults happen: a server, its files, clients that judge what they get, and one row of results per fault."""

import fcntl
import os
import random
import re
import socket
import struct
import termios
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field, replace
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psutil

from tests.servers import COMMANDS, HOST, Server, running, wait_until

MIB = 1 << 20
SIZE = 24 * MIB  # more than all buffers between a file and a client who does not read
WINDOW = 1 << 18  # bytes that the kernel takes for a client who does not read
SERVED = ("whole", "mixed", "as announced", "404", "hung up")  # nothing that the log has to tell
REFUSALS = (
    "Sending ",
    "Not available: ",
    "Internal Server Error: ",
    "Permission denied: ",
)  # begins of lines
RAISED = re.compile(r"^([\w.]+Error)\b:? ?(.*)$", re.MULTILINE)  # the last lines of tracebacks
MEMORY = 32  # megabytes by which a server may grow meanwhile; what a handful of clients need
CPU = 5  # seconds that a fault may cost the process that answers
PATIENCE = 20  # seconds for anything
LIKE_ANYBODY = (  # root may read whatever the permissions say, unless these capabilities are taken away
    ("setpriv", "--bounding-set", "-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
)
SERVERS = {
    "uvicorn": COMMANDS["uvicorn"],
    "uvicorn, sendfile": [*COMMANDS["uvicorn"], "--http", "fileresponse.servers:SendfileProtocol"],
    "granian": COMMANDS["granian"],
    "hypercorn": COMMANDS["hypercorn"],
    "gunicorn": COMMANDS["gunicorn"],
    "gunicorn, sendfile": [
        "gunicorn", "config.asgi:application", "--worker-class",
        "fileresponse.workers.SendfileWorker", "--bind", HOST + ":{port}",
    ],
}  # fmt: skip


def noise(name: str, size: int) -> bytes:
    """Incompressible bytes, the same each time for a name."""
    return random.Random(name).randbytes(size)  # noqa: S311


def same(one: bytes, other: bytes) -> int:
    """How many bytes two texts have in common, from the first on."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def at_rest(count: Callable[[], int]) -> int:
    """Wait until something has been the same for a while; what it is then."""
    counts = [-1]

    def is_stable() -> bool:
        counts.append(count())
        return counts[-5:] == counts[-1:] * 5

    wait_until(is_stable, "the same count five times")
    return counts[-1]


@dataclass
class Totals:
    """What all clients of a run have received."""

    transfers: int = 0
    bytes: int = 0
    wrong_bytes: int = 0

    def add(self, **counts: int) -> None:
        """Count, in any thread."""
        with COUNTING:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)


COUNTING = threading.Lock()
TOTALS = Totals()


@dataclass
class Answer:
    """What came over a connection; judged by whoever knows what it has to be."""

    status: int | None  # `None`: there was no answer
    announced: int | None  # bytes of the body, as its header says
    body: bytes
    head: bytes = b""

    @classmethod
    def of(cls, received: bytes) -> "Answer":
        """What a connection has brought."""
        head, _, body = received.partition(b"\r\n\r\n")
        status = re.match(rb"HTTP/1\.\d (\d{3})", head)
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        return cls(
            int(status[1]) if status else None, int(length[1]) if length else None, body, head
        )

    @classmethod
    def first_of(cls, received: bytes) -> "tuple[Answer, bytes]":
        """The first of several answers, and the rest."""
        answer = cls.of(received)
        rest = answer.body[answer.announced or 0 :]
        answer.body = answer.body[: answer.announced]
        return answer, rest

    def saw(self, *contents: bytes, promised: bool = True) -> str:
        """`whole`, `cut`, `none`, `wrong`, or a status that refuses; all versions that are right are given."""
        TOTALS.add(transfers=1, bytes=len(self.body))
        if self.status is None:
            return "none"
        if self.status >= 400:
            return str(self.status)
        right = max(same(self.body, content) for content in contents)
        if right < len(self.body) or (self.is_complete and self.body not in contents):
            TOTALS.add(wrong_bytes=max(len(self.body) - right, 1) if promised else 0)
            return "wrong"
        return "whole" if self.is_complete else "cut"

    @property
    def is_complete(self) -> bool:
        """Whether a client that believes the header has all of it."""
        return self.announced == len(self.body)


class Client:
    """One request on a connection of its own, of which no more is read than is asked for."""

    def __init__(self, port: int, path: str, *headers: str, window: int = WINDOW) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.socket.connect((HOST, port))
        self.received = bytearray()
        self.ask = "\r\n".join(
            [f"GET {path} HTTP/1.1", f"Host: {HOST}", "Connection: close", *headers, "", ""]
        ).encode()

    def send(self) -> "Client":
        """Send the request."""
        self.socket.sendall(self.ask)
        return self

    def begin(self) -> "Client":
        """Send the request, and wait until the server has sent what there is room for."""
        self.send()
        while b"\r\n\r\n" not in self.received and self.receive(1000):
            pass
        at_rest(lambda: struct.unpack("i", fcntl.ioctl(self.socket, termios.FIONREAD, bytes(4)))[0])
        return self

    def receive(self, size: int) -> bytes:
        """Up to so many bytes; none when the connection has ended, in whichever way."""
        try:
            part = self.socket.recv(size)
        except (ConnectionError, TimeoutError):
            part = b""
        self.received += part
        return part

    def finish(self) -> Answer:
        """Read to the end."""
        return Answer.of(self.finish_bytes())

    def finish_bytes(self) -> bytes:
        """All that comes until the connection ends."""
        while self.receive(MIB):
            pass
        self.socket.close()
        return bytes(self.received)


@dataclass
class Place:
    """A running server and the folder that it serves."""

    title: str
    server: Server
    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)  # what else a fault has to tell
    problems: list[str] = field(default_factory=list)  # what only the fault can judge

    def file(self, name: str, size: int = SIZE) -> bytes:
        """Write a file; its content."""
        content = noise(name, size)
        (self.folder / name).write_bytes(content)
        return content

    def client(self, path: str, *headers: str, **options: Any) -> Client:
        """A client that has not asked yet."""
        return Client(self.server.port, path, *headers, **options)

    def begin(self, path: str, *headers: str) -> Client:
        """A client in the middle of a download."""
        return self.client(path, *headers).begin()

    def get(self, path: str, *headers: str, **options: Any) -> Answer:
        """Ask, and read to the end."""
        return self.client(path, *headers, **options).send().finish()

    def ping(self) -> int | None:
        """The status of a sign of life; `None`: there was none."""
        try:
            return self.get("/ping").status
        except OSError:
            return None

    def links(self) -> list[Any]:
        """The connections of the worker that are open."""
        links = self.server.worker().net_connections("tcp")
        return [link for link in links if link.status in ("ESTABLISHED", "CLOSE_WAIT")]

    def connections(self) -> int:
        """How many clients are connected."""
        return sum(link.laddr.port == self.server.port for link in self.links())

    def descriptors(self) -> int:
        """How many descriptors are open; connections to a store, which are kept for the next object, aside."""
        return self.server.descriptors() - (len(self.links()) - self.connections())


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong, and what may come of it."""

    name: str
    do: Callable[[Place], Iterable[str]]  # what each client concerned has seen
    may_see: frozenset[str]
    log: str = ""  # what the log has to name, and as often as clients were not served; else nothing of ours
    keeps_serving: bool = True  # whether others can be served meanwhile; else there are none
    is_short: bool = True  # whether `make test` has the time for it
    options: Mapping[str, tuple[str, ...]] | None = (
        None  # of a server of its own; others are left out
    )
    env: Mapping[str, str] = field(default_factory=dict)  # of that server
    memory_mb: float = MEMORY  # megabytes by which the server may grow at the most
    cpu_seconds: float = CPU  # that it may take of the process that answers
    ends: bool = False  # whether the server has stopped afterwards


@dataclass
class Bystander:
    """Somebody else, who downloads all the time."""

    place: Place
    saw: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def watching(self) -> Iterator["Bystander"]:
        """Download in a thread until the end of the block, once at least."""
        over, content = threading.Event(), noise("bystander.bin", MIB)

        def watch() -> None:
            while True:
                try:
                    seen = self.place.get("/files/bystander.bin", window=MIB).saw(content)
                except OSError:
                    seen = "none"
                self.saw[seen] += 1
                if over.wait(0.05):
                    return

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join(2 * PATIENCE)


@dataclass
class Meter:
    """What the process that answers needs, and whoever is served meanwhile with it."""

    worker: psutil.Process
    peak: int = 0  # bytes of memory, at the most

    def cpu(self) -> float:
        """Seconds that it has run so far."""
        times = self.worker.cpu_times()
        return float(times.user + times.system)

    @contextmanager
    def reading(self) -> Iterator["Meter"]:
        """Look at the memory ten times in a second until the end of the block, or of the process."""
        over = threading.Event()

        def read() -> None:
            with suppress(psutil.NoSuchProcess):
                while not over.wait(0.1):
                    self.peak = max(self.peak, self.worker.memory_info().rss)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join(PATIENCE)


def leaked(place: Place, before: int) -> int:
    """How many descriptors more than before stay open, while requests give the garbage collector its turn."""
    try:
        wait_until(
            lambda: place.descriptors() <= before or not place.get("/ping"),
            "descriptors are closed",
            10,
        )
    except TimeoutError:
        return place.descriptors() - before
    return 0


def run(fault: Fault, place: Place) -> dict[str, Any]:
    """Let it happen; a row of the table."""
    wait_until(lambda: not place.connections(), "all clients have gone")
    received = replace(TOTALS)
    memory, place.facts, place.problems = place.server.memory(), {}, []
    before, log_start, begun = place.descriptors(), len(place.server.log), time.monotonic()
    bystander, meter = Bystander(place), Meter(place.server.worker(), memory)
    cpu, saw = meter.cpu(), Counter[str]()
    with meter.reading(), bystander.watching() if fault.keeps_serving else nullcontext():
        try:
            for seen in fault.do(place):
                saw[seen] += 1
        except (AssertionError, OSError, HTTPException, psutil.Error) as error:
            place.problems.append(f"is not over: {error!r}")
    cpu = 0 if fault.ends or not meter.worker.is_running() else meter.cpu() - cpu
    lost = 0 if fault.ends else leaked(place, before)
    unserved = sum(count for what, count in saw.items() if what not in SERVED)
    if fault.log:
        with_patience(lambda: place.server.log[log_start:].count(fault.log) >= unserved)
    log = place.server.log[log_start:]
    lines = [line for line in log.splitlines() if line.startswith(REFUSALS)]
    row = {
        "fault": fault.name, "server": place.title,
        "saw": dict(sorted(saw.items())), "may_see": sorted(fault.may_see),
        "named": sum(fault.log in line for line in lines) if fault.log else 0,
        "tracebacks": log.count("Traceback (most recent call last)"),
        "leaked": lost,
        "memory_mb": 0 if fault.ends else round((place.server.memory() - memory) / 1e6, 1),
        "peak_mb": round((meter.peak - memory) / 1e6, 1), "cpu_seconds": round(cpu, 1),
        "facts": place.facts, "others": dict(bystander.saw), "seconds": round(time.monotonic() - begun, 1),
        **{name: value - getattr(received, name) for name, value in asdict(TOTALS).items()},
    }  # fmt: skip
    problems = {
        "saw what it may not": not set(saw) <= fault.may_see,
        "others were not served": bool(fault.keeps_serving and set(bystander.saw) != {"whole"}),
        "descriptors leaked": lost > 0,
        "memory grows": row["peak_mb"] > fault.memory_mb,
        "costs too much": row["cpu_seconds"] > fault.cpu_seconds,
        "not once in the log": bool(fault.log and row["named"] != unserved),
        "traceback without need": fault.keeps_serving and not fault.log and row["tracebacks"] > 0,
        "does not answer": not fault.ends and place.ping() != 200,
    }
    found = [problem for problem, is_there in problems.items() if is_there]
    if problems["traceback without need"]:
        place.facts["raised"] = [": ".join(raised) for raised in RAISED.findall(log)]
    return row | {"problems": found + place.problems}


def with_patience(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Wait a while; what has not come is reported later."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


@contextmanager
def started(
    title: str, folder: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> Iterator[Place]:
    """A server over a folder of files, warmed up."""
    media = folder / "media"
    media.mkdir(exist_ok=True)
    variables = {"DJANGO_SETTINGS_MODULE": "faults.site", "FAULTS_ROOT": str(media), **(env or {})}
    log_file = folder / "server.log"
    with running(
        title,
        folder,
        log_file,
        *arguments,
        env=variables,
        command=SERVERS[title],
        under=LIKE_ANYBODY,
    ) as server:
        place = Place(title, server, media)
        place.file("bystander.bin", MIB)
        for _ in range(2):
            assert place.get("/files/bystander.bin").is_complete  # noqa: S101
            warm = (
                "/files/missing",
                "/archive.zip",
                "/table.csv",
                *["/objects/missing"] * ("FAULTS_SETTINGS" in (env or {})),
            )
        for path in warm:  # what is loaded at the first use
            place.get(path)
        yield place
