"""Build the documentation site from the notebooks: `python .ci/site/build.py [--out docs]`."""

import argparse
import os
import re
import shutil
import sys
from html import unescape
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from fastcore.nbio import mk_cell, write_nb
from nbdev.config import get_config
from package import Entry, Module, read_package
from pages import (
    IMAGES,
    PROJECT_PAGES,
    SymbolLinks,
    all_entries,
    page_notebook,
    relinked,
    site_pages,
)
from sphinx.cmd.build import build_main
from sphinx.util.inspect import signature_from_str, stringify_signature

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
UNUSED = [
    ".buildinfo*",
    "objects.inv",
    "_static/*.png",
    "_static/**/*.map",
    "_static/pygments.css.map",
]
TARGET = re.compile(r'\s(?:href|src)="([^"]+)"')
IDENTIFIER = re.compile(r'\sid="([^"]+)"')


def relinker(root: Path, source: str, pages: dict[str, str], repository: str):
    """A function that says where a link in the file `source` leads from its page."""
    here = os.path.dirname(pages[source])

    def relink(href: str) -> str:
        path, sign, fragment = href.partition("#")
        target = os.path.normpath(os.path.join(os.path.dirname(source), path))
        if not path or urlsplit(href).scheme or Path(path).suffix in IMAGES:
            return href
        if target in pages:
            return os.path.relpath(pages[target], here or ".") + sign + fragment
        return f"{repository}/blob/main/{target}" if (root / target).exists() else href

    return relink


def api_item(name: str, entry: Entry) -> list[str]:
    """A line with name and signature that leads to the entry, and its summary."""
    signature = stringify_signature(signature_from_str(entry.signature)) if entry.signature else ""
    values = [f"`= {option[8:]}`" for option in entry.options if option.startswith(":value:")]
    summary = entry.doc.split("\n\n")[0].replace("\n", " ")
    head = (
        "`async` " * (":async:" in entry.options)
        + f"[`{name}`]({entry.url})"
        + f"`{signature}`" * bool(signature)
    )
    return [head, f": {' '.join(filter(None, [*values, summary])) or f'*{entry.kind}*'}", ""]


def api_page(modules: list[Module]) -> str:
    """Every public name of every module, with its signature and summary."""
    origins = {f"{m.name}.{e.name}": e for m in modules for e in all_entries([m])}
    lines = [
        "# API reference",
        "",
        "Every public name, module by module. A name leads to its place on the page that explains it.",
        "",
    ]
    for module in modules:
        lines += [f"## {module.name}", "", module.doc, ""]
        names = {e.name: e for e in all_entries([module])}
        names |= {
            name: origins[origin] for name, origin in module.imports.items() if origin in origins
        }
        for name, entry in names.items():
            lines += api_item(name, entry)
            for member in entry.members:
                lines += ["  " + line for line in api_item(member.name, member)]
    return "\n".join(lines)


def contents(pages: list[str], repository: str) -> str:
    """The groups of the sidebar, as hidden tables of contents."""
    rooms = [
        p for p in pages if "/" not in p and p != "index.html" and p not in PROJECT_PAGES.values()
    ]
    groups = {
        "Start": ["self"],
        "Tutorials": [p for p in pages if p.startswith("tutorials/")],
        "Layers": rooms,
        "Reference": ["api.html"],
        "Project": [
            *(p for p in pages if p in PROJECT_PAGES.values()),
            *[f"Repository <{repository}>"] * bool(repository),
        ],
    }
    trees = (
        "\n".join(
            [
                "```{toctree}",
                ":hidden:",
                f":caption: {name}",
                "",
                *(e.removesuffix(".html") for e in entries),
                "```",
            ]
        )
        for name, entries in groups.items()
        if entries
    )
    return "\n\n".join(trees)


def write_sources(root: Path, target: Path) -> None:
    """Write what Sphinx reads into `target`."""
    config = get_config(root)
    notebooks = config.nbs_path
    pages, modules = site_pages(root, notebooks), read_package(config.lib_path, notebooks)

    def write_text(page: str, text: str) -> None:
        linked = SymbolLinks(modules, page).linkify(text)
        (target / page).with_suffix(".md").write_text(linked, encoding="utf-8")

    for source, page in pages.items():
        relink = relinker(root, source, pages, config.git_url)
        (target / page).parent.mkdir(parents=True, exist_ok=True)
        if source in PROJECT_PAGES:
            write_text(page, relinked((root / source).read_text(encoding="utf-8"), relink))
            continue
        nb = page_notebook(root / source, page, modules, relink)
        if page == "index.html":
            nb.cells.append(mk_cell(contents(list(pages.values()), config.git_url), "markdown"))
        write_nb(nb, (target / page).with_suffix(".ipynb"))
    write_text("api.html", api_page(modules))
    for image in (p for p in notebooks.rglob("*") if p.suffix in IMAGES):
        copy = target / image.relative_to(notebooks)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(image, copy)


def broken_links(site: Path) -> list[str]:
    """Local links whose page or fragment does not exist."""
    texts = {p: p.read_text(encoding="utf-8") for p in sorted(site.rglob("*.html"))}
    ids = {p: set(map(unescape, IDENTIFIER.findall(text))) for p, text in texts.items()}
    broken = []
    for page, text in texts.items():
        for href in sorted(set(map(unescape, TARGET.findall(text)))):
            url = urlsplit(href)
            target = Path(os.path.normpath(page.parent / unquote(url.path))) if url.path else page
            if not url.scheme and (
                not target.exists()
                or (url.fragment and target in ids and unquote(url.fragment) not in ids[target])
            ):
                broken.append(f"{page.relative_to(site)}: {href}")
    return broken


def build(root: Path, out: Path) -> int:
    """Build into a temporary folder and put the result in place; 0 means success."""
    with TemporaryDirectory() as folder:
        work = Path(folder)
        write_sources(root, work / "source")
        options = [
            "-q",
            "-W",
            "--keep-going",
            "-b",
            "html",
            "-c",
            str(HERE),
            "-d",
            str(work / "doctrees"),
        ]
        if status := build_main([*options, str(work / "source"), str(work / "site")]):
            return status
        for path in {p for pattern in UNUSED for p in (work / "site").glob(pattern)}:
            path.unlink()
        if broken := broken_links(work / "site"):
            print("Broken links:", *broken, sep="\n  ", file=sys.stderr)
            return 1
        (work / "site" / ".nojekyll").touch()
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(work / "site", out)
    print(f"{len(list(out.rglob('*.html')))} pages in {out.name}/")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=ROOT / "docs", help="emptied first (default: docs)"
    )
    sys.exit(build(ROOT, parser.parse_args().out))
