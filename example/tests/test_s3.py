"""Objects of an S3 store through the example: the right bytes and headers, from every server.

With JuiceFS on all servers; `--store seaweedfs,ceph` has them from other stores.
"""

import asyncio
import gzip
import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from fileresponse.testing import ObjectStore
from fileresponse.testing import configure_settings

from .client import download, fetch
from .conftest import chosen
from .objects import BUCKET, noise, put, s3, sha256, variables
from .servers import COMMANDS, EXAMPLE, Server, running, wait_until
from .test_semantics import comparable

SIZE = 300_000
CONTENT = noise("semantics", SIZE)
ETAG = f'"{hashlib.md5(CONTENT).hexdigest()}"'
EARLIER = "Mon, 23 Mar 2020 12:00:00 GMT"
BIN, EMPTY = "/object/semantics.bin", "/object/empty"
KEYS = [
    "folder/sub folder/Übung +1 100% (%41) &=;~'.mp3",
    "a+b c?d#e.txt",
    "日本/🎵.ogg",
]
LARGE, AT_A_TIME = 50_000_000, 20
WITHOUT_VERSIONS, WITHOUT_CODINGS = {"juicefs"}, {"juicefs"}


@pytest.fixture(scope="module")
def objects(store: ObjectStore) -> ObjectStore:
    """The store, with objects in it."""
    put(store, "semantics.bin", CONTENT, ContentType="application/x-noise")
    put(store, "empty", b"")
    for key in KEYS:
        put(store, key, key.encode())
    put(store, "large.bin", noise("large", LARGE))
    return store


