"""Names that lead elsewhere, sent as they are over a socket: one 404 for all, and nothing that is not in the folder."""

import gzip
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .servers import EXAMPLE, HOST, Server, running

SERVERS = ("uvicorn", "uvicorn-stock", "gunicorn")
VIEWS = ("serve", "paths", "stored", "media")
SECRET, PUBLIC = b"this is nobody's business", b"this is for everybody"

NAMES = {
    "folder": b"sub",
    "folder with a slash": b"sub/",
    "file with a slash": b"public.txt/",
    "below a file": b"public.txt/x",
    "pipe": b"pipe",
    "socket": b"socket",
    "link to a device": b"null",
    "dots": b"../secret.txt",
    "dots in the middle": b"sub/../public.txt",
    "dots far up": b"../" * 40 + b"etc/passwd",
    "dots, encoded": b"%2e%2e/secret.txt",
    "dots and slash, encoded": b"%2e%2e%2fsecret.txt",
    "dots, encoded twice": b"%252e%252e%252fsecret.txt",
    "dots, overlong UTF-8": b"%c0%ae%c0%ae/secret.txt",
    "full-width dots": b"%ef%bc%8e%ef%bc%8e/secret.txt",
    "a dot": b"./public.txt",
    "a dot in the middle": b"sub/./inner.txt",
    "parameters": b"..;/secret.txt",
    "doubled dots": b"....//secret.txt",
    "backslashes": b"..\\secret.txt",
    "backslashes, encoded": b"..%5csecret.txt",
    "a backslash that is there": b"back%5cslash.txt",
    "NUL": b"public.txt%00",
    "NUL and another ending": b"secret.txt%00.html",
    "newline": b"public.txt%0a",
    "absolute": b"/etc/passwd",
    "absolute, encoded": b"%2fetc%2fpasswd",
    "doubled slash": b"/public.txt",
    "doubled slash in the middle": b"sub//inner.txt",
    "UNC": b"%5c%5c127.0.0.1%5cshare%5cx",
    "UNC with slashes": b"//127.0.0.1/share/x",
    "extended": b"%5c%5c%3f%5cC:%5cWindows%5cwin.ini",
    "drive": b"C:/Windows/win.ini",
    "device": b"CON",
    "device with an ending": b"aux.txt",
    "device in a folder": b"sub/LPT1",
    "stream": b"public.txt::$DATA",
    "file URL": b"file:///etc/passwd",
    "home": b"~root/.bashrc",
    "link to a file outside": b"out.txt",
    "link to a folder outside": b"up/secret.txt",
    "link through two links": b"twice.txt",
    "absolute link": b"absolute.txt",
    "link in a folder": b"sub/out.txt",
    "link to a folder that begins alike": b"alike/public.txt",
    "link to itself": b"loop",
    "link to nothing": b"dangling",
    "only a compressed form": b"only.txt",
    "too long": b"x" * 300,
    "much too long": b"x" * 3000,
    "too deep": b"x/" * 1500 + b"x",
    "not UTF-8": b"%ff%fe.txt",
    "surrogate": b"%ed%b3%bf.txt",
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with something for everybody, and links to what is not."""
    base = tmp_path_factory.mktemp("site")
    root = base / "root"
    (root / "sub").mkdir(parents=True)
    (base / "root2").mkdir()
    (base / "secret.txt").write_bytes(SECRET)
    (base / "secret.gz").write_bytes(gzip.compress(SECRET))
    (base / "root2" / "public.txt").write_bytes(SECRET)
    for name in ("public.txt", "sub/inner.txt", "page.html"):
        (root / name).write_bytes(PUBLIC)
        os.utime(root / name, (0, 0))  # older than what pretends to be a compressed form of it
    (root / "sub" / "inner.txt.gz").write_bytes(gzip.compress(PUBLIC))
    links = {
        "in.txt": "public.txt",
        "out.txt": "../secret.txt",
        "up": "..",
        "twice.txt": "out.txt",
        "absolute.txt": str(base / "secret.txt"),
        "sub/out.txt": "../../secret.txt",
        "alike": "../root2",
        "loop": "loop",
        "dangling": "nothing",
        "null": "/dev/null",
        "page.html.gz": "../secret.gz",
        "page.html.br": "../secret.txt",
        "page.html.zst": str(base / "secret.txt"),
        "only.txt.gz": "../secret.gz",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    (root / "back\\slash.txt").write_bytes(PUBLIC)
    (root / os.fsdecode(b"\xff\xfe.txt")).write_bytes(PUBLIC)
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(root / "socket"))
    return root


@pytest.fixture(scope="module")
def session(root: Path) -> str:
    """The key of a session in which somebody has logged in."""
    code = """
import django; django.setup()
from django.core.management import call_command
from django.contrib.auth.models import User
from django.test import Client
call_command("migrate", verbosity=0)
client = Client()
client.force_login(User.objects.create(username="ada"))
print(client.session.session_key)
"""
    env = {
        **os.environ,
        "FILESITE_ROOT": str(root),
        "DJANGO_SETTINGS_MODULE": "tests.filesite",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=EXAMPLE, env=env, check=True, capture_output=True
    )
    return done.stdout.decode().strip()


@pytest.fixture(scope="module", params=SERVERS)
def site(
    request: pytest.FixtureRequest,
    root: Path,
    session: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """The folder under each server in turn."""
    env = {"FILESITE_ROOT": str(root), "DJANGO_SETTINGS_MODULE": "tests.filesite"}
    log = tmp_path_factory.mktemp("log") / "server.log"
    with running(request.param, root, log, env=env) as server:
        yield server


def ask(server: Server, target: bytes, method: bytes = b"GET", cookie: str = "") -> bytes:
    """The whole answer to a target that no client has tidied up, without its date."""
    with socket.create_connection((HOST, server.port), timeout=30) as client:
        fields = f"Host: {HOST}\r\nAccept-Encoding: br, zstd, gzip\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        client.sendall(method + b" " + target + b" HTTP/1.1\r\n" + fields.encode())
        answer = b""
        while part := client.recv(1 << 16):
            answer += part
    return re.sub(rb"(?i)\r\ndate: [^\r]*", b"", answer)


def status(answer: bytes) -> int:
    """The code in the first line."""
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_one_answer_for_all_that_is_not_there(site: Server, view: str, method: bytes) -> None:
    start = f"/{view}/".encode()
    missing = ask(site, start + b"missing.txt", method)
    assert status(missing) == 404
    assert (b"not found: There is no such file." in missing) == (method == b"GET")
    names = dict(NAMES)
    if view != "media":
        del names["newline"]  # no `<path:path>`, so the URL is nobody's
    different = {
        what: answer
        for what, name in names.items()
        if (answer := ask(site, start + name, method)) != missing
    }
    assert different == {}


@pytest.mark.parametrize("view", VIEWS)
def test_what_is_there_is_served(site: Server, view: str) -> None:
    for name in (
        b"public.txt",
        b"in.txt",
        b"page.html",
        b"%70ublic.txt",
        b"up/root/public.txt",
        b"up%2froot%2fpublic.txt",
    ):
        answer = ask(site, f"/{view}/".encode() + name)
        assert (status(answer), answer.partition(b"\r\n\r\n")[2]) == (200, PUBLIC), name
        assert b"content-encoding" not in answer.lower()


@pytest.mark.parametrize("view", ["serve", "paths"])
def test_a_compressed_form_is_served_that_lies_beside_its_file(site: Server, view: str) -> None:
    head, _, body = ask(site, f"/{view}/sub/inner.txt".encode()).partition(b"\r\n\r\n")
    assert b"content-encoding: gzip" in head.lower()
    assert gzip.decompress(body) == PUBLIC


def test_bytes_that_are_no_target_are_refused(site: Server) -> None:
    for name in (b"\xff\xfe.txt", b"public.txt\x00", b"../secret.txt\x00.html", b"x" * 100_000):
        answer = ask(site, b"/serve/" + name)
        assert answer == b"" or status(answer) in (400, 404, 414)
        assert SECRET not in answer


@pytest.mark.parametrize("view", ["members", "wrapped"])
def test_only_users_learn_what_is_there(site: Server, session: str, view: str) -> None:
    names = (b"public.txt", b"missing.txt", b"out.txt")
    start = f"/{view}/".encode()
    for name in names:
        answer = ask(site, start + name)
        assert status(answer) == 302
        assert f"/login/?next=/{view}/{name.decode()}".encode() in answer
    cookie = f"sessionid={session}"
    answers = [ask(site, start + name, cookie=cookie) for name in names]
    assert [status(answer) for answer in answers] == [200, 404, 404]
    assert answers[0].endswith(PUBLIC)
    assert answers[1] == answers[2]
    assert re.search(rb"(?i)vary:[^\r]*cookie", answers[0])


def test_nothing_went_wrong(site: Server) -> None:
    assert status(ask(site, b"/serve/public.txt")) == 200
    assert "Traceback" not in site.log
