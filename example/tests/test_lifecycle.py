"""Around each request the same happens under this library's handler as under Django's."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from .servers import HOST, Server, running, wait_until

FORM = 'Content-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
UPLOAD = "multipart/form-data; boundary=edge"


def multipart(size: int) -> bytes:
    """A form with one file of that many bytes."""
    return f"--edge\r\n{FORM}".encode() + b"x" * size + b"\r\n--edge--\r\n"


@dataclass(frozen=True)
class Case:
    """A request, and all that is not as usual about it."""

    view: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict, hash=False)
    body: bytes = b""
    listeners: str = "nobody"
    middleware: str = "one"
    max_age: str = "0"
    hang_up: str = ""  # "in the request", "early", or "in the answer"
    threads: int | None = None  # that our handler starts; `None`: as many as Django's

    def __str__(self) -> str:
        usual = {"GET", "nobody", "one", "0", "", "None"}
        what = (
            self.method,
            *map("=".join, self.headers.items()),
            len(self.body) or "",
            self.listeners,
        )
        more = (self.middleware, self.max_age, self.hang_up)
        return ",".join(
            [self.view, *(str(part) for part in (*what, *more) if str(part) not in usual)]
        )


LISTENERS = "sync async everybody at-start at-end async-at-end failing-start failing-end".split()
QUIET = """page numbers nowhere cache_on_loop?cache=plain wrapper_on_loop in_any_thread
streaming file open_file missing""".split()
BUSY = """sync_page in_thread raising sync_raising orm sync_orm cached sync_cached
sync_streaming django_file careful own_close leaving_a_task""".split()
CASES = [
    *(Case(view, method, threads=0) for view in QUIET for method in ("GET", "HEAD")),
    *(Case("page", headers={"X-Raise": when}, threads=0) for when in ("before", "after")),
    *(Case("body", "POST", body=size * b"x", threads=0) for size in (10, 999)),
    Case("stubborn", hang_up="early", threads=0),
    Case("page", headers={"X-Urlconf": "elsewhere"}, threads=0),
    Case("page", listeners="of-others", threads=0),
    Case("page", max_age="None", threads=0),
    Case("page", "POST", {"Content-Type": UPLOAD}, multipart(10), threads=0),
    Case("endless", hang_up="in the answer", threads=0),
    Case("page", "POST", body=b"x" * 10, hang_up="in the request", threads=0),
    *(Case(view, method) for view in BUSY for method in ("GET", "HEAD")),
    *(Case(view, listeners="everybody") for view in [*QUIET, *BUSY]),
    *(Case("page", headers={"X-Urlconf": "elsewhere"}, listeners=name) for name in LISTENERS),
    *(Case("orm", max_age="60", listeners=name) for name in LISTENERS),
    *(Case(view, max_age="None") for view in ("orm", "sync_orm")),
    *(Case(view, middleware="sync") for view in ("page", "orm", "sync_orm", "sync_raising", "streaming")),
    *(Case(view, middleware="django") for view in ("page", "orm", "sync_page", "streaming", "sync_streaming")),
    Case("waiting", hang_up="early"),
    *(Case("page", "POST", body=b"x" * size) for size in (5000, 500_000)),
    *(Case("upload", "POST", {"Content-Type": UPLOAD}, multipart(size)) for size in (10, 5000)),
    *(Case(view, hang_up="early", listeners="everybody") for view in ("waiting", "stubborn")),
    Case("endless", hang_up="in the answer", listeners="everybody"),
    Case("page", headers={"X-Close": "yes"}),
]  # fmt: skip


@dataclass
class Pair:
    """The project under both handlers."""

    servers: dict[str, Server]
    folders: dict[str, Path]

    def ask(self, name: str, case: Case) -> tuple[bytes, Any]:
        """What one handler answers, and what it has done by the end."""
        port, notes = self.servers[name].port, self.folders[name] / "notes.jsonl"
        for what in ("listeners", "middleware", "max_age"):
            talk(
                port,
                f"GET /-/{what.replace('_', '-')}/{getattr(case, what)} HTTP/1.0\r\n\r\n".encode(),
            )
        before = len(notes.read_text().splitlines()) if notes.exists() else 0
        headers = {"Host": HOST, "Connection": "close", **case.headers}
        if case.method == "POST":
            headers["Content-Length"] = str(len(case.body) + (case.hang_up == "in the request"))
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = f"{case.method} /{case.view} HTTP/1.1\r\n{head}\r\n".encode() + case.body
        answer = talk(port, request, hang_up=case.hang_up)
        wait_until(
            lambda: notes.exists() and len(notes.read_text().splitlines()) > before,
            "the request ends",
        )
        return answer, json.loads(notes.read_text().splitlines()[-1])


def talk(port: int, request: bytes, hang_up: str = "") -> bytes:
    """Send a request; the answer, without its date and what differs each time."""
    with socket.create_connection((HOST, port), timeout=30) as client:
        client.sendall(request)
        if hang_up in ("early", "in the request"):
            client.settimeout(0.2)
            with pytest.raises(TimeoutError):
                client.recv(1)
            return b""
        parts = []
        while part := client.recv(1 << 16):
            parts.append(part)
            if hang_up:
                return b""
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    lines = sorted(line for line in head.split(b"\r\n") if not line.lower().startswith(b"date:"))
    return b"\r\n".join([*lines, b"", body])


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two servers with the same project."""
    with ExitStack() as stack:
        servers, folders = {}, {}
        for name in ("stock", "ours"):
            folders[name] = folder = tmp_path_factory.mktemp(name)
            servers[name] = stack.enter_context(
                running(
                    "uvicorn",
                    folder,
                    folder / "log.txt",
                    *("--factory", "--lifespan", "off", "--loop", "asyncio", "--http", "h11"),
                    env={
                        "LIFECYCLES": str(folder),
                        "DJANGO_SETTINGS_MODULE": "tests.lifecycle_settings",
                    },
                    asgi=f"tests.lifecycles:{name}",
                )
            )
        yield Pair(servers, folders)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_same_happens_in_the_same_threads(pair: Pair, case: Case) -> None:
    (answer, (events, left, started)) = pair.ask("stock", case)
    (our_answer, (our_events, our_left, our_started)) = pair.ask("ours", case)
    assert our_answer == answer
    assert our_events == events
    assert our_left == left
    assert our_started == (started if case.threads is None else case.threads)
    assert started > 0 or case.hang_up == "in the request"


@pytest.mark.parametrize("listeners", ["nobody", "everybody"])
def test_a_response_that_broke_off_is_closed_too(pair: Pair, listeners: str) -> None:
    case = Case("breaking", listeners=listeners)
    (answer, (events, left, _)) = pair.ask("stock", case)
    (our_answer, (our_events, our_left, _)) = pair.ask("ours", case)
    assert (our_answer, left["closed"], our_left["closed"]) == (answer, False, True)
    assert [event[:2] for event in our_events if event[0] != "finished"] == [
        event[:2] for event in events
    ]
    assert len(our_events) - len(events) == (2 if listeners == "everybody" else 0)


def test_a_cache_is_closed_where_django_finds_it(pair: Pair) -> None:
    case = Case("cache_on_loop?cache=default")
    (answer, (events, left, started)) = pair.ask("stock", case)
    (our_answer, (our_events, our_left, our_started)) = pair.ask("ours", case)
    assert (our_answer, our_events, our_left) == (answer, events, left)
    found = "cache closed" in [event[0] for event in events]  # since Django 6.1
    assert our_started == (started if found else 0)
