"""Files that a real server in front sends, because a view has said so in a header."""

import hashlib
import http.client
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from .client import fetch
from .conftest import MIB, make_file
from .servers import EXAMPLE, HOST, Server, accepts, free_port, running, wait_until
from .test_clients import tool

NGINX = """
daemon off; {user}
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    default_type application/octet-stream;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; scgi_temp_path {folder}/scgi; uwsgi_temp_path {folder}/uwsgi;
    server {{
        listen {host}:{port};
        location / {{ proxy_pass http://{host}:{behind}; proxy_set_header Host $http_host; }}
        location /protected/ {{
            internal;
            alias {data}/;
            add_header Content-Security-Policy $upstream_http_content_security_policy always;
            add_header X-Content-Type-Options $upstream_http_x_content_type_options always;
        }}
    }}
}}
"""
LIGHTTPD = """
server.modules = ("mod_proxy")
server.document-root = "{folder}/empty"
server.upload-dirs = ("{folder}")
server.bind = "{host}"
server.port = {port}
proxy.server = ("" => (("host" => "{host}", "port" => {behind},
    "x-sendfile" => "enable", "x-sendfile-docroot" => ("{data}"))))
"""
FRONTS = {  # the header, the configuration and the command
    "nginx": ("X-Accel-Redirect", NGINX, ["nginx", "-p", "{folder}", "-e", "stderr", "-c", "{conf}"]),
    "lighttpd": ("X-Sendfile", LIGHTTPD, ["lighttpd", "-D", "-f", "{conf}"]),
}  # fmt: skip
PAIRS = [("nginx", "uvicorn"), ("nginx", "gunicorn"), ("lighttpd", "uvicorn")]
NAMES = [
    "a name.txt",
    "Ümläut ß.txt",
    "100%.txt",
    "%41.txt",
    "a+b&c;d.txt",
    "what?#.txt",
    "“so”.txt",
]
AUDIO = "/shows/broken-chords/morning/audio"
MEMBERS = "/shows/members-hour/encore/audio"


