"""What our own source never does, read from its syntax."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).parents[2] / "src" / "rowlift").rglob("*.py"))

LOADERS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "code", "codeop"}
CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load",
    "yaml.unsafe_load", "yaml.full_load", "tempfile.mktemp", "ssl._create_unverified_context",
}  # fmt: skip
OPTIONS = {("shell", True), ("verify", False), ("check_hostname", False), ("trust_env", True)}
TEMPLATES = {"mako", "chevron", "pystache", "liquid"}

# Whoever declares a MySQL or SQL Server source may ask for encryption without proof of who answers.
UNVERIFIED = {"mysqlwire.py", "sqlserver_tls.py"}


def imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {one.name.partition(".")[0] for one in node.names}
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").partition(".")[0]}
    return set()


def unsafe(node: ast.AST) -> Iterator[str]:
    yield from imported(node) & (LOADERS | TEMPLATES)
    if isinstance(node, ast.Call):
        if (name := ast.unparse(node.func)) in CALLS:
            yield name
        for word in node.keywords:
            if isinstance(word.value, ast.Constant) and (word.arg, word.value.value) in OPTIONS:
                yield f"{word.arg}={word.value.value}"
    if isinstance(node, ast.Attribute) and node.attr == "CERT_NONE":
        yield "CERT_NONE"


def found_in(text: str) -> set[str]:
    return {fault for node in ast.walk(ast.parse(text)) for fault in unsafe(node)}


@pytest.mark.parametrize(
    "text",
    [
        "import pickle", "from marshal import loads", "eval(x)", "subprocess.run(x, shell=True)",
        "get(url, verify=False)", "context.verify_mode = ssl.CERT_NONE", "yaml.load(x)",
    ],
)  # fmt: skip
def test_the_search_finds_it(text: str) -> None:
    assert found_in(text)


def test_S41_nothing_is_unpickled_evaluated_or_left_unverified() -> None:
    found = {path.name: faults for path in SOURCES if (faults := found_in(path.read_text()))}
    assert found == {name: {"CERT_NONE"} for name in UNVERIFIED}


def test_S45_only_our_own_pages_are_templates() -> None:
    """Queries have one tag, which becomes a number; nothing that a user writes is a template."""
    users = {
        path
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if "jinja2" in imported(node) or {"Template"} & names_from_string(node)
    }
    assert all("pages" in path.parts for path in users)


def names_from_string(node: ast.AST) -> set[str]:
    if isinstance(node, ast.ImportFrom) and node.module == "string":
        return {one.name for one in node.names}
    return set()
