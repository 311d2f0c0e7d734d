"""Responses that views of Django REST framework and django-ninja return."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from .client import SlowClient, fetch
from .conftest import MIB, make_file
from .servers import COMMANDS, Server, running, wait_until

SIZE = 20 * MIB
WAYS = ("drf/blocking", "drf/async", "ninja/blocking", "ninja/async")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file."""
    folder = tmp_path_factory.mktemp("frameworks")
    make_file(folder / "audio.mp3", SIZE)
    return folder


@pytest.fixture(scope="module", params=["uvicorn", "uvicorn-stock", "gunicorn"])
def server(request: pytest.FixtureRequest, folder: Path) -> Iterator[Server]:
    """The project under each kind of server."""
    env = {"DJANGO_SETTINGS_MODULE": "tests.frameworks_settings", "FRAMEWORKS": str(folder)}
    assert request.param in COMMANDS
    with running(request.param, folder, folder / f"{request.param}.log", env=env) as server:
        yield server


@pytest.mark.parametrize("way", WAYS)
def test_content(server: Server, folder: Path, way: str) -> None:
    content = (folder / "audio.mp3").read_bytes()
    answer = fetch(server.port, f"/{way}/audio.mp3")
    assert (answer.status, answer.complete) == (200, True)
    assert answer.sha256 == hashlib.sha256(content).hexdigest()
    assert answer.headers["content-length"] == str(SIZE)
    assert answer.headers["content-type"] == "audio/mpeg"
    assert answer.headers["content-disposition"] == 'attachment; filename="audio.mp3"'


@pytest.mark.parametrize("way", WAYS)
def test_parts_and_conditions(server: Server, folder: Path, way: str) -> None:
    content = (folder / "audio.mp3").read_bytes()
    answer = fetch(server.port, f"/{way}/audio.mp3", Range="bytes=1000-1999")
    assert (answer.status, answer.body) == (206, content[1000:2000])
    assert answer.headers["content-range"] == f"bytes 1000-1999/{SIZE}"
    etag = answer.headers["etag"]
    answer = fetch(server.port, f"/{way}/audio.mp3", If_None_Match=etag)
    assert (answer.status, answer.length) == (304, 0)


@pytest.mark.parametrize("way", WAYS)
def test_head(server: Server, way: str) -> None:
    answer = fetch(server.port, f"/{way}/audio.mp3", "HEAD")
    assert (answer.status, answer.length) == (200, 0)
    assert answer.headers["content-length"] == str(SIZE)


@pytest.mark.parametrize("way", WAYS)
def test_missing(server: Server, way: str) -> None:
    assert fetch(server.port, f"/{way}/missing.mp3").status == 404


def test_refused(server: Server) -> None:
    answer = fetch(server.port, "/drf/members/audio.mp3")
    assert answer.status in (401, 403)
    assert answer.length < 1000


def test_rows(server: Server) -> None:
    answer = fetch(server.port, "/drf/rows")
    assert (answer.status, answer.body.count(b"\r\n")) == (200, 1001)


@pytest.mark.parametrize("way", WAYS)
def test_hang_up(server: Server, way: str) -> None:
    fetch(server.port, f"/{way}/audio.mp3", "HEAD")
    before = server.descriptors()
    for client in [SlowClient(server.port, f"/{way}/audio.mp3", window=1 << 16) for _ in range(4)]:
        client.hang_up()
    wait_until(lambda: server.descriptors() <= before, f"{before} descriptors again")
    assert "Traceback" not in server.log
