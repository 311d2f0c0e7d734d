"""The public names that exported code defines, read without importing it."""

import ast
import io
import re
import tokenize
from dataclasses import dataclass, field

Function = ast.FunctionDef | ast.AsyncFunctionDef
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
    notes: dict[str, str] = field(default_factory=dict)  # by parameter (empty: what it returns)
    members: list["Entry"] = field(default_factory=list)
    page: str = ""  # from the root of the site

    @property
    def anchor(self) -> str:
        """The fragment that nbdev gives to this name."""
        return self.name.lower()

    @property
    def url(self) -> str:
        """Page and fragment."""
        return f"{self.page}#{self.anchor}"


def comments_by_line(code: str) -> dict[int, str]:
    """The comments of a piece of source, without those addressed to tools."""
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    found = {t.start[0]: t.string for t in tokens if t.type == tokenize.COMMENT}
    return {line: text.lstrip("# ") for line, text in found.items() if not FOR_TOOLS.match(text)}


def decorators(node: Function | ast.ClassDef) -> set[str]:
    """The last parts of the names of a definition's decorators."""
    names = (ast.unparse(d).partition("(")[0] for d in node.decorator_list)
    return {name.rpartition(".")[2] for name in names}


def function_notes(node: Function, comments: dict[int, str]) -> dict[str, str]:
    """The commented parameters of a function and its commented return value."""
    a = node.args
    given = (*a.posonlyargs, *a.args, a.vararg, *a.kwonlyargs, a.kwarg)
    lines = {arg.lineno: arg.arg for arg in given if arg}
    if node.returns:
        lines[node.returns.lineno] = ""
    return {name: comments[line] for line, name in lines.items() if line in comments}


@dataclass
class Keywords:
    """The keywords that the `TypedDict` classes of the package declare, by class and name: annotation and comment."""

    of: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    defaults: dict[str, object] = field(default_factory=dict)  # those other than `None`

    def read(self, code: str) -> None:
        """Take up what an exported cell declares."""
        comments = comments_by_line(code)
        for node in ast.parse(code).body:
            bases = list(map(ast.unparse, getattr(node, "bases", [])))
            if isinstance(node, ast.ClassDef) and (
                "TypedDict" in bases or set(bases) & set(self.of)
            ):
                own = {
                    ast.unparse(n.target): (ast.unparse(n.annotation), comments.get(n.lineno, ""))
                    for n in node.body
                    if isinstance(n, ast.AnnAssign)
                }
                inherited = [pair for base in bases for pair in self.of.get(base, {}).items()]
                self.of[node.name] = dict([*inherited, *own.items()])
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DEFAULTS":
                self.defaults = ast.literal_eval(node.value)

    def show(self, node: Function) -> dict[str, str]:
        """Add the keywords that `@takes(…)` names to a function's arguments; their comments."""
        arguments = node.args
        named = [re.fullmatch(r"takes\((\w+)\)", ast.unparse(mark)) for mark in node.decorator_list]
        declared = [self.of[found[1]] for found in named if found and found[1] in self.of]
        taken = {argument.arg for argument in (*arguments.args, *arguments.kwonlyargs)}
        shown = {
            name: pair for fields in declared for name, pair in fields.items() if name not in taken
        }
        for name, (annotation, _) in shown.items():
            arguments.kwonlyargs.append(ast.arg(name, ast.parse(annotation, mode="eval").body))
            arguments.kw_defaults.append(ast.Constant(self.defaults.get(name)))
        if declared and arguments.kwarg and "Unpack" in ast.unparse(arguments.kwarg):
            arguments.kwarg = None
        return {name: comment for name, (_, comment) in shown.items() if comment}


KEYWORDS = Keywords()


