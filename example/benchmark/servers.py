"""How the contestants are started and watched: each on one core, the client on the other."""

import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from tests.tools import free_port

from .load import HOST

EXAMPLE = Path(__file__).resolve().parent.parent
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[-1]
PIN = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
os.execvp(sys.argv[2], sys.argv[2:])
"""
STARTS_WITHIN, STOPS_WITHIN = 30, 10  # seconds
LOOK_EVERY = 0.05  # seconds, at a server's memory


@dataclass(frozen=True)
class Contestant:
    """A server, and what is special about it."""

    name: str
    title: str
    command: tuple[str, ...]  # `{port}` and `{folder}` stand for what is known at the start
    needs: str = ""  # a module, or a program that is no module, that has to be there
    slow_clients: int = 0  # at a time; 0: its memory is not measured
    is_rival: bool = False  # measured less often in the quick form, or not at all
    has_objects: bool = True  # False: it answers 4 KiB and no more
    copies: int = 0  # of what is sent that are in memory for each slow client, at worst

    @property
    def is_missing(self) -> bool:
        """Whether it cannot be started, since what it needs is not there."""
        return bool(self.needs) and not (shutil.which(self.needs) or _is_module(self.needs))


def _is_module(name: str) -> bool:
    with suppress(ModuleNotFoundError):  # of the package around it
        return find_spec(name) is not None
    return False


def python(*words: str) -> tuple[str, ...]:
    """A command of this Python: a module and its arguments."""
    return (sys.executable, "-m", *words)


def uvicorn(app: str, more: str = "--loop asyncio --http h11") -> tuple[str, ...]:
    """A command: uvicorn with one worker and a factory of an application."""
    where = f"--factory benchmark.{app} --host {HOST} --port {{port}} --workers 1"
    quiet = "--no-access-log --log-level warning --timeout-graceful-shutdown 2"
    return python("uvicorn", *f"{where} {more} {quiet}".split())


def gunicorn(app: str, more: str = "--worker-class gthread --threads 8") -> tuple[str, ...]:
    """A command: gunicorn with one worker and a factory of an application."""
    where = f"benchmark.{app}() --bind {HOST}:{{port}} --workers 1"
    quiet = "--log-level warning --timeout 0 --graceful-timeout 2"
    return python("gunicorn", *f"{where} {more} {quiet}".split())


def on_core(core: int, *command: str) -> list[str]:
    """A command that stays on one core, with all its threads and children."""
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

    def settled_memory(self, within: float, pause: float = 1.0) -> int:
        """Resident bytes when they have stopped growing, or when the time is over."""
        deadline, before, now = time.monotonic() + within, -1, self.memory()
        while abs(now - before) > 1 << 18 and time.monotonic() < deadline:
            time.sleep(pause)
            before, now = now, self.memory()
        return now

    @contextmanager
    def watched_memory(self) -> Iterator[list[int]]:
        """Resident bytes, seen every now and then."""
        seen, done = [self.memory()], threading.Event()

        def watch() -> None:
            while not done.wait(LOOK_EVERY):
                seen.append(self.memory())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield seen
        finally:
            done.set()
            watcher.join()


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
def running(
    contestant: Contestant, folder: Path, environment: Mapping[str, str]
) -> Iterator[Server]:
    """Run a contestant on its core; its log, in that folder, is shown if anything fails."""
    port, log_file = free_port(), folder / f"{contestant.name}.log"
    known = {"{port}": str(port), "{folder}": str(folder)}
    command = [_filled(word, known) for word in contestant.command]
    with log_file.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            on_core(SERVER_CORE, *command),
            cwd=EXAMPLE,
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
            start_new_session=True,
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


def _filled(word: str, known: dict[str, str]) -> str:
    for name, value in known.items():
        word = word.replace(name, value)
    return word


CONGESTION = Path("/proc/sys/net/ipv4/tcp_congestion_control")


def machine(sharing: str = "the server on one, the client on the other") -> dict[str, Any]:
    """The processor, and how its cores are shared."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else "unknown",
        "cores": len(CORES),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "sharing": sharing,
        "tcp": CONGESTION.read_text().strip(),
    }


def versions(packages: str, **more: str) -> dict[str, str]:
    """Of Python, of what is named, and of packages."""
    return {
        "Python": platform.python_version(),
        **more,
        **{name: version(name) for name in packages.split()},
    }
