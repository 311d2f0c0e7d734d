"""`make run` with its own S3 store: filled once, linked on the page, gone when the example is."""

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import psutil
import pytest

from .tools import free_port

from .client import fetch
from .servers import EXAMPLE, HOST, accepts, wait_until

Stop = Callable[[int], None]  # of a process id


@dataclass
class Run:
    """The example, started as `make run` starts it."""

    port: int
    data: Path
    log_file: Path
    process: "subprocess.Popen[bytes]"

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return self.log_file.read_text(encoding="utf-8").replace("\xa0", " ")

    @property
    def media(self) -> Path:
        """The folder whose files are in the store, too."""
        return self.data / "media"

    def store_processes(self) -> list[list[str]]:
        """The command lines of all processes that have to do with the data folder."""
        lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
        return [line for line in lines if any(str(self.data) in argument for argument in line)]


def terminate(pid: int) -> None:
    """What `kill` does."""
    os.kill(pid, signal.SIGTERM)


def press_ctrl_c(pid: int) -> None:
    """What a terminal does: the store gets it, too."""
    os.killpg(pid, signal.SIGINT)


def heed_signals() -> None:
    """Undo what a shell does to the jobs that it runs in the background: they ignore Ctrl-C."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def hang_up(pid: int) -> None:
    """What a terminal does that is closed."""
    os.killpg(pid, signal.SIGHUP)


@contextmanager
def started(data: Path, log_file: Path, large_mb: int = 8, **more: str) -> Iterator[Run]:
    """Start the example; nothing of it is left at the end of the block."""
    port = free_port()
    own = {name: value for name, value in os.environ.items() if not name.startswith("EXAMPLE_")}
    env = {**own, **more, "EXAMPLE_DATA": str(data), "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
    options = [f"--port={port}", f"--large-mb={large_mb}"]
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, EXAMPLE / "run.py", *options],
            env=env, stdout=log, stderr=log, start_new_session=True, preexec_fn=heed_signals,
        )  # fmt: skip
    run = Run(port, data, log_file, process)
    try:
        yield run
        end(run, terminate)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for_page(run: Run) -> None:
    """Wait until the example answers; what it has printed, if it does not."""
    has_begun = lambda: accepts(run.port) or run.process.poll() is not None  # noqa: E731
    wait_until(has_begun, "the example listens", 90)  # it makes its sample files first
    assert run.process.poll() is None, run.log


def end(run: Run, stop: Stop) -> None:
    """Stop the example, if it runs, and see that all is gone, without a word too many."""
    if run.process.poll() is None:
        stop(run.process.pid)
    assert run.process.wait(20) == 0, run.log
    assert run.store_processes() == []
    assert not accepts(run.port)
    assert "Traceback" not in run.log


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that the example has filled."""
    folder = tmp_path_factory.mktemp("example")
    with started(folder / "data", folder / "log") as run:
        wait_for_page(run)
        assert "/episodes: 8 uploaded, 0 kept" in run.log
        assert run.store_processes()
    return folder / "data"


