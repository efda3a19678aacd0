"""Find in source code, without running it, what changes something outside the process."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

COMMITS = frozenset({"commit", "begin", "executescript"})
RENAMES = frozenset({"rename", "renames", "move", "link", "symlink", "hardlink_to", "symlink_to"})
SENDS = frozenset({"send", "sendall", "sendto", "sendmsg", "sendfile", "urlopen", "getresponse"})


@dataclass(frozen=True, slots=True)
class Change:
    """A call that commits, renames or sends, and the function it stands in."""

    kind: str
    path: str
    function: str
    line: int
    has_point: bool


def changes(root: Path) -> list[Change]:
    """Return every such call below a folder."""
    return [
        change
        for path in sorted(root.rglob("*.py"))
        for change in _changes(path.relative_to(root), ast.parse(path.read_bytes()))
    ]


def _changes(path: Path, tree: ast.AST) -> Iterator[Change]:
    for function in _functions(tree):
        calls = [node for node in _own(function) if isinstance(node, ast.Call)]
        has_point = any(_name(call) == "point" for call in calls)
        for call in calls:
            kind = _kind(call)
            if kind:
                name = getattr(function, "name", "")
                yield Change(kind, path.as_posix(), name, call.lineno, has_point)


def _functions(tree: ast.AST) -> Iterator[ast.AST]:
    yield tree
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield node


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """Every node of a function that no inner function owns."""
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield node
            yield from _own(node)


def _name(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _kind(call: ast.Call) -> str:
    name = _name(call)
    of = call.func.value if isinstance(call.func, ast.Attribute) else None
    if name in COMMITS:
        return "commit"
    if name in RENAMES or (name == "replace" and of is not None and _is_rename(call, of)):
        return "rename"
    return "send" if name in SENDS else ""


def _is_rename(call: ast.Call, of: ast.expr) -> bool:
    """`os.replace(a, b)` and `path.replace(to)`, but not `text.replace(a, b)`."""
    if isinstance(of, ast.Name) and of.id == "os":
        return True
    return len(call.args) == 1 and not call.keywords


def transactions(root: Path) -> dict[str, str]:
    """Return the names that `database.transaction` is called with, each with a place."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_bytes())
        for function in _functions(tree):
            for call in _calls(_own(function), "transaction"):
                at = f"{path.relative_to(root)}:{call.lineno}"
                names = _texts(call) or [
                    text
                    for outer in _calls(ast.walk(tree), getattr(function, "name", ""))
                    for text in _texts(outer)
                ]
                if not names:
                    message = f"{at}: nobody can tell the name of this transaction"
                    raise TypeError(message)
                found |= dict.fromkeys(names, at)
    return found


def _calls(nodes: Iterable[ast.AST], name: str) -> Iterator[ast.Call]:
    for node in nodes:
        if isinstance(node, ast.Call) and _name(node) == name and node.args:
            yield node


def _texts(call: ast.Call) -> list[str]:
    first = call.args[0]
    chosen = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
    values = [one.value for one in chosen if isinstance(one, ast.Constant)]
    return [value for value in values if isinstance(value, str)]
