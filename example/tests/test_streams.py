"""Streams on real servers: rows that arrive as they are made, clients that leave, archives."""

import asyncio
import hashlib
import json
import os
import random
import re
import socket
import struct
import subprocess
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from .client import SlowClient, fetch
from .conftest import MIB, make_file
from .servers import COMMANDS, HOST, Server, running, wait_until
from .streaming import BREAKING, ENDLESS, PIECE
from .test_clients import run, sha256, tool

# Under WSGI nobody notices that a client has gone unless something is written.
NEVER_NOTICED = {"gunicorn": {"async-empty"}}
PAUSE, ROWS = 0.3, 4  # seconds before each row but the first
AT_ONCE, CLIENTS = 25, 200
# What a server may keep for its own ends, such as thread pools that are not full yet.
SLACK = {"threads": 20, "tasks": 4, "descriptors": 4, "connections": 4}
PATIENCE = 5  # seconds for an answer of a busy server that is not starved


def kinds_for(server: Server) -> list[str]:
    """The endless streams whose end a server can notice."""
    return [kind for kind in ENDLESS if kind not in NEVER_NOTICED.get(server.name, ())]


@contextmanager
def streams_on(name: str, folder: Path, files: Path, **variables: str) -> Iterator[Server]:
    """`streaming.py` under a server."""
    env = {"DJANGO_SETTINGS_MODULE": "tests.streaming", "STREAMING_FILES": str(files), **variables}
    arguments = ["--threads", str(AT_ONCE + 7)] if name == "gunicorn" else []
    with running(name, folder, folder / "server.log", *arguments, env=env) as server:
        yield server


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the archives are made of."""
    folder = tmp_path_factory.mktemp("files")
    make_file(folder / "Größe.bin", 5 * MIB)
    (folder / "ein Bär.txt").write_text("Bär\n", encoding="utf-8")
    (folder / "leer").touch()
    for file in folder.iterdir():
        os.utime(file, (1_774_353_600, 1_774_353_600))
    return folder


@pytest.fixture(scope="module", params=COMMANDS)
def server(
    request: pytest.FixtureRequest, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The streams under each server in turn."""
    with streams_on(request.param, tmp_path_factory.mktemp("streams"), files) as server:
        yield server


def state(server: Server) -> dict[str, int]:
    """What there is in the server's process."""
    return dict(json.loads(fetch(server.port, "/state", Connection="close").body))


@dataclass
class Received:
    """An answer as it came over a raw socket."""

    head: str
    chunks: list[tuple[float, bytes]]  # with the time at which each was there
    ended: bool  # by the last chunk, as HTTP/1.1 wants it
    closed: bool  # by the server; `False`: nothing came any more


def receive(port: int, url: str, patience: float = 30, *headers: str) -> Received:
    """Ask, and keep what comes until the connection is closed or silent for too long."""
    lines = (f"GET {url} HTTP/1.1", f"Host: {HOST}", "Connection: close", *headers, "", "")
    arrived: list[tuple[int, float]] = []  # bytes so far, and when
    data, closed = bytearray(), True
    with closing(socket.create_connection((HOST, port), timeout=patience)) as connection:
        connection.sendall("\r\n".join(lines).encode())
        try:
            while part := connection.recv(1 << 16):
                data += part
                arrived.append((len(data), time.monotonic()))
        except ConnectionResetError:
            pass
        except TimeoutError:
            closed = False
    head, _, body = bytes(data).partition(b"\r\n\r\n")
    assert b"chunked" in head.lower(), head
    chunks, ended = unchunked(body)
    start = len(head) + 4
    when = [next(moment for size, moment in arrived if size >= start + end) for end, _ in chunks]
    timed = [(moment, chunk) for moment, (_, chunk) in zip(when, chunks, strict=True)]
    return Received(head.decode(), timed, ended, closed)


def unchunked(body: bytes) -> tuple[list[tuple[int, bytes]], bool]:
    """Where each whole chunk ends, and what is in it; whether the last one was there (RFC 9112 §7.1)."""
    chunks, position = [], 0
    while match := re.compile(rb"([0-9a-fA-F]+)\r\n").match(body, position):
        size, start = int(match[1], 16), match.end()
        if size == 0:
            return chunks, body[start:] == b"\r\n"
        if len(body) < start + size + 2:
            break
        chunks.append((start + size, body[start : start + size]))
        position = start + size + 2
    return chunks, False


def check_rows(answer: Received, packed: bool = False) -> None:
    """Each row was there, and could be read, before the next one was made."""
    unpacker = zlib.decompressobj(wbits=31)
    text, arrivals, made = "", [], []
    for moment, chunk in answer.chunks:
        text += (unpacker.decompress(chunk) if packed else chunk).decode()
        arrivals += [moment] * (text.count("\r\n") - len(arrivals))
    for number, row in enumerate(text.splitlines()):
        assert row.startswith(f"{number},")
        made.append(float(row.partition(",")[2]))
    assert (len(made), answer.ended) == (ROWS, True)
    assert all(arrival < later for arrival, later in zip(arrivals[:-1], made[1:], strict=True))


