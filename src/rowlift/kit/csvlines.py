"""Lines of RFC 4180 in which no cell is a formula, whatever the platform's line ends are."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

# What makes a spreadsheet run a cell; the last four are full-width.
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_line(cells: Iterable[object]) -> str:
    """Return one line with its end; mappings are written as JSON."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(defused(_cell(one)) for one in cells)
    return line.getvalue()


def csv_lines(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line of names, and one for each row."""
    yield csv_line(columns)
    for row in rows:
        yield csv_line(row[name] for name in columns)


def defused(value: object) -> object:
    """Return a cell with an apostrophe before what a spreadsheet would run as a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value


def _cell(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else value
