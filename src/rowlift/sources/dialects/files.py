"""The tables of a folder as DuckDB's views."""

from collections.abc import Iterable
from pathlib import Path

from rowlift.core.counting import counted
from rowlift.core.errors import SourceError
from rowlift.core.nouns import Finding, Table
from rowlift.core.ports import Source
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


def readable(source: Source, table: Table) -> Finding:
    """Tell whether the first row of a table can be read."""
    try:
        source.query(FIRST.format(name=quoted(table.name)), limit=1).read_all()
    except SourceError as error:
        message = f"{table.name}: {error.message}"
        return Finding("privileges", "warning", message, error.mend, error.code)
    return Finding("privileges", "ok", f"{table.name}: {counted(len(table.columns), 'column')}")
