"""rowlift templates."""

from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.records import grid
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import safe
from rowlift.core.errors import ConfigError
from rowlift.core.spelling import did_you_mean
from rowlift.operations.querying import Template

Source = Annotated[str, typer.Argument(help="The source that shall be asked.", metavar="SOURCE")]
Wanted = Annotated[
    str | None, typer.Argument(help="Print this one's SQL, and nothing else.", metavar="[NAME]")
]


@_command
def command(terminal: Terminal, source: Source, name: Wanted = None) -> int:
    """Each is in the source's dialect; those come first whose tables it is known to have.

    rowlift catalog SOURCE finds out which tables those are. Begin with one:
    rowlift templates SOURCE NAME > models/NAME.sql
    """
    with terminal.project() as project:
        found = project.queries.templates(source)
    if name is None:
        table = grid("name", "", "what it finds", "identify_by")
        for one in found:
            table.add_row(one.name, "✓ fits" if one.fits else "", one.title, one.identify_by)
        terminal.show(table)
    else:
        found = [_named(name, found)]
        terminal.say(found[0].sql)
    terminal.document("templates", source=source, templates=found)
    return exits.DONE


def _named(name: str, known: list[Template]) -> Template:
    for one in known:
        if one.name == name:
            return one
    names = [one.name for one in known]
    text = f"There is no template {safe(name)}.{did_you_mean(name, names)}"
    raise ConfigError("NAME_UNKNOWN", text, mend=f"There are: {', '.join(names)}.")
