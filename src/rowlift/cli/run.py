"""rowlift run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.report import show_run
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import safe
from rowlift.core.errors import ConfigError
from rowlift.core.nouns import Status
from rowlift.operations.callers import CONSOLE
from rowlift.operations.reports import RunReport

Names = Annotated[
    list[str] | None, typer.Argument(help="Syncs to run; all when none is given.", metavar="NAME…")
]
Plan = Annotated[
    Path | None,
    typer.Option(help="Apply exactly this plan file; refused if anything moved.", metavar="FILE"),
]
AllowRemovals = Annotated[
    bool, typer.Option("--allow-removals", help="Let a run remove more than its guard allows.")
]
Rows = Annotated[
    int | None,
    typer.Option(help="Try the first rows of the query alone.", metavar="COUNT", min=1, max=1000),
]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Import only; deliveries wait for the next run.")
]


@_command
def command(
    terminal: Terminal,
    names: Names = None,
    plan: Plan = None,
    rows: Rows = None,
    allow_removals: AllowRemovals = False,
    no_wait: NoWait = False,
) -> int:
    """Reads, validates, merges, writes the workspace and delivers what changed.

    A run that was interrupted goes on where it stopped. A sync that is paused is left out. With
    --rows these go the whole way; nothing counts as gone, last_sync_time stays, and the rest comes
    with the next run.
    """
    if plan and names:
        raise ConfigError(
            "VALUE_WRONG", "A plan file names its sync itself.", mend="Leave the names out."
        )
    if plan and rows:
        raise ConfigError(
            "VALUE_WRONG", "A plan file says itself how many rows it takes.",
            mend="Leave --rows out, or make a plan of them: rowlift plan NAME --rows COUNT.",
        )  # fmt: skip
    with terminal.working() as project:
        if allow_removals:
            told = {"syncs": names or [], "allow_removals": True}
            project.access.audit.note(CONSOLE, "sync.run", after=told)
        done = project.run(
            tuple(names or ()), wait=not no_wait, allow_removals=allow_removals, plan=plan,
            first_rows=rows,
        )  # fmt: skip
        paused = () if plan else project.paused(tuple(names or ()))
    for one in done:
        show_run(terminal, one)
    for name in paused:
        text = f"» {safe(name)} is paused and was left out. Let it run: rowlift resume {safe(name)}"
        terminal.say(text, style="yellow")
    terminal.document("run", runs=done, undo=None)
    return exit_code(done)


def exit_code(done: Sequence[RunReport]) -> int:
    """Return 1 if anything failed, else 5 if anything was skipped, else 0."""
    if any(one.failed for one in done):
        return exits.FAILED
    if any(one.status is Status.SKIPPED for one in done):
        return exits.SKIPPED
    return exits.DONE
