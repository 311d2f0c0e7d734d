"""Fixtures: the example's data, and the example under each server."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .servers import COMMANDS, EXAMPLE, Server, running

MIB = 1 << 20


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
