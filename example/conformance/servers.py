"""The servers that are compared: this library's example on six of them, and others beside it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .answers import HOST

EXAMPLE = Path(__file__).resolve().parent.parent
BIND = f"{HOST}:{{port}}"
NGINX_CONFIG = """
daemon off; master_process off; pid {work}/nginx.pid; error_log {work}/error.log;
events {{}}
http {{
    access_log off; types {{ audio/mpeg mp3; }}
    client_body_temp_path {work}/body; proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi; uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
    server {{ listen {host}:{port}; root {root}; }}
}}
"""


@dataclass(frozen=True)
class Column:
    """A server, and how it is started."""

    name: str
    title: str
    command: tuple[str, ...]  # a Python module and its arguments, or nginx
    packages: tuple[str, ...]  # whose versions count; the program itself for nginx
    prefix: str = "/"  # of the file's URL

    @property
    def ours(self) -> bool:
        """Whether this library answers."""
        return "django-fileresponse" in self.packages

    def versions(self) -> str | None:
        """Names and versions; None if something is not installed."""
        if self.name == "nginx":
            program = nginx()
            done = program and subprocess.run([program, "-v"], capture_output=True, text=True)  # noqa: S603
            return done.stderr.strip().rpartition(": ")[2] if done else None
        try:
            return ", ".join(f"{package} {version(package)}" for package in self.packages)
        except PackageNotFoundError:
            return None


def _ours(name: str, *command: str) -> Column:
    server = name.removesuffix("-stock")
    title = f"ours, {server}" + (", Django's handler" if name.endswith("-stock") else "")
    return Column(name, title, command, ("django-fileresponse", "Django", server), "/inline/")


def _rival(name: str, title: str, server: str, *command: str) -> Column:
    return Column(name.lower(), title, command, tuple(dict.fromkeys((name, server))))


_UVICORN = ("--host", HOST, "--port", "{port}", "--log-level", "warning")
_HERE = "conformance.servers:"
COLUMNS = [
    _ours("uvicorn", "uvicorn", "config.asgi:application", *_UVICORN),
    _ours("uvicorn-stock", "uvicorn", "--factory", "django.core.asgi:get_asgi_application", *_UVICORN),
    _ours("hypercorn", "hypercorn", "config.asgi:application", "--bind", BIND),
    _ours("daphne", "daphne", "config.asgi:application", "--bind", HOST, "--port", "{port}"),
    _ours("granian", "granian", "--interface", "asgi", "config.asgi:application", "--host", HOST, "--port", "{port}"),
    _ours("gunicorn", "gunicorn", "config.wsgi:application", "--threads", "8", "--bind", BIND),
    Column("nginx", "nginx", ("nginx",), ()),
    _rival("Starlette", "Starlette StaticFiles", "uvicorn", "uvicorn", "--factory", _HERE + "starlette_app", *_UVICORN),
    _rival("aiohttp", "aiohttp static", "aiohttp", "aiohttp.web", "-H", HOST, "-P", "{port}", _HERE + "aiohttp_app"),
    _rival("WhiteNoise", "WhiteNoise", "gunicorn", "gunicorn", _HERE + "whitenoise_app()", "--bind", BIND),
    _rival("Django", "Django static.serve", "gunicorn", "gunicorn", _HERE + "django_app()", "--threads", "8", "--bind", BIND),
]  # fmt: skip


def nginx() -> str | None:
    """Where nginx is; system folders are not on every user's path."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def starlette_app() -> Any:
    """Starlette's `StaticFiles`, whose answers are its `FileResponse`s."""
    from starlette.applications import Starlette
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles

    return Starlette(routes=[Mount("/", StaticFiles(directory=os.environ["CONFORMANCE_ROOT"]))])


def aiohttp_app(_: list[str]) -> Any:
    """aiohttp's static route, whose answers are its `FileResponse`s."""
    from aiohttp import web

    app = web.Application()
    app.router.add_static("/", os.environ["CONFORMANCE_ROOT"])
    return app


def whitenoise_app() -> Any:
    """WhiteNoise alone, with its defaults."""
    from whitenoise import WhiteNoise

    def not_found(_: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("404 Not Found", [("Content-Length", "0")])
        return []

    return WhiteNoise(not_found, root=os.environ["CONFORMANCE_ROOT"])


def django_app() -> Any:
    """Django's own view over its `FileResponse`, with its middleware for conditions."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.urls import path
    from django.views.decorators.http import require_safe
    from django.views.static import serve

    root = {"document_root": os.environ["CONFORMANCE_ROOT"]}
    settings.configure(
        ALLOWED_HOSTS=[HOST],
        MIDDLEWARE=["django.middleware.http.ConditionalGetMiddleware"],
        ROOT_URLCONF=(path("<path:path>", require_safe(serve), root),),
        SECRET_KEY="conformance",  # noqa: S106
    )
    return get_wsgi_application()


def listens(port: int) -> bool:
    """Whether somebody listens on the port."""
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0


@contextmanager
def running(column: Column, data: Path, work: Path) -> Iterator[int]:
    """Run a server over `data`/media in a folder of its own; its port."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port = listener.getsockname()[1]
    work.mkdir()
    command = [sys.executable, "-m", *(word.format(port=port) for word in column.command)]
    if column.name == "nginx":
        text = NGINX_CONFIG.format(work=work, host=HOST, port=port, root=data / "media")
        (work / "nginx.conf").write_text(text)
        command = [
            nginx() or "nginx",
            "-p",
            str(work),
            "-c",
            str(work / "nginx.conf"),
            "-e",
            "stderr",
        ]
    env = os.environ | {
        "CONFORMANCE_ROOT": str(data / "media"),
        "EXAMPLE_DATA": str(data),
        "EXAMPLE_DEBUG": "0",
        "EXAMPLE_SECRET_KEY": "conformance",
    }
    if column.ours:
        env["DJANGO_SETTINGS_MODULE"] = "config.settings"
    with (
        (work / "log").open("wb") as log,
        subprocess.Popen(  # noqa: S603
            command, cwd=EXAMPLE, env=env, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        try:
            deadline = time.monotonic() + 30
            while not listens(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(
                        f"{column.name} did not start:\n{(work / 'log').read_text()}"
                    )
                time.sleep(0.05)
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
