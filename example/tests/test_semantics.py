"""Ranges, conditions and variants: the right answer, and the same one from every server."""

import gzip
import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .client import Answer, fetch
from .conftest import chosen, make_file
from .servers import COMMANDS, Server, running

SIZE = 300_000
PAGE = b"<p>a page that lies beside its compressed form</p>\n" * 100
ADDED_BY_SERVERS = {"date", "server", "connection", "transfer-encoding", "keep-alive", "via"}


@pytest.fixture(scope="module")
def servers(
    request: pytest.FixtureRequest, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Server]]:
    """The example under several servers at the same time, with files of its own."""
    names = chosen(COMMANDS, request.config)
    media = data / "media"
    make_file(media / "semantics.bin", SIZE)
    (media / "page.html").write_bytes(PAGE)
    (media / "page.html.gz").write_bytes(gzip.compress(PAGE, mtime=0))
    for name in ("semantics.bin", "page.html", "page.html.gz"):
        os.utime(media / name, (1_774_353_600, 1_774_353_600))
    with ExitStack() as stack:
        logs = tmp_path_factory.mktemp("logs")
        yield [stack.enter_context(running(name, data, logs / name)) for name in names]
    for name in ("semantics.bin", "page.html", "page.html.gz"):
        (media / name).unlink()


DATE, EARLIER, LATER = (f"{day} Mar 2026 12:00:00 GMT" for day in ("Tue, 24", "Mon, 23", "Wed, 25"))
ETAG = f'"{1_774_353_600_000_000_000:x}-{SIZE:x}"'
BIN, FILE, HTML, EMPTY = (
    "/inline/semantics.bin",
    "/file/semantics.bin",
    "/inline/page.html",
    "/inline/empty.txt",
)
REQUESTS = [
    (200, BIN, {}),
    (206, BIN, {"Range": "bytes=0-99"}),
    (206, BIN, {"Range": "bytes=299999-"}),
    (206, BIN, {"Range": "bytes=-1"}),
    (206, BIN, {"Range": "bytes=-999999"}),
    (206, BIN, {"Range": "bytes=1000-999999"}),
    (206, BIN, {"Range": "BYTES=5-9"}),
    (206, BIN, {"Range": "bytes=0-9, 1000-1009 ,-10"}),
    (206, BIN, {"Range": "bytes=0-9,5-14"}),
    (206, BIN, {"Range": "bytes=0-9,400000-"}),
    (416, BIN, {"Range": "bytes=300000-"}),
    (416, BIN, {"Range": "bytes=-0"}),
    (200, BIN, {"Range": "bytes=9-5"}),
    (200, BIN, {"Range": "bytes=+1-5"}),
    (200, BIN, {"Range": "bytes=1_0-20"}),
    (200, BIN, {"Range": "seconds=1-5"}),
    (200, BIN, {"Range": "bytes=" + "0-0," * 200}),
    (416, EMPTY, {"Range": "bytes=0-"}),
    (200, EMPTY, {"Range": "bytes=-5"}),
    (206, BIN, {"Range": "bytes=0-99", "If-Range": ETAG}),
    (200, BIN, {"Range": "bytes=0-99", "If-Range": '"stale"'}),
    (200, BIN, {"Range": "bytes=0-99", "If-Range": "W/" + ETAG}),
    (206, BIN, {"Range": "bytes=0-99", "If-Range": DATE}),
    (200, BIN, {"Range": "bytes=0-99", "If-Range": EARLIER}),
    (304, BIN, {"If-None-Match": ETAG}),
    (304, BIN, {"If-None-Match": f'"x", W/{ETAG}'}),
    (304, BIN, {"If-None-Match": "*"}),
    (304, BIN, {"If-None-Match": ETAG, "Range": "bytes=0-9"}),
    (200, BIN, {"If-None-Match": '"x"', "If-Modified-Since": LATER}),
    (304, BIN, {"If-Modified-Since": DATE}),
    (304, BIN, {"If-Modified-Since": "Tuesday, 24-Mar-26 12:00:00 GMT"}),
    (304, BIN, {"If-Modified-Since": "Tue Mar 24 12:00:00 2026"}),
    (200, BIN, {"If-Modified-Since": "soon"}),
    (412, BIN, {"If-Match": '"x"'}),
    (412, BIN, {"If-Match": "W/" + ETAG}),
    (412, BIN, {"If-Match": '"x"', "If-None-Match": ETAG}),
    (200, BIN, {"If-Match": "*", "If-Unmodified-Since": EARLIER}),
    (412, BIN, {"If-Unmodified-Since": EARLIER}),
    (206, FILE, {"Range": "bytes=0-9,1000-1009"}),
    (304, FILE, {"If-None-Match": ETAG}),
    (416, FILE, {"Range": "bytes=300000-"}),
    (200, HTML, {}),
    (200, HTML, {"Accept-Encoding": "br;q=0, gzip;q=0.5"}),
    (206, HTML, {"Accept-Encoding": "gzip", "Range": "bytes=0-1"}),
    (206, HTML, {"Accept-Encoding": "identity", "Range": "bytes=0-1"}),
    (304, HTML, {"Accept-Encoding": "gzip", "If-None-Match": "*"}),
]


