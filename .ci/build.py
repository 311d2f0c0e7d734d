"""Build the last commit: `python .ci/build.py [--out dist]`, the same bytes wherever and whenever it is done."""

import argparse
import gzip
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = [
    "build",
    "--quiet",
    "--installer",
    "uv",
    "--dependency-constraints-txt",
    str(ROOT / ".ci" / "constraints.txt"),
]


def git(*arguments: str) -> bytes:
    """What git prints."""
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


def build(*arguments: str | Path, epoch: int) -> None:
    """Run `python -m build` with the date that SOURCE_DATE_EPOCH tells it."""
    env = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    subprocess.run([sys.executable, "-m", *BUILD, *arguments], check=True, env=env)


def nobodys(member: tarfile.TarInfo, epoch: int) -> tarfile.TarInfo:
    """A member without owner, with one date and one of two modes."""
    mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member.replace(mtime=epoch, mode=mode, uid=0, gid=0, uname="", gname="")


def normalised(archive: Path, epoch: int) -> bytes:
    """An sdist written anew: setuptools writes the hour of the build and the owner into it."""
    written = io.BytesIO()
    with (
        tarfile.open(archive) as old,
        gzip.GzipFile("", "wb", 9, written, mtime=epoch) as packed,
        tarfile.open(mode="w", fileobj=packed, format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            content = old.extractfile(member)
            member.pax_headers = {}  # among them the date, with its fraction
            new.addfile(nobodys(member, epoch), content)
    return written.getvalue()


def main(out: Path) -> None:
    """The sdist from the commit, the wheel from the sdist."""
    os.umask(0o022)
    epoch = int(git("log", "-1", "--format=%ct"))
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(git("archive", "HEAD"))) as commit:
            commit.extractall(f"{folder}/source", filter="data")
        build("--sdist", "--outdir", f"{folder}/sdist", f"{folder}/source", epoch=epoch)
        (made,) = Path(folder, "sdist").iterdir()
        sdist = out / made.name
        out.mkdir(parents=True, exist_ok=True)
        sdist.write_bytes(normalised(made, epoch))
    build("--wheel", "--outdir", out, sdist, epoch=epoch)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="default: dist")
    main(parser.parse_args().out)
