"""Rows as CSV and files as a ZIP through this library and through Django alone, side by side.

`python -m benchmark.streams` in the folder `example`: about seven minutes; `--quick`: about two.
"""

import json
import os
import socket
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .harness import PROGRESS, chosen, options, play, stay_in_time, turns, use_client_core, written
from .load import HOST, Wrong, parsed_head
from .report import Column, Found, Goal, goal_line, goal_lines, ratio_of, rows, stands_on
from .servers import Contestant, Server, gunicorn, machine, running, uvicorn, versions
from .streams_apps import COLUMNS

RESULTS = Path(__file__).with_name("streams.json")
PACKAGES = "Django gunicorn h11 uvicorn"
MB, MIB = 10**6, 1 << 20


@dataclass(frozen=True)
class Parameters:
    """How much is measured."""

    rounds: int = 1
    rows: int = 10_000_000
    files: int = 500
    file_size: int = 5 * 1024 * MIB // 500  # bytes
    collected_rows: int = 2_000_000  # where all are in memory before the first is sent
    collected_files: int = 200
    limit: float = 600.0  # seconds for any one answer
    total_limit: int = 2400  # seconds


QUICK = Parameters(
    rounds=3,
    rows=500_000,
    files=50,
    file_size=10 * MB,
    collected_rows=500_000,
    collected_files=50,
    total_limit=600,
)


CONTESTANTS = [
    Contestant("ours_asgi", "ours, uvicorn", uvicorn("streams_apps:ours_asgi")),
    Contestant("ours_wsgi", "ours, gunicorn", gunicorn("streams_apps:ours_wsgi")),
    Contestant("django_wsgi", "Django alone, gunicorn", gunicorn("streams_apps:django_wsgi")),
    Contestant("django_asgi", "Django alone, uvicorn", uvicorn("streams_apps:django_asgi")),
]


def make_table(path: Path, rows: int) -> None:
    """A table of rows, none of which has a comma in it."""
    insert = """
        WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
        INSERT INTO rows SELECT n, 'Customer ' || n, n * 7919 % 100000, '2026-03-24T12:00:00' FROM numbers
    """
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, name, amount, made)")
        connection.execute(insert, [rows])


def make_files(folder: Path, count: int, size: int) -> None:
    """Files that need no room on the disk, but are read like any other."""
    folder.mkdir()
    for number in range(count):
        with (folder / f"file-{number:04}.bin").open("wb") as file:
            file.truncate(size)


@dataclass
class Answer:
    """What came, and when."""

    size: int  # bytes of the body, with the framing of its chunks
    commas: int
    length: int | None  # as announced
    first_byte: float  # seconds from the request
    seconds: float


def ask(port: int, path: str, limit: float) -> Answer:
    """One request on a connection of its own, read as fast as it comes; `Wrong` if it is cut off."""
    buffer = bytearray(MIB)
    with closing(socket.create_connection((HOST, port), timeout=limit)) as connection:
        started = time.perf_counter()
        lines = (f"GET {path} HTTP/1.1", f"Host: {HOST}", "Connection: close", "", "")
        connection.sendall("\r\n".join(lines).encode())
        head, first = _read_head(connection)
        first_byte, size, commas, tail = time.perf_counter(), len(first), first.count(b","), first
        while received := connection.recv_into(buffer):
            part = bytes(memoryview(buffer)[:received])
            size, commas, tail = size + received, commas + part.count(b","), (tail + part)[-5:]
        seconds = time.perf_counter() - started
    length = int(head["content-length"]) if "content-length" in head else None
    if tail[-5:] != b"0\r\n\r\n" if length is None else size != length:
        raise Wrong(f"{path}: cut off after {size} bytes")
    return Answer(size, commas, length, first_byte - started, seconds)


def _read_head(connection: socket.socket) -> tuple[dict[str, str], bytes]:
    """The headers, and the first bytes of the body."""
    data = b""
    while not data.partition(b"\r\n\r\n")[2]:
        if not (part := connection.recv(1 << 16)):
            raise Wrong(f"no answer: {data[:200]!r}")
        data += part
    head, _, first = data.partition(b"\r\n\r\n")
    headers = parsed_head(head)
    if headers["status"] != "200":
        raise Wrong(f"status {headers['status']}")
    return headers, first


def measured(server: Server, path: str, small: str, limit: float) -> tuple[Answer, dict[str, Any]]:
    """One answer: seconds, memory above that after a small one, time to first byte."""
    ask(server.port, small, limit)
    idle, cpu = server.settled_memory(5), server.cpu()
    with server.watched_memory() as seen:
        answer = ask(server.port, path, limit)
    return answer, {
        "seconds": answer.seconds,
        "cpu_s": server.cpu() - cpu,
        "first_byte_ms": answer.first_byte * 1e3,
        "idle_mb": idle / MB,
        "peak_above_idle_mb": (max(seen) - idle) / MB,
    }


def measure_rows(server: Server, p: Parameters, collects: bool) -> dict[str, Any]:
    """A table as CSV."""
    count = min(p.rows, p.collected_rows) if collects else p.rows
    answer, found = measured(server, f"/rows/{count}", "/rows/10", p.limit)
    if answer.commas != count * (len(COLUMNS) - 1):
        raise Wrong(f"{answer.commas} commas in {count} rows")
    return {**found, "rows": count, "rows_s": count / answer.seconds}


def measure_files(server: Server, p: Parameters, collects: bool) -> dict[str, Any]:
    """Files as a ZIP."""
    count = min(p.files, p.collected_files) if collects else p.files
    answer, found = measured(server, f"/files/{count}", "/files/1", p.limit)
    if not count * p.file_size < (answer.length or 0) < count * (p.file_size + 1000):
        raise Wrong(f"{answer.length} bytes for {count} files")
    mb = count * p.file_size / MB
    return {**found, "mb": mb, "mb_s": mb / answer.seconds}


