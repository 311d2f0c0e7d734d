"""Figures about notebooks as a table: `make figures`, or `python .ci/figures.py folder-or-notebook …`."""

import ast
import json
import re
import sys
from dataclasses import astuple, dataclass
from pathlib import Path


@dataclass
class Figures:
    """What is counted in a notebook; a sum of them counts several."""

    cells: int = 0
    code: int = 0  # cells
    hidden: int = 0  # code cells that the site does not show
    words: int = 0  # in Markdown cells
    symbols: int = 0  # public functions and classes that are exported
    exercised: int = 0  # those that one of the next two visible cells of examples or tests uses
    output: int = 0  # bytes of text and of other data in stored outputs

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    def row(self, name: str) -> str:
        """A row of the table."""
        return (
            f"| {name} | {self.cells} | {self.words / max(self.code, 1):.0f} | "
            f"{f'{self.exercised / self.symbols:.0%} of {self.symbols}' if self.symbols else 'none'} | "
            f"{self.hidden / max(self.cells, 1):.0%} | {self.output:,} |"
        )


def directives(source: str) -> set[str]:
    """The words after `#|`, with which nbdev is told what a cell is."""
    return set(
        re.findall(
            r"[\w-]+",
            " ".join(re.findall(r"^#\s*\|(.*)$", source, re.M)).replace("echo: false", "hide"),
        )
    )


def public_names(source: str) -> list[str]:
    """The functions and classes that a cell defines for others."""
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a magic of IPython
        return []
    named = [
        node.name
        for node in body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    ]
    return [name for name in named if not name.startswith("_")]


def output_size(outputs: list[dict]) -> int:
    """The bytes of stored outputs."""
    texts = [
        text
        for output in outputs
        for text in (output.get("text"), *output.get("data", {}).values())
        if text
    ]
    return sum(
        len("".join(text).encode() if isinstance(text, (str, list)) else json.dumps(text))
        for text in texts
    )


def figures(notebook: Path) -> Figures:
    """Count one notebook."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    prose = [
        source
        for cell, source in zip(cells, sources, strict=True)
        if cell["cell_type"] == "markdown"
    ]
    code = [
        source for cell, source in zip(cells, sources, strict=True) if cell["cell_type"] == "code"
    ]
    exports = [bool(directives(source) & {"export", "exports", "exporti"}) for source in code]
    is_hidden = [
        "hide" in directives(source) or "default_exp" in directives(source) for source in code
    ]
    counted = Figures(
        len(cells),
        len(code),
        sum(is_hidden),
        sum(len(re.findall(r"\w[\w'-]*", text)) for text in prose),
    )
    counted.output = sum(output_size(cell.get("outputs", [])) for cell in cells)
    for place, source in enumerate(code):
        names = public_names(source) if exports[place] else []
        later = [
            text
            for text, skip, hidden in list(zip(code, exports, is_hidden, strict=True))[place + 1 :]
            if not skip and not hidden
        ]
        counted.symbols += len(names)
        counted.exercised += sum(
            bool(re.search(rf"\b{name}\b", "\n".join(later[:2]))) for name in names
        )
    return counted


def main(places: list[Path]) -> None:
    """Print the table of some notebooks, and of those in some folders."""
    print(
        "| notebook | cells | words per code cell | exports used in the next two visible cells | hidden cells | bytes of output |"
    )
    print("|---|--:|--:|--:|--:|--:|")
    total = Figures()
    for place in places:
        for notebook in sorted(place.rglob("[!.]*.ipynb")) if place.is_dir() else [place]:
            print((counted := figures(notebook)).row(notebook.stem))
            total += counted
    print(total.row("**all**"))


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or [Path(__file__).parent.parent / "nbs"])
