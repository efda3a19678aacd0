"""Rejected rows as text, JSON or CSV, streamed: there may be millions."""

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from rowlift.cli.streams import speak_utf8
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, safe

COLUMNS = ("row_number", "identifier", "code", "reason", "target", "query")
ROW = "row"
SHOWN = 100
# What makes a spreadsheet run a cell; the last four are full-width.
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

Rejects = Iterable[Mapping[str, Any]]


def write_csv(columns: Sequence[str], rejects: Rejects) -> None:
    """Write RFC 4180 to stdout, whatever the platform's line ends are."""
    speak_utf8()
    sys.stdout.reconfigure(newline="")  # type: ignore[union-attr]
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(columns)
    for one in rejects:
        writer.writerow([defused(_cell(one[name])) for name in columns])


def _cell(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else value


def defused(value: object) -> object:
    """Return a cell with an apostrophe before what a spreadsheet would run as a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value


def write_json(columns: Sequence[str], run: int, rejects: Rejects) -> None:
    """Write the document of kind rejects, one row a line."""
    sys.stdout.write(f'{{"version": 1, "kind": "rejects", "run": {run}, "rejects": [')
    for number, one in enumerate(rejects):
        row = json.dumps({name: one[name] for name in columns}, ensure_ascii=False)
        sys.stdout.write((",\n  " if number else "\n  ") + row)
    sys.stdout.write("]}\n")


def write_text(terminal: Terminal, run: int, rejects: Rejects) -> None:
    """Print the first hundred, and how to get all."""
    rows = iter(rejects)
    number = 0
    for number, one in enumerate(islice(rows, SHOWN), 1):  # noqa: B007
        target = "".join(f"  {safe(one[name])}" for name in ("query", "target") if one[name])
        row = "" if one["row_number"] is None else f"row {one['row_number']}"
        terminal.say(
            f"{row:<11} {cell(one['identifier']):<24} {one['code']:<18} "
            f"{safe(one['reason'])}{target}"
        )
        if one.get(ROW) is not None:
            terminal.say(f"            {safe(_cell(one[ROW]))}", style="dim")
    if not number:
        terminal.say(f"Run {run} rejected no row.")
    elif next(rows, None) is not None:
        terminal.note(f"These are the first {SHOWN}; all: rowlift runs {run} --errors --csv")
