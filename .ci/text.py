"""Percent scripts of the notebooks: `python .ci/text.py text` writes them to .nbtext, `python .ci/text.py notebooks` reads them back."""

import sys
from pathlib import Path

from jupytext.cli import jupytext

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS, SCRIPTS = ROOT / "nbs", ROOT / ".nbtext"
TO_TEXT = "-q --to py:percent --opt notebook_metadata_filter=-all --opt cell_metadata_filter=-all"
TO_NOTEBOOK = "-q --to ipynb"


def sources(folder: Path, ending: str) -> list[Path]:
    """The files of a folder, as paths in it, without those in hidden folders."""
    found = sorted(path.relative_to(folder) for path in folder.rglob(f"*{ending}"))
    return [path for path in found if not any(part.startswith(".") for part in path.parts)]


def convert(source: Path, target: Path, options: str) -> None:
    """One file, in this process: starting jupytext takes longer than its work."""
    target.parent.mkdir(parents=True, exist_ok=True)
    jupytext([*options.split(), str(source), "-o", str(target)])
    print(target.relative_to(ROOT))


if __name__ == "__main__":
    if sys.argv[1:] == ["text"]:
        for path in sources(NOTEBOOKS, ".ipynb"):
            convert(NOTEBOOKS / path, SCRIPTS / path.with_suffix(".py"), TO_TEXT)
    elif sys.argv[1:] == ["notebooks"]:
        for path in sources(SCRIPTS, ".py"):
            target = NOTEBOOKS / path.with_suffix(".ipynb")
            how = "--update" if target.exists() else "--set-kernel python3"
            convert(SCRIPTS / path, target, f"{TO_NOTEBOOK} {how}")
    else:
        sys.exit(__doc__)
