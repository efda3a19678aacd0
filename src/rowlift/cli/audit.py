"""rowlift audit."""

from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.records import grid
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, counted, moment
from rowlift.core.errors import ConfigError
from rowlift.state.audit import AuditProof

Words = Annotated[
    list[str] | None,
    typer.Argument(help="list, or: verify, or: verify HEAD.", metavar="[list|verify [HEAD]]"),
]
Limit = Annotated[int, typer.Option(help="list: how many at most.", min=1, max=1000)]


@_command
def command(terminal: Terminal, words: Words = None, limit: Limit = 20) -> int:
    """Each line holds the hash of the one before: none can be changed or dropped unseen.

    Whoever can write to the state database could write the whole log anew. So note what verify
    prints as the head in a place of its own, and give it to the next verify.
    """
    match words or ["list"]:
        case ["list"]:
            return _list(terminal, limit)
        case ["verify"]:
            return _verify(terminal, None)
        case ["verify", noted]:
            return _verify(terminal, noted)
    raise ConfigError("VALUE_WRONG", "audit was asked for something else.", mend=_USAGE)


_USAGE = "rowlift audit [list], or: rowlift audit verify [HEAD]"


def _list(terminal: Terminal, limit: int) -> int:
    with terminal.project() as project:
        found = project.access.audit.page(limit)
    table = grid("when", "who", "from", "did", "to")
    for one in found:
        told = (one.actor, one.address, one.action, one.subject)
        table.add_row(moment(one.at), *map(cell, told))
    terminal.show(table)
    terminal.document("audit", lines=found)
    return exits.DONE


def _verify(terminal: Terminal, noted: str | None) -> int:
    with terminal.project() as project:
        proof = project.access.audit.prove(noted)
    holds = proof.broken_at is None and proof.knows is not False
    terminal.say(_verdict(proof))
    terminal.say(f"  head  {proof.head or 'none yet'}")
    terminal.document("audit_proof", proof=proof)
    return exits.DONE if holds else exits.FAILED


def _verdict(proof: AuditProof) -> str:
    if proof.broken_at is not None:
        return f"× line {proof.broken_at} was changed, or lines before it are gone"  # noqa: RUF001
    if proof.knows is False:
        return "× the head that was noted is not in the log: it was written anew, or restored"  # noqa: RUF001
    return f"✓ {counted(proof.lines, 'line')}, each as it was written"
