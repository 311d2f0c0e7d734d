"""Notebooks as pages: nbdev's directives, Quarto's notation and links turned into MyST."""

import re
from pathlib import Path

import yaml
from docutils.nodes import make_id
from fastcore.nbio import mk_cell, read_nb
from nbdev.config import nbpath2html
from nbdev.doclinks import NbdevLookup, nbglob
from nbdev.processors import (
    FilterDefaults,
    FrontmatterProc,
    add_fold,
    add_links,
    add_show_docs,
    exec_show_docs,
    insert_warning,
    mv_exports,
)
from package import Entry, Module

PROJECT_PAGES = {"CHANGELOG.md": "changelog.html", "CONTRIBUTING.md": "contributing.html"}
IMAGES = {".gif", ".jpeg", ".jpg", ".png", ".svg", ".webp"}
EXPORT = re.compile(r"^#\|\s*exporti?(?=\s|$)", re.MULTILINE)
DIRECTIVE = re.compile(r"^#\|\s*([\w-]+)\s*:?\s*(.*)\n?", re.MULTILINE)
SHOW_DOC = re.compile(r"^show_doc\(([\w.]+)", re.MULTILINE)
FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n*", re.DOTALL)
OPENING = re.compile(r"\A# (.+)(?:\n+> ?(.+(?:\n> ?.+)*))?\n*")
PLAIN = re.compile(r"[`*]")
PIPE = r"\|"
LINK = re.compile(r"(?<=\]\()([^()\s]+)(?=[)\s])")
DIV = re.compile(r":::+\s*\{([^}]*)\}(.*)")
QUARTO_FENCE = re.compile(r"^```+\{\.(\w+)[^}]*\}", re.MULTILINE)
HEADING_ATTRIBUTES = re.compile(r"^(#+ .*?)\s*\{(?:#([\w-]+))?[^}\n]*\}$", re.MULTILINE)
UNQUOTED = re.compile(r"(?<=\))\{[^}\n]*\}")
CALLOUTS = {"note", "tip", "warning", "important", "caution"}
TAGS = {
    ("echo", "false"): "remove-input",
    ("output", "false"): "remove-output",
    ("code-fold", "true"): "hide-input",
}


def site_pages(root: Path, notebooks: Path) -> dict[str, str]:
    """Pages by source file, both relative, in reading order."""
    files = sorted(
        nbglob(notebooks, as_path=True), key=lambda p: p.relative_to(notebooks).as_posix()
    )
    pages = {
        p.relative_to(root).as_posix(): nbpath2html(p.relative_to(notebooks)).as_posix()
        for p in files
    }
    return pages | {name: page for name, page in PROJECT_PAGES.items() if (root / name).exists()}


class PageFilter(FilterDefaults):
    """nbdev's documentation processors, without those whose work is done here."""

    elsewhere = (
        FrontmatterProc,
        add_fold,
        add_links,
        add_show_docs,
        exec_show_docs,
        insert_warning,
        mv_exports,
    )

    def base_procs(self):
        """Hidden cells, hidden lines, magics and nbdev's directives."""
        return [proc for proc in super().base_procs() if proc not in self.elsewhere]


class SymbolLinks(NbdevLookup):
    """Links from backticked names to their entries, relative to one page."""

    def __init__(self, modules: list[Module], page: str) -> None:
        self.aliases, self.syms, up = {}, {}, "../" * page.count("/")
        entries = [(m, e) for m in modules for top in all_entries([m]) for e in (top, *top.members)]
        for module, entry in sorted(entries, key=lambda pair: pair[1].page != page):
            for name in (entry.name, f"{module.name}.{entry.name}"):
                self.syms.setdefault(name, up + entry.url)

    def _link_sym(self, match):
        """Leave alone what is a link already."""
        return match[0] if match.string[: match.start()].endswith("[") else super()._link_sym(match)


def all_entries(modules: list[Module]) -> list[Entry]:
    """The public names that some modules define."""
    return [entry for m in modules for entries in m.cells.values() for entry in entries]


def read_notebook(path: Path):
    """A notebook as its reader sees it: exported source stays, hidden cells go."""
    nb = read_nb(path)
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.source = EXPORT.sub("#| exports", cell.source)
    PageFilter()(nb)
    return nb


def relinked(text: str, relink) -> str:
    """Markdown with the target of every link replaced by what `relink` says."""
    return LINK.sub(lambda m: relink(m[1]), text)


def div_directive(attributes: str, rest: list[str]) -> str:
    """The MyST directive for the attributes of a Quarto div; may take a title from `rest`."""
    classes = re.findall(r"\.([\w-]+)", attributes)
    callout = next((c[8:] for c in classes if c.startswith("callout-") and c[8:] in CALLOUTS), None)
    if not callout:
        return "{container} " + " ".join(classes)
    title = re.search(r'title="([^"]*)"', attributes)
    heading = rest and re.fullmatch(r"#+ (.*)", rest[0])
    if heading:
        del rest[0]
    name = title[1] if title else heading[1] if heading else ""
    return f"{{admonition}} {name}\n:class: {callout}" if name else f"{{{callout}}}"