@contextmanager
def in_front(name: str, server: Server, data: Path, folder: Path) -> Iterator[int]:
    """A server that passes everything on, except for the files that it is told to send; its port."""
    _, template, command = FRONTS[name]
    program, port, conf = tool(command[0]), free_port(), folder / "front.conf"
    (folder / "empty").mkdir()
    user = "user root root;" if os.geteuid() == 0 else ""
    fill = {"folder": folder, "host": HOST, "port": port, "behind": server.port, "data": data}
    conf.write_text(template.format(**fill, user=user))
    arguments = [part.format(folder=folder, conf=conf) for part in command[1:]]
    with (folder / "front.log").open("wb") as log:
        process = subprocess.Popen([program, *arguments], stdout=log, stderr=log)
    try:
        wait_until(lambda: accepts(port) or process.poll() is not None, f"{name} listens")
        assert process.poll() is None, (folder / "front.log").read_text()
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@dataclass
class Site:
    """The example behind a server."""

    front: str
    port: int
    behind: Server
    data: Path

    @property
    def media(self) -> Path:
        """The folder of its public files."""
        return self.data / "media"

    def make_link(self, path: str) -> str:
        """A link to what only members may have."""
        code = "import django, sys; django.setup(); from fileresponse.links import make_link; print(make_link(sys.argv[1]))"
        more = {"EXAMPLE_DEBUG": "0", "EXAMPLE_SECRET_KEY": "tests", "EXAMPLE_DATA": str(self.data)}
        env = {**os.environ, **more, "DJANGO_SETTINGS_MODULE": "config.settings"}
        command = [sys.executable, "-c", code, path]
        done = subprocess.run(command, cwd=EXAMPLE, env=env, check=True, capture_output=True)
        return done.stdout.decode().strip()

    def downloads(self) -> list[tuple]:
        """What has been written down."""
        with closing(sqlite3.connect(self.data / "db.sqlite3", timeout=30)) as database:
            columns = "path, method, status, way, outcome, bytes"
            return database.execute(f"SELECT {columns} FROM podcast_download").fetchall()


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def site(
    request: pytest.FixtureRequest, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Each server behind each front."""
    front, behind = request.param
    folder = tmp_path_factory.mktemp("offload")
    tool(front)
    shutil.copytree(data, folder / "data")
    for name in NAMES:
        (folder / "data" / "media" / name).write_text(f"This is {name}")
    env = {"EXAMPLE_OFFLOAD": FRONTS[front][0]}
    with (
        running(behind, folder / "data", folder / "log", env=env) as server,
        in_front(front, server, folder / "data", folder) as port,
    ):
        yield Site(front, port, server, folder / "data")


def test_the_view_sends_a_header_and_no_bytes(site: Site) -> None:
    answer = fetch(site.behind.port, "/download/large.bin")
    header, path = FRONTS[site.front][0], site.media / "large.bin"
    wanted = "/protected/media/large.bin" if header == "X-Accel-Redirect" else str(path)
    assert (answer.status, answer.length, answer.headers[header.lower()]) == (200, 0, wanted)


@pytest.mark.parametrize("way", ["download", "inline"])
def test_bytes(site: Site, way: str) -> None:
    answer = fetch(site.port, f"/{way}/large.bin")
    content = (site.media / "large.bin").read_bytes()
    assert (answer.status, answer.complete) == (200, True)
    assert answer.sha256 == hashlib.sha256(content).hexdigest()
    assert not {"x-accel-redirect", "x-sendfile"} & answer.headers.keys()


def test_ranges(site: Site) -> None:
    content = (site.media / "large.bin").read_bytes()
    for wanted, expected in (
        ("0-0", content[:1]),
        ("1000000-1999999", content[1_000_000:2_000_000]),
        ("-7", content[-7:]),
    ):
        answer = fetch(site.port, "/download/large.bin", Range=f"bytes={wanted}")
        assert (answer.status, answer.body) == (206, expected)
        assert answer.headers["content-range"].endswith(f"/{len(content)}")
    assert fetch(site.port, "/download/large.bin", Range="bytes=99999999-").status == 416


def test_conditions(site: Site) -> None:
    headers = fetch(site.port, "/download/large.bin").headers
    answer = fetch(site.port, "/download/large.bin", If_None_Match=headers["etag"])
    assert (answer.status, answer.length) == (304, 0)
    answer = fetch(site.port, "/download/large.bin", If_Modified_Since=headers["last-modified"])
    assert (answer.status, answer.length) == (304, 0)


def test_head(site: Site) -> None:
    answer = fetch(site.port, "/download/large.bin", "HEAD")
    assert (answer.status, answer.length) == (200, 0)
    assert answer.headers["content-length"] == str(8 * MIB)


def test_headers_of_the_view_are_kept(site: Site) -> None:
    link = site.make_link(MEMBERS)
    headers = fetch(site.port, link).headers
    assert headers["content-type"] in ("audio/x-wav", "audio/wav", "audio/vnd.wave")
    assert headers["content-disposition"] == 'inline; filename="encore.wav"'
    assert headers["cache-control"] == "private"
    saved = fetch(site.port, f"/download/{quote(NAMES[1])}").headers
    assert saved["content-disposition"].endswith(f"filename*=UTF-8''{quote(NAMES[1], safe='')}")
    assert saved["content-type"].startswith("text/plain")


def test_what_an_upload_may_not_do_is_kept(site: Site) -> None:
    for path, policy in (
        ("/inline/cover.svg", "sandbox"),
        ("/download/large.bin", "default-src 'none'"),
    ):
        headers = fetch(site.port, path).headers
        assert headers["content-security-policy"].startswith(policy)
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", NAMES)
def test_names(site: Site, name: str) -> None:
    answer = fetch(site.port, f"/download/{quote(name)}")
    assert (answer.status, answer.body.decode()) == (200, f"This is {name}")


def test_refused_stays_refused(site: Site) -> None:
    for path in (MEMBERS, f"{MEMBERS}?way=offload", f"{MEMBERS}?signature=1.2"):
        answer = fetch(site.port, path)
        assert (answer.status, b"RIFF" in answer.body) == (403, False)
    answer = fetch(site.port, site.make_link(MEMBERS))
    assert answer.body == (site.data / "members" / "encore.wav").read_bytes()
    assert fetch(site.port, "/download/missing.bin").status == 404
    assert fetch(site.port, "/download/..%2fdb.sqlite3").status == 404


def test_there_is_no_other_way_in(site: Site) -> None:
    inside = [
        "/protected/members/encore.wav",
        "/protected/media/large.bin",
        "/protected/db.sqlite3",
    ]
    odd = [
        "/protected/",
        "//protected/db.sqlite3",
        "/x/../protected/db.sqlite3",
        "/%70rotected/db.sqlite3",
    ]
    for path in [*inside, *odd, f"{site.data}/db.sqlite3", "/members/encore.wav"]:
        with closing(http.client.HTTPConnection(HOST, site.port, timeout=20)) as connection:
            connection.request("GET", path)
            assert connection.getresponse().status in (400, 403, 404), path
    for header in ("X-Accel-Redirect", "X-Sendfile"):
        named = {header.replace("-", "_"): "/protected/db.sqlite3"}
        assert fetch(site.port, "/ping", **named).body == b"pong"


def test_what_is_sent_is_not_known_here(site: Site) -> None:
    count = len(site.downloads())
    assert fetch(site.port, AUDIO).complete
    assert fetch(site.port, f"{AUDIO}?way=plain").complete
    wait_until(lambda: len(site.downloads()) == count + 2, "two rows")
    size = (site.media / "episode-01.wav").stat().st_size
    assert site.downloads()[count:] == [
        (AUDIO, "GET", 200, "offload", "completed", None),
        (AUDIO, "GET", 200, "plain", "completed", size),
    ]


def test_what_is_not_a_file_is_sent_as_ever(site: Site) -> None:
    archive = fetch(site.port, "/shows/broken-chords/episodes.zip")
    assert (archive.status, archive.complete, archive.body[:2]) == (200, True, b"PK")
    assert fetch(site.port, "/static/podcast/podcast.css").complete
    make_file(site.media / "new.bin", 3 * MIB)
    assert fetch(site.port, "/download/new.bin").length == 3 * MIB
