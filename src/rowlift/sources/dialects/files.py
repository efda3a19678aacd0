"""The tables of a folder as DuckDB's views."""

from collections.abc import Iterable
from pathlib import Path

from rowlift.core.errors import SourceError
from rowlift.kit.duckread import literal, quoted

ALLOW = "SET allowed_paths = [{paths}]"
VIEW = "CREATE VIEW {name} AS {select}"
SPOILED = "SELECT NULL AS unreadable WHERE CAST(error({message}) AS BOOLEAN)"
FIRST = "SELECT * FROM {name}"


def allow(paths: Iterable[Path]) -> str:
    """Return what lets nothing but some files be read."""
    return ALLOW.format(paths=", ".join(literal(str(path)) for path in paths))


def view(name: str, select: str) -> str:
    """Return what makes a table of a scan."""
    return VIEW.format(name=quoted(name), select=select)


def spoiled(name: str, error: SourceError) -> str:
    """Return what makes a table whose reading ends in our error."""
    return view(name, SPOILED.format(message=literal(f"[{error.code}] {error.message}")))


def first(name: str) -> str:
    """Return what reads a table from its beginning."""
    return FIRST.format(name=quoted(name))