@pytest.mark.measures
def test_rows_arrive_as_they_are_made(server: Server) -> None:
    urls = [
        f"/rows/{kind}/big.csv?pause={PAUSE}&rows={ROWS}&buffer={buffer}"
        for kind in ("sync", "async")
        for buffer in (0, 65_536)
    ]
    with ThreadPoolExecutor(len(urls)) as pool:
        answers = list(pool.map(lambda url: receive(server.port, url), urls))
    for answer in answers:
        assert [chunk.count(b"\r\n") for _, chunk in answer.chunks] == [1] * ROWS
        check_rows(answer)


@pytest.mark.measures
@pytest.mark.parametrize("name", ["uvicorn", "gunicorn"])
def test_compressed_rows_can_be_read_as_they_are_made(
    name: str, tmp_path: Path, files: Path
) -> None:
    url = f"/rows/{{}}/big.csv?pause={PAUSE}&rows={ROWS}&buffer={{}}"
    urls = [url.format(kind, buffer) for kind in ("sync", "async") for buffer in (0, 65_536)]
    with (
        streams_on(name, tmp_path, files, STREAMING_GZIP="1") as server,
        ThreadPoolExecutor(len(urls)) as pool,
    ):
        asked = [
            pool.submit(receive, server.port, url, 30, "Accept-Encoding: gzip") for url in urls
        ]
        answers = [answer.result() for answer in asked]
    for answer in answers:
        assert "content-encoding: gzip" in answer.head.lower()
        check_rows(answer, packed=True)


