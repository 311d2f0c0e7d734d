"""Rows as CSV and files as a ZIP through this library and through Django alone, side by side.

`python -m benchmark.streams` in the folder `example`: about seven minutes; `--quick`: about two.
"""

import argparse
import json
import os
import platform
import signal
import socket
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any


from .load import HOST, Wrong
from .report import goal_line, medians, per_round, rounded
from .servers import CLIENT_CORE, Contestant, Server, machine, running
from .streams_apps import COLUMNS

RESULTS = Path(__file__).with_name("streams.json")
PACKAGES = "Django gunicorn h11 uvicorn"
MB, MIB = 10**6, 1 << 20
LOOK_EVERY = 0.05  # seconds, at the server's memory


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


def _uvicorn(app: str) -> tuple[str, ...]:
    options = "--loop asyncio --http h11 --workers 1 --no-access-log --log-level warning"
    where = f"--factory benchmark.streams_apps:{app} --host {HOST} --port {{port}}"
    return ("uvicorn", *f"{where} {options} --timeout-graceful-shutdown 2".split())


def _gunicorn(app: str) -> tuple[str, ...]:
    options = "--worker-class gthread --workers 1 --threads 8 --log-level warning"
    where = f"benchmark.streams_apps:{app}() --bind {HOST}:{{port}}"
    return ("gunicorn", *f"{where} {options} --timeout 0 --graceful-timeout 2".split())


CONTESTANTS = [
    Contestant("ours_asgi", "ours, uvicorn", _uvicorn("ours_asgi")),
    Contestant("ours_wsgi", "ours, gunicorn", _gunicorn("ours_wsgi")),
    Contestant("django_wsgi", "Django alone, gunicorn", _gunicorn("django_wsgi")),
    Contestant("django_asgi", "Django alone, uvicorn", _uvicorn("django_asgi")),
]


def say(text: str) -> None:
    """Progress, beside the results."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


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
    status, *lines = head.decode("latin-1").split("\r\n")
    if " 200 " not in f"{status} ":
        raise Wrong(status)
    pairs = (line.partition(":") for line in lines)
    return {name.lower(): value.strip() for name, _, value in pairs}, first


@contextmanager
def watched_memory(server: Server) -> Iterator[list[int]]:
    """Resident bytes of the server, seen every now and then."""
    seen, done = [server.memory()], threading.Event()

    def watch() -> None:
        while not done.wait(LOOK_EVERY):
            seen.append(server.memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def measured(server: Server, path: str, small: str, limit: float) -> tuple[Answer, dict[str, Any]]:
    """One answer: seconds, memory above that after a small one, time to first byte."""
    ask(server.port, small, limit)
    idle, cpu = server.settled_memory(5), server.cpu()
    with watched_memory(server) as seen:
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
    rows = min(p.rows, p.collected_rows) if collects else p.rows
    answer, found = measured(server, f"/rows/{rows}", "/rows/10", p.limit)
    if answer.commas != rows * (len(COLUMNS) - 1):
        raise Wrong(f"{answer.commas} commas in {rows} rows")
    return {**found, "rows": rows, "rows_s": rows / answer.seconds}


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


def play_round(p: Parameters, number: int, folder: Path) -> dict[str, dict[str, Any]]:
    """Every contestant with each task, on a server of its own; every other round backwards."""
    found: dict[str, dict[str, Any]] = {}
    for contestant in CONTESTANTS[:: -1 if number % 2 else 1]:
        for task, measure in MEASURES.items():
            say(f"round {number + 1}: {task}, {contestant.title} …")
            with running(contestant, {}, folder / "server.log") as server:
                name = f"{task} {contestant.name}"
                found[name] = measure(server, p, contestant.name == "django_asgi")
    return found


@contextmanager
def prepared(p: Parameters) -> Iterator[Path]:
    """A folder with everything in it; servers are told by an environment variable."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        say("making a table and files …")
        make_table(folder / "rows.sqlite3", p.rows)
        make_files(folder / "files", p.files, p.file_size)
        setup = {"database": folder / "rows.sqlite3", "files": folder / "files", "temporary": name}
        os.environ["BENCHMARK_STREAMS"] = json.dumps(setup, default=str)
        os.sched_setaffinity(0, {CLIENT_CORE})
        yield folder