def divs(text: str) -> str:
    """Quarto's fenced divs as MyST directives, outer fences longer than inner ones."""
    lines, out, depth, in_code = text.splitlines(), [], 0, False
    while lines:
        line = lines.pop(0)
        in_code ^= line.startswith("```")
        opening = DIV.fullmatch(line)
        if in_code or not line.startswith(":::"):
            out.append(line)
        elif opening:
            inside, argument = opening.groups()
            out.append(
                ":" * (9 - depth)
                + (div_directive(inside, lines) if "." in inside else f"{{{inside}}}{argument}")
            )
            depth += 1
        else:
            depth -= 1
            out.append(":" * (9 - depth))
    return "\n".join(out)


def myst(text: str) -> str:
    """Markdown in Quarto's dialect as MyST."""
    text = QUARTO_FENCE.sub(r"```\1", text)
    text = HEADING_ATTRIBUTES.sub(
        lambda m: f'<div id="{m[2]}"></div>\n\n{m[1]}' if m[2] else m[1], text
    )
    text = UNQUOTED.sub(lambda m: re.sub(r'=([^\s"\'}]+)', r'="\1"', m[0]), text)
    return divs(text)


def api_entry(entry: Entry, module: str, taken: set[str], links: SymbolLinks) -> str:
    """One public name as MyST: anchors, signature, docstring, table of parameters."""
    anchors = [
        f'<div id="{e.anchor}"></div>' for e in (entry, *entry.members) if e.anchor not in taken
    ]
    notes = [
        (f"`{name}`" if name else "*returns*", links.linkify(note.replace("|", PIPE)))
        for name, note in entry.notes
    ]
    table = (
        [
            "",
            "| Parameter | Meaning |",
            "|---|---|",
            *(f"| {name} | {note} |" for name, note in notes),
        ]
        if notes
        else []
    )
    head = [
        f"``````{{py:{entry.kind}}} {entry.name}{entry.signature}",
        f":module: {module}",
        *entry.options,
    ]
    return "\n".join([*anchors, "", *head, "", links.linkify(entry.doc) or "", *table, "``````"])


def title_cell(text: str) -> str:
    """The opening cell: front matter or an H1, and a promise that stands out and describes the page."""
    front = FRONT_MATTER.match(text)
    given = yaml.safe_load(front[1]) if front else {}
    opening = OPENING.match(text) if not front else None
    title, promise = opening.groups() if opening else (given.get("title"), given.get("description"))
    rest = text[(front or opening).end() :] if front or opening else text
    lead = " ".join((promise or "").replace("\n> ", " ").split())
    head = [f"# {title}"] * bool(title) + [
        f":::{{container}} lead\n{lead}\n:::",
        f"```{{eval-rst}}\n.. meta::\n   :description: {PLAIN.sub('', lead)}\n```",
    ] * bool(lead)
    return "\n\n".join([*head, rest])


def code_cells(cell, exported: bool) -> list:
    """A code cell with Quarto's options as MyST-NB's tags; output that is Markdown becomes a cell."""
    options = {name: value.strip() for name, value in DIRECTIVE.findall(cell.source)}
    cell.source = DIRECTIVE.sub("", cell.source)
    if options.get("include") == "false":
        return []
    tags = [tag for option, tag in TAGS.items() if options.get(option[0]) == option[1]]
    cell.metadata = {"tags": tags + ["exported"] * exported}
    if options.get("output") != "asis":
        return [cell]
    outputs = [o.get("text") or o.get("data", {}).get("text/markdown", "") for o in cell.outputs]
    cell.outputs = []
    return ([] if "remove-input" in tags else [cell]) + [
        mk_cell(myst("".join(map("".join, outputs))), "markdown")
    ]


def page_notebook(path: Path, page: str, modules: list[Module], relink):
    """The notebook at `path` as MyST-NB takes it; `relink` says where a relative link leads."""
    nb, links = read_notebook(path), SymbolLinks(modules, page)
    texts = [c.source for c in nb.cells if c.cell_type == "markdown"]
    headings = {make_id(h) for text in texts for h in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
    known = {
        e.name: (e, m.name)
        for m in modules
        for top in all_entries([m])
        if top.page == page
        for e in (top, *top.members)
    }
    cells = {cell: entries for m in modules for cell, entries in m.cells.items()}
    shown = {name for c in nb.cells if c.cell_type == "code" for name in SHOW_DOC.findall(c.source)}

    def prose(text: str):
        return mk_cell(links.linkify(relinked(text, relink)), "markdown")

    def described(name: str):
        taken = headings | {other.lower() for other in shown if other != name}
        return mk_cell(api_entry(*known[name], taken, links), "markdown")

    result = []
    for number, cell in enumerate(c for c in nb.cells if c.source.strip()):
        if cell.cell_type != "code":
            text = title_cell(cell.source) if number == 0 else cell.source
            result += [prose(myst(text))] * (number == 0 or cell.cell_type == "markdown")
        elif SHOW_DOC.search(cell.source):
            result += [described(name) for name in SHOW_DOC.findall(cell.source)]
        else:
            result += [described(e.name) for e in cells.get(cell.id, ()) if e.name not in shown]
            result += code_cells(cell, cell.id in cells)
    nb.cells = result
    nb.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "language_info": {"name": "python", "pygments_lexer": "ipython3"},
    }
    return nb
