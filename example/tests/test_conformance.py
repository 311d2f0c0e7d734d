"""RFC 9110, as `make conformance` tests it: three stacks in `make test`, seven with `--all`, none wrong and all alike."""

import subprocess
import sys

import pytest

from .conftest import chosen
from .servers import COMMANDS, EXAMPLE


def test_nothing_is_wrong_on_any_stack(pytestconfig: pytest.Config) -> None:
    command = [sys.executable, "-m", "conformance", *chosen(COMMANDS, pytestconfig)]
    run = subprocess.run(command, cwd=EXAMPLE, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert run.stderr.endswith("Nothing wrong in our columns.\n")
