"""The README's steps from nothing to a download for members, taken as they stand there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from .tools import free_port

from .conftest import make_file
from .servers import EXAMPLE, HOST, accepts, wait_until

SIZE = 300_000
NAME, PASSWORD = "ada", "for the tests"


def blocks(language: str) -> list[str]:
    """The code blocks of the README's section, in their order."""
    text = (EXAMPLE.parent / "README.md").read_text(encoding="utf-8")
    section = text.split("## In a project of your own\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


def run(command: str, folder: Path) -> None:
    """A line of the README, in this environment; who is asked for a name and a password, is told."""
    program, *arguments = shlex.split(command)
    told = {"DJANGO_SUPERUSER_USERNAME": NAME, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    told["DJANGO_SUPERUSER_EMAIL"] = "ada@example.org"
    if arguments[-1] == "createsuperuser":
        arguments.append("--noinput")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {name: text for name, text in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    subprocess.run(
        [program, *arguments], cwd=folder, env={**own, **told, "PATH": path},
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project that the first steps make, with a file."""
    _, start, enter, *further = blocks("sh")[0].splitlines()
    base = tmp_path_factory.mktemp("readme")
    run(start, base)
    folder = base / enter.removeprefix("cd ")
    for command in further:
        run(command, folder)
    (folder / "episodes").mkdir()
    make_file(folder / "episodes" / "1.mp3", SIZE)
    (folder / "mysite" / "urls.py").write_text(blocks("python")[0])
    with (folder / "mysite" / "settings.py").open("a") as settings:
        settings.write(blocks("python")[1])
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    """A copy of it, for one server."""
    return shutil.copytree(made, tmp_path / made.name)


def change_asgi(folder: Path) -> None:
    """Change the line that imports `get_asgi_application`."""
    path = folder / "mysite" / "asgi.py"
    changed, count = re.subn(
        r"^from .* import get_asgi_application\n", blocks("python")[2], path.read_text(), flags=re.M
    )
    assert count == 1
    path.write_text(changed)


SERVERS = {
    "uvicorn": "--port {port}",
    "gunicorn": f"--bind {HOST}:{{port}}",
    "python": "{port} --noreload",
}


@contextmanager
def started(server: str, folder: Path) -> Iterator[str]:
    """The address of the server that the last block starts."""
    lines = (line.partition("#")[0] for line in blocks("sh")[1].splitlines())
    command = next(shlex.split(line) for line in lines if line.startswith(server))
    port = free_port()
    where = SERVERS[server].format(port=port).split()
    process = subprocess.Popen(
        [Path(sys.executable).with_name(command[0]), *command[1:], *where],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: accepts(port), f"{server} listens")
        yield f"http://{HOST}:{port}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("server", SERVERS)
def test_from_nothing_to_a_download_for_members(project: Path, server: str) -> None:
    if server == "uvicorn":
        change_asgi(project)
    visitor = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with started(server, project) as site:
        url = f"{site}/episodes/1.mp3"
        with visitor.open(url, timeout=20) as answer:
            login, page = answer.url, answer.read().decode()
        assert urllib.parse.urlsplit(login).path == "/admin/login/"
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert token
        fields = {"csrfmiddlewaretoken": token[1], "username": NAME, "password": PASSWORD}
        form = urllib.parse.urlencode({**fields, "next": "/episodes/1.mp3"}).encode()
        with visitor.open(login, form, timeout=20) as answer:
            content = answer.read()
            assert (answer.url, answer.headers["Content-Type"]) == (url, "audio/mpeg")
        assert content == (project / "episodes" / "1.mp3").read_bytes()
        seek = urllib.request.Request(url, headers={"Range": "bytes=200000-"})
        with visitor.open(seek, timeout=20) as answer:
            assert (answer.status, answer.read()) == (206, content[200_000:])
        with pytest.raises(urllib.error.HTTPError, match="404"):
            visitor.open(f"{site}/episodes/2.mp3", timeout=20)
