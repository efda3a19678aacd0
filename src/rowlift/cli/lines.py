"""People with their attributes and origins as JSON Lines or CSV, streamed."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rowlift.cli import exits
from rowlift.cli.streams import OUTPUT_LOST, speak_utf8
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import counted, safe
from rowlift.core.errors import ConfigError, RowliftError
from rowlift.kit.csvlines import csv_line
from rowlift.kit.durable import write_durable
from rowlift.operations.records import AttributeRecord, PersonRecord

COLUMNS = (
    "id", "email", "anonymous_ids", "first_known", "first_sync",
    "attribute", "value", "sync", "run", "as_of",
)  # fmt: skip

People = Iterable[PersonRecord]


def export(
    terminal: Terminal, file: Path | None, form: str, only: str | None, *, suppressed: bool
) -> int:
    """Write people to a file or to stdout: one, or all but those who are suppressed, or all."""
    with terminal.project() as project:
        people = project.export_people(suppressed=suppressed)
        if only:
            people = iter([project.person(only)])
        export_lines(terminal, file, form, _LINES[form](people))
    return exits.DONE


def export_lines(terminal: Terminal, file: Path | None, form: str, lines: Iterator[str]) -> None:
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


def _write(terminal: Terminal, file: Path, form: str, lines: Iterator[str]) -> None:
    """Write a file that only this user can read, and that is there when it is whole."""
    try:
        size = write_durable(file, (line.encode() for line in lines))
    except OSError as error:
        text = f"{file} cannot be written: {error.strerror}."
        raise RowliftError(OUTPUT_LOST, text, mend="Free space, or write elsewhere.") from error
    terminal.say(f"✓ {safe(file)}: {counted(size, 'byte')}")
    terminal.document("export", file=str(file), format=form, bytes=size)


def _json_lines(people: People) -> Iterator[str]:
    for person in people:
        attributes = {
            one.name: {"value": one.value, "sync": one.sync, "run": one.run, "as_of": one.as_of}
            for one in person.attributes
        }
        document = {
            "id": person.id, "email": person.email, "anonymous_ids": person.anonymous_ids,
            "first_known": person.first_known, "first_sync": person.first_sync,
            "attributes": attributes,
        }  # fmt: skip
        yield json.dumps(document, ensure_ascii=False) + "\n"


def _csv_lines(people: People) -> Iterator[str]:
    """Yield RFC 4180, a line for each attribute; somebody without any has one line."""
    yield csv_line(COLUMNS)
    for person in people:
        anonymous = " ".join(person.anonymous_ids)
        who = (person.id, person.email, anonymous, person.first_known, person.first_sync)
        for one in person.attributes or (None,):
            yield csv_line((*who, *_cells(one)))


def _cells(one: AttributeRecord | None) -> tuple[object, ...]:
    if one is None:
        return ("",) * 5
    value = one.value if isinstance(one.value, str) else json.dumps(one.value, ensure_ascii=False)
    return one.name, value, one.sync, one.run, one.as_of


_LINES: dict[str, Callable[[People], Iterator[str]]] = {"jsonl": _json_lines, "csv": _csv_lines}