async def ask_and_leave(port: int, url: str, seconds: float, is_rude: bool) -> None:
    """Read for a while, then hang up in mid-body; rudely: without a goodbye."""
    reader, writer = await asyncio.open_connection(HOST, port)

    async def read() -> None:
        while await reader.read(1 << 16):
            pass

    writer.write(f"GET {url} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    with suppress(asyncio.TimeoutError, TimeoutError, ConnectionError):  # two until Python 3.11
        await asyncio.wait_for(read(), seconds)
    if is_rude:
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def leave(port: int, kinds: list[str], clients: int, at_once: int) -> None:
    """Many clients that hang up at random."""
    dice, limit = random.Random(clients), asyncio.Semaphore(at_once)

    async def one(number: int) -> None:
        async with limit:
            seconds, is_rude = dice.uniform(0, 0.3), dice.random() < 0.5
            kind = kinds[number % len(kinds)]
            await ask_and_leave(port, f"/endless/{kind}", seconds, is_rude)

    await asyncio.gather(*map(one, range(clients)))


@contextmanager
def pinging(port: int) -> Iterator[list[float]]:
    """Ask all the time for what costs nothing; the seconds that each answer took."""
    seconds: list[float] = []
    done = threading.Event()

    def ping() -> None:
        while not done.wait(0.05):
            started = time.monotonic()
            assert fetch(port, "/ping", Connection="close").body == b"pong"
            seconds.append(time.monotonic() - started)

    with ThreadPoolExecutor(1) as pool:
        pings = pool.submit(ping)
        try:
            yield seconds
        finally:
            done.set()
        pings.result(PATIENCE * 12)


def wait_for_state(server: Server, wanted: Callable[[dict[str, int]], bool]) -> dict[str, int]:
    """Wait until the server's state is as it should be; the state then."""
    seen: list[dict[str, int]] = []

    def is_there() -> bool:
        seen[:] = [state(server)]
        return wanted(seen[0])

    try:
        wait_until(is_there, f"{server.name} is as it should be", 20)
    except TimeoutError as error:
        raise TimeoutError(f"{error}: {seen[0]}") from None
    return seen[0]


def unfinished(there: dict[str, int]) -> int:
    """How many generators have been entered and not been left."""
    return there["entered"] - there["left"]


@pytest.mark.measures
def test_clients_that_hang_up_leave_nothing_behind(server: Server) -> None:
    kinds = kinds_for(server)
    asyncio.run(leave(server.port, kinds, 3 * AT_ONCE, 3 * AT_ONCE))  # thread pools grow
    before = wait_for_state(server, lambda there: unfinished(there) == 0)
    with pinging(server.port) as seconds:
        asyncio.run(leave(server.port, kinds, CLIENTS, AT_ONCE))
    assert fetch(server.port, "/ping").body == b"pong"
    after = wait_for_state(server, lambda there: unfinished(there) == 0)
    assert after["entered"] - before["entered"] > CLIENTS / 5  # some left before they were answered
    assert max(seconds) < PATIENCE
    wait_for_state(
        server, lambda there: all(there[name] <= before[name] + SLACK[name] for name in SLACK)
    )


@pytest.mark.parametrize("kind", BREAKING)
def test_a_producer_that_breaks_is_no_clean_end(server: Server, kind: str) -> None:
    told = server.log.count("[fileresponse]")
    is_daphne = server.name == "daphne"  # never closes the connection of a failed application
    answer = receive(server.port, f"/breaking/{kind}", 1 if is_daphne else 30)
    assert not answer.ended
    assert answer.closed is not is_daphne
    assert PIECE in b"".join(chunk for _, chunk in answer.chunks)
    wait_until(lambda: "the producer broke" in server.log, "the log tells why")
    assert server.log.count("[fileresponse]") == told + 1
    assert fetch(server.port, "/ping").body == b"pong"


@pytest.mark.measures
@pytest.mark.parametrize("kind", ["async-busy", "async-empty"])
def test_generators_that_never_suspend_starve_nobody(server: Server, kind: str) -> None:
    if kind in NEVER_NOTICED.get(server.name, ()):
        pytest.skip(f"under {server.name} nobody notices that the client has gone")
    if server.name == "granian":
        pytest.skip("granian's own threads wait for a busy Python, whatever the application")
    before, stop = unfinished(state(server)), threading.Event()

    def read() -> int:
        client, size = SlowClient(server.port, f"/endless/{kind}", first=0), 0
        client.socket.settimeout(0.1)
        while not stop.is_set():
            with suppress(TimeoutError):
                size += len(client.socket.recv(1 << 16))
        client.hang_up()
        return size

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            with pinging(server.port) as seconds:
                wait_until(lambda: len(seconds) >= 10, "ten answers meanwhile", 60)
        finally:
            stop.set()
        assert all(reader.result() > len(PIECE) for reader in readers) or kind == "async-empty"
    assert max(seconds) < PATIENCE
    wait_for_state(server, lambda there: unfinished(there) <= before)


@pytest.mark.measures
@pytest.mark.parametrize("kind", ["sync-busy", "async-busy", "csv-async", "zip"])
def test_a_client_that_does_not_read_stops_the_producer(server: Server, kind: str) -> None:
    if server.name == "daphne":
        pytest.skip("daphne takes whatever it is given, and keeps it in memory")
    key, before = f"stalled-{kind}", unfinished(state(server))
    client = SlowClient(server.port, f"/endless/{kind}?key={key}", window=4096)

    def produced() -> int:
        return state(server)[key]

    def has_stopped() -> bool:
        before = produced()
        time.sleep(0.3)
        return produced() == before

    wait_until(has_stopped, f"{server.name} stops {kind}")
    stopped_at = produced()
    assert stopped_at * len(PIECE) < 16 * MIB  # the kernel's buffers, and little more
    left = 2 * stopped_at * len(PIECE)
    while left > 0:
        left -= len(client.socket.recv(1 << 16))
    assert produced() > stopped_at
    client.hang_up()
    wait_for_state(server, lambda there: unfinished(there) <= before)


def names_by(*command: str | Path) -> list[str]:
    """The names that a program lists, in UTF-8."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", ["sized", "mixed"])
def test_archives_can_be_unpacked(server: Server, files: Path, tmp_path: Path, name: str) -> None:
    unzip, bsdtar, target = tool("unzip"), tool("bsdtar"), tmp_path / "archive.zip"
    answer = run(
        tool("curl"), "-sSf", "-o", target, f"http://{HOST}:{server.port}/archive/{name}.zip"
    )
    assert answer.returncode == 0, answer.stderr
    expected = [*(f"Ordner/{file.name}" for file in sorted(files.iterdir())), "grüße.txt"]
    expected += ["numbers.txt"] * (name == "mixed")
    assert run(unzip, "-tq", target).returncode == 0
    assert names_by(unzip, "-Z1", target) == expected
    assert names_by(bsdtar, "-tf", target) == expected
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == expected
        for file in files.iterdir():
            assert archive.read(f"Ordner/{file.name}") == file.read_bytes()


def test_archives_can_be_resumed(server: Server, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole.zip", tmp_path / "part.zip"
    url = f"http://{HOST}:{server.port}/archive/sized.zip"
    assert run(tool("curl"), "-sSf", "-o", whole, url).returncode == 0
    content = whole.read_bytes()
    head = fetch(server.port, "/archive/sized.zip", "HEAD")
    assert (head.status, int(head.headers["content-length"])) == (200, len(content))
    part.write_bytes(content[: 2 * MIB + 123])
    resumed = run(tool("curl"), "-sSf", "-C", "-", "-o", part, url)
    assert resumed.returncode == 0, resumed.stderr
    assert sha256(part) == sha256(whole)
    headers = {"Range": "bytes=1000000-", "If_Range": head.headers["etag"]}
    rest = fetch(server.port, "/archive/sized.zip", **headers)
    assert (rest.status, rest.length) == (206, len(content) - 1_000_000)
    assert rest.sha256 == hashlib.sha256(content[1_000_000:]).hexdigest()
    other = fetch(server.port, "/archive/sized.zip", Range="bytes=1000000-", If_Range='"other"')
    assert (other.status, other.sha256) == (200, sha256(whole))
