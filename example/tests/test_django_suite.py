"""Django's own tests of its ASGI handler hold for this library's handler too."""

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import django
import pytest

LABELS = ["asgi", "async", "staticfiles_tests.test_handlers"]
RUNNER = Path(__file__).with_name("django_suite.py")
CACHE = Path(sys.prefix) / "django-source"


@pytest.fixture(scope="module")
def tests() -> Path:
    """The folder of tests in the source of the Django that is installed."""
    source = CACHE / f"django-{django.__version__}"
    if not source.exists():
        wanted = ["--no-deps", "--no-binary", "Django", f"Django=={django.__version__}"]
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--dest",
            str(CACHE),
            *wanted,
        ]
        loaded = subprocess.run(command, capture_output=True, text=True)
        if loaded.returncode:
            reason = f"no source of Django: {loaded.stderr.strip().splitlines()[-1]}"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        with tarfile.open(next(CACHE.glob(f"[dD]jango-{django.__version__}.tar.gz"))) as archive:
            archive.extractall(CACHE / "unpacking", filter="data")
        (CACHE / "unpacking" / source.name).rename(source)
    return source / "tests"


def start(handler: str, tests: Path) -> "subprocess.Popen[str]":
    """Begin to run Django's tests with one handler."""
    command = [sys.executable, str(RUNNER), handler, str(tests), *LABELS]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def number(pattern: str, output: str) -> int:
    """The number that a line of the output tells."""
    found = re.search(pattern, output)
    assert found, output
    return int(found[1])


def test_djangos_own_tests_pass(
    tests: Path, record_property: Callable[[str, object], None]
) -> None:
    runs = {handler: start(handler, tests) for handler in ("stock", "ours")}
    outputs = {handler: run.communicate(timeout=300)[1] for handler, run in runs.items()}
    stock, ours = (number(r"Ran (\d+) tests", outputs[handler]) for handler in ("stock", "ours"))
    served = number(r"Requests served: (\d+)", outputs["ours"])
    record_property(
        "told",
        f"Django {django.__version__}: {ours} of its own tests, {served} requests; {stock} with its own handler",
    )
    assert {handler: run.returncode for handler, run in runs.items()} == {"stock": 0, "ours": 0}, (
        outputs["ours"]
    )
    assert (ours, served > 20) == (stock, True)
