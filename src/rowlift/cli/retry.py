"""rowlift retry."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.report import mark, parts_of, show_reason
from rowlift.cli.runs import LARGEST
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import counted, number, safe
from rowlift.core.nouns import Status
from rowlift.engine.parts import RELATIONSHIPS
from rowlift.engine.populate import TARGET
from rowlift.operations.reports import RetryReport, RunReport

Run = Annotated[
    int,
    typer.Argument(help="The run's number, see rowlift runs.", metavar="RUN", min=1, max=LARGEST),
]
NUMBERS = ("due", "done", "rejected", "left")
_LEFT = ("skipped", "suppressed", "superseded", "pending", "in_doubt")


@_command
def command(terminal: Terminal, run: Run) -> int:
    """Each row goes in its newest version, and the source is not asked.

    What the workspace rejected is applied by a run of its own; last_sync_time stays. Rows that
    broke a rule come back with the next run.
    """
    with terminal.working() as project:
        done = project.retry(run)
    _show(terminal, done)
    terminal.document("retry", retry=done)
    return exits.FAILED if done.failed else exits.DONE


def _show(terminal: Terminal, done: RetryReport) -> None:
    terminal.say(Text.assemble((safe(done.sync), "bold"), f"  retry of run {done.run}"))
    if not (done.workspace or done.deliveries):
        terminal.say("  Nothing was left.")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("target", *NUMBERS, "status"):
        table.add_column(name, no_wrap=True, justify="right" if name in NUMBERS else "left")
    for name, status, counts in _targets(done):
        sign, _ = mark(status)
        table.add_row(safe(name), *_numbers(counts), f"{sign} {status.value}")
    terminal.show(table)
    if done.workspace:
        _explain(terminal, done.workspace)
    for one in done.deliveries:
        show_reason(terminal, one)


def _numbers(counts: Mapping[str, Any]) -> Iterator[str]:
    yield number(counts.get("due", 0))
    yield number(counts.get("written", counts.get("delivered", 0)))
    yield number(counts.get("rejected", 0))
    yield number(sum(int(counts.get(one, 0)) for one in _LEFT))


def _targets(done: RetryReport) -> Iterator[tuple[str, Status, Mapping[str, Any]]]:
    if done.workspace:
        for name, counts in zip(("", RELATIONSHIPS), parts_of(done.workspace), strict=False):
            yield f"{TARGET} {name}".strip(), _status(done.workspace, counts), counts["workspace"]
    for one in sorted(done.deliveries, key=lambda one: one.destination):
        yield f"{one.destination} {one.query}".strip(), one.status, one.counts


def _status(run: RunReport, counts: Mapping[str, Any]) -> Status:
    """Return the status of one part of a run, of which the other may have failed."""
    is_other = run.status is Status.SOME_ROWS_FAILED and not counts["workspace"]["rejected"]
    return Status.COMPLETED if is_other else run.status


def _explain(terminal: Terminal, workspace: RunReport) -> None:
    """Say which of the rows needed nothing, and where the others are listed."""
    settled = sum(int(counts["workspace"]["settled"]) for counts in parts_of(workspace))
    if settled:
        terminal.say(f"  {counted(settled, 'row')} of the workspace needed nothing any more.")
    if workspace.failed:
        terminal.say(f"  rowlift runs {workspace.id} --errors", style="cyan")
