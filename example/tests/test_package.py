"""What `pip install` gives: archives that are the same each time, few packages, few modules, and the README's ten lines."""

import os
import re
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PathDistribution
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement

from .tools import free_port

from .servers import HOST, accepts, wait_until
from .test_project import ROOT, metadata

ENTRY_POINTS = ("apps", "asgi", "handlers", "http", "middleware", "streams", "views")
NEEDED = {"aiofiles", "anyio", "asgiref", "django", "idna", "sqlparse"}
BY_OLDER_PYTHONS = {"exceptiongroup", "typing_extensions"}
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    """What a command prints; it must not fail."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=CLEAN | env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def needs_network(*command: str | Path, cwd: Path) -> None:
    """Run a command that downloads; where that cannot be the test is left out, but never in CI."""
    try:
        run(*command, cwd=cwd)
    except AssertionError as error:
        if os.environ.get("CI") or not re.search(
            "connection|resolution|urlopen|Failed to fetch", str(error)
        ):
            raise
        pytest.skip("nothing can be downloaded")


def built(folder: Path) -> Path:
    """The archives that a new clone in a folder makes of the last commit."""
    if not (ROOT / ".git").exists():
        pytest.skip("archives are made of a clone")
    run("git", "clone", "--quiet", ROOT, folder, cwd=ROOT)
    needs_network(sys.executable, ".ci/build.py", cwd=folder)
    return folder / "dist"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an sdist and a wheel."""
    return built(tmp_path_factory.mktemp("package") / "clone")


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (wheel,) = dist.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project outside the tree, the README's view in it, and a new environment with the wheel alone."""
    folder = tmp_path_factory.mktemp("site")
    run(sys.executable, "-m", "venv", "--without-pip", ".venv", cwd=folder)
    install(folder, wheel)
    (folder / "episodes").mkdir()
    (folder / "episodes" / "1.mp3").write_bytes(b"all the sound of episode one")
    os.utime(folder / "episodes" / "1.mp3", (1_774_353_600, 1_774_353_600))
    (folder / "views.py").write_text(readme_blocks("python")[0], encoding="utf-8")
    (folder / "project.py").write_text(PROJECT, encoding="utf-8")
    return folder


PROJECT = """
from django.conf import settings
settings.configure(ROOT_URLCONF="project", ALLOWED_HOSTS=["*"])

from django.urls import path
from fileresponse.asgi import get_asgi_application
from views import episode

urlpatterns = [path("episodes/<int:number>", episode)]
application = get_asgi_application()
"""


def install(site: Path, *packages: str | Path) -> None:
    """Install into the new environment, in the versions that are tested."""
    uv = Path(sys.executable).with_name("uv")  # what pip would install, in a tenth of its time
    pip = [uv, "pip", "install", "--quiet", "--python", site / ".venv" / "bin" / "python"]
    needs_network(*pip, "-c", ROOT / ".ci" / "constraints.txt", *packages, cwd=site)


def python(site: Path, code: str) -> str:
    """What a few lines print in the new environment."""
    return run(site / ".venv" / "bin" / "python", "-W", "error", "-c", code, cwd=site)


