"""rowlift state."""

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import counted, listed, moment, safe
from rowlift.core.errors import ConfigError
from rowlift.operations.callers import CONSOLE

RESET, PRUNE, ROTATE, WRITE_BACK = "reset", "prune", "rotate-key", "write-back"

Words = Annotated[
    list[str],
    typer.Argument(
        help="NAME of a sync, or: reset NAME, or: prune, rotate-key or write-back.", metavar="NAME"
    ),
]
Target = Annotated[
    str | None,
    typer.Option(help="Reset only this destination, or workspace.", metavar="DESTINATION"),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for the name to be typed.")]


@_command
def command(terminal: Terminal, words: Words, target: Target = None, yes: Yes = False) -> int:
    """Shows the image, the ledgers and last_sync_time of the sync NAME.

    With reset NAME the sync forgets them: the next run reads everything and sends every row
    again, with new message ids. People in the workspace stay.

    With prune it forgets what is older than retention in rowlift.yml says: runs, rejects, events
    and former values. Each run forgets some of it anyway.

    With rotate-key it seals the secrets of its definitions with a new key, or with the first of
    those that ROWLIFT_SECRET_KEY holds.

    With write-back it writes what runs did, which rows did not go, and which attributes changed to
    the warehouse that ROWLIFT_WRITE_BACK_URL names, from where it stopped the last time.
    """
    match words:
        case [word] if word == ROTATE:
            return _rotate(terminal)
        case [word] if word == WRITE_BACK:
            return _write_back(terminal)
        case [word] if word == PRUNE:
            return _prune(terminal)
        case [word] if word == RESET:
            raise ConfigError("VALUE_WRONG", "Which sync?", mend="rowlift state reset NAME")
        case [name]:
            return _show(terminal, name)
        case [word, name] if word == RESET:
            return _reset(terminal, name, target, yes=yes)
    raise ConfigError(
        "VALUE_WRONG",
        "state takes the name of one sync.",
        mend="rowlift state NAME, or: reset NAME, prune, rotate-key, write-back",
    )


def _show(terminal: Terminal, name: str) -> int:
    with terminal.project() as project:
        state = project.state(name)
    image = state["image"]
    terminal.say(safe(name), style="bold")
    terminal.say(f"  last_sync_time  {moment(state['last_sync_time'])}")
    rows = f"{counted(image['present'], 'row')} present, {image['rows']:,} ever seen"
    terminal.say(f"  image           revision {image['revision']}: {rows}")
    for target, ledger in state["ledgers"].items():
        text = f"revision {ledger['revision']}, epoch {ledger['epoch']}"
        terminal.say(f"  {safe(target):<15} {text}")
    terminal.document("state", state=state)
    return exits.DONE


def _reset(terminal: Terminal, name: str, target: str | None, *, yes: bool) -> int:
    with terminal.project() as project:
        project.state(name)
        what = f"what {target} got from {name}" if target else f"everything known of {name}"
        if not yes:
            confirm(terminal, name, f"This forgets {safe(what)}. People in the workspace stay.")
        project.reset(name, target=target)
        project.access.audit.note(CONSOLE, "sync.reset", name, after={"target": target})
        terminal.say(f"✓ forgot {safe(what)}; the next run sends it again")
        terminal.document("state", state=project.state(name))
    return exits.DONE


def _prune(terminal: Terminal) -> int:
    with terminal.project() as project:
        done = project.prune()
        told = {"runs": done.runs, "files": done.files}
        project.access.audit.note(CONSOLE, "prune", after=told)
    gone = listed(asdict(done)) or "nothing; all is newer than retention in rowlift.yml says"
    terminal.say(f"✓ forgot {gone}")
    terminal.document("prune", prune=done)
    return exits.DONE


def _rotate(terminal: Terminal) -> int:
    with terminal.project() as project:
        sealed = project.definitions.rotate_key()
        project.access.audit.note(CONSOLE, "secrets.rotate", after={"secrets": sealed})
    terminal.say(f"✓ {counted(sealed, 'secret')} sealed with the new key")
    terminal.document("rotation", sealed=sealed)
    return exits.DONE


def _write_back(terminal: Terminal) -> int:
    with terminal.project() as project:
        done = project.watch.write_back()
    later = f"; {counted(done.open, 'run')} not over yet" if done.open else ""
    terminal.say(f"✓ {counted(done.runs, 'run')} written, {counted(done.rows, 'row')}{later}")
    terminal.document("write_back", write_back=done)
    return exits.DONE


def confirm(terminal: Terminal, name: str, warning: str) -> None:
    """Ask for a name to be typed; raises ConfigError VALUE_WRONG when it is not."""
    terminal.err.print(warning, markup=False)
    terminal.err.print(f"Type {safe(name)} to go on: ", end="", markup=False)
    if sys.stdin.readline().strip() != name:
        raise ConfigError(
            "VALUE_WRONG", "The name was not typed: nothing was forgotten.", mend="Or use --yes."
        )
