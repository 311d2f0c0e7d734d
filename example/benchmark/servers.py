"""The contestants, and how they are started: each on one core, the client on the other."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from fileresponse.localstore import free_port

from .load import HOST, Wrong

EXAMPLE = Path(__file__).resolve().parent.parent
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[-1]
PIN = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
os.execv(sys.argv[2], sys.argv[2:])
"""
STARTS_WITHIN, STOPS_WITHIN = 30, 10  # seconds


@dataclass(frozen=True)
class Contestant:
    """A server, and what is special about it."""

    name: str
    title: str
    command: tuple[str, ...]  # a Python module and its arguments
    slow_clients: int = 0  # at a time; 0: its memory is not measured
    is_rival: bool = False  # measured less often in the quick form
    has_objects: bool = True  # False: it answers 4 KiB and no more
    copies: int = 0  # of an object that are in memory for each slow client, at worst


def _uvicorn(app: str, lifespan: str) -> tuple[str, ...]:
    options = f"--lifespan {lifespan} --loop asyncio --http h11 --workers 1"
    stop = "--no-access-log --log-level warning --timeout-graceful-shutdown 2"
    where = f"--factory benchmark.apps:{app} --host {HOST} --port {{port}}"
    return ("uvicorn", *f"{where} {options} {stop}".split())


def _gunicorn(app: str) -> tuple[str, ...]:
    options = "--worker-class gthread --workers 1 --threads 8 --log-level warning"
    stop = "--graceful-timeout 2"
    return (
        "gunicorn",
        f"benchmark.apps:{app}()",
        *f"--bind {HOST}:{{port}} {options} {stop}".split(),
    )


CONTESTANTS = [
    Contestant("ours", "ours", _uvicorn("ours", "on"), 80),
    Contestant("bare", "bare ASGI", _uvicorn("bare", "on"), 80),
    Contestant("django", "Django alone", _uvicorn("django_only", "on"), has_objects=False),
    Contestant("per_request", "client per request", _uvicorn("client_per_request", "off"), 100, True),
    Contestant("storages", "django-storages, gunicorn", _gunicorn("storages_wsgi"), 8, True, copies=2),
    Contestant("storages_asgi", "django-storages, uvicorn", _uvicorn("storages_asgi", "off"), 4, True, copies=4),
]  # fmt: skip


def on_core(core: int, *command: str) -> list[str]:
    """A command of this Python that stays on one core, with all its threads."""
    return [sys.executable, "-c", PIN, str(core), *command]


@dataclass
class Server:
    """A running server."""

    port: int
    process: psutil.Process

    def _family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def cpu(self) -> float:
        """CPU seconds of all its processes so far."""
        return sum(cpu_seconds(process) for process in self._family())

    def memory(self) -> int:
        """Resident bytes of all its processes."""
        return sum(int(process.memory_info().rss) for process in self._family())

    def settled_memory(self, within: float) -> int:
        """Resident bytes when they have stopped growing, or when the time is over."""
        deadline, before, now = time.monotonic() + within, -1, self.memory()
        while abs(now - before) > 1 << 18 and time.monotonic() < deadline:
            time.sleep(1)
            before, now = now, self.memory()
        return now


def cpu_seconds(process: psutil.Process) -> float:
    """CPU seconds of a process so far, without its children's."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM, and then SIGKILL to what is left of its group."""
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOPS_WITHIN)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOPS_WITHIN)


@contextmanager
def running(contestant: Contestant, store: dict[str, str], log_file: Path) -> Iterator[Server]:
    """Run a contestant on its core; its log is shown if anything fails."""
    port = free_port()
    words = [word.format(port=port) for word in contestant.command]
    command = on_core(SERVER_CORE, sys.executable, "-m", *words)
    env = {**os.environ, "BENCHMARK_S3": json.dumps(store)}
    with log_file.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=EXAMPLE, env=env, stdout=log, stderr=log, start_new_session=True
        )
    try:
        deadline = time.monotonic() + STARTS_WITHIN
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{contestant.title} did not start")
            time.sleep(0.05)
        yield Server(port, psutil.Process(process.pid))
    except Exception:
        print(log_file.read_text()[-4000:], file=sys.stderr)
        raise
    finally:
        _stop(process)


def read_away(store: dict[str, str], jobs: list[Any], limit: float) -> list[Any]:
    """Run `apps.bare_read` in a process of its own, on the servers' core."""
    done = subprocess.run(  # noqa: S603
        on_core(SERVER_CORE, sys.executable, "-m", "benchmark.apps"),
        cwd=EXAMPLE,
        env={**os.environ, "BENCHMARK_S3": json.dumps(store)},
        input=json.dumps(jobs).encode(),
        stdout=subprocess.PIPE,
        timeout=limit,
        check=True,
    )
    return list(json.loads(done.stdout))


def curl(urls: list[str], at_once: int, limit: float) -> list[dict[str, float]]:
    """Fetch URLs with one curl on the client's core: what it says about each."""
    words = '"first_byte": %{time_starttransfer}, "status": %{http_code}, "bytes": %{size_download}'
    form = f"{{{words}}}\\n"
    lines = [f'url = "{url}"\noutput = "/dev/null"' for url in urls]
    parallel = ["--parallel", "--parallel-max", str(at_once)] if at_once > 1 else []
    command = ["curl", "--silent", "--show-error", *parallel, "--write-out", form, "--config", "-"]
    done = subprocess.run(  # noqa: S603
        command,
        input="\n".join(lines).encode(),
        capture_output=True,
        timeout=limit,
    )
    if done.returncode:
        raise Wrong(f"curl: {done.stderr.decode()[-500:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def machine() -> dict[str, Any]:
    """The processor, and how its cores are shared."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else "unknown",
        "cores": len(CORES),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "sharing": "the server on one core, the client on another, the store on all of them",
    }
