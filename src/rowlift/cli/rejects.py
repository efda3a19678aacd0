"""Rejected rows as text, JSON or CSV, streamed: there may be millions."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from rowlift.cli.streams import speak_utf8
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, safe
from rowlift.kit.csvlines import csv_lines
from rowlift.operations.rejects import ROW

SHOWN = 100
Rejects = Iterable[Mapping[str, Any]]


def write_csv(columns: Sequence[str], rejects: Rejects) -> None:
    """Write lines of CSV to stdout."""
    speak_utf8()
    sys.stdout.reconfigure(newline="")  # type: ignore[union-attr]
    sys.stdout.writelines(csv_lines(columns, rejects))


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
            terminal.say(
                f"            {safe(json.dumps(one[ROW], ensure_ascii=False))}", style="dim"
            )
    if not number:
        terminal.say(f"Run {run} rejected no row.")
    elif next(rows, None) is not None:
        terminal.note(f"These are the first {SHOWN}; all: rowlift runs {run} --errors --csv")
