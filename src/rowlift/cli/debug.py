"""rowlift debug."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from rich.text import Text

from rowlift.cli import exits
from rowlift.cli.exchanges import show_requests
from rowlift.cli.options import command as _command
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import safe
from rowlift.core.errors import ConfigError
from rowlift.core.nouns import Finding

MARKS = {"ok": ("✓", "green"), "note": ("·", "dim"), "warning": ("!", "yellow")}
REFUSED = {"UNSAFE_USER"}
PROOFS = {"values", "rows", "errors", "catalogue", "cancel", "timeout"}  # of --certify

USAGE = "rowlift debug, or rowlift debug requests DESTINATION"

Words = Annotated[
    list[str] | None,
    typer.Argument(
        help="requests DESTINATION: show the last requests to one.",
        metavar="[requests DESTINATION]",
    ),
]
Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="requests: go on with each new one, until Ctrl-C.")
]
Values = Annotated[
    bool, typer.Option("--values", help="requests: with values of rows; secrets never show.")
]
Certify = Annotated[
    str | None,
    typer.Option(
        "--certify",
        help="Prove one source on the real service: values, rows, errors, cancel, timeout.",
        metavar="SOURCE",
    ),
]


@_command
def command(
    terminal: Terminal,
    words: Words = None,
    certify: Certify = None,
    follow: Follow = False,
    values: Values = False,
) -> int:
    """Prints what is missing with what mends it, such as GRANT statements.

    No table is read and nothing is sent. With --certify the source also runs queries of our own,
    which read no table: two of them for ever, until they are cancelled.

    debug requests DESTINATION prints what was sent there last, and what it answered: some requests
    of each second, fifty of them, for a day.
    """
    match words or []:
        case [] if not (follow or values):
            return _test(terminal, certify)
        case ["requests", destination] if certify is None:
            return show_requests(terminal, destination, follow=follow, values=values)
    raise ConfigError("VALUE_WRONG", "debug was asked for something else.", mend=USAGE)


def _test(terminal: Terminal, certify: str | None) -> int:
    with terminal.working() as project:
        found = {certify: project.certify(certify)} if certify else project.debug()
        ours = project.addresses()
    for name, findings in found.items():
        terminal.say(Text(safe(name), style="bold"))
        for one in findings:
            _print(terminal, one)
    come_from = ", ".join(map(safe, ours.addresses)) or "an address that is not known"
    terminal.note(f"Connections come from {come_from}. {ours.note}")
    terminal.document("debug", connections=found, addresses=ours)
    return exit_code(found)


def exit_code(found: Mapping[str, Sequence[Finding]]) -> int:
    """Return 0 if everything can be used, 4 for a refused user, 1 for a failed proof, else 3."""
    errors = [one for findings in found.values() for one in findings if one.level == "error"]
    if not errors:
        return exits.DONE
    if {one.step for one in errors} <= PROOFS:
        return exits.FAILED
    return exits.REFUSED if {one.code for one in errors} <= REFUSED else exits.CANNOT_CONNECT


def _print(terminal: Terminal, one: Finding) -> None:
    mark, style = MARKS.get(one.level, ("×", "red"))  # noqa: RUF001
    step = one.step.replace("_", "-")
    line = Text.assemble("  ", (mark, style), f" {step:<11} ", safe(one.message, "\n"))
    if one.code:
        line.append(f" [{one.code}]", style="dim")
    terminal.say(line)
    for mend in one.mend.splitlines():
        terminal.say(f"      {safe(mend)}", style="cyan")
