"""The public names of the exported package, read from its source without importing it."""

import ast
import io
import os
import re
import tokenize
from dataclasses import dataclass, field
from pathlib import Path

from nbdev.config import nbpath2html

Function = ast.FunctionDef | ast.AsyncFunctionDef
CELL = re.compile(r"^# %% (.+) #(\w+)\n", re.MULTILINE)
FOR_TOOLS = re.compile(r"#\s*(type:|noqa|pragma|fmt:)")
LONGEST_VALUE = 100


@dataclass
class Entry:
    """One public name: what it is, how it is used, and where it stands."""

    kind: str  # in Sphinx's Python domain: function, class, data, method, property
    name: str  # dotted below the module
    signature: str = ""
    options: list[str] = field(default_factory=list)  # of the directive
    doc: str = ""
    notes: list[tuple[str, str]] = field(
        default_factory=list
    )  # parameter (empty: what it returns), comment
    members: list["Entry"] = field(default_factory=list)
    page: str = ""  # from the root of the site

    @property
    def anchor(self) -> str:
        """The fragment that nbdev gives to this name."""
        return self.name.lower()

    @property
    def url(self) -> str:
        """Page and fragment, from the root of the site."""
        return f"{self.page}#{self.anchor}"


@dataclass
class Module:
    """One exported module."""

    name: str
    notebook: str  # where its first cell stands, from the root of the notebooks
    doc: str
    cells: dict[str, list[Entry]]  # public names by notebook cell
    imports: dict[str, str]  # local name to dotted origin, of what it imports and makes public


def comments_by_line(code: str) -> dict[int, str]:
    """The comments of a piece of source, without those addressed to tools."""
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    found = {t.start[0]: t.string for t in tokens if t.type == tokenize.COMMENT}
    return {line: text.lstrip("# ") for line, text in found.items() if not FOR_TOOLS.match(text)}


def decorators(node: Function | ast.ClassDef) -> set[str]:
    """The last parts of the names of a definition's decorators."""
    calls = (d.func if isinstance(d, ast.Call) else d for d in node.decorator_list)
    return {ast.unparse(d).split(".")[-1] for d in calls}


def function_notes(node: Function, comments: dict[int, str]) -> list[tuple[str, str]]:
    """The commented parameters of a function and its commented return value."""
    a = node.args
    lines = {
        arg.lineno: arg.arg
        for arg in (*a.posonlyargs, *a.args, a.vararg, *a.kwonlyargs, a.kwarg)
        if arg
    }
    if node.returns:
        lines[node.returns.lineno] = ""
    return [(name, comments[line]) for line, name in lines.items() if line in comments]


def function_entry(node: Function, comments: dict[int, str], owner: str = "") -> Entry:
    """A function, or a method or property of `owner`."""
    marks, returns = decorators(node), ast.unparse(node.returns) if node.returns else ""
    entry = Entry("method" if owner else "function", f"{owner}.{node.name}" if owner else node.name)
    entry.doc, entry.notes = ast.get_docstring(node) or "", function_notes(node, comments)
    if marks & {"property", "cached_property"}:
        entry.kind, entry.options = "property", [f":type: {returns}"] * bool(returns)
        return entry
    flags = {
        "async": isinstance(node, ast.AsyncFunctionDef),
        "classmethod": "classmethod" in marks,
        "staticmethod": "staticmethod" in marks,
    }
    entry.options = [f":{flag}:" for flag, on in flags.items() if on]
    if owner and not flags["staticmethod"]:
        del (node.args.posonlyargs or node.args.args)[:1]
    entry.signature = f"({ast.unparse(node.args)})" + (f" -> {returns}" if returns else "")
    return entry


def field_signature(node: ast.AnnAssign) -> str:
    """A dataclass field as the parameter that it becomes."""
    default = ast.unparse(node.value) if node.value else ""
    if isinstance(node.value, ast.Call) and default.startswith("field("):
        given = {k.arg: ast.unparse(k.value) for k in node.value.keywords}
        default = (
            given.get("default")
            or ("default_factory" in given and f"{given['default_factory']}()")
            or ""
        )
    return f"{ast.unparse(node.target)}: {ast.unparse(node.annotation)}" + (
        f" = {default}" if default else ""
    )