MEASURES: dict[str, Callable[[Server, Parameters, bool], dict[str, Any]]] = {
    "csv": measure_rows,
    "zip": measure_files,
}


def measure(contestant: Contestant, p: Parameters, folder: Path) -> Found:
    """A contestant with each task, on a server of its own."""
    found: Found = {}
    for task, ask_for in MEASURES.items():
        with running(contestant, folder, {}) as server:
            name = f"{task} {contestant.name}"
            found[name] = ask_for(server, p, contestant.name == "django_asgi")
    return found


@contextmanager
def prepared(p: Parameters) -> Iterator[Path]:
    """A folder with everything in it; servers are told by an environment variable."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        PROGRESS.step("making a table and files")
        make_table(folder / "rows.sqlite3", p.rows)
        make_files(folder / "files", p.files, p.file_size)
        setup = {"database": folder / "rows.sqlite3", "files": folder / "files", "temporary": name}
        os.environ["BENCHMARK_STREAMS"] = json.dumps(setup, default=str)
        use_client_core()
        yield folder


def ratios(rounds: list[Found]) -> dict[str, Any]:
    """What the goals are about; each ratio is taken within a round."""
    bases = {"django": "django_wsgi", "django_asgi": "django_asgi"}
    wanted = [("asgi", "django"), ("wsgi", "django"), ("asgi", "django_asgi")]
    return {
        f"{task}_{ours}_to_{base}": ratio_of(
            rounds, f"{task} ours_{ours}", f"{task} {bases[base]}", figure
        )
        for task, figure in (("csv", "rows_s"), ("zip", "mb_s"))
        for ours, base in wanted
    }


GOALS: list[Goal] = [
    ("csv_asgi_to_django", "CSV, rows/s, ours under uvicorn to Django under gunicorn", "at least", 1.0),
    ("csv_wsgi_to_django", "CSV, rows/s, ours under gunicorn to Django under gunicorn", "at least", 1.0),
    ("csv_asgi_to_django_asgi", "  the same, ours under uvicorn to Django under uvicorn", "", 0.0),
    ("zip_asgi_to_django", "  ZIP, MB/s, ours under uvicorn to Django under gunicorn", "", 0.0),
    ("zip_wsgi_to_django", "  ZIP, MB/s, ours under gunicorn to Django under gunicorn", "", 0.0),
    ("zip_asgi_to_django_asgi", "  ZIP, MB/s, ours under uvicorn to Django under uvicorn", "", 0.0),
]  # fmt: skip
MEMORY_GOAL = 32  # MB above idle


COLUMNS_SHOWN: list[Column] = [
    ("rows/s", "rows_s", "{:,.0f}"),
    ("MB/s", "mb_s", "{:.0f}"),
    ("rows", "rows", "{:,.0f}"),
    ("MB", "mb", "{:,.0f}"),
    ("seconds", "seconds", "{:.1f}"),
    ("CPU s", "cpu_s", "{:.1f}"),
    ("1st byte ms", "first_byte_ms", "{:,.1f}"),
    ("peak MB above idle", "peak_above_idle_mb", "{:,.1f}"),
]


def goals(results: dict[str, Any]) -> list[str]:
    """All goals, a line for each."""
    lines = goal_lines(GOALS, results["ratios"])
    for name in ("csv ours_asgi", "csv ours_wsgi", "zip ours_asgi", "zip ours_wsgi"):
        value = results["medians"].get(name, {}).get("peak_above_idle_mb")
        title = f"{name}, peak memory above idle, MB"
        lines.append(goal_line(title, value, "at most", MEMORY_GOAL))
    return lines


def table(results: dict[str, Any]) -> str:
    """The medians, the goals, and what they stand on."""
    titles = {
        f"{task} {one.name}": f"{task.upper()} {one.title}"
        for task in MEASURES
        for one in CONTESTANTS
    }
    shown = {titles[name]: row for name, row in sorted(results["medians"].items())}
    return "\n".join([*rows(COLUMNS_SHOWN, shown), "", *goals(results), "", *notes(results)])


def notes(results: dict[str, Any]) -> list[str]:
    """Hardware, servers, sizes: what the figures stand on."""
    p = results["parameters"]
    return [
        stands_on(results),
        "uvicorn: one worker, asyncio, h11. gunicorn: one worker, gthread, 8 threads. SQLite.",
        f"{p['rounds']} round(s), medians; ratios within a round. One client, on the same machine.",
        "Under uvicorn, Django alone has everything in memory before it sends the first byte; there "
        f"it gets no more than {p['collected_rows']:,} rows and {p['collected_files']} files.",
        "Django's archive is made in a temporary file, which is not in the memory shown.",
    ]


def main() -> None:
    """Measure, write `streams.json`, print the table."""
    asked = options(__doc__, "about a minute, smaller")
    p, begun = QUICK if asked.quick else Parameters(), time.time()
    contestants = chosen(CONTESTANTS, asked.only)
    stay_in_time(p.total_limit)
    PROGRESS.expect(1 + turns(contestants, p.rounds, p.rounds))
    with prepared(p) as folder:
        rounds = play(contestants, p.rounds, p.rounds, lambda one: measure(one, p, folder))
    PROGRESS.finish()
    facts = {"machine": machine(), "versions": versions(PACKAGES, SQLite=sqlite3.sqlite_version)}
    print(table(written(RESULTS, begun, facts, p, {"rounds": rounds}, ratios)))


if __name__ == "__main__":
    main()