def comparable(answer: Answer) -> tuple[int, dict[str, str], str]:
    """What must not depend on the server: all but the random boundary and what servers add."""
    boundary = answer.headers.get("content-type", "").partition("boundary=")[2]
    headers = {
        name: value for name, value in answer.headers.items() if name not in ADDED_BY_SERVERS
    }
    if not boundary:
        return answer.status, headers, answer.sha256
    headers["content-type"] = "multipart/byteranges"
    return answer.status, headers, answer.body.replace(boundary.encode(), b"BOUNDARY").hex()


@pytest.mark.parametrize(
    ("status", "path", "headers"),
    REQUESTS,
    ids=[f"{path} {headers}"[:80] for _, path, headers in REQUESTS],
)
def test_every_server_gives_the_same_answer(
    servers: list[Server], status: int, path: str, headers: dict[str, str]
) -> None:
    fields = {name.replace("-", "_"): value for name, value in headers.items()}
    for method in ("GET", "HEAD"):
        answers = {server.name: fetch(server.port, path, method, **fields) for server in servers}
        wanted = status if method == "GET" or status in (304, 412) else 200
        assert {name: answer.status for name, answer in answers.items()} == dict.fromkeys(
            answers, wanted
        )
        assert {name: comparable(answer) for name, answer in answers.items()} == dict.fromkeys(
            answers, comparable(answers["uvicorn"])
        )
        assert all(answer.complete for answer in answers.values())
        if wanted in (304, 412, 416) or method == "HEAD":
            assert {answer.length for answer in answers.values()} == {0}


def test_parts_are_the_bytes_of_the_file(servers: list[Server], data: Path) -> None:
    content = (data / "media" / "semantics.bin").read_bytes()
    for start, stop in ((0, 1), (0, SIZE), (65535, 65537), (131072, 262144), (SIZE - 1, SIZE)):
        for path in (BIN, FILE):
            for server in servers:
                answer = fetch(server.port, path, Range=f"bytes={start}-{stop - 1}")
                assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{SIZE}"
                assert answer.sha256 == hashlib.sha256(content[start:stop]).hexdigest()


def test_a_variant_is_the_page(servers: list[Server]) -> None:
    for server in servers:
        plain, packed = fetch(server.port, HTML), fetch(server.port, HTML, Accept_Encoding="gzip")
        assert (plain.body, gzip.decompress(packed.body)) == (PAGE, PAGE)
        assert plain.headers["etag"] != packed.headers["etag"]
        assert plain.headers["content-type"] == packed.headers["content-type"] == "text/html"
        assert "Accept-Encoding" in plain.headers["vary"]


def test_other_methods_are_refused(servers: list[Server]) -> None:
    for server in servers:
        answer = fetch(server.port, BIN, "POST", Range="bytes=0-9", If_None_Match=ETAG)
        assert answer.status in (403, 405)  # 403 where the CSRF check comes first
