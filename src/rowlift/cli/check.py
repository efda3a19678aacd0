"""rowlift check."""

from collections.abc import Mapping
from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import counted
from rowlift.core.errors import RowliftError

GITHUB = {"%": "%25", "\r": "%0D", "\n": "%0A"}
IN_PROPERTY = GITHUB | {":": "%3A", ",": "%2C"}

Github = Annotated[
    bool, typer.Option("--github", help="Print problems as annotations of a GitHub workflow.")
]


@_command
def command(terminal: Terminal, github: Github = False) -> int:
    """Leaves with 2 if there is a problem; warnings stop nothing."""
    from rowlift.cli.documents import is_warning, problem

    with terminal.project() as project:
        found = project.check()
    for one in found:
        if github:
            terminal.say(annotation(one, warning=is_warning(one)))
        elif is_warning(one):
            terminal.complain(one, "!", "yellow")
        else:
            terminal.complain(one, "×", "red")  # noqa: RUF001
    terminal.document("check", problems=[problem(one) for one in found])
    broken = sum(not is_warning(one) for one in found)
    if broken:
        terminal.note(counted(broken, "problem"), style="red")
        return exits.USAGE
    warnings = f", {counted(len(found), 'warning')}" if found else ""
    if not github:
        terminal.say(f"✓ every file is valid{warnings}")
    return exits.DONE


def annotation(error: RowliftError, *, warning: bool) -> str:
    """Return a problem as GitHub's workflow command."""
    where = {"title": error.code}
    if error.place:
        where |= {"file": error.place.path}
        where |= {"line": str(error.place.line)} if error.place.line else {}
        where |= {"col": str(error.place.column)} if error.place.column else {}
    properties = ",".join(f"{key}={_escaped(text, IN_PROPERTY)}" for key, text in where.items())
    message = _escaped(f"{error.message} {error.mend}".strip(), GITHUB)
    return f"::{'warning' if warning else 'error'} {properties}::{message}"


def _escaped(text: str, table: Mapping[str, str]) -> str:
    return "".join(table.get(one, one) for one in text)
