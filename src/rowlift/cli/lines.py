"""Exports to a file or to stdout, streamed."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from rowlift.cli import exits
from rowlift.cli.streams import OUTPUT_LOST, speak_utf8
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import counted, safe
from rowlift.core.errors import ConfigError, RowliftError
from rowlift.kit.durable import write_durable
from rowlift.operations.callers import CONSOLE
from rowlift.operations.exporting import Form, people_lines


def export(
    terminal: Terminal, file: Path | None, form: Form, only: str | None, *, suppressed: bool
) -> int:
    """Write people to a file or to stdout: one, or all but those who are suppressed, or all."""
    with terminal.project() as project:
        people = project.export_people(suppressed=suppressed)
        if only:
            people = iter([project.person(only)])
            project.access.audit.note(CONSOLE, "person.export")
        else:
            told = {"suppressed": suppressed}
            project.access.audit.note(CONSOLE, "people.export", after=told)
        export_lines(terminal, file, form, people_lines(people, form))
    return exits.DONE


def export_lines(terminal: Terminal, file: Path | None, form: Form, lines: Iterator[str]) -> None:
    """Write lines to a file or to stdout, which -o json wants for its document."""
    if file is not None:
        _write(terminal, file, form, lines)
        return
    if terminal.json:
        text = "An export to stdout and -o json ask for two different forms."
        raise ConfigError("VALUE_WRONG", text, mend="Name a file, or leave -o json out.")
    speak_utf8()
    sys.stdout.reconfigure(newline="")  # type: ignore[union-attr]
    sys.stdout.writelines(lines)


def write_file(file: Path, lines: Iterable[str]) -> int:
    """Write a file that only this user can read, and that is there when it is whole.

    Returns its size in bytes; raises RowliftError OUTPUT_LOST.
    """
    try:
        return write_durable(file, (line.encode() for line in lines))
    except OSError as error:
        text = f"{file} cannot be written: {error.strerror}."
        raise RowliftError(OUTPUT_LOST, text, mend="Free space, or write elsewhere.") from error


def _write(terminal: Terminal, file: Path, form: Form, lines: Iterator[str]) -> None:
    size = write_file(file, lines)
    terminal.say(f"✓ {safe(file)}: {counted(size, 'byte')}")
    terminal.document("export", file=str(file), format=form, bytes=size)
