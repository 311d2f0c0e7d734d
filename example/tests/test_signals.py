"""Each download is told of once, when it is over: by the row that the example writes then."""

import shutil
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from fileresponse.testing import ObjectStore

from .client import SlowClient, fetch
from .conftest import MIB, make_file
from .objects import noise, put, variables
from .servers import COMMANDS, Server, running, wait_until

LARGE = 50 * MIB
HUGE = (
    4096 * MIB
)  # sparse; granian takes what is sent to nobody until it tells that the client has gone
WINDOW = 64 << 10  # what the kernel takes for a client who does not read
OBJECT = 3 * MIB
SENDFILE = ["--http", "fileresponse.servers:SendfileProtocol"]
SERVERS = {
    "uvicorn-sendfile": [*COMMANDS["uvicorn"], *SENDFILE],
    **{name: COMMANDS[name] for name in ("uvicorn", "uvicorn-stock", "granian", "hypercorn", "gunicorn")},
}  # fmt: skip
ZIP = "/shows/broken-chords/episodes.zip"


@dataclass(frozen=True)
class Row:
    """What was written down about a download."""

    path: str
    method: str
    status: int
    outcome: str
    bytes: int | None
    way: str
    duration: float


class Recorder:
    """A server, and what it writes down."""

    def __init__(self, server: Server, data: Path) -> None:
        self.server, self.port = server, server.port
        self._database, self._seen = data / "db.sqlite3", 0
        self._seen = self._query("SELECT coalesce(max(id), 0) FROM podcast_download")[0][0]

    def _query(self, sql: str) -> list[tuple]:
        with closing(sqlite3.connect(self._database, timeout=30)) as database:
            return database.execute(sql).fetchall()

    def rows(self) -> list[Row]:
        """All new ones."""
        columns = "path, method, status, outcome, bytes, way, duration"
        sql = f"SELECT {columns} FROM podcast_download WHERE id > {self._seen} ORDER BY id"
        return [Row(*row) for row in self._query(sql)]

    def only_row(self) -> Row:
        """The one that is there after a request, and stays the only one."""
        rows = self.expect(1)
        return rows[0]

    def expect(self, count: int) -> list[Row]:
        """As many new rows, and no more; they are old from then on."""
        wait_until(lambda: len(self.rows()) >= count, f"{count} rows", 10)
        time.sleep(0.1)
        rows = self.rows()
        assert len(rows) == count, rows
        self._seen += count
        return rows


@pytest.fixture(scope="module", params=SERVERS)
def recorder(
    request: pytest.FixtureRequest,
    data: Path,
    juicefs: ObjectStore,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Recorder]:
    """The example under each server, with a database of its own."""
    folder = tmp_path_factory.mktemp("signals")
    shutil.copytree(data, folder / "data")
    make_file(folder / "data" / "media" / "fifty.bin", LARGE)
    with (folder / "data" / "media" / "huge.bin").open("wb") as file:
        file.truncate(HUGE)
    put(juicefs, "object.bin", noise("signals", OBJECT))
    command, env = SERVERS[request.param], variables(juicefs)
    with running(
        request.param, folder / "data", folder / "log", env=env, command=command
    ) as server:
        fetch(server.port, "/ping")
        yield Recorder(server, folder / "data")


@pytest.mark.parametrize("way", ["download", "file"])
def test_whole(recorder: Recorder, way: str) -> None:
    assert fetch(recorder.port, f"/{way}/fifty.bin").complete
    row = recorder.only_row()
    assert (row.path, row.method, row.status) == (f"/{way}/fifty.bin", "GET", 200)
    assert (row.outcome, row.bytes) == ("completed", LARGE)
    assert row.way == {"file": "via-storage"}.get(way, way)
    assert 0 < row.duration < 60


@pytest.mark.parametrize("name", ["show-notes.txt", "empty.txt"])
def test_small(recorder: Recorder, name: str) -> None:
    length = fetch(recorder.port, f"/download/{name}").length
    row = recorder.only_row()
    assert (row.status, row.outcome, row.bytes) == (200, "completed", length)


