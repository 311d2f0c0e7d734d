"""Write README.md from the index notebook: `python .ci/site/readme.py [--out README.md]`."""

import argparse
import re
from pathlib import Path

from fastcore.nbio import NbCell
from pages import CALLOUT, CONFIG, ROOT, Page, read_page, relinked


def alert(callout: re.Match[str]) -> str:
    """A callout as GitHub's alert."""
    lines = [f"[!{callout[1].upper()}]", *callout[2].splitlines()]
    return "\n".join(f"> {line}".rstrip() for line in lines)


def output_text(output: dict) -> str:
    """One stored output as Markdown; what has no text is left out."""
    data = output.get("data", {})
    if "text/markdown" in data:
        return "".join(data["text/markdown"])
    if "image/png" in data:
        return ""
    text = "".join(output.get("text") or data.get("text/plain", "")).rstrip("\n")
    return f"```text\n{text}\n```" if text else ""


def code_blocks(cell: NbCell) -> list[str]:
    """A code cell and its outputs."""
    source = [f"```python\n{cell.source}\n```"] * (cell.directives_.get("echo") != "false")
    return source + [output_text(output) for output in cell.outputs]


def plain_markdown(page: Page, targets: dict[str, str], elsewhere: str = "") -> str:
    """A page as Markdown for GitHub, package indexes and machines."""
    blocks = []
    for cell in page.cells:
        if cell.cell_type == "code":
            blocks += code_blocks(cell)
        else:
            blocks.append(
                CALLOUT.sub(alert, relinked(cell.source, page.folder, targets, elsewhere))
            )
    return "\n\n".join(block.strip("\n") for block in blocks if block.strip()) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "README.md", help="default: README.md")
    index = read_page(CONFIG.nbs_path / CONFIG.readme_nb)
    parser.parse_args().out.write_text(plain_markdown(index, {}), encoding="utf-8")
