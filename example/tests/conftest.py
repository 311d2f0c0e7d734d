"""Fixtures: the example's data, and the example under each server."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fileresponse.testing import ObjectStore

from .objects import with_bucket
from .servers import COMMANDS, EXAMPLE, Server, running
from .stores import STORES, missing

MIB = 1 << 20
DEFAULT_STORE = "juicefs"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--store`, for `make test-stores`."""
    text = f"S3 stores to test with, separated by commas: {', '.join(STORES)}"
    parser.addoption("--store", default=DEFAULT_STORE, help=text)


def pytest_configure(config: pytest.Config) -> None:
    """A mark for what takes long and says little more."""
    config.addinivalue_line("markers", "thorough: only where stores are named with --store")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`make test` need not be thorough; what it leaves out is counted as deselected."""
    if config.getoption("--store") == DEFAULT_STORE:
        left_out = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


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
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's data folder, as `make run` would fill it."""
    folder = tmp_path_factory.mktemp("data")
    env = {**os.environ, "EXAMPLE_DATA": str(folder)}
    for command in (["migrate", "--verbosity", "0"], ["make_samples", "--large-mb", "8"]):
        subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=EXAMPLE,
            env=env,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return folder


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
