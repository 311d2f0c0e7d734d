"""Build the documentation site from the notebooks: `python .ci/site/build.py [--out docs]`."""

import argparse
import ast
import re
import shutil
import sys
from html import unescape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from entries import Entry
from fastcore.nbio import mk_cell, new_nb, write_nb
from pages import (
    CONFIG,
    NOTEBOOKS,
    ROOT,
    Page,
    SymbolLinks,
    page_cells,
    read_pages,
    relative,
    relinked,
)
from readme import plain_markdown
from sphinx.cmd.build import build_main
from sphinx.util.inspect import signature_from_str, stringify_signature

PROJECT_PAGES = {"CHANGELOG.md": "changelog.html", "CONTRIBUTING.md": "contributing.html"}
SETTINGS, OVERVIEW = "apps.html", "architecture.html"
ROOMS = {  # the sidebar's groups of pages by folder, in its order
    "tutorials": "Tutorials",
    "semantics": "HTTP semantics",
    "sources": "Sources",
    "s3": "S3",
    "delivery": "Delivery",
}
API = {f"{NOTEBOOKS}/api.html": "api.html"}
IMAGES = CONFIG.nbs_path / "images"
PICTURES = {f"{NOTEBOOKS}/images/{path.name}": f"_images/{path.name}" for path in IMAGES.iterdir()}
BLOB = f"{CONFIG.git_url}/blob/main/"
UNUSED = (".buildinfo*", "objects.inv", "_static/*.png", "_static/**/*.map", "_sources")
STATUS = re.compile(r"(?<![\w,.-])(?:20[06]|30[24]|40[0346]|41[26]|50[0234])(?![\w-]|[.,]\d)")
TARGET = re.compile(r'\s(?:href|src)="([^"]+)"')
SECTION = re.compile(r"<h2>(?:<code.*?<span class=\"pre\">)?([\w.]+)<(.*?)</section>", re.DOTALL)
NAME = re.compile(r'<dt>.*?href="[^"]+"><code[^>]*><span class="pre">(\w+)</span>')
IDENTIFIER = re.compile(r'\sid="([^"]+)"')


def api_item(name: str, entry: Entry) -> list[str]:
    """A line with name and signature that leads to the entry, and its summary."""
    signature = stringify_signature(signature_from_str(entry.signature)) if entry.signature else ""
    values = [f"`= {option[8:]}`" for option in entry.options if option.startswith(":value:")]
    summary = entry.doc.split("\n\n")[0].replace("\n", " ")
    mark = "`async` " * (":async:" in entry.options)
    head = f"{mark}[`{name}`]({entry.url})" + f"`{signature}`" * bool(signature)
    return [head, f": {' '.join(filter(None, [*values, summary])) or f'*{entry.kind}*'}", ""]


def api_page(pages: list[Page]) -> str:
    """Every public name of every module, with its signature and summary."""
    everywhere = {entry.name: entry for page in pages for entry in page.public}
    intro = (
        "Every public name, module by module. A name leads to its place on the page that explains it. "
        "Everything else is internal and may change in any version."
    )
    lines = ["# API reference", "", intro, ""]
    for page in (page for page in pages if page.is_public):
        lines += [f"## {page.module}", "", page.promise, ""]
        for entry in [*page.public, *(everywhere[name] for name in page.passed_on)]:
            lines += api_item(entry.name, entry)
            for member in entry.members:
                lines += ["  " + line for line in api_item(member.name, member)]
    return "\n".join(lines)


def contents(pages: list[Page]) -> str:
    """The groups of the sidebar, as hidden tables of contents."""
    listed = [p for p in pages if p.name not in ("index.html", SETTINGS, OVERVIEW)]
    rooms = {title: [p.name for p in listed if p.room == room] for room, title in ROOMS.items()}
    at_top = [p for p in listed if not p.room]
    groups = {
        "Start": ["self"],
        "Tutorials": rooms.pop("Tutorials"),
        "Public modules": [p.name for p in at_top if p.is_public],
        "Architecture": [OVERVIEW, *(p.name for p in at_top if p.module and not p.is_public)],
        **rooms,
        "Figures": [p.name for p in at_top if not p.module],
        "Reference": ["api.html", SETTINGS],
        "Project": [*PROJECT_PAGES.values(), f"Repository <{CONFIG.git_url}>"],
    }
    trees = (
        "\n".join([f"```{{toctree}}\n:hidden:\n:caption: {caption}\n", *entries, "```"])
        for caption, entries in groups.items()
        if entries
    )
    return "\n\n".join(trees).replace(".html\n", "\n")


def status_index(page: Page) -> str:
    """Index entries for the status codes that a page is about: the search drops plain numbers."""
    text = "\n".join(cell.source for cell in page.cells)
    found = sorted(set(STATUS.findall(text)))
    return f"```{{index}} {', '.join(found)}\n```" if found else ""


