"""Zero-copy under uvicorn and gunicorn: what the wire shows, and how it ends."""

import asyncio
import hashlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from .client import SlowClient, download, fetch
from .conftest import MIB, make_file
from .servers import HOST, Server, running, wait_until

UVICORN = ["uvicorn", "tests.spans:app", "--host", HOST, "--port", "{port}", "--http"]
H11, HTTPTOOLS = (f"fileresponse.servers:{name}SendfileProtocol" for name in ("H11", "HttpTools"))
COMMANDS = {
    "asyncio-h11": [*UVICORN, H11, "--loop", "asyncio"],
    "asyncio-httptools": [*UVICORN, HTTPTOOLS, "--loop", "asyncio"],
    "uvloop-h11": [*UVICORN, H11, "--loop", "uvloop"],
    "uvloop-httptools": [*UVICORN, "fileresponse.servers:SendfileProtocol", "--loop", "uvloop"],
    "gunicorn": [
        "gunicorn", "tests.spans:app", "--worker-class", "fileresponse.workers.SendfileWorker",
        "--bind", HOST + ":{port}", "--access-logfile", "-",
    ],
}  # fmt: skip
IMPATIENT = {
    f"{loop}-impatient": [*UVICORN, "tests.spans:Impatient", "--loop", loop]
    for loop in ("asyncio", "uvloop")
}
LARGE = 50 * MIB
WINDOW = 64 << 10  # what the kernel takes for a client who does not read


class Files(NamedTuple):
    """The files that are served, and the SHA-256 of each."""

    folder: Path
    digests: dict[str, str]

    def read(self, name: str) -> bytes:
        """All bytes of one."""
        return (self.folder / name).read_bytes()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Files of several sizes."""
    folder = tmp_path_factory.mktemp("files")
    sizes = {"small": 1000, "middle": 3 * MIB + 7, "large": LARGE, "empty": 0}
    return Files(folder, {name: make_file(folder / name, size) for name, size in sizes.items()})


def started(name: str, files: Files, log_file: Path, *arguments: str):
    """A server of one of the kinds above."""
    env = {"SPANS_FOLDER": str(files.folder)}
    command = (COMMANDS | IMPATIENT)[name]
    return running(name, files.folder, log_file, *arguments, env=env, command=command)


@pytest.fixture(scope="module", params=COMMANDS)
def server(
    request: pytest.FixtureRequest, files: Files, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Each server in turn; none of the tests leaves a descriptor behind."""
    with started(request.param, files, tmp_path_factory.mktemp("log") / "log") as server:
        fetch(server.port, "/whole?name=small")
        before = server.descriptors()
        yield server
        wait_until(lambda: server.descriptors() <= before, "all descriptors are closed")


