"""Notebooks as pages: what a reader sees of them, where their links lead, and their MyST."""

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from docutils.nodes import make_id
from entries import KEYWORDS, Entry, cell_entries, passed_on
from fastcore.nbio import NbCell, mk_cell, read_nb
from nbdev.config import get_config, nbpath2html
from nbdev.doclinks import NbdevLookup, nbglob
from nbdev.process import NBProcessor
from nbdev.processors import hide_, strip_ansi

ROOT = Path(__file__).resolve().parents[2]
CONFIG = get_config(ROOT)
NOTEBOOKS = CONFIG.nbs_path.relative_to(ROOT).as_posix()
OPENING = re.compile(r"\A# (.+)\n+> ?(.+(?:\n> ?.+)*)")
LINK = re.compile(r"(?<=\]\()(?![\w+.-]+:)([^()\s#]+)")
ALT = re.compile(r'\balt="([^"]+)"')  # of a picture that a cell displays
CALLOUT = re.compile(r"^::: ?\{\.callout-(\w+)\}\n(.*?)\n:::$", re.MULTILINE | re.DOTALL)


@dataclass
class Page:
    """A notebook as its reader sees it, and what it exports."""

    name: str  # from the root of the site: the notebook's path without its number
    folder: str  # of the notebook, from the top of the repository
    cells: list[NbCell]
    module: str  # empty if it exports nothing
    entries: dict[str, list[Entry]]  # by exported cell
    passed_on: list[str]  # imported names that the module makes public

    @property
    def room(self) -> str:
        """The folder on the site; empty for the pages at the top."""
        return posixpath.dirname(self.name)

    @property
    def public(self) -> list[Entry]:
        """The public names that the module defines."""
        return [entry for entries in self.entries.values() for entry in entries]

    @property
    def is_public(self) -> bool:
        """Whether users import the module: it is at the top, and has names for them."""
        return bool(self.module and not self.room and (self.public or self.passed_on))

    @property
    def promise(self) -> str:
        """The sentence below the title."""
        return next(promise(m) for c in self.cells if (m := OPENING.match(c.source)))


def promise(opening: re.Match[str]) -> str:
    """The quotation of an opening, on one line."""
    return " ".join(opening[2].replace("\n> ", " ").split())


def read_page(path: Path) -> Page:
    """The page that the notebook at `path` becomes."""
    processor = NBProcessor(path, [hide_, strip_ansi])
    processor.process()
    cells, name = processor.nb.cells, nbpath2html(path.relative_to(CONFIG.nbs_path)).as_posix()
    exported = [c for c in cells if {"export", "exporti"} & c.directives_.keys()]
    modules = [c.directives_["default_exp"] for c in cells if "default_exp" in c.directives_]
    page = Page(
        name=name,
        folder=path.parent.relative_to(ROOT).as_posix(),
        cells=[c for c in cells if c.source.strip()],
        module=f"{CONFIG.lib_path.name}.{modules[0]}" if modules else "",
        entries={
            c.id: cell_entries(c.source) if "export" in c.directives_ else [] for c in exported
        },
        passed_on=[name for c in exported for name in passed_on(c.source)],
    )
    for entry in page.public:
        for each in (entry, *entry.members):
            each.page = name
    return page


def read_pages() -> dict[str, Page]:
    """All pages by notebook (from the top of the repository), in reading order."""
    paths = sorted(nbglob(CONFIG.nbs_path, as_path=True))
    exported = [
        cell.source
        for path in paths
        for cell in read_nb(path).cells
        if cell.source.startswith("#| export")
    ]
    for code in exported * 2:  # a class may be declared before its base is read
        KEYWORDS.read(code)
    return {path.relative_to(ROOT).as_posix(): read_page(path) for path in paths}


def relative(url: str, page: str) -> str:
    """An address from the root of the site as a link from a page."""
    return posixpath.relpath(url, posixpath.dirname(page))


def relinked(text: str, folder: str, targets: dict[str, str], elsewhere: str = "") -> str:
    """Markdown from `folder` whose links to other files of the repository lead to `targets`."""

    def target(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, link[1]))
        return targets.get(path) or (elsewhere + path if (ROOT / path).exists() else link[1])

    return LINK.sub(target, text)


class SymbolLinks(NbdevLookup):
    """Links from backticked names to their entries; a page's own names come first."""

    def __init__(self, pages: list[Page], own: str) -> None:
        self.aliases, self.syms = {}, {}
        for page in sorted(pages, key=lambda page: page.name != own):
            for entry in (each for top in page.public for each in (top, *top.members)):
                for name in (entry.name, f"{page.module}.{entry.name}"):
                    self.syms.setdefault(name, relative(entry.url, own))

    def _link_sym(self, match: re.Match[str]) -> str:
        """Leave alone what is a link already."""
        return match[0] if match.string[: match.start()].endswith("[") else super()._link_sym(match)


def lead(opening: re.Match[str]) -> str:
    """Title and promise as MyST: the promise stands out."""
    return f"# {opening[1]}\n\n:::{{container}} lead\n{promise(opening)}\n:::"


def entry_cell(entry: Entry, module: str, taken: set[str], links: SymbolLinks) -> NbCell:
    """One public name as MyST: anchors, signature, docstring, table of parameters."""
    anchors = [e.anchor for e in (entry, *entry.members) if e.anchor not in taken]
    lines = [f'<div id="{anchor}"></div>' for anchor in anchors]
    lines += ["", f"``````{{py:{entry.kind}}} {entry.name}{entry.signature}"]
    lines += [f":module: {module}", *entry.options, "", links.linkify(entry.doc) or ""]
    if entry.notes:
        lines += ["", "| Parameter | Meaning |", "|---|---|"]
    for name, note in entry.notes.items():
        escaped = links.linkify(note.replace("|", r"\|"))
        lines.append(f"| {f'`{name}`' if name else '*returns*'} | {escaped} |")
    return mk_cell("\n".join([*lines, "``````"]), "markdown")


def page_cells(page: Page, links: SymbolLinks, targets: dict[str, str], blob: str) -> list[NbCell]:
    """The cells of a page as MyST-NB takes them, entries above the cells that export them."""
    texts = "\n".join(c.source for c in page.cells if c.cell_type == "markdown")
    headings = {make_id(heading) for heading in re.findall(r"^#+ (.*)$", texts, re.MULTILINE)}
    result = []
    for cell in page.cells:
        if cell.cell_type == "markdown":
            text = CALLOUT.sub(r":::{\1}\n\2\n:::", OPENING.sub(lead, cell.source))
            text = links.linkify(relinked(text, page.folder, targets, blob))
            result.append(mk_cell(text, "markdown"))
            continue
        entries = page.entries.get(cell.id, [])
        result += [entry_cell(entry, page.module, headings, links) for entry in entries]
        hidden = cell.directives_.get("echo") == "false"
        tags = ["remove-input"] * hidden + ["exported"] * (cell.id in page.entries)
        cell.metadata = {"tags": tags}
        if alt := ALT.search(cell.source):
            cell.metadata["mystnb"] = {"image": {"alt": alt[1]}}
        result.append(cell)
    return result