def metadata(page: Page) -> dict[str, Any]:
    """What MyST-NB reads about a notebook: its language, and the promise as its description."""
    description = re.sub("[`*]", "", page.promise)
    return {
        "language_info": {"name": "python", "pygments_lexer": "ipython3"},
        "myst": {"html_meta": {"description": description}},
    }


def seen_from(page: Page, targets: dict[str, str]) -> dict[str, str]:
    """Targets from the root of the site as links from a page."""
    return {source: relative(target, page.name) for source, target in targets.items()}


def write_sources(pages: dict[str, Page], folder: Path) -> None:
    """Write what Sphinx reads into `folder`."""
    listed = sorted(pages.values(), key=lambda page: ["", *ROOMS].index(page.room))
    targets = {source: page.name for source, page in pages.items()}
    targets |= PROJECT_PAGES | API | PICTURES
    shutil.copytree(IMAGES, folder / "_images")
    for page in pages.values():
        links = SymbolLinks(listed, page.name)
        cells = page_cells(page, links, seen_from(page, targets), BLOB)
        cells.insert(1, mk_cell(status_index(page), "markdown"))
        if page.name == "index.html":
            cells.append(mk_cell(contents(listed), "markdown"))
        path = (folder / page.name).with_suffix(".ipynb")
        path.parent.mkdir(exist_ok=True)
        write_nb(new_nb(cells, metadata(page)), path)
    texts = {"api.html": api_page(listed)}
    for source, name in PROJECT_PAGES.items():
        texts[name] = relinked((ROOT / source).read_text(encoding="utf-8"), "", targets, BLOB)
    for name, text in texts.items():
        linked = SymbolLinks(listed, name).linkify(text)
        (folder / name).with_suffix(".md").write_text(linked, encoding="utf-8")


def write_markdown(pages: dict[str, Page], folder: Path) -> None:
    """Write each page once more for machines, under the address that its module names."""
    targets = {source: f"{page.name}.md" for source, page in pages.items()}
    targets |= PROJECT_PAGES | API | PICTURES
    for page in pages.values():
        text = plain_markdown(page, seen_from(page, targets), BLOB)
        (folder / f"{page.name}.md").write_text(text, encoding="utf-8")


def broken_links(site: Path) -> list[str]:
    """Local links whose page or fragment does not exist."""
    texts = {p.as_posix(): p.read_text(encoding="utf-8") for p in sorted(site.rglob("*.html"))}
    ids = {name: set(map(unescape, IDENTIFIER.findall(text))) for name, text in texts.items()}
    broken = []
    for name, text in texts.items():
        for href in sorted(set(map(unescape, TARGET.findall(text)))):
            url = urlsplit(urljoin(name, href))
            path, fragment = unquote(url.path), unquote(url.fragment)
            known = not fragment or path not in ids or fragment in ids[path]
            if not url.scheme and not (Path(path).exists() and known):
                broken.append(f"{Path(name).relative_to(site)}: {href}")
    return broken


def public_names(module: Path) -> set[str]:
    """What `__all__` of a module lists, read without importing it."""
    nodes = ast.parse(module.read_text(encoding="utf-8")).body
    assigned = (node for node in nodes if isinstance(node, ast.Assign))
    lists = (node.value for node in assigned if ast.unparse(node.targets[0]) == "__all__")
    return {name for names in lists for name in ast.literal_eval(names)}


def missing_names(site: Path) -> list[str]:
    """Public names that the API reference does not list below their module."""
    sections = dict(SECTION.findall((site / "api.html").read_text(encoding="utf-8")))
    missing = []
    for path in sorted(CONFIG.lib_path.glob("*.py")):
        module = f"{CONFIG.lib_path.name}.{path.stem}"
        listed = set(NAME.findall(sections.get(module, "")))
        missing += [f"{module}.{name}" for name in sorted(public_names(path) - listed)]
    return missing


def run_sphinx(source: Path, site: Path) -> int:
    """Build `site`, without what it does not use; 0 means success."""
    options = ["-q", "-W", "--keep-going", "-c", str(Path(__file__).parent)]
    status = build_main([*options, "-d", str(source.with_name("doctrees")), str(source), str(site)])
    for path in [p for pattern in UNUSED for p in site.glob(pattern)]:
        path.rmdir() if path.is_dir() else path.unlink()
    (site / ".nojekyll").touch()
    return status


def build(out: Path) -> int:
    """Build into a temporary folder and put the result in place; 0 means success."""
    with TemporaryDirectory() as folder:
        source, site = Path(folder) / "source", Path(folder) / "site"
        source.mkdir()
        pages = read_pages()
        write_sources(pages, source)
        if status := run_sphinx(source, site):
            return status
        write_markdown(pages, site)
        for title, found in (
            ("Broken links", broken_links(site)),
            ("Not listed", missing_names(site)),
        ):
            if found:
                print(f"{title}:", *found, sep="\n  ", file=sys.stderr)
                return 1
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(site, out)
    print(f"{len(list(out.rglob('*.html')))} pages in {out.name}/")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="emptied first")
    sys.exit(build(parser.parse_args().out))