def function_entry(node: Function, comments: dict[int, str], owner: str = "") -> Entry:
    """A function, or a method or property of `owner`."""
    marks, returns = decorators(node), ast.unparse(node.returns) if node.returns else ""
    entry = Entry("method" if owner else "function", f"{owner}.{node.name}".lstrip("."))
    entry.doc, entry.notes = ast.get_docstring(node) or "", function_notes(node, comments)
    entry.notes |= KEYWORDS.show(node)
    if "property" in marks:
        entry.kind, entry.options = "property", [f":type: {returns}"] * bool(returns)
        return entry
    entry.options = [":async:"] * isinstance(node, ast.AsyncFunctionDef)
    entry.options += [f":{mark}:" for mark in ("classmethod", "staticmethod") if mark in marks]
    if owner and "staticmethod" not in marks:
        del (node.args.posonlyargs or node.args.args)[:1]
    entry.signature = f"({ast.unparse(node.args)})" + f" -> {returns}" * bool(returns)
    return entry


def field_signature(node: ast.AnnAssign) -> str:
    """A dataclass field as the parameter that it becomes."""
    default = ast.unparse(node.value) if node.value else ""
    if factory := re.fullmatch(r"field\(default_factory=(\w+)\)", default):
        default = f"{factory[1]}()"
    name = f"{ast.unparse(node.target)}: {ast.unparse(node.annotation)}"
    return f"{name} = {default}" if default else name


def class_entry(node: ast.ClassDef, comments: dict[int, str]) -> Entry:
    """A class with its constructor's parameters, or its fields, and its public members."""
    entry = Entry("class", node.name, doc=ast.get_docstring(node) or "")
    functions = [n for n in node.body if isinstance(n, Function) and "setter" not in decorators(n)]
    methods = {n.name: function_entry(n, comments, node.name) for n in functions}
    fields = [n for n in node.body if isinstance(n, ast.AnnAssign)]
    if made := methods.get("__init__"):
        entry.signature, entry.notes = made.signature.removesuffix(" -> None"), made.notes
    elif "dataclass" in decorators(node) or "NamedTuple" in map(ast.unparse, node.bases):
        noted = (f for f in fields if f.lineno in comments)
        entry.signature = f"({', '.join(map(field_signature, fields))})"
        entry.notes = {ast.unparse(f.target): comments[f.lineno] for f in noted}
    entry.members = [method for name, method in methods.items() if not name.startswith("_")]
    return entry


def assigned(node: ast.Assign | ast.AnnAssign) -> list[tuple[ast.expr, ast.expr | None]]:
    """Each target with its value; `A, B = 1, 2` has two."""
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
        return list(zip(target.elts, node.value.elts, strict=True))
    return [(target, node.value)]


def data_entries(node: ast.Assign | ast.AnnAssign, comments: dict[int, str]) -> list[Entry]:
    """Constants or type aliases."""
    doc = comments.get(node.end_lineno or 0, "")
    entries = []
    for target, assigned_value in assigned(node):
        value = ast.unparse(assigned_value) if assigned_value else ""
        options = [f":value: {value}"] * (0 < len(value) <= LONGEST_VALUE)
        if isinstance(node, ast.AnnAssign):
            options.append(f":type: {ast.unparse(node.annotation)}")
        entries.append(Entry("data", ast.unparse(target), options=options, doc=doc))
    return entries


def cell_entries(code: str) -> list[Entry]:
    """The public names that the top level of one exported cell defines."""
    comments, found = comments_by_line(code), []
    for node in ast.parse(code).body:
        if isinstance(node, Function):
            found.append(function_entry(node, comments))
        elif isinstance(node, ast.ClassDef):
            found.append(class_entry(node, comments))
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            found += data_entries(node, comments)
    return [entry for entry in found if not entry.name.startswith("_")]


def passed_on(code: str) -> list[str]:
    """The imported names that nbdev's `_all_` makes public."""
    assigned = (node for node in ast.parse(code).body if isinstance(node, ast.Assign))
    lists = (node.value for node in assigned if ast.unparse(node.targets[0]) == "_all_")
    return [name for names in lists for name in ast.literal_eval(names)]
