"""Django's own tests pass with what this library offers in place of Django's: its handler, `FileResponse`, `serve`."""

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import django
import pytest

from .test_project import ROOT

OF_THE_HANDLER = ["asgi", "async", "staticfiles_tests.test_handlers"]
EXPLAINED = {  # what is replaced: Django's tests, and those that fail, each with the reason
    "file-response": (
        "responses.test_fileresponse",
        {
            "test_unicode_attachment": "ours also sends a name in ASCII, for clients that know no filename*"
        },
    ),
    "serve": (
        "view_tests.tests.test_static",
        {
            "test_chunked": "ours sends a small file in one piece, not in blocks of 4096 bytes",
            "test_copes_with_empty_path_component": "ours refuses names with empty parts: 404",
            "test_not_modified_since": "ours answers 304 with the same class as any other status",
            "test_serve": "ours sends a .gz file as what it is, without Content-Encoding",
        },
    ),
}
RUNNER = Path(__file__).with_name("django_suite.py")
CACHE = Path(sys.prefix) / "django-source"


@pytest.fixture(scope="module")
def tests() -> Path:
    """The folder of tests in the source of the Django that is installed."""
    source = CACHE / f"django-{django.__version__}"
    if not source.exists():
        wanted = ["--no-deps", "--no-binary", "Django", f"Django=={django.__version__}"]
        command = [
            sys.executable if find_spec("pip") else ROOT / ".venv" / "bin" / "python",
            "-m",
            "pip",
            "download",
            "--quiet",
            "--ignore-requires-python",  # it may be the pip of another Python
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


def start(replaced: str, tests: Path, *labels: str) -> "subprocess.Popen[str]":
    """Begin to run some of Django's tests with one of `django_suite.REPLACEMENTS`."""
    command = [sys.executable, str(RUNNER), replaced, str(tests), *labels]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def number(pattern: str, output: str) -> int:
    """The number in a line of the output."""
    found = re.search(pattern, output)
    assert found, output
    return int(found[1])


def test_djangos_own_tests_of_its_handler_pass_with_ours(
    tests: Path, record_property: Callable[[str, object], None]
) -> None:
    runs = {name: start(name, tests, *OF_THE_HANDLER) for name in ("nothing", "handler")}
    outputs = {name: run.communicate(timeout=300)[1] for name, run in runs.items()}
    stock, ours = (number(r"Ran (\d+) tests", output) for output in outputs.values())
    used = number(r"Replacement used: (\d+)", outputs["handler"])
    record_property(
        "told",
        f"Django {django.__version__}: {ours} of its own tests, {used} requests; {stock} with its own handler",
    )
    assert {name: run.returncode for name, run in runs.items()} == dict.fromkeys(runs, 0), outputs
    assert (ours, used > 20) == (stock, True)


@pytest.mark.parametrize("replaced", EXPLAINED)
def test_djangos_own_tests_pass_with_ours_but_for_explained_differences(
    tests: Path, replaced: str, record_property: Callable[[str, object], None]
) -> None:
    label, differences = EXPLAINED[replaced]
    output = start(replaced, tests, label).communicate(timeout=300)[1]
    ran, used = number(r"Ran (\d+) tests", output), number(r"Replacement used: (\d+)", output)
    failed = re.findall(r"^(?:FAIL|ERROR): (\w+) ", output, re.MULTILINE)
    record_property(
        "told", f"Django {django.__version__}, {label}: {ran - len(failed)} of {ran} pass"
    )
    assert set(failed) == set(differences), output
    assert used > 10
