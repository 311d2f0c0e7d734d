"""Start the example under a real server on a free loopback port, and stop it again."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from .tools import free_port

EXAMPLE = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"

# Ours: this library's handler. Stock: Django's handlers with this library's middleware.
COMMANDS = {
    "uvicorn": ["uvicorn", "config.asgi:application", "--host", HOST, "--port", "{port}"],
    "uvicorn-stock": [
        "uvicorn", "--factory", "django.core.asgi:get_asgi_application", "--host", HOST, "--port", "{port}"
    ],
    "hypercorn": ["hypercorn", "config.asgi:application", "--bind", HOST + ":{port}"],
    "anycorn": ["anycorn", "config.asgi:application", "--bind", HOST + ":{port}"],
    "daphne": ["daphne", "config.asgi:application", "--bind", HOST, "--port", "{port}"],
    "granian": ["granian", "--interface", "asgi", "config.asgi:application", "--host", HOST, "--port", "{port}"],
    "gunicorn": ["gunicorn", "config.wsgi:application", "--threads", "8", "--bind", HOST + ":{port}"],
}  # fmt: skip


@dataclass
class Server:
    """A running server."""

    name: str
    port: int
    process: psutil.Process
    log_file: Path

    @property
    def log(self) -> str:
        """What the server and the application have printed so far."""
        return self.log_file.read_text(encoding="utf-8")

    def processes(self) -> list[psutil.Process]:
        """All processes of the server."""
        return [self.process, *self.process.children(recursive=True)]

    def worker(self) -> psutil.Process:
        """The process that answers requests."""
        return self.processes()[-1]

    def descriptors(self) -> int:
        """How many descriptors the worker has open."""
        return self.worker().num_fds()

    def memory(self) -> int:
        """The worker's resident memory in bytes."""
        return int(self.worker().memory_info().rss)


def wait_until(condition, what: str, seconds: float = 30) -> None:
    """Wait for something to become true; an error that says what, if it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def accepts(port: int) -> bool:
    """Whether somebody is listening on the port."""
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0


@contextmanager
def running(
    name: str,
    data: Path,
    log_file: Path,
    *arguments: str,  # further ones of the command; the last of a kind wins
    env: Mapping[str, str] | None = None,  # further variables
    asgi: str = "config.asgi:application",  # what an ASGI server is to run
    command: list[str] | None = None,  # another than the one of that name
    under: Sequence[str] = (),  # a command that turns into the one it is given
) -> Iterator[Server]:
    """Run the example under one of `COMMANDS`, or another; it has to stop in peace on SIGTERM."""
    port = free_port()
    command = [part.format(port=port) for part in command or COMMANDS[name]]
    command = [asgi if part == "config.asgi:application" else part for part in command]
    command += arguments
    variables = {
        **os.environ,
        "EXAMPLE_DATA": str(data),
        "EXAMPLE_DEBUG": "0",
        "EXAMPLE_SECRET_KEY": "tests",
    }
    variables |= {"DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONUNBUFFERED": "1"}
    variables |= env or {}
    with (
        log_file.open("wb") as log,
        subprocess.Popen(
            [*under, sys.executable, "-m", *command],
            cwd=EXAMPLE,
            env=variables,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as popen,
    ):
        server = Server(name, port, psutil.Process(popen.pid), log_file)
        try:
            wait_until(lambda: accepts(port) or popen.poll() is not None, f"{name} listens")
            if popen.poll() is not None:
                raise RuntimeError(f"{name} did not start:\n{server.log}")
            yield server
        finally:
            popen.send_signal(signal.SIGTERM)
            try:
                popen.wait(20)
            except subprocess.TimeoutExpired:
                popen.kill()
                raise
