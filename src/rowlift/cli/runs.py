"""rowlift runs."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.rejects import write_csv, write_json, write_text
from rowlift.cli.report import mark, rejected_total, show_run
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, lasted, moment, number
from rowlift.core.errors import ConfigError
from rowlift.operations.callers import CONSOLE
from rowlift.operations.rejects import COLUMNS, ROW
from rowlift.operations.reports import RunReport

LARGEST = 2**63 - 1
NUMBERS = {"run", "took", "rows", "rejected"}

Run = Annotated[
    int | None,
    typer.Argument(help="One run, by its number.", metavar="RUN", min=1, max=LARGEST),
]
Errors = Annotated[bool, typer.Option("--errors", help="Print the run's rejected rows.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print rejected rows as CSV (RFC 4180).")]
Rows = Annotated[bool, typer.Option("--rows", help="With rejected rows print their values too.")]
Sync = Annotated[str | None, typer.Option(help="Only the runs of this sync.", metavar="NAME")]
Failed = Annotated[bool, typer.Option("--failed", help="Only runs in which something failed.")]
Limit = Annotated[int, typer.Option(help="How many runs to list.", min=1, max=10_000)]


@_command
def command(  # noqa: PLR0913, PLR0917 - each is an option
    terminal: Terminal,
    run: Run = None,
    errors: Errors = False,
    csv_: Csv = False,
    rows: Rows = False,
    sync: Sync = None,
    failed: Failed = False,
    limit: Limit = 20,
) -> int:
    """A cell of the CSV that a spreadsheet would run as a formula gets an apostrophe.

    The values are a JSON object for each row: as the source gave them, or as they are now where
    the workspace or a destination rejected the row.
    """
    if run is None and (errors or csv_ or rows):
        text = "--errors, --csv and --rows need the number of a run."
        raise ConfigError("VALUE_WRONG", text, mend="See rowlift runs, then: runs RUN --errors.")
    if csv_ and terminal.json:
        text = "--csv and -o json ask for two different forms."
        raise ConfigError("VALUE_WRONG", text, mend="Leave one of them out.")
    with terminal.project() as project:
        if run is None:
            _list(terminal, project.runs(sync, limit, failed=failed))
        elif errors or csv_ or rows:
            rejects = project.rejects(project.run_report(run).id, rows=rows)
            columns = (*COLUMNS, ROW) if rows else COLUMNS
            if csv_ or rows:
                project.access.audit.note(CONSOLE, "rejects.export", str(run))
            if csv_:
                write_csv(columns, rejects)
            elif terminal.json:
                write_json(columns, run, rejects)
            else:
                write_text(terminal, run, rejects)
        else:
            report = project.run_report(run)
            show_run(terminal, report)
            undo = project.undone.show(run)
            if undo.until:
                terminal.say(f"  until {moment(undo.until)} it can be undone: rowlift undo {run}")
            terminal.document("run", runs=[report], undo=undo)
    return exits.DONE


def _list(terminal: Terminal, found: Sequence[RunReport]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("run", "sync", "status", "started", "took", "rows", "rejected"):
        table.add_column(name, no_wrap=True, justify="right" if name in NUMBERS else "left")
    for one in found:
        sign, _ = mark(one.status)
        table.add_row(
            str(one.id),
            cell(_title(one)),
            f"{sign} {one.status.value}",
            moment(one.created_at),
            lasted(one.created_at, one.finished_at),
            number(one.counts.get("read", "")),
            number(rejected_total(one) or ""),
        )
    if found:
        terminal.show(table)
    else:
        terminal.say("No runs yet. Start one: rowlift run")
    terminal.document("runs", runs=found)


def _title(run: RunReport) -> str:
    if run.undo_of:
        return f"{run.sync}, undo of {run.undo_of}"
    return f"{run.sync}, retry of {run.retry_of}" if run.retry_of else run.sync
