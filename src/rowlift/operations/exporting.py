"""People as every door exports them: JSON Lines, or CSV in which no cell is a formula."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Literal

from rowlift.kit.csvlines import csv_line
from rowlift.operations.home import Home
from rowlift.operations.records import (
    AttributeRecord,
    Names,
    PersonRecord,
    everybody,
    find_person,
    show_person,
    unknown,
)
from rowlift.operations.segments import MemberRecord
from rowlift.operations.traces import Why
from rowlift.operations.tracing import why
from rowlift.workspace.suppression import finder
from rowlift.workspace.tracking import Event, events_of

Form = Literal["jsonl", "csv"]
People = Iterable[PersonRecord]
Members = Iterable[MemberRecord]

COLUMNS = (
    "id", "email", "anonymous_ids", "first_known", "first_sync",
    "attribute", "value", "sync", "run", "as_of",
)  # fmt: skip


_EVERYTHING = 2**31 - 1


@dataclass(frozen=True, slots=True)
class PersonExport:
    """Everything that is kept of one person, with all relationships and events.

    `why` has the former values of attributes, and what each destination has of them.
    """

    person: PersonRecord
    why: Why
    events: Sequence[Event]


def export_person(home: Home, who: str) -> PersonExport:
    """Return everything that is kept of one person; raises StateError NOT_FOUND."""
    person = find_person(home, who)
    if person is None:
        raise unknown(who)
    events = events_of(home.workspace, person.record.pid, _EVERYTHING)
    return PersonExport(show_person(home, who, _EVERYTHING), why(home, who), events)


def export_people(home: Home, *, suppressed: bool) -> Iterator[PersonRecord]:
    """Yield people without their relationships; with `suppressed` those who are, too."""
    with home.store.database.read() as connection:
        is_suppressed = finder(connection, home.workspace_id)
    for one in everybody(home):
        names = Names(one.id, one.email, one.anonymous_ids)
        if suppressed or not is_suppressed(names.identifiers()):
            yield one


def people_lines(people: People, form: Form) -> Iterator[str]:
    """Yield people with attributes and origins: a line for each, as CSV one for each attribute."""
    return _PEOPLE[form](people)


def member_lines(members: Members, form: Form) -> Iterator[str]:
    """Yield people of a segment, a line for each."""
    return _MEMBERS[form](members)


def _people_json(people: People) -> Iterator[str]:
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


def _people_csv(people: People) -> Iterator[str]:
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


def _members_json(members: Members) -> Iterator[str]:
    return (json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in members)


def _members_csv(members: Members) -> Iterator[str]:
    names = [one.name for one in fields(MemberRecord)]
    yield csv_line(names)
    for member in members:
        yield csv_line(getattr(member, name) for name in names)


_PEOPLE: Mapping[Form, Callable[[People], Iterator[str]]] = {
    "jsonl": _people_json, "csv": _people_csv,
}  # fmt: skip
_MEMBERS: Mapping[Form, Callable[[Members], Iterator[str]]] = {
    "jsonl": _members_json, "csv": _members_csv,
}  # fmt: skip
