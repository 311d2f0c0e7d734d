"""Check all that a release needs, and stop before it: publishing is done by a person, who is told how."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from packaging.metadata import Metadata

ROOT = Path(__file__).resolve().parent.parent
NEXT = """
Everything that a machine can check is in order. What is left to you:

  1. Try it:    python -m pip install dist/{wheel}
  2. Tag it:    git tag -a {version} -m "Version {version}" && git push origin main {version}
  3. Publish:   python -m pip install twine && python -m twine upload dist/*{version}*
  4. Go on:     the next version in settings.ini and fileresponse/__init__.py, and "## …, unreleased" in CHANGELOG.md
"""


def output(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def mistakes(version: str) -> list[str]:
    """What stands in the way of a release before anything is built."""
    heading = re.search(
        rf"^## {re.escape(version)}\b(.*)$",
        (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        re.M,
    )
    found = {
        "the tree is not clean: commit or stash first": output("git", "status", "--porcelain"),
        "this is not the branch main": output("git", "branch", "--show-current") != "main",
        f"there is a tag {version} already": output("git", "tag", "--list", version),
        f"CHANGELOG.md says nothing about {version}": heading is None,
        f"CHANGELOG.md says that {version} is unreleased: put the date there": heading
        and "unreleased" in heading[1],
        "pyproject.toml has the address of an example as the repository": "fileresponse.example"
        in (ROOT / "pyproject.toml").read_text(encoding="utf-8"),
    }
    return [problem for problem, is_so in found.items() if is_so]


def check_metadata(wheel: Path, version: str) -> None:
    """Raise where an index would refuse the wheel, or show no description."""
    (name,) = [name for name in ZipFile(wheel).namelist() if name.endswith(".dist-info/METADATA")]
    metadata = Metadata.from_email(ZipFile(wheel).read(name), validate=True)
    if (str(metadata.version), metadata.description_content_type) != (version, "text/markdown"):
        sys.exit(
            f"{wheel.name} is of version {metadata.version}, its text {metadata.description_content_type}"
        )


def main() -> None:
    """Mistakes first, for they are found in a second; then what takes half an hour."""
    settings = configparser.ConfigParser(delimiters=["="])
    settings.read(ROOT / "settings.ini", encoding="utf-8")
    version = settings["DEFAULT"]["version"]
    if problems := mistakes(version):
        sys.exit(
            "\n".join(
                [f"{version} cannot be released:", *(f"  - {problem}" for problem in problems)]
            )
        )
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    for target in ("check", "test-all", "test-matrix", "build"):
        subprocess.run(["make", "--no-print-directory", target], cwd=ROOT, check=True)
    (wheel,) = (ROOT / "dist").glob("*.whl")
    check_metadata(wheel, version)
    if changed := output("git", "status", "--porcelain"):
        sys.exit(f"the checks have changed files:\n{changed}")
    print(NEXT.format(wheel=wheel.name, version=version))


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"not ready: {error}")
