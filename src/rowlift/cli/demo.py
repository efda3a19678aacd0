"""rowlift demo."""

import contextlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.preview import show_preview
from rowlift.cli.report import rejected_total, show_run
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import number, safe
from rowlift.core.nouns import Finding
from rowlift.operations.callers import CONSOLE
from rowlift.operations.demo import FOLDER, Demo, Step, change, receive

Folder = Annotated[
    Path, typer.Argument(help="Where the demo writes its project.", metavar="FOLDER")
]
Receive = Annotated[
    bool,
    typer.Option("--receive", help="Only take the webhook requests of a folder that a demo left."),
]


Here = Annotated[
    bool, typer.Option("--here", help="Only add demo data to the project in this folder.")
]


@_command
def command(
    terminal: Terminal, folder: Folder = FOLDER, receive_only: Receive = False, here: Here = False
) -> int:
    """Seeds a shop, its Zendesk and its billing with planted faults, and runs the main job.

    The folder stays, for you to go on with. Running it again starts over, unless you changed it.

    With --here a project that is there gets a small warehouse, a destination of files and two
    syncs, which one deletes like any other.
    """
    if here:
        return _add(terminal)
    if receive_only:
        terminal.note(f"Taking the webhook requests of {safe(folder)} until Ctrl-C.")
        with contextlib.suppress(KeyboardInterrupt):  # how it is meant to end
            receive(folder, lambda records: terminal.say(f"✓ {records:,} signed records"))
        return exits.DONE
    told = []
    with terminal.progress() as progress:
        demo = Demo(folder, progress)
        for at, step in enumerate(demo.play(), 1):
            told.append(step)
            _tell(terminal, at, step, folder)
    _sum_up(terminal, told)
    _next(terminal, folder)
    _document(terminal, folder, told)
    return exits.DONE


def _add(terminal: Terminal) -> int:
    with terminal.project() as project:
        made = project.look_around(by=CONSOLE.name, origin="cli", hear=_saying(terminal))
        project.access.audit.note(CONSOLE, "samples.make", made.source)
    terminal.say(f"✓ {made.source}, {made.destination} and {' and '.join(made.syncs)} are there")
    if made.asked:
        terminal.note("The service runs them now. See rowlift runs")
    else:
        terminal.note(f"Run them: {_program()} run {' '.join(made.syncs)}")
    terminal.document("samples", samples=made)
    return exits.DONE


def _saying(terminal: Terminal) -> Callable[[Finding], object]:
    return lambda one: terminal.note(f"{one.step}: {one.message}")


def _tell(terminal: Terminal, at: int, step: Step, folder: Path) -> None:
    terminal.say()
    terminal.say(Text.assemble((f"{at}. {step.title}", "bold")))
    terminal.say(f"   {step.about}")
    if not step.command:
        return
    terminal.say(f"   $ {_program()} -C {safe(folder)} {step.command}", style="cyan")
    if step.error and not terminal.json:
        terminal.complain(step.error, "×", "red", terminal.out)  # noqa: RUF001
    if step.preview and not terminal.json:
        show_preview(terminal, step.preview, rows=5)
    for run in step.runs:
        show_run(terminal, run)
    for name, records in (step.received or {}).items():
        terminal.say(f"  The receiver behind {name} got {number(records)} signed records.")
    terminal.say(f"  exit code {step.exit_code}", style="dim")


def _sum_up(terminal: Terminal, told: list[Step]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    names = ("step", "sync", "rows", "added", "changed", "removed", "rejected", "sent")
    for name in names:
        table.add_column(name, justify="left" if name in names[:2] else "right")
    for at, step in enumerate(told, 1):
        for run in step.runs:
            sent = sum(int(one.counts.get("delivered", 0)) for one in run.deliveries)
            cells = (run.counts["read"], *change(run), rejected_total(run), sent)
            table.add_row(f"{at}. {step.title}", run.sync, *map(number, cells))
        if step.error:
            table.add_row(f"{at}. {step.title}", "open_tickets", "stopped", *("0",) * 5)
    terminal.say()
    terminal.show(table)


def _next(terminal: Terminal, folder: Path) -> None:
    rowlift = f"{_program()} -C {safe(folder)}"
    terminal.say()
    terminal.say("The project stays in " + safe(folder) + ". Go on with it:", style="bold")
    for words, about in (
        ("ls", "the syncs and how they stand"),
        ("runs", "what happened"),
        ("runs 1 --errors", "the rows that were left out, and why"),
        ("preview customers", "rows, marks and rules of a query, nothing is written"),
        ("plan open_tickets", "what a run would do, as a file"),
    ):
        terminal.say(f"  {rowlift} {words:<20} {about}")
    terminal.say(f"  {_program()} demo --receive {safe(folder)}")
    terminal.say("      in a second terminal, takes what later runs send to the webhook")


def _program() -> str:
    """Return how this program is called from here."""
    own = Path(sys.argv[0])
    found = shutil.which("rowlift")
    if found and Path(found).resolve() == own.resolve():
        return "rowlift"
    here = own.resolve()
    return str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else own)


def _document(terminal: Terminal, folder: Path, told: list[Step]) -> None:
    if not terminal.json:
        return
    from rowlift.cli import documents

    steps = [
        documents.Step(
            one.title,
            one.command,
            one.exit_code,
            one.runs,
            documents.problem(one.error) if one.error else None,
        )
        for one in told
    ]
    terminal.document("demo", folder=str(folder), steps=steps)