def readme_blocks(language: str) -> list[str]:
    """The code blocks of a language in the README's section of ten lines."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## Ten lines")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


@pytest.mark.thorough
def test_two_builds_are_the_same_byte_for_byte(dist: Path, tmp_path: Path) -> None:
    umask = os.umask(0o077)  # of somebody else
    try:
        again = built(tmp_path / "elsewhere" / "clone")
    finally:
        os.umask(umask)
    names = sorted(path.name for path in dist.iterdir())
    assert [name.rpartition(".")[2] for name in names] == ["whl", "gz"]
    assert sorted(path.name for path in again.iterdir()) == names
    for name in names:
        assert (again / name).read_bytes() == (dist / name).read_bytes(), name


def test_the_sdist_has_the_sources_and_the_tests(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    kept = {member.name.partition("/")[2] for member in members if member.isfile()}
    tracked = set(run("git", "ls-files", cwd=dist.parent).split("\n")) - {""}
    generated = {name for name in kept if ".egg-info/" in name} | {"PKG-INFO", "setup.cfg"}
    left_out = ("docs/", ".git")  # the site, which `make docs` builds, and what belongs to GitHub
    assert kept - generated == {name for name in tracked if not name.startswith(left_out)}
    assert {(member.uid, member.uname) for member in members} == {(0, "")}


def test_the_wheel_has_the_package_and_nothing_else(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {
        "django_fileresponse",
        "fileresponse",
    }
    tracked = run("git", "ls-files", "fileresponse", cwd=wheel.parent.parent).split()
    assert sorted(name for name in names if name.startswith("fileresponse/")) == sorted(tracked)


def test_the_metadata_is_valid_and_what_settings_ini_says(wheel: Path) -> None:
    (name,) = [name for name in ZipFile(wheel).namelist() if name.endswith("METADATA")]
    text = ZipFile(wheel).read(name)
    stated = Metadata.from_email(text, validate=True)  # what an index would refuse raises
    assert stated.description_content_type == "text/markdown"
    assert "](nbs/" not in (stated.description or "")
    always = [str(need) for need in stated.requires_dist or [] if "extra ==" not in str(need)]
    assert sorted(always) == sorted(
        str(Requirement(word)) for word in metadata()["requirements"].split()
    )


def test_an_installation_is_small(site: Path) -> None:
    (packages,) = site.glob(".venv/lib/python*/site-packages")
    installed = {
        PathDistribution(path).metadata["Name"].lower() for path in packages.glob("*.dist-info")
    }
    extra = installed - NEEDED - {"django-fileresponse", "pip", "setuptools"}
    assert extra <= BY_OLDER_PYTHONS, extra
    assert installed >= NEEDED


@pytest.mark.parametrize("module", ENTRY_POINTS)
def test_an_import_brings_only_what_is_needed(site: Path, module: str) -> None:
    code = f"import sys; before = set(sys.modules); import fileresponse.{module}; print(*set(sys.modules) - before)"
    brought = {name.partition(".")[0] for name in python(site, code).split() if name[0] != "_"}
    assert brought - sys.stdlib_module_names <= NEEDED | BY_OLDER_PYTHONS | {"fileresponse"}


@pytest.mark.parametrize("module", ENTRY_POINTS)
def test_an_import_in_the_environment_of_a_developer_brings_no_tools(module: str) -> None:
    """Where all of them are installed, too: nothing takes up what it finds."""
    tools = "aiobotocore botocore boto3 nbdev fastcore IPython uvicorn gunicorn httptools uvloop"
    code = f"import sys, fileresponse.{module}; print(*set({tools.split()}) & set(sys.modules))"
    assert run(sys.executable, "-c", code, cwd=ROOT).split() == []


def test_the_readmes_ten_lines_print_what_the_readme_says(site: Path) -> None:
    code = f"""
import ast, asyncio, inspect, logging, types
logging.disable()
import project
async def main():
    names = {{}}
    for block in {readme_blocks("python")[1:]!r}:
        code = compile(block, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if code.co_flags & inspect.CO_COROUTINE: await eval(code, names)
        else: exec(code, names)
asyncio.run(main())
"""
    printed = [line.rstrip() for line in python(site, code).splitlines()]
    said = [line.rstrip() for line in "".join(readme_blocks("text")).splitlines()]
    assert printed == said


def test_s3_without_its_package_is_one_clear_line(site: Path) -> None:
    code = """
import asyncio, logging, sys
logging.disable()
import project
from django.test import RequestFactory
from django.core.exceptions import ImproperlyConfigured
from fileresponse.http import AiobotocoreFileResponse
async def main():
    response = AiobotocoreFileResponse("media", "1.mp3")
    try: await response.aprepare(RequestFactory().get("/"))
    except ImproperlyConfigured as error: print(error)
asyncio.run(main())
"""
    assert python(site, code) == 'S3 needs aiobotocore: pip install "django-fileresponse[s3]"\n'


@contextmanager
def uvicorn(site: Path) -> Iterator[int]:
    """The project under a uvicorn of the new environment; its port."""
    port = free_port()
    command = [site / ".venv" / "bin" / "uvicorn", "project:application", "--port", str(port)]
    with (site / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [str(part) for part in command], cwd=site, env=CLEAN, stdout=log, stderr=log
        )
    try:
        wait_until(lambda: accepts(port) or server.poll() is not None, "uvicorn listens")
        yield port
    finally:
        server.terminate()
        server.wait(20)


def test_with_a_server_beside_it_the_view_is_served(site: Path) -> None:
    install(site, "uvicorn")
    with uvicorn(site) as port:
        headers = {"Authorization": "Bearer members-only", "Range": "bytes=8-12"}
        request = urllib.request.Request(f"http://{HOST}:{port}/episodes/1", headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert (answer.status, answer.read()) == (206, b"sound")
    assert "Traceback" not in (site / "server.log").read_text(encoding="utf-8")