@pytest.fixture(params=COMMANDS)
def own(request: pytest.FixtureRequest, files: Files, tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own."""
    with started(request.param, files, tmp_path / "log") as server:
        yield server


def exchange(port: int, request: str) -> bytes:
    """What comes back until the server closes the connection."""
    with closing(socket.create_connection((HOST, port), 60)) as client:
        client.sendall(request.replace("\n", "\r\n").encode())
        return b"".join(iter(lambda: client.recv(MIB), b""))


def test_offered(server: Server) -> None:
    assert json.loads(fetch(server.port, "/extensions").body) == ["http.response.zerocopysend"]


@pytest.mark.parametrize("name", ["empty", "small", "middle", "large"])
def test_whole(server: Server, files: Files, name: str) -> None:
    answer = fetch(server.port, f"/whole?name={name}")
    assert (answer.complete, answer.sha256) == (True, files.digests[name])


def test_from_the_disk(server: Server, files: Files) -> None:
    with (files.folder / "large").open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    assert fetch(server.port, "/whole?name=large").sha256 == files.digests["large"]


@pytest.mark.parametrize(("offset", "count"), [(0, 1), (999, 1), (1, 998), (0, 0), (1000, 0)])
def test_span(server: Server, files: Files, offset: int, count: int) -> None:
    answer = fetch(server.port, f"/span?name=small&offset={offset}&count={count}")
    assert (answer.complete, answer.body) == (True, files.read("small")[offset:][:count])


@pytest.mark.parametrize("length", ["known", "unknown"])
def test_parts_between_ordinary_bytes(server: Server, files: Files, length: str) -> None:
    whole = files.read("middle")
    half = len(whole) // 2
    wanted = b"--part--" + whole[:half] + b"--part--" + whole[half:] + b"--last--"
    answer = fetch(server.port, f"/parts?name=middle&length={length}")
    assert (answer.complete, answer.body) == (True, wanted)
    assert answer.headers.get("transfer-encoding") == (None if length == "known" else "chunked")


def test_many_chunks(server: Server, files: Files) -> None:
    assert fetch(server.port, "/small?name=middle").sha256 == files.digests["middle"]


@pytest.mark.parametrize("path", ["/whole?name=large", "/parts?name=large"])
def test_head_has_no_body(server: Server, path: str) -> None:
    head = exchange(server.port, f"HEAD {path} HTTP/1.1\nHost: x\nConnection: close\n\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert head.endswith(b"\r\n\r\n")
    assert head.count(b"\r\n\r\n") == 1


def test_http_1_0(server: Server, files: Files) -> None:
    answer = exchange(server.port, "GET /whole?name=middle HTTP/1.0\n\n")
    assert answer.partition(b"\r\n\r\n")[2] == files.read("middle")


def test_keep_alive(server: Server, files: Files) -> None:
    small = files.read("small")
    with closing(http.client.HTTPConnection(HOST, server.port, timeout=60)) as connection:
        for number in range(200):
            connection.request("GET", f"/span?name=small&offset={number}&count={number}")
            if number == 0:
                own_end = connection.sock.getsockname()
            assert connection.getresponse().read() == small[number:][:number]
            assert connection.sock.getsockname() == own_end


@pytest.mark.parametrize("last", ["whole?name=middle", "parts?name=middle", "ping"])
def test_pipelined(server: Server, files: Files, last: str) -> None:
    paths = ["whole?name=middle", "whole?name=small", "ping", "parts?name=middle", last]
    ask = "".join(f"GET /{path} HTTP/1.1\nHost: x\n\n" for path in paths)
    ask = ask.removesuffix("\n") + "Connection: close\n\n"
    left = exchange(server.port, ask)
    for path in paths:
        head, _, left = left.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        body, left = left[:length], left[length:]
        assert body == fetch(server.port, f"/{path}").body
    assert not left


def test_pipelined_client_hangs_up(server: Server) -> None:
    clients = [socket.create_connection((HOST, server.port), 60) for _ in range(10)]
    for client in clients:
        client.sendall(b"GET /whole?name=large HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        assert client.recv(1000)
    for client in clients:
        client.close()
    wait_until(lambda: not connections(server), "the connections end")
    assert fetch(server.port, "/ping").body == b"pong"
    assert "Traceback" not in server.log


def connections(server: Server) -> list[object]:
    """Connections of clients that the server still has."""
    return [one for one in server.worker().net_connections() if one.status == "ESTABLISHED"]


@pytest.mark.measures
def test_slow_reader(server: Server, files: Files) -> None:
    memory = server.memory()
    clients = [SlowClient(server.port, "/whole?name=large", window=WINDOW) for _ in range(4)]
    time.sleep(0.5)
    assert fetch(server.port, "/ping").body == b"pong"
    assert server.memory() < memory + 8 * MIB
    for client in clients:
        assert client.digest() == (LARGE, files.digests["large"])
    assert server.memory() < memory + 8 * MIB


def test_nothing_is_overtaken(server: Server, files: Files) -> None:
    client = SlowClient(server.port, "/behind?name=large", window=WINDOW)
    time.sleep(0.2)
    body = client.read_to_the_end()
    assert [hashlib.sha256(half).hexdigest() for half in (body[:LARGE], body[LARGE:])] == [
        files.digests["large"]
    ] * 2


def test_hang_up(server: Server) -> None:
    before = server.descriptors()
    for path in ("/whole?name=large", "/parts?name=large", "/small?name=large"):
        clients = [SlowClient(server.port, path, window=WINDOW) for _ in range(10)]
        assert server.descriptors() > before
        for client in clients:
            client.hang_up()
    wait_until(lambda: server.descriptors() <= before, "all descriptors are closed")
    assert "Traceback" not in server.log


@pytest.mark.parametrize("name", IMPATIENT)
def test_client_that_never_reads(name: str, files: Files, tmp_path: Path) -> None:
    with started(name, files, tmp_path / "log") as server:
        fetch(server.port, "/ping")
        before = server.descriptors()
        client = SlowClient(server.port, "/whole?name=large", window=WINDOW)
        wait_until(lambda: "read nothing for 0.5 seconds" in server.log, "the time-out")
        wait_until(lambda: server.descriptors() <= before, "its descriptors are closed")
        assert len(client.read_to_the_end()) < LARGE
        assert "Traceback" not in server.log


@pytest.mark.measures
@pytest.mark.parametrize("name", IMPATIENT)
def test_slow_is_not_never(name: str, files: Files, tmp_path: Path) -> None:
    with started(name, files, tmp_path / "log") as server:
        client = SlowClient(server.port, "/whole?name=middle", window=WINDOW)
        for _ in range(8):
            time.sleep(0.25)
            client.received += client.socket.recv(2 * WINDOW)
        body = client.read_to_the_end()
        assert hashlib.sha256(body).hexdigest() == files.digests["middle"]


def test_file_is_cut_meanwhile(server: Server, files: Files) -> None:
    name = f"cut-{server.name}"
    make_file(files.folder / name, LARGE)
    client = SlowClient(server.port, f"/whole?name={name}", window=WINDOW)
    os.truncate(files.folder / name, 30 * MIB)
    assert f"content-length: {LARGE}".encode() in client.received.lower()
    assert len(client.read_to_the_end()) == 30 * MIB
    wait_until(lambda: "EOFError: The file ends" in server.log, "the reason in the log")


def test_more_than_announced(server: Server) -> None:
    answer = exchange(server.port, "GET /too_much?name=small HTTP/1.1\nHost: x\n\n")
    assert answer.partition(b"\r\n\r\n")[2] == b""
    assert "ontent-Length" in server.log


def test_cancelled(server: Server) -> None:
    client = SlowClient(server.port, "/cancelled?name=large", window=WINDOW)
    time.sleep(0.5)
    body = client.read_to_the_end()
    assert WINDOW < len(body) < LARGE
    assert not body.endswith(b"0\r\n\r\n")


def test_many_at_once(server: Server, files: Files) -> None:
    async def ping_until(done: asyncio.Event) -> int:
        answers = 0
        while not done.is_set():
            answer = await asyncio.to_thread(fetch, server.port, "/ping")
            answers += answer.body == b"pong"
        return answers

    async def run() -> tuple[list[tuple[int, str]], int]:
        done = asyncio.Event()
        pings = asyncio.create_task(ping_until(done))
        paths = ["/whole?name=large"] * 16 + ["/whole?name=middle", "/small?name=middle"] * 8
        digests = await asyncio.gather(*(download(server.port, path) for path in paths[::2]))
        digests += await asyncio.gather(*(download(server.port, path) for path in paths[:16]))
        done.set()
        return digests, await pings

    digests, answers = asyncio.run(run())
    assert answers
    large = (LARGE, files.digests["large"])
    assert digests.count(large) == 24


def test_stop_in_the_midst(own: Server, files: Files) -> None:
    client = SlowClient(own.port, "/whole?name=large", window=WINDOW)
    own.process.send_signal(signal.SIGTERM)
    wait_until(lambda: refused(own.port), "nobody new is let in")
    assert client.digest() == (LARGE, files.digests["large"])
    own.process.wait(20)
    assert "Traceback" not in own.log


def refused(port: int) -> bool:
    """Whether nobody listens any more."""
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) != 0


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "gunicorn"])
def test_stop_does_not_wait_for_ever(name: str, files: Files, tmp_path: Path) -> None:
    with started(name, files, tmp_path / "log", "--timeout-graceful-shutdown", "1") as server:
        client = SlowClient(server.port, "/whole?name=large", window=WINDOW)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(20)
        assert len(client.read_to_the_end()) < LARGE


@pytest.mark.parametrize("name", COMMANDS)
def test_not_over_tls(name: str, files: Files, tmp_path: Path) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    subprocess.run(
        [*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    prefix = "--" if name == "gunicorn" else "--ssl-"
    options = (f"{prefix}keyfile", key, f"{prefix}certfile", certificate)
    trusting = ssl.create_default_context(cafile=certificate)
    trusting.check_hostname = False
    with (
        started(name, files, tmp_path / "log", *options) as server,
        closing(http.client.HTTPSConnection(HOST, server.port, context=trusting)) as connection,
    ):
        connection.request("GET", "/extensions")
        assert json.loads(connection.getresponse().read()) == []