def ratios(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """What the goals are about; each ratio is taken within a round."""

    def ratio(name: str, base: str, figure: str) -> dict[str, Any] | None:
        return per_round(rounds, {name, base}, lambda r: r[name][figure] / r[base][figure])

    return {
        "csv_asgi_to_django": ratio("csv ours_asgi", "csv django_wsgi", "rows_s"),
        "csv_wsgi_to_django": ratio("csv ours_wsgi", "csv django_wsgi", "rows_s"),
        "csv_asgi_to_django_asgi": ratio("csv ours_asgi", "csv django_asgi", "rows_s"),
        "zip_asgi_to_django": ratio("zip ours_asgi", "zip django_wsgi", "mb_s"),
        "zip_wsgi_to_django": ratio("zip ours_wsgi", "zip django_wsgi", "mb_s"),
        "zip_asgi_to_django_asgi": ratio("zip ours_asgi", "zip django_asgi", "mb_s"),
    }


GOALS = [
    ("csv_asgi_to_django", "CSV, rows/s, ours under uvicorn to Django under gunicorn", "at least", 1.0),
    ("csv_wsgi_to_django", "CSV, rows/s, ours under gunicorn to Django under gunicorn", "at least", 1.0),
    ("csv_asgi_to_django_asgi", "  the same, ours under uvicorn to Django under uvicorn", "", 0.0),
    ("zip_asgi_to_django", "  ZIP, MB/s, ours under uvicorn to Django under gunicorn", "", 0.0),
    ("zip_wsgi_to_django", "  ZIP, MB/s, ours under gunicorn to Django under gunicorn", "", 0.0),
    ("zip_asgi_to_django_asgi", "  ZIP, MB/s, ours under uvicorn to Django under uvicorn", "", 0.0),
]  # fmt: skip
MEMORY_GOAL = 32  # MB above idle


def goals(results: dict[str, Any]) -> list[str]:
    """All goals, a line for each."""
    found = {name: ratio["median"] for name, ratio in results["ratios"].items() if ratio}
    lines = [goal_line(title, found.get(name), word, goal) for name, title, word, goal in GOALS]
    for name in ("csv ours_asgi", "csv ours_wsgi", "zip ours_asgi", "zip ours_wsgi"):
        value = results["medians"][name]["peak_above_idle_mb"]
        lines.append(
            goal_line(f"{name}, peak memory above idle, MB", value, "at most", MEMORY_GOAL)
        )
    return lines


COLUMNS_SHOWN = [
    ("rows/s", "rows_s", "{:,.0f}"),
    ("MB/s", "mb_s", "{:.0f}"),
    ("rows", "rows", "{:,.0f}"),
    ("MB", "mb", "{:,.0f}"),
    ("seconds", "seconds", "{:.1f}"),
    ("CPU s", "cpu_s", "{:.1f}"),
    ("1st byte ms", "first_byte_ms", "{:,.1f}"),
    ("peak MB above idle", "peak_above_idle_mb", "{:,.1f}"),
]


def width(head: str) -> int:
    """Of a column."""
    return max(len(head), 10) + 2


def table(results: dict[str, Any]) -> str:
    """The medians, the goals, and what they stand on."""
    titles = {contestant.name: contestant.title for contestant in CONTESTANTS}
    lines = [" " * 27 + "".join(f"{head:>{width(head)}}" for head, _, _ in COLUMNS_SHOWN)]
    for name, row in sorted(results["medians"].items()):
        task, _, contestant = name.partition(" ")
        cells = [
            f"{form.format(row[figure]) if figure in row else '-':>{width(head)}}"
            for head, figure, form in COLUMNS_SHOWN
        ]
        lines.append(f"{task.upper() + ' ' + titles[contestant]:<27}{''.join(cells)}")
    return "\n".join([*lines, "", *goals(results), "", *notes(results)])


def notes(results: dict[str, Any]) -> list[str]:
    """Hardware, servers, sizes: what the figures stand on."""
    m, p = results["machine"], results["parameters"]
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    return [
        f"{m['cpu']}, {m['cores']} cores: {m['sharing']}. {versions}.",
        "uvicorn: one worker, asyncio, h11. gunicorn: one worker, gthread, 8 threads. SQLite.",
        f"{p['rounds']} round(s), medians; ratios within a round. One client, on the same machine.",
        "Under uvicorn, Django alone has everything in memory before it sends the first byte; there "
        f"it gets no more than {p['collected_rows']:,} rows and {p['collected_files']} files.",
        "Django's archive is made in a temporary file, which is not in the memory shown.",
    ]


def interrupt(number: int, _: Any) -> None:
    """A signal's end: everything is stopped on the way out."""
    if number == signal.SIGALRM:
        raise TimeoutError("the benchmark took too long")
    sys.exit(128 + number)


def host() -> dict[str, Any]:
    """The machine; here there is no store."""
    return {**machine(), "sharing": "the server on one, the client on the other"}


def main() -> None:
    """Measure, write `streams.json`, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute, smaller")
    p = QUICK if parser.parse_args().quick else Parameters()
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(p.total_limit)
    begun, facts = time.time(), host()
    with prepared(p) as folder:
        rounds = [play_round(p, number, folder) for number in range(p.rounds)]
    packages = {name: version(name) for name in PACKAGES.split()}
    results = {
        "date": time.strftime("%Y-%m-%d", time.gmtime(begun)),
        "seconds": round(time.time() - begun),
        "machine": facts,
        "versions": {
            "Python": platform.python_version(),
            "SQLite": sqlite3.sqlite_version,
            **packages,
        },
        "parameters": asdict(p),
        "rounds": rounds,
        "medians": medians(rounds),
        "ratios": ratios(rounds),
    }
    RESULTS.write_text(json.dumps(rounded(results), indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
