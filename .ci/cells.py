"""`coverage run .ci/cells.py`: nbdev-test, where an exported cell counts as the lines of the package that are made of it."""

import ast
import re
from pathlib import Path

from fastcore.nbio import read_nb
from IPython.core.compilerop import CachingCompiler
from nbdev.test import nbdev_test

ROOT = Path(__file__).resolve().parent.parent
MARK = re.compile(r"^# %% (\S+\.ipynb) #(\S+)$")  # above each cell; the path is from the module


def places() -> dict[str, tuple[str, int]]:
    """For the source of each exported cell: its module, and how many lines of the module are above it."""
    found = {}
    for module in sorted((ROOT / "fileresponse").rglob("*.py")):
        lines = module.read_text(encoding="utf-8").splitlines()
        marks = [
            (number, mark) for number, line in enumerate(lines, 1) if (mark := MARK.match(line))
        ]
        notebooks = {mark[1] for _, mark in marks}
        cells = {
            cell.id: cell.source
            for name in notebooks
            for cell in read_nb(module.parent / name).cells
        }
        for number, mark in marks:
            found[cells[mark[2]]] = (str(module), number - 1)  # its first line is `#| export`
    return found


def place_cells() -> None:
    """Have IPython compile exported cells as if they stood in their modules."""
    known, name_it, parse = places(), CachingCompiler.cache, CachingCompiler.ast_parse

    def cache(self, code, number=0, raw_code=None):
        module, self.above = known.get(raw_code, ("", 0))
        return module or name_it(self, code, number, raw_code)

    def ast_parse(self, source, filename="<unknown>", symbol="exec"):
        tree = parse(self, source, filename, symbol)
        return ast.increment_lineno(tree, self.above) if filename.endswith(".py") else tree

    CachingCompiler.cache, CachingCompiler.ast_parse = cache, ast_parse


if __name__ == "__main__":
    place_cells()
    nbdev_test()
