"""The project around the library: its metadata, and what `make run` says when it cannot run."""

import ast
import configparser
import socket
import subprocess
import sys

from .servers import EXAMPLE, HOST

ROOT = EXAMPLE.parent


def metadata() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(delimiters=["="])
    parser.read(ROOT / "settings.ini", encoding="utf-8")
    return parser["DEFAULT"]


def test_the_version_is_the_same_everywhere() -> None:
    tree = ast.parse((ROOT / "fileresponse" / "__init__.py").read_text(encoding="utf-8"))
    versions = [
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    ]
    assert versions == [metadata()["version"]]


def test_name_and_description_are_the_same_in_both_files() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for key in ("name", "description"):
        assert f'{key} = "{metadata()[key]}"' in pyproject
    assert f'requires-python = ">={metadata()["min_python"]}"' in pyproject


def test_a_taken_port_gets_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = subprocess.run(
            [sys.executable, EXAMPLE / "run.py", "--port", str(port)],
            capture_output=True,
            text=True,
        )
    assert run.returncode != 0
    assert (
        run.stderr == f"Port {port} on {HOST} is taken. Choose another: make run PORT={port + 1}\n"
    )


def test_importing_needs_no_settings_and_no_extras() -> None:
    code = "import sys, fileresponse.http, fileresponse.asgi; print(*{'aiobotocore', 'nbdev', 'IPython'} & set(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "\n", "")
