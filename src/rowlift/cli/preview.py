"""rowlift preview."""

import json
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from rowlift.cli import exits
from rowlift.cli.estimates import show_estimate
from rowlift.cli.options import command as _command
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, counted, safe
from rowlift.core.rules import rule
from rowlift.engine.marks import Mark
from rowlift.engine.preflight import Fate, Met, MetRow
from rowlift.engine.preview import Preview, PreviewRow

MARKS = {
    Mark.KNOWN: ("✓", "green"),
    Mark.UNKNOWN: ("?", "yellow"),
    Mark.OWN: ("·", "cyan"),
    Mark.NONE: (" ", ""),
}
LEGEND = {Mark.KNOWN: "known", Mark.UNKNOWN: "unknown", Mark.OWN: "made only by this sync"}
SHOWN_ROWS = 20
SPACES = 2

Sync = Annotated[str, typer.Argument(help="The sync.", metavar="NAME")]
Sample = Annotated[bool, typer.Option("--sample", help="Stop after the first rows.")]
Second = Annotated[bool, typer.Option("--relationships", help="Look at the second query instead.")]
Since = Annotated[
    int, typer.Option("--last-sync-time", help="What {{last_sync_time}} is.", metavar="SECONDS")
]
Rows = Annotated[int, typer.Option("--rows", help="How many rows to show.", min=1, max=100)]


@_command
def command(
    terminal: Terminal,
    name: Sync,
    sample: Sample = False,
    relationships: Second = False,
    last_sync_time: Since = 0,
    rows: Rows = SHOWN_ROWS,
) -> int:
    """The rows come at once; then every rule is proven over the whole result, in the warehouse.

    The workspace is asked whom the identifiers of all rows would meet: who is matched, new, joined
    by another identifier, suppressed, or in conflict, and with whom.

    Nothing is written or sent. Leaves with 4 if a rule would stop the run.
    """

    def show(first: Preview) -> None:
        show_rows(terminal, first, rows)

    with terminal.working() as project:
        found = project.preview(
            name, sample=sample, relationships=relationships, last_sync_time=last_sync_time,
            on_sample=show,
        )  # fmt: skip
    show_rules(terminal, found)
    terminal.document("preview", preview=found)
    return exits.REFUSED if found.stops else exits.DONE


def show_preview(terminal: Terminal, found: Preview, *, rows: int = SHOWN_ROWS) -> None:
    """Print the rows and the rules of a finished preview."""
    show_rows(terminal, found, rows)
    show_rules(terminal, found)


def show_rows(terminal: Terminal, found: Preview, most: int) -> None:
    """Print the first rows with their marks, as many columns as the terminal has room for."""
    rows = found.rows[:most]
    names = [safe(column.name) for column in found.columns]
    cells = [[cell(_plain(value)) for value in row.values] for row in rows]
    fitting = _fitting(names, cells, terminal.out.width)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, SPACES, 0, 0))
    table.add_column("", no_wrap=True)
    for name in names[:fitting]:
        table.add_column(Text(name), no_wrap=True)
    for row, texts in zip(rows, cells, strict=True):
        table.add_row(_mark(row), *map(Text, texts[:fitting]))
    terminal.show(table)
    if fitting < len(names):
        terminal.say(f"  … and {counted(len(names) - fitting, 'column')} more", style="dim")
    if len(found.rows) > most:
        terminal.say(f"  … and {counted(len(found.rows) - most, 'row')} more", style="dim")


def show_rules(terminal: Terminal, found: Preview) -> None:
    """Print the counts, every broken rule with examples and mend, and what is not proven yet."""
    what = "" if found.whole else " looked at"
    terminal.say(f"{counted(found.counts.get('rows', 0), 'row')}{what}")
    marks = [
        f"{MARKS[mark][0]} {found.counts[mark.value]:,} {words}"
        for mark, words in LEGEND.items()
        if mark.value in found.counts
    ]
    if marks:
        terminal.say("  " + "   ".join(marks))
    _met(terminal, found.met)
    for finding in found.findings:
        is_error = finding.level == "error"
        sign, style = ("×", "red") if is_error else ("!", "yellow")  # noqa: RUF001
        _rule(terminal, sign, style, finding.message, finding.code, finding.mend)
    sign, style = ("×", "red") if found.strict else ("!", "yellow")  # noqa: RUF001
    for one in found.problems:
        shown = f": {'; '.join(map(safe, one.examples))}" if one.examples else ""
        text = f"{one.title} in {counted(one.count, 'row')}{shown}"
        _rule(terminal, sign, style, text, one.code, one.mend)
    for note in found.notes:
        terminal.say(f"  {safe(note)}", style="dim")
    if found.estimate:
        show_estimate(terminal, found.estimate)
    if found.stops:
        terminal.say("× A run would stop: nothing would be changed.", style="red")  # noqa: RUF001
    elif found.problems or any(one.fate is Fate.REJECTED for one in found.met):
        terminal.say("! A run would leave these rows out.", style="yellow")
    else:
        terminal.say("✓ No rule is broken.", style="green")


def _met(terminal: Terminal, met: Sequence[Met]) -> None:
    """Print what the workspace would do with the rows, and why it would reject some."""
    if met:
        fates = ((one.code or one.fate.value, one.rows) for one in met)
        told = " · ".join(f"{rows:,} {words}" for words, rows in fates)
        terminal.say(f"  workspace: {told}")
    for one in met:
        shown = "; ".join(map(_example, one.examples)) if one.code else ""
        if shown:
            title = f"{rule(one.code).title} in {counted(one.rows, 'row')}: {shown}"
            _rule(terminal, "!", "yellow", title, one.code, rule(one.code).mend)


def _example(one: MetRow) -> str:
    return f"row {one.row_number} ({safe(one.identifier)}): {safe(one.reason)}"


def _rule(terminal: Terminal, sign: str, style: str, text: str, code: str, mend: str) -> None:
    line = Text.assemble((f"{sign} ", style), safe(text, "\n"), (f" [{code}]", "dim"))
    terminal.say(line)
    for sentence in mend.splitlines():
        terminal.say(f"  {safe(sentence)}", style="cyan")


def _mark(row: PreviewRow) -> Text:
    sign, style = ("×", "red") if row.problem else MARKS[row.mark]  # noqa: RUF001
    return Text(sign, style=style)


def _plain(value: object) -> object:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return value


def _fitting(names: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> int:
    """Return how many columns fit into a line, at least one."""
    room = width - SPACES - 1
    for at, name in enumerate(names):
        room -= max([len(name), *(len(row[at]) for row in cells)]) + SPACES
        if room < 0:
            return max(at, 1)
    return len(names)
