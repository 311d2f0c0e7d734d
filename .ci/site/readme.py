"""Write README.md from the index notebook: `python .ci/site/readme.py [--out README.md]`."""

import argparse
import os
import re
from pathlib import Path

from nbdev.config import get_config
from pages import (
    CALLOUTS,
    DIRECTIVE,
    DIV,
    FRONT_MATTER,
    IMAGES,
    QUARTO_FENCE,
    read_notebook,
    relinked,
    site_pages,
)

ROOT = Path(__file__).resolve().parents[2]
LINK_ATTRIBUTES = re.compile(r"(?<=\))\{[^}\n]*\}")


def alerts(text: str) -> str:
    """Quarto's callouts as GitHub's alerts; other divs lose their fences."""
    out, prefix = [], ""
    for line in text.splitlines():
        opening = DIV.fullmatch(line)
        if opening:
            kind = opening[1].split()[0].removeprefix(".callout-")
            title = re.search(r'title="([^"]*)"', opening[1])
            prefix = "> " if kind in CALLOUTS else ""
            out += [f"> [!{kind.upper()}]"] * bool(prefix)
            out += [f"> **{title[1]}**\n>"] if prefix and title else []
        elif line.startswith(":::"):
            prefix = ""
        else:
            out.append(re.sub(r"^> #+ (.*)", r"> **\1**\n>", f"{prefix}{line}".rstrip()))
    return "\n".join(out)


def from_checkout(href: str, notebooks: str, pages: set[str], docs: str) -> str:
    """A link of the index notebook as it leads from the top of a checkout."""
    path, sign, fragment = href.partition("#")
    if path in pages:
        return f"{docs}/{href}"
    local = (
        path
        and not re.match(r"\w+:|/", path)
        and (path.startswith("../") or Path(path).suffix in {*IMAGES, ".ipynb"})
    )
    return os.path.normpath(f"{notebooks}/{path}") + sign + fragment if local else href


def output_text(output) -> str:
    """One stored output as Markdown; what has no text is left out."""
    data = output.get("data", {})
    if "text/markdown" in data:
        return "".join(data["text/markdown"])
    text = "".join(output.get("text") or data.get("text/plain", "")).rstrip("\n")
    return f"```text\n{text}\n```" if text else ""


def code_blocks(cell) -> list[str]:
    """A code cell and its outputs."""
    options = {name: value.strip() for name, value in DIRECTIVE.findall(cell.source)}
    source = f"```python\n{DIRECTIVE.sub('', cell.source)}\n```"
    blocks = [source] * (options.get("echo") != "false")
    return blocks + [output_text(o) for o in cell.outputs] * (options.get("output") != "false")


def readme(root: Path) -> str:
    """The index notebook as plain Markdown for GitHub and PyPI."""
    config = get_config(root)
    notebooks, docs = (os.path.relpath(config[key], root) for key in ("nbs_path", "doc_path"))
    pages = set(site_pages(root, root / notebooks).values()) | {"api.html"}

    def prose(text: str) -> str:
        text = QUARTO_FENCE.sub(r"```\1", LINK_ATTRIBUTES.sub("", FRONT_MATTER.sub("", text)))
        return alerts(relinked(text, lambda href: from_checkout(href, notebooks, pages, docs)))

    nb = read_notebook(root / notebooks / config.readme_nb)
    cells = (c for c in nb.cells if c.cell_type != "raw")
    blocks = [
        b for c in cells for b in (code_blocks(c) if c.cell_type == "code" else [prose(c.source)])
    ]
    return "\n\n".join(block.strip("\n") for block in blocks if block.strip()) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=ROOT / "README.md", help="default: README.md at the top"
    )
    parser.parse_args().out.write_text(readme(ROOT), encoding="utf-8")
