"""rowlift alerts."""

from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.status import say_wrong, show_channels
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import safe
from rowlift.core.errors import ConfigError

USAGE = "rowlift alerts [list], or rowlift alerts test CHANNEL"

Words = Annotated[
    list[str] | None,
    typer.Argument(help="list; test CHANNEL.", metavar="[list|test] [CHANNEL]"),
]


@_command
def command(terminal: Terminal, words: Words = None) -> int:
    """Rules stand under alerts: in rowlift.yml and in syncs, channels in connections.yml.

    What is wrong is told once, and again when it is over. A test goes to the channel at once.
    """
    match words or ["list"]:
        case ["list"]:
            return _list(terminal)
        case ["test", channel]:
            return _test(terminal, channel)
    raise ConfigError("VALUE_WRONG", "alerts was asked for something else.", mend=USAGE)


def _list(terminal: Terminal) -> int:
    with terminal.project() as project:
        project.alerts.look()
        wrong, channels = project.alerts.wrong(), project.alerts.channels()
    say_wrong(terminal, wrong)
    if channels:
        show_channels(terminal, channels)
    else:
        terminal.note("Nobody is told: there are no channels in connections.yml.")
    terminal.document("alerts", wrong=wrong, channels=channels)
    return exits.DONE


def _test(terminal: Terminal, channel: str) -> int:
    with terminal.project() as project:
        project.alerts.test(channel)
    terminal.say(f"✓ {safe(channel)} took the test")
    terminal.document("alert_test", channel=channel)
    return exits.DONE
