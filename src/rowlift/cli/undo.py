"""rowlift undo."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.text import Text

from rowlift.cli.estimates import show_estimate
from rowlift.cli.options import command as _command
from rowlift.cli.plan import show_planned
from rowlift.cli.report import show_run
from rowlift.cli.retry import Run
from rowlift.cli.run import exit_code
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import counted, listed, safe
from rowlift.core.errors import ConfigError
from rowlift.operations.callers import CONSOLE
from rowlift.operations.reports import PlanReport

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; undo what can be undone.")]
Out = Annotated[
    Path | None,
    typer.Option(help="Write the plan, and undo nothing: rowlift run --plan FILE.", metavar="FILE"),
]


@_command
def command(terminal: Terminal, run: Run, yes: Yes = False, out: Out = None) -> int:
    """Each row that nobody changed since comes back as it was, here and in destinations.

    It is a run of its own, which reads nothing. The sync is paused by it, and what was undone does
    not come back until the source says something else.
    """
    with _place(out) as place, terminal.working() as project:
        plan = project.plan_undo(run, place)
        show_undo(terminal, plan)
        if out:
            terminal.say(f"  Nothing was changed. Apply it: rowlift run --plan {safe(str(out))}")
            terminal.document("undo", plan=plan, runs=[])
            return 0
        if not yes:
            _ask(terminal, run)
        project.access.audit.note(CONSOLE, "run.undo", str(run))
        done = project.run(plan=place)
    for one in done:
        show_run(terminal, one)
    terminal.document("undo", plan=plan, runs=done)
    return exit_code(done)


@contextmanager
def _place(out: Path | None) -> Iterator[Path]:
    if out:
        yield out
        return
    with TemporaryDirectory(prefix="rowlift-") as folder:
        yield Path(folder) / "undo.plan"


def _ask(terminal: Terminal, run: int) -> None:
    terminal.err.print("Type yes to undo it: ", end="", markup=False)
    if sys.stdin.readline().strip() != "yes":
        mend = f"Or use --yes: rowlift undo {run} --yes"
        raise ConfigError("VALUE_WRONG", "Nothing was undone: yes was not typed.", mend=mend)


def show_undo(terminal: Terminal, plan: PlanReport) -> None:
    """Print what an undo would do."""
    terminal.say(
        Text.assemble((safe(plan.sync), "bold"), (f"  undo of run {plan.undo_of}", "cyan"))
    )
    show_planned(terminal, plan, _show_counts)
    if plan.estimate:
        show_estimate(terminal, plan.estimate, is_planned=True)


def _show_counts(terminal: Terminal, counts: Mapping[str, Any]) -> None:
    told = {
        "set back": counts.get("changed", 0),
        "brought back": counts.get("returned", 0),
        "taken out": counts.get("removed", 0),
        "changed since": counts.get("stays", 0),
    }
    rows = sum(int(one) for one in told.values()) - int(told["changed since"])
    terminal.say(f"  undo        {counted(rows, 'row')}: {listed(told) or 'nothing'}")
