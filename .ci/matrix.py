"""All notebooks and some black-box tests on several Pythons and Djangos: `python .ci/matrix.py [3.10-5.2 …]`."""

import argparse
import configparser
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = str(Path(sys.executable).parent / "uv")
TESTS = [f"example/tests/test_{name}.py" for name in ("django_suite", "downloads", "endings", "media", "semantics")]
QUICK = "not 1073741824 and not gigabyte"  # what these versions could change has nothing to do with size
PYTEST = ["pytest", *TESTS, "--all", "-k", QUICK]


def default_pairs() -> list[str]:
    """Each Python of settings.ini with the oldest and the newest Django that it can run."""
    settings = configparser.ConfigParser(delimiters=["="])
    settings.read(ROOT / "settings.ini", encoding="utf-8")
    pythons, djangos = (
        settings["DEFAULT"][f"{name}_versions"].split() for name in ("python", "django")
    )
    new = [
        python for python in pythons if int(python.partition(".")[2]) >= 12
    ]  # Django 6 needs 3.12
    return [f"{python}-{djangos[0]}" for python in pythons] + [
        f"{python}-{djangos[-1]}" for python in new
    ]


def runs(python: str | Path, version: str) -> bool:
    """Whether an interpreter is there and of that version; a shim of pyenv may be neither."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return done.stdout.strip() == version


def interpreter(version: str) -> Path | None:
    """A Python on PATH, of pyenv, or of uv."""
    find = [UV, "python", "find", "--managed-python", version]
    managed = subprocess.run(find, capture_output=True, text=True).stdout.strip()
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    candidates = [shutil.which(f"python{version}"), *pyenv.glob(f"{version}.*/bin/python"), managed]
    return next((Path(path) for path in candidates if path and runs(path, version)), None)


def fetched(version: str) -> Path | None:
    """A Python that uv downloads; only in CI, where nobody is asked."""
    if not os.environ.get("CI"):
        return None
    subprocess.run([UV, "python", "install", "--quiet", "--no-bin", version])
    return interpreter(version)


def environment(pair: str, python: Path) -> Path:
    """A virtual environment for a pair, in the pinned versions but for Django's."""
    folder = ROOT / ".venv" / "matrix" / pair
    pins = (ROOT / ".ci" / "constraints.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    subprocess.run(
        [UV, "venv", "--quiet", "--allow-existing", "--python", python, folder], check=True
    )
    constraints = folder / "constraints.txt"
    constraints.write_text(
        "".join(pin for pin in pins if not pin.startswith("django==")), encoding="utf-8"
    )
    django = f"django=={pair.partition('-')[2]}.*"
    install = [
        UV,
        "pip",
        "install",
        "--quiet",
        "--python",
        folder / "bin" / "python",
        "-c",
        constraints,
    ]
    subprocess.run([*install, django, "-e", f"{ROOT}[example,s3,dev]"], check=True)
    return folder / "bin"


def passes(pair: str) -> bool:
    """Whether a pair can be had, and notebooks and tests pass on it."""
    version = pair.partition("-")[0]
    if (python := interpreter(version) or fetched(version)) is None:
        print(
            f"{pair}: there is no Python {version}; `uv python install {version}` gets one",
            flush=True,
        )
        return False
    began = time.monotonic()
    programs = environment(pair, python)
    env = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": str(programs.parent),
    }
    versions = "import django, platform; print('Python', platform.python_version(), 'Django', django.__version__)"
    commands = (
        ["python", "-c", versions],
        ["nbdev-test", "--cell-timeout", "60"],
        [*PYTEST, "-m", "not measures", "-n", "auto", "--dist", "loadfile"],
        [*PYTEST, "-m", "measures"],
    )
    for name, *arguments in commands:
        if subprocess.run([programs / name, *arguments], cwd=ROOT, env=env).returncode:
            print(f"{pair}: {name} failed", flush=True)
            return False
    print(f"{pair}: passed in {time.monotonic() - began:.0f} s", flush=True)
    return True


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "pairs", nargs="*", default=default_pairs(), help="Python-Django, like 3.10-5.2"
    )
    failed = [pair for pair in parser.parse_args().pairs if not passes(pair)]
    sys.exit(f"failed: {' '.join(failed)}" if failed else 0)
