"""rowlift verify."""

from collections.abc import Iterable
from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.records import grid
from rowlift.cli.rejects import write_csv
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, counted, listed, safe
from rowlift.core.errors import ConfigError
from rowlift.operations.callers import CONSOLE
from rowlift.operations.repairing import Repair
from rowlift.operations.verified import COLUMNS, as_row
from rowlift.state.verifications import Difference, Verification, VerifiedSync

Name = Annotated[str, typer.Argument(help="A destination, or: workspace.", metavar="DESTINATION")]
Sync = Annotated[str | None, typer.Option(help="Only what this sync delivered.", metavar="NAME")]
Sample = Annotated[
    int | None,
    typer.Option(help="Draw so many records of each sync instead of reading all.", min=1),
]
Csv = Annotated[bool, typer.Option("--csv", help="Print every difference as CSV (RFC 4180).")]
Repaired = Annotated[
    bool, typer.Option("--repair", help="Make due again what drifted or is missing.")
]
Orphans = Annotated[
    bool, typer.Option("--orphans", help="Also take back again what came back after a removal.")
]

Cancel = Annotated[
    bool, typer.Option("--cancel", help="End the verification that goes on, whoever began it.")
]


@_command
def command(  # noqa: PLR0913, PLR0917 - each is an option
    terminal: Terminal, destination: Name, sync: Sync = None, sample: Sample = None,
    csv_: Csv = False, repair: Repaired = False, orphans: Orphans = False, cancel: Cancel = False,
) -> int:  # fmt: skip
    """Nothing is changed, and no run waits for it. What is due or in doubt is not compared.

    Exit code 1 says that something differs. Orphans are records of nobody whom the sync delivered;
    a sample does not look for them. A cell of the CSV that a spreadsheet would run as a formula
    gets an apostrophe. A repair sends nothing: rowlift plan shows what is due, rowlift run sends
    it.
    """
    if orphans and not repair:
        raise ConfigError("VALUE_WRONG", "--orphans goes with --repair.", mend="Add --repair.")
    if csv_ and terminal.json:
        text = "--csv and -o json ask for two different forms."
        raise ConfigError("VALUE_WRONG", text, mend="Leave one of them out.")
    if cancel:
        return _cancel(terminal, destination)
    with terminal.working() as project:
        found = project.verifications.verify(destination, sync, sample=sample, by=CONSOLE.name)
        project.access.audit.note(CONSOLE, "destination.verify", destination)
        if csv_:
            _write(project.verifications.differences(destination, sync))
        else:
            _show(terminal, found)
        repaired = None
        if repair:
            repaired = project.verifications.repair(destination, sync, orphans=orphans)
            project.access.audit.note(CONSOLE, "destination.repair", destination)
            _tell(terminal, repaired)
    terminal.document("verification", verification=found, repair=repaired)
    return exits.FAILED if found.differs else exits.DONE


def _cancel(terminal: Terminal, destination: str) -> int:
    with terminal.project() as project:
        found = project.verifications.cancel(destination)
        project.access.audit.note(CONSOLE, "destination.verify.cancel", destination)
    by = f" of {cell(found.by)}" if found and found.by else ""
    terminal.note(f"The verification{by} ends." if found else "Nobody verifies it now.")
    terminal.document("verification_cancelled", cancelled=found)
    return exits.DONE


def _tell(terminal: Terminal, repaired: Repair) -> None:
    for one in repaired.syncs:
        counts = {"records": one.records, "removals": one.removals}
        told = listed(counts, zeros=("records",))
        terminal.note(f"{cell(f'{one.sync} {one.query}'.strip())}: {told} due again")
    if repaired.due:
        names = " ".join(dict.fromkeys(safe(one.sync) for one in repaired.syncs))
        terminal.note(f"Nothing was sent. See it first: rowlift plan {names}")


def _write(found: Iterable[Difference]) -> None:
    write_csv(COLUMNS, map(as_row, found))


def _show(terminal: Terminal, found: Verification) -> None:
    if not found.syncs:
        terminal.say(f"No sync writes to {cell(found.destination)}.")
    for one in found.syncs:
        terminal.say(f"{cell(f'{one.sync} {one.query}'.strip())}  {one.words}")
        terminal.say(f"  {_counts(one)}")
        for each in one.attributes:
            terminal.say(f"  {cell(each.name)}: {counted(each.records, 'record')} drifted")
        if one.samples:
            terminal.show(_samples(one))


def _counts(one: VerifiedSync) -> str:
    orphans = None if one.strangers is None else one.strangers + (one.returned or 0)
    counts = {
        "checked": one.checked, "match": one.equal, "drifted": one.drifted,
        "missing there": one.missing, "orphans there": orphans,
        "not comparable": one.not_comparable,
    }  # fmt: skip
    return listed(counts, zeros=("checked", "match"))


def _samples(one: VerifiedSync) -> object:
    table = grid("key", "", "attribute", "ours", "theirs", "last written by")
    for each in one.samples:
        values = ("", "") if each.kind != "drifted" else (cell(each.ours), cell(each.theirs))
        table.add_row(cell(each.key), each.kind, cell(each.attribute), *values, cell(each.wrote))
    return table
