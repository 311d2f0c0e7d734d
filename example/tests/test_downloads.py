"""What a client gets: the right bytes, the right headers, or a clear refusal."""

import hashlib
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from .client import fetch
from .conftest import MIB, make_file
from .servers import COMMANDS, Server

WAYS = ("download", "inline", "file")


class Links(HTMLParser):
    """The addresses of all links, players and stylesheets on a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember `href` and `src`."""
        self.found |= {
            value
            for name, value in attrs
            if name in ("href", "src") and value and value.startswith("/")
        }


def test_every_link_of_the_page_gives_the_bytes_of_its_file(server: Server, media: Path) -> None:
    page = fetch(server.port, "/")
    links = Links()
    links.feed(page.body.decode())
    served = {link for link in links.found if link.split("/")[1] in WAYS}
    assert {unquote(link.split("/", 2)[2]) for link in served} == {
        path.name for path in media.iterdir()
    }
    for link in links.found:
        answer = fetch(server.port, link)
        assert (answer.status, answer.complete) == (200, True), link
        if link in served:
            content = (media / unquote(link.split("/", 2)[2])).read_bytes()
            assert answer.sha256 == hashlib.sha256(content).hexdigest(), link


@pytest.mark.parametrize(
    "size",
    [
        *(0, 1, 4096, 65536, 65537, 10 * MIB),
        pytest.param(1024 * MIB, marks=pytest.mark.thorough(but=["uvicorn"])),
    ],
)
def test_any_size_arrives_whole(server: Server, media: Path, size: int) -> None:
    path = media / "sized.bin"
    sha256 = make_file(path, size)
    try:
        for way in WAYS if size < 1024 * MIB else WAYS[:1]:
            answer = fetch(server.port, f"/{way}/sized.bin")
            assert (answer.status, answer.length, answer.sha256, answer.complete) == (
                200,
                size,
                sha256,
                True,
            )
            assert answer.headers["content-length"] == str(size)
    finally:
        path.unlink()


@pytest.mark.measures
@pytest.mark.parametrize(
    "server", sorted(COMMANDS.keys() - {"daphne"}), indirect=True
)  # it has no back-pressure
def test_a_gigabyte_costs_no_memory(server: Server, media: Path) -> None:
    path = media / "sparse.bin"
    with path.open("wb") as file:
        file.truncate(1024 * MIB)
    try:
        fetch(server.port, "/download/large.bin")
        before = server.memory()
        assert fetch(server.port, "/download/sparse.bin").complete
        assert server.memory() - before < 16 * MIB
    finally:
        path.unlink()


def test_headers_of_a_download(server: Server, media: Path) -> None:
    answer = fetch(server.port, "/download/episode-01.wav")
    found = (media / "episode-01.wav").stat()
    assert answer.headers["content-length"] == str(found.st_size)
    assert answer.headers["content-type"] in ("audio/x-wav", "audio/wav", "audio/vnd.wave")
    assert answer.headers["content-disposition"] == 'attachment; filename="episode-01.wav"'
    assert answer.headers["etag"] == f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
    assert re.fullmatch(
        r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.headers["last-modified"]
    )
    assert "transfer-encoding" not in answer.headers


@pytest.mark.parametrize("way", WAYS)
def test_head_has_the_headers_of_get_and_no_body(server: Server, way: str) -> None:
    def essential(method: str) -> dict[str, str]:
        headers = fetch(server.port, f"/{way}/large.bin", method).headers
        return {
            name: value for name, value in headers.items() if name not in ("date", "connection")
        }

    assert essential("HEAD") == essential("GET")
    assert fetch(server.port, f"/{way}/large.bin", "HEAD").length == 0


def test_a_name_that_needs_care(server: Server, media: Path) -> None:
    name = next(path.name for path in media.iterdir() if not path.name.isascii())
    answer = fetch(server.port, f"/download/{quote(name)}")
    assert answer.sha256 == hashlib.sha256((media / name).read_bytes()).hexdigest()
    assert answer.headers["content-disposition"].endswith(
        f"filename*=UTF-8''{quote(name, safe='')}"
    )


def test_a_compressed_file_is_an_archive(server: Server, media: Path) -> None:
    name = next(path.name for path in media.iterdir() if path.suffix == ".gz")
    answer = fetch(server.port, f"/inline/{name}")
    assert answer.headers["content-type"] == "application/gzip"
    assert "content-encoding" not in answer.headers


def test_what_is_not_a_file_is_not_found(server: Server, media: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("secret")
    (media / "folder").mkdir()
    (media / "leak.txt").symlink_to(tmp_path / "outside.txt")
    os.mkfifo(media / "fifo")
    names = [
        "missing",
        "folder",
        "fifo",
        "leak.txt",
        "../db.sqlite3",
        "..%2fdb.sqlite3",
        "%00",
        "x" * 300,
        "%2fetc%2fpasswd",
    ]
    try:
        answers = {name: [fetch(server.port, f"/{way}/{name}") for way in WAYS] for name in names}
    finally:
        (media / "folder").rmdir()
        (media / "leak.txt").unlink()
        (media / "fifo").unlink()
    bodies = {answer.body for group in answers.values() for answer in group}
    assert {name: {answer.status for answer in group} for name, group in answers.items()} == {
        name: {404} for name in names
    }
    assert len(bodies) == 1
    assert str(media).encode() not in bodies.pop()


def test_a_client_that_has_it_is_told_so(server: Server) -> None:
    etag = fetch(server.port, "/inline/large.bin").headers["etag"]
    answer = fetch(server.port, "/inline/large.bin", If_None_Match=etag)
    assert (answer.status, answer.length) == (304, 0)