def test_parts(recorder: Recorder) -> None:
    fetch(recorder.port, "/download/fifty.bin", Range="bytes=100-1000099")
    row = recorder.only_row()
    assert (row.status, row.outcome, row.bytes) == (206, "completed", 1_000_000)
    length = fetch(recorder.port, "/download/fifty.bin", Range="bytes=0-99,200000-299999").length
    row = recorder.only_row()
    assert (row.status, row.outcome, row.bytes) == (206, "completed", length)


def test_nothing_to_send(recorder: Recorder) -> None:
    etag = fetch(recorder.port, "/download/fifty.bin", "HEAD").headers["etag"]
    row = recorder.only_row()
    assert (row.method, row.status, row.outcome, row.bytes) == ("HEAD", 200, "completed", 0)
    fetch(recorder.port, "/download/fifty.bin", If_None_Match=etag)
    row = recorder.only_row()
    assert (row.method, row.status, row.outcome, row.bytes) == ("GET", 304, "completed", 0)
    fetch(recorder.port, "/download/fifty.bin", Range="bytes=99999999-")
    row = recorder.only_row()
    assert (row.method, row.status, row.outcome, row.bytes) == ("GET", 416, "completed", 0)


def test_no_file_no_download(recorder: Recorder) -> None:
    assert fetch(recorder.port, "/download/missing").status == 404
    assert fetch(recorder.port, "/shows/members-hour/encore/audio").status == 403
    assert fetch(recorder.port, "/").status == 200
    fetch(recorder.port, "/download/empty.txt")
    assert recorder.only_row().path == "/download/empty.txt"


@pytest.mark.parametrize("path", ["/download/huge.bin", "/file/huge.bin"])
def test_hang_up(recorder: Recorder, path: str) -> None:
    client = SlowClient(recorder.port, path, window=WINDOW)
    time.sleep(0.2)
    assert recorder.rows() == []
    client.hang_up()
    row = recorder.only_row()
    assert (row.path, row.status, row.outcome) == (path, 200, "aborted")
    assert row.bytes is not None
    assert row.bytes < HUGE


def test_hang_up_at_a_limited_rate(recorder: Recorder) -> None:
    client = SlowClient(recorder.port, "/shows/broken-chords/morning/audio?way=slow", first=100_000)
    client.hang_up()
    row = recorder.only_row()
    assert (row.status, row.outcome, row.way) == (200, "aborted", "slow")
    assert row.bytes is not None
    assert row.bytes >= 99_000


def test_object(recorder: Recorder) -> None:
    assert fetch(recorder.port, "/object/object.bin").length == OBJECT
    row = recorder.only_row()
    assert (row.status, row.outcome, row.bytes, row.way) == (200, "completed", OBJECT, "object")
    fetch(recorder.port, "/object/object.bin", Range="bytes=-5")
    row = recorder.only_row()
    assert (row.status, row.outcome, row.bytes) == (206, "completed", 5)
    assert fetch(recorder.port, "/object-link/object.bin").status == 302
    row = recorder.only_row()
    assert (row.status, row.outcome, row.bytes, row.way) == (302, "completed", 0, "object-link")


def test_archive(recorder: Recorder) -> None:
    length = fetch(recorder.port, ZIP).length
    row = recorder.only_row()
    assert (row.status, row.outcome, row.bytes, row.way) == (200, "completed", length, "archive")
    SlowClient(recorder.port, ZIP, window=2000).hang_up()
    assert recorder.only_row().path == ZIP


def test_many_at_once(recorder: Recorder) -> None:
    paths = ["/download/fifty.bin", "/download/show-notes.txt", ZIP, "/object/object.bin"] * 10
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda path: fetch(recorder.port, path), paths))
    rows = recorder.expect(len(paths))
    wanted = sorted((path, answer.length) for path, answer in zip(paths, answers, strict=True))
    assert sorted((row.path, row.bytes) for row in rows) == wanted
    assert {row.outcome for row in rows} == {"completed"}


def test_nothing_went_wrong_meanwhile(recorder: Recorder) -> None:
    log = recorder.server.log
    assert "Error calling" not in log
    assert "database is locked" not in log