@pytest.fixture(scope="module")
def servers(
    request: pytest.FixtureRequest,
    objects: ObjectStore,
    store_name: str,
    data: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[list[Server]]:
    """The example under several servers at the same time, with the same store."""
    names = chosen(COMMANDS if store_name == "juicefs" else ["uvicorn", "gunicorn"], request.config)
    logs, env = tmp_path_factory.mktemp("logs"), variables(objects)
    with ExitStack() as stack:
        started = [stack.enter_context(running(name, data, logs / name, env=env)) for name in names]
        wait_until(lambda: age(started[0]) > 3, "the date of the object is believed")
        yield started
    for server in started:
        assert "Traceback" not in server.log
        assert "Unclosed" not in server.log


def last_modified(server: Server) -> str:
    """The date of the object."""
    return fetch(server.port, BIN, "HEAD").headers["last-modified"]


def age(server: Server) -> float:
    """The seconds since the object was written."""
    return time.time() - parsedate_to_datetime(last_modified(server)).timestamp()


REQUESTS = [
    (200, BIN, {}),
    (206, BIN, {"Range": "bytes=0-99"}),
    (206, BIN, {"Range": "bytes=65535-131072"}),
    (206, BIN, {"Range": "bytes=299999-"}),
    (206, BIN, {"Range": "bytes=-1"}),
    (206, BIN, {"Range": "bytes=-999999"}),
    (206, BIN, {"Range": "bytes=1000-999999"}),
    (416, BIN, {"Range": "bytes=300000-"}),
    (416, BIN, {"Range": "bytes=-0"}),
    (200, BIN, {"Range": "bytes=9-5"}),
    (200, BIN, {"Range": "bytes=0-9,20-29"}),
    (200, EMPTY, {}),
    (416, EMPTY, {"Range": "bytes=0-"}),
    (200, EMPTY, {"Range": "bytes=-5"}),
    (206, BIN, {"Range": "bytes=0-99", "If-Range": ETAG}),
    (200, BIN, {"Range": "bytes=0-99", "If-Range": '"stale"'}),
    (200, BIN, {"Range": "bytes=0-99", "If-Range": f"W/{ETAG}"}),
    (206, BIN, {"Range": "bytes=0-99", "If-Range": "{date}"}),
    (200, BIN, {"Range": "bytes=0-99", "If-Range": EARLIER}),
    (304, BIN, {"If-None-Match": ETAG}),
    (304, BIN, {"If-None-Match": f'"x", W/{ETAG}'}),
    (304, BIN, {"If-None-Match": "*", "Range": "bytes=0-9"}),
    (200, BIN, {"If-None-Match": '"x"', "If-Modified-Since": "{date}"}),
    (304, BIN, {"If-Modified-Since": "{date}"}),
    (200, BIN, {"If-Modified-Since": EARLIER}),
    (412, BIN, {"If-Match": '"x"'}),
    (412, BIN, {"If-Match": f"W/{ETAG}"}),
    (206, BIN, {"If-Match": ETAG, "Range": "bytes=-7"}),
    (412, BIN, {"If-Unmodified-Since": EARLIER}),
]


@pytest.mark.parametrize(
    ("status", "path", "headers"), REQUESTS, ids=[f"{path} {what}" for _, path, what in REQUESTS]
)
def test_every_server_gives_the_same_answer(
    servers: list[Server], status: int, path: str, headers: dict[str, str]
) -> None:
    date = last_modified(servers[0])
    fields = {name.replace("-", "_"): text.format(date=date) for name, text in headers.items()}
    for method in ("GET", "HEAD"):
        answers = {server.name: fetch(server.port, path, method, **fields) for server in servers}
        wanted = status if method == "GET" or status in (304, 412) else 200
        one = answers["uvicorn"]
        assert {name: answer.status for name, answer in answers.items()} == dict.fromkeys(
            answers, wanted
        )
        assert {name: comparable(answer) for name, answer in answers.items()} == dict.fromkeys(
            answers, comparable(one)
        )
        assert all(answer.complete for answer in answers.values())
        if wanted in (304, 412, 416) or method == "HEAD":
            assert one.length == 0
            continue
        content = CONTENT if path == BIN else b""
        start, stop = part(one.headers) if wanted == 206 else (0, len(content))
        assert one.body == content[start:stop]
        assert ("content-range" in one.headers) == (wanted == 206)


def part(headers: dict[str, str]) -> tuple[int, int]:
    """Start and stop of the part that an answer says it is."""
    first, _, last = (
        headers["content-range"].removeprefix("bytes ").partition("/")[0].partition("-")
    )
    return int(first), int(last) + 1


def test_headers_of_an_object(servers: list[Server], objects: ObjectStore, store_name: str) -> None:
    body = gzip.compress(b"words " * 1000, mtime=0)
    put(
        objects,
        "dressed.html",
        body,
        ContentType="text/x-words; charset=utf-8",
        ContentDisposition='attachment; filename="words.txt"',
        CacheControl="private, max-age=7",
        ContentEncoding="gzip",
    )
    for server in servers:
        answer = fetch(server.port, "/object/dressed.html")
        assert (answer.status, answer.body, answer.complete) == (200, body, True)
        assert answer.headers["content-type"] == "text/x-words; charset=utf-8"
        assert answer.headers["content-disposition"] == 'attachment; filename="words.txt"'
        assert answer.headers["cache-control"] == "private, max-age=7"
        assert answer.headers["content-length"] == str(len(body))
        assert answer.headers["etag"] == f'"{hashlib.md5(body).hexdigest()}"'
        kept = None if store_name in WITHOUT_CODINGS else "gzip"
        assert answer.headers.get("content-encoding") == kept


@pytest.mark.parametrize("key", KEYS)
def test_a_key_that_needs_care(servers: list[Server], key: str) -> None:
    for server in servers:
        answer = fetch(server.port, f"/object/{quote(key)}")
        assert (answer.status, answer.body) == (200, key.encode()), server.name


def test_what_is_not_an_object_is_not_found(servers: list[Server]) -> None:
    keys = [
        "missing",
        "folder",
        "semantics.bin/below",
        "../semantics.bin",
        "folder/../semantics.bin",
        "folder/%2e%2e/semantics.bin",
        "..%2fsemantics.bin",
        "folder/./semantics.bin",
        "..",
        "%00",
        "%ff",
        "x" * 1025,
    ]
    answers = {
        (server.name, key): fetch(server.port, f"/object/{key}")
        for server in servers
        for key in keys
    }
    by_itself = answers.pop(("anycorn", "%ff"), None)  # it asks nobody about what is not UTF-8
    assert by_itself is None or by_itself.status == 400
    assert {which: answer.status for which, answer in answers.items()} == dict.fromkeys(
        answers, 404
    )
    assert len({answer.body for answer in answers.values()}) == 1
    assert len({str(comparable(answer)) for answer in answers.values()}) == 1


def test_20_large_objects_at_a_time(servers: list[Server]) -> None:
    async def run(port: int) -> list[tuple[int, str]]:
        return await asyncio.gather(
            *(download(port, "/object/large.bin") for _ in range(AT_A_TIME))
        )

    digest = sha256(noise("large", LARGE))
    for server in servers:
        if server.name in ("uvicorn", "gunicorn"):
            assert asyncio.run(run(server.port)) == [(LARGE, digest)] * AT_A_TIME, server.name
        else:
            assert fetch(server.port, "/object/large.bin").sha256 == digest, server.name


def test_a_link_leads_to_the_object(servers: list[Server], objects: ObjectStore) -> None:
    for server in servers:
        for key in KEYS:
            answer = fetch(server.port, f"/object-link/{quote(key)}")
            assert (answer.status, answer.length) == (302, 0), server.name
            assert answer.headers["cache-control"] == "no-store"
            assert objects.secret_key not in answer.headers["location"]
            assert follow(answer.headers["location"]) == (200, key.encode())


def follow(url: str) -> tuple[int, bytes]:
    """Status and body of what a link leads to."""
    parts = urlsplit(url)
    with closing(HTTPConnection(parts.netloc, timeout=60)) as connection:
        connection.request("GET", f"{parts.path}?{parts.query}")
        response = connection.getresponse()
        return response.status, response.read()


def test_a_version_of_an_object(objects: ObjectStore, store_name: str) -> None:
    configure_settings(**objects.settings(BUCKET))
    from django.http import Http404

    from fileresponse.sources.bridge import portal
    from fileresponse.http import AiobotocoreFileResponse
    from fileresponse.s3.client import close_clients

    async def asynchronously(version: str | None) -> bytes:
        try:
            response = AiobotocoreFileResponse(None, "versioned", version_id=version)
            return b"".join([chunk async for chunk in response.aiter_chunks()])
        finally:
            await close_clients()

    def synchronously(version: str | None) -> bytes:
        try:
            response = AiobotocoreFileResponse(None, "versioned", version_id=version)
            return b"".join(response.iter_chunks())
        finally:
            portal().call(close_clients)

    with closing(s3(objects)) as client:
        if store_name not in WITHOUT_VERSIONS:
            client.put_bucket_versioning(
                Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"}
            )
    versions = [put(objects, "versioned", body).get("VersionId") for body in (b"one", b"two!")]
    for read in (lambda version: asyncio.run(asynchronously(version)), synchronously):
        assert read(None) == b"two!"
        if store_name in WITHOUT_VERSIONS:  # it would send the latest, which is not what was asked
            assert versions == [None, None]
        else:
            assert [read(version) for version in versions] == [b"one", b"two!"]
        with pytest.raises(Http404):
            read("0123456789abcdef0123456789abcdef")


def test_an_unknown_store_is_an_error() -> None:
    command = [sys.executable, "-m", "pytest", "--store", "tape", "tests/test_s3.py"]
    run = subprocess.run(command, cwd=EXAMPLE, capture_output=True, text=True)
    assert run.returncode != 0
    assert "no store 'tape'; there are: juicefs, seaweedfs, ceph" in run.stdout + run.stderr