def class_entry(node: ast.ClassDef, comments: dict[int, str]) -> Entry:
    """A class with its constructor's parameters, or its fields, and its public members."""
    entry = Entry("class", node.name, doc=ast.get_docstring(node) or "")
    methods = {
        n.name: function_entry(n, comments, node.name) for n in node.body if isinstance(n, Function)
    }
    fields = [n for n in node.body if isinstance(n, ast.AnnAssign)]
    if "__init__" in methods:
        entry.signature, entry.notes = (
            methods["__init__"].signature.split(" -> ")[0],
            methods["__init__"].notes,
        )
    elif "dataclass" in decorators(node) or "NamedTuple" in map(ast.unparse, node.bases):
        entry.signature = f"({', '.join(map(field_signature, fields))})"
        entry.notes = [
            (ast.unparse(f.target), comments[f.lineno]) for f in fields if f.lineno in comments
        ]
    entry.members = [method for name, method in methods.items() if not name.startswith("_")]
    return entry


def data_entry(node: ast.Assign | ast.AnnAssign, name: str, comments: dict[int, str]) -> Entry:
    """A constant or a type alias."""
    value = ast.unparse(node.value) if node.value else ""
    options = [f":value: {value}"] * (0 < len(value) <= LONGEST_VALUE)
    if isinstance(node, ast.AnnAssign):
        options.append(f":type: {ast.unparse(node.annotation)}")
    return Entry("data", name, options=options, doc=comments.get(node.end_lineno or 0, ""))


def cell_entries(code: str) -> list[Entry]:
    """What the top level of one exported cell defines."""
    comments, found = comments_by_line(code), {}
    for node in ast.parse(code).body:
        if isinstance(node, Function):
            found[node.name] = function_entry(node, comments)
        elif isinstance(node, ast.ClassDef):
            found[node.name] = class_entry(node, comments)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {
                t.id: data_entry(node, t.id, comments) for t in targets if isinstance(t, ast.Name)
            }
    return list(found.values())


def imported_names(tree: ast.Module, module: str, public: set[str]) -> dict[str, str]:
    """The public names that a module imports, with their dotted origin."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            origin = (
                [*module.split(".")[: -node.level], *filter(None, [node.module])]
                if node.level
                else [node.module or ""]
            )
            found |= {a.asname or a.name: ".".join([*origin, a.name]) for a in node.names}
    return {name: origin for name, origin in found.items() if name in public}


def read_module(path: Path, package: Path, notebooks: Path) -> Module | None:
    """The public names of one exported file, or `None` for a file that no notebook exports."""
    source = path.read_text(encoding="utf-8")
    parts = iter(CELL.split(source)[1:])
    chunks = [
        (nb, cell, code) for nb, cell, code in zip(parts, parts, parts, strict=True) if nb != "auto"
    ]
    if not chunks:
        return None
    tree = ast.parse(source)
    public = next(
        (
            set(ast.literal_eval(n.value))
            for n in tree.body
            if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"
        ),
        set(),
    )
    where = {nb: Path(os.path.relpath(path.parent / nb, notebooks)) for nb, _, _ in chunks}
    cells = {cell: [e for e in cell_entries(code) if e.name in public] for nb, cell, code in chunks}
    for nb, cell, _ in chunks:
        for entry in cells[cell]:
            entry.page = nbpath2html(where[nb]).as_posix()
            for member in entry.members:
                member.page = entry.page
    name = ".".join(path.relative_to(package.parent).with_suffix("").parts)
    summary = (ast.get_docstring(tree) or "").split("\n\n")[0]
    return Module(
        name, where[chunks[0][0]].as_posix(), summary, cells, imported_names(tree, name, public)
    )


def read_package(package: Path, notebooks: Path) -> list[Module]:
    """All exported modules, in the order of their notebooks."""
    files = (p for p in package.rglob("*.py") if not p.name.startswith("_"))
    modules = (read_module(p, package, notebooks) for p in files)
    return sorted((m for m in modules if m), key=lambda m: (m.notebook, m.name))
