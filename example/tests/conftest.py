"""Fixtures: the example's data, and the example under each server."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from fileresponse.testing import ObjectStore

from .objects import with_bucket
from .servers import COMMANDS, EXAMPLE, Server, running
from .stores import STORES, missing

MIB = 1 << 20
DEFAULT_STORE = "juicefs"
LEFT_OUT = pytest.StashKey[int]()
# Only with `--all`: servers that take a way through this library that another one takes, too. What stays, takes each:
# the handler (uvicorn), the middleware under Django's own (uvicorn-stock) and under WSGI (gunicorn); and for zero-copy
# both protocols, both loops, and the worker of gunicorn.
ALIKE = {"hypercorn", "anycorn", "daphne", "granian", "asyncio-httptools", "uvloop-h11"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--all`, for `make test-all`, and `--store`, for `make test-stores`."""
    parser.addoption("--all", action="store_true", help="the long combinations, too")
    text = f"S3 stores to test with, separated by commas: {', '.join(STORES)}"
    parser.addoption("--store", default=DEFAULT_STORE, help=text)


def pytest_configure(config: pytest.Config) -> None:
    """A mark for what takes long and says little more, and one for what must have the machine for itself."""
    marks = {
        "thorough(but=())": "only with --all, except on the servers of these names",
        "measures": "times, memory or descriptors: not while other tests run",
    }
    for mark, meaning in marks.items():
        config.addinivalue_line("markers", f"{mark}: {meaning}")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, for tests often wait."""
    return (os.cpu_count() or 1) + 1


def chosen(names: Iterable[str], config: pytest.Config) -> list[str]:
    """Those servers that are not left out."""
    return [name for name in names if config.getoption("--all") or name not in ALIKE]


def words(item: pytest.Item) -> dict[str, str]:
    """The names among the parameters of a test."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    return {name: value for name, value in params.items() if isinstance(value, str)}


def is_left_out(item: pytest.Item) -> bool:
    """Whether only `--all` runs it."""
    mark, names = item.get_closest_marker("thorough"), set(words(item).values())
    return bool(names & ALIKE) if mark is None else not names & set(mark.kwargs.get("but", ()))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`make test` need not be thorough; what it leaves out is counted as deselected, and said."""
    if not config.getoption("--all"):
        left_out = [item for item in items if is_left_out(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not is_left_out(item)]
        config.stash[LEFT_OUT] = len(left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was left out, in one line; and what tests have to tell, in one each."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, text in getattr(report, "user_properties", ()):
                if name == "told" and report.when == "call":
                    terminalreporter.write_line(text)
    if left_out := terminalreporter.config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(f"{left_out} tests deselected; `make test-all` runs them")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what needs a store with each that was asked for; an unknown one is an error."""
    if "store_name" not in metafunc.fixturenames:
        return
    names = metafunc.config.getoption("--store").split(",")
    if unknown := [name for name in names if name not in STORES]:
        raise pytest.UsageError(f"no store {unknown[0]!r}; there are: {', '.join(STORES)}")
    metafunc.parametrize("store_name", names, indirect=True, scope="session")


def make_file(path: Path, size: int) -> str:
    """A file of incompressible bytes, the same each time; its SHA-256."""
    block = b"".join(
        hashlib.sha256(f"{path.name} {number}".encode()).digest() for number in range(MIB // 32)
    )
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for start in range(0, size, MIB):
            part = block[: size - start]
            file.write(part)
            digest.update(part)
    return digest.hexdigest()


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as `make run` would fill it, to be copied: made by one worker, which lets the others wait."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, env = base / "samples", {**os.environ, "EXAMPLE_DATA": str(base / "making")}
    with (base / "samples.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            for command in (["migrate", "--verbosity", "0"], ["make_samples", "--large-mb", "8"]):
                subprocess.run(
                    [sys.executable, "manage.py", *command],
                    cwd=EXAMPLE,
                    env=env,
                    check=True,
                    stdout=subprocess.DEVNULL,
                )
            (base / "making").rename(folder)
    return folder


@pytest.fixture(scope="session")
def data(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A worker's own."""
    return shutil.copytree(samples, tmp_path_factory.mktemp("data"), dirs_exist_ok=True)


@pytest.fixture(scope="session")
def media(data: Path) -> Path:
    """The folder whose files the example serves."""
    return data / "media"


@pytest.fixture(scope="session", params=COMMANDS)
def server(
    request: pytest.FixtureRequest, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The example under each server in turn."""
    with running(request.param, data, tmp_path_factory.mktemp("log") / "server.log") as server:
        yield server


@pytest.fixture
def uvicorn(data: Path, tmp_path: Path) -> Iterator[Server]:
    """The example under a uvicorn of the test's own."""
    with running("uvicorn", data, tmp_path / "server.log") as server:
        yield server


@pytest.fixture(scope="session")
def juicefs() -> Iterator[ObjectStore]:
    """The small store that is part of the library, with the tests' bucket."""
    if advice := missing("juicefs"):
        pytest.fail(advice)
    with STORES["juicefs"]() as store:
        yield with_bucket(store)


@pytest.fixture(scope="session")
def store_name(request: pytest.FixtureRequest) -> str:
    """The name of one of the stores that were asked for with `--store`."""
    return str(request.param)


@pytest.fixture(scope="session")
def store(request: pytest.FixtureRequest, store_name: str) -> Iterator[ObjectStore]:
    """That store, with the tests' bucket; one that is not installed is a failure."""
    if store_name == "juicefs":
        yield request.getfixturevalue("juicefs")
        return
    if advice := missing(store_name):
        pytest.fail(advice)
    with STORES[store_name]() as store:
        yield with_bucket(store)