@pytest.fixture(scope="module")
def example(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The example, started a second time."""
    with started(data, tmp_path_factory.mktemp("log") / "log") as run:
        wait_for_page(run)
        yield run


def test_a_second_start_uploads_nothing(example: Run) -> None:
    assert "/episodes: 0 uploaded, 8 kept" in example.log
    assert f"http://{HOST}:{example.port}/object/large.bin | sha256sum" in example.log


def test_the_page_links_every_sample_from_the_store(example: Run) -> None:
    page = unescape(fetch(example.port, "/").body.decode())
    names = {path.name for path in example.media.iterdir()}
    for way in ("object", "object-link"):
        assert {unquote(key) for key in re.findall(f'href="/{way}/([^"]*)"', page)} == names
    assert "From the store" in page and "By link" in page


def test_every_object_is_the_file(example: Run) -> None:
    for path in example.media.iterdir():
        ways = [fetch(example.port, f"/{way}/{quote(path.name)}") for way in ("download", "object")]
        local, stored = ((way.status, way.complete, way.sha256, way.length) for way in ways)
        assert local == stored == (200, True, ways[0].sha256, path.stat().st_size), path.name
        assert ways[0].headers["content-type"] == ways[1].headers["content-type"]


def test_a_range_of_an_object(example: Run) -> None:
    answer = fetch(example.port, "/object/episode-01.wav", Range="bytes=100-199")
    content = (example.media / "episode-01.wav").read_bytes()
    assert (answer.status, answer.body) == (206, content[100:200])
    assert answer.headers["content-range"] == f"bytes 100-199/{len(content)}"


def test_a_link_leads_to_the_store(example: Run) -> None:
    answer = fetch(example.port, "/object-link/episode-01.wav")
    link = urlsplit(answer.headers["location"])
    assert (answer.status, link.path) == (302, "/episodes/episode-01.wav")
    assert link.port not in (None, example.port)
    stored = fetch(int(link.port or 0), f"{link.path}?{link.query}")
    assert stored.body == (example.media / "episode-01.wav").read_bytes()
    assert stored.headers["content-type"] in ("audio/x-wav", "audio/wav", "audio/vnd.wave")


@pytest.mark.parametrize("stop", [terminate, press_ctrl_c, hang_up])
def test_it_stops_while_a_download_runs(samples: Path, tmp_path: Path, stop: Stop) -> None:
    shutil.copytree(samples, tmp_path / "data")
    with started(tmp_path / "data", tmp_path / "log", large_mb=32) as run:
        wait_for_page(run)
        connection = http.client.HTTPConnection(HOST, run.port)
        try:
            connection.request("GET", "/object/large.bin")
            answer = connection.getresponse()
            assert (answer.status, len(answer.read(1000))) == (200, 1000)
            end(run, stop)
        finally:
            connection.close()


@pytest.mark.parametrize(
    "stop", [press_ctrl_c, pytest.param(terminate, marks=pytest.mark.thorough)]
)
def test_an_interrupted_upload_leaves_no_half_object(
    samples: Path, tmp_path: Path, stop: Stop
) -> None:
    data = shutil.copytree(samples, tmp_path / "data")
    with started(data, tmp_path / "first", large_mb=128) as run:
        begun = re.compile(r"episodes/large\.bin .* 25 %")
        wait_until(lambda: begun.search(run.log), "a quarter is uploaded", 60)
        end(run, stop)
        assert "not finished" in run.log
    blocks = [path.stat().st_size for path in data.glob("store/blocks/**/*") if path.is_file()]
    assert 0 < sum(blocks) < 16 * 1024**2
    with started(data, tmp_path / "second", large_mb=128) as run:
        wait_for_page(run)
        assert "/episodes: 1 uploaded, 7 kept" in run.log
        assert fetch(run.port, "/object/large.bin").length == 128 * 1024**2


def test_without_a_store_it_says_so_and_runs(samples: Path, tmp_path: Path) -> None:
    data = shutil.copytree(samples, tmp_path / "data")
    (data / "store").touch()  # where the store would have its folder
    with started(data, tmp_path / "log", large_mb=1) as run:
        wait_for_page(run)
        assert run.log.startswith("Without an S3 store: ")
        page = fetch(run.port, "/")
        assert page.status == 200 and b"/object/" not in page.body
        assert "/object/" not in run.log


def test_a_store_that_is_away_costs_the_page_nothing(samples: Path, tmp_path: Path) -> None:
    shutil.copytree(samples, tmp_path / "data")
    own = {"ENDPOINT_URL": f"http://{HOST}:{free_port()}", "STORAGE_BUCKET_NAME": "mine"}
    own |= {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret", "REGION": "us-east-1"}
    more = {f"EXAMPLE_S3_{name}": value for name, value in own.items()}
    with started(tmp_path / "data", tmp_path / "log", large_mb=1, **more) as run:
        wait_for_page(run)
        assert "The store cannot be used: " in run.log
        assert len(run.store_processes()) == 0
        assert fetch(run.port, "/").status == 200
        assert fetch(run.port, "/object/large.bin").status == 503
