"""How a transfer can end: broken files, clients that hang up, many at once."""

import asyncio
import os
from pathlib import Path

import pytest

from .client import SlowClient, download, fetch
from .conftest import MIB, make_file
from .servers import Server, wait_until


def test_a_file_that_shrinks_breaks_the_connection(server: Server, media: Path) -> None:
    path = media / "shrinks.bin"
    make_file(path, 64 * MIB)
    client = SlowClient(server.port, "/download/shrinks.bin")
    os.truncate(path, 32 * MIB)
    if server.name == "daphne":  # never closes the connection of an application that has failed
        client.socket.settimeout(3)
        with pytest.raises(TimeoutError):
            client.read_to_the_end()
        client.hang_up()
    else:
        assert 0 < len(client.read_to_the_end()) <= 32 * MIB
    path.unlink()
    wait_until(lambda: "shrinks.bin" in server.log, "the log names the file")
    assert fetch(server.port, "/ping").body == b"pong"


def test_a_file_that_grows_is_sent_as_long_as_it_was(server: Server, media: Path) -> None:
    path = media / "grows.bin"
    make_file(path, 32 * MIB)
    client = SlowClient(server.port, "/download/grows.bin")
    with path.open("ab") as file:
        file.write(b"more" * MIB)
    body = client.read_to_the_end()
    path.unlink()
    assert len(body) == 32 * MIB


def test_a_file_that_is_replaced_is_sent_as_it_was(server: Server, media: Path) -> None:
    path = media / "replaced.bin"
    make_file(path, 32 * MIB)
    content = path.read_bytes()
    client = SlowClient(server.port, "/download/replaced.bin")
    (media / "new.bin").write_bytes(b"new" * MIB)
    (media / "new.bin").replace(path)
    body = client.read_to_the_end()
    path.unlink()
    assert body == content


def test_hanging_up_leaks_nothing(server: Server, media: Path) -> None:
    path = media / "long.bin"
    make_file(path, 64 * MIB)
    fetch(server.port, "/ping")
    before, log_length = server.descriptors(), len(server.log)
    for _ in range(4):
        clients = [
            SlowClient(server.port, f"/{way}/long.bin") for way in ("download", "file", "inline")
        ]
        for client in clients:
            client.hang_up()
    path.unlink()
    wait_until(
        lambda: server.descriptors() <= before,
        f"{before} descriptors again, not {server.descriptors()}",
    )
    assert "Traceback" not in server.log[log_length:]
    assert fetch(server.port, "/ping").body == b"pong"


@pytest.mark.measures
def test_64_downloads_at_once(uvicorn: Server, media: Path) -> None:
    path = media / "hundred.bin"
    sha256 = make_file(path, 100_000_000)
    fetch(uvicorn.port, "/download/hundred.bin")
    descriptors, memory = uvicorn.descriptors(), uvicorn.memory()
    peaks, pongs = [], []

    async def watch(downloads: "asyncio.Future[list[tuple[int, str]]]") -> None:
        while not downloads.done():
            pongs.append((await asyncio.to_thread(fetch, uvicorn.port, "/ping")).body)
            peaks.append(uvicorn.memory())

    async def run() -> list[tuple[int, str]]:
        downloads = asyncio.gather(
            *(download(uvicorn.port, "/download/hundred.bin") for _ in range(64))
        )
        await watch(downloads)
        return await downloads

    try:
        assert asyncio.run(run()) == [(100_000_000, sha256)] * 64
    finally:
        path.unlink()
    wait_until(lambda: uvicorn.descriptors() <= descriptors, f"{descriptors} descriptors again")
    assert len(pongs) > 3
    assert set(pongs) == {b"pong"}
    assert max(peaks) - memory < 64 * 1.5 * MIB  # of 100 MB each
