"""Records of people and objects as every door shows them; times are Unix seconds."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rowlift.core.errors import ConfigError, StateError
from rowlift.core.identifiers import email_key
from rowlift.operations.home import Home, sync_names
from rowlift.operations.merging import MergeRecord, merges_of
from rowlift.workspace.records import (
    Object,
    Person,
    Record,
    Relationship,
    list_objects,
    list_people,
    object_by_id,
    person_by_anonymous_id,
    person_by_email,
    person_by_id,
    relationships_of,
)
from rowlift.workspace.search import object_types, objects_beginning, people_beginning
from rowlift.workspace.segments import segments_of
from rowlift.workspace.suppression import KINDS, identifier, names_any, since

MOST_RELATIONSHIPS = 100  # shown of one record
_PAGE = 1000

_WAYS = {
    "id": person_by_id,
    "email": person_by_email,
    "anonymous_id": person_by_anonymous_id,
}


@dataclass(frozen=True, slots=True)
class Names:
    """The identifiers of one person."""

    id: str | None
    email: str | None
    anonymous_ids: Sequence[str]

    def keys(self, identify_by: str) -> Sequence[str]:
        """Return by which keys a sync that identifies so may know the person."""
        if identify_by == "anonymous_id":
            return self.anonymous_ids
        if identify_by == "email":
            return [email_key(self.email)] if self.email else []
        return [self.id] if self.id else []

    def identifiers(self) -> list[str]:
        """Return all of them as the list of suppressions writes them."""
        return [identifier(kind, value) for kind in KINDS for value in self.keys(kind)]

    def are_suppressed(self, home: Home) -> bool:
        """Tell whether one of them is."""
        with home.store.database.read() as connection:
            return names_any(connection, home.workspace_id, self.identifiers())

    def suppressed_since(self, home: Home) -> float | None:
        """Return since when one of them is suppressed (Unix seconds), None where none is."""
        with home.store.database.read() as connection:
            return since(connection, home.workspace_id, self.identifiers())


@dataclass(frozen=True, slots=True)
class Change:
    """One change of an attribute; null stands for none, before and after.

    `query` is what the SHA-256 of the query's text begins with, so it tells its versions apart.
    Run, at and query are null where the run is forgotten, row_number where no row caused it.
    """

    sync: str
    run: int | None
    at: float | None
    row_number: int | None
    query: str | None
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class AttributeRecord:
    """An attribute, and the sync and run that wrote it last; `as_of` is the source's time.

    The sync `ingest` without a run stands for messages. Where why is asked, `row_number` and
    `query` are of the row that brought the value, as in changes; null where that is forgotten.
    `changes` has the newest first, where they were asked for. Where one person is shown, `synced`
    is when a run last said the same, `delivered` when each destination had all of such a run: null
    where the value is still on its way. rowlift why tells of rows that were rejected.
    """

    name: str
    value: Any
    sync: str
    run: int | None
    as_of: int | None
    row_number: int | None = None
    query: str | None = None
    changes: Sequence[Change] = ()
    synced: float | None = None
    delivered: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RelationshipRecord:
    """What joins a person, named by id and e-mail address, and an object."""

    id: str | None
    email: str | None
    object_type: str
    object_id: str
    attributes: Sequence[AttributeRecord]


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """A person; `related` counts all relationships, of which the first 100 are here.

    `number` is the person's place in lists. Where one person is shown, it is told whether they are
    suppressed, in which segments they are, and which merges stand.
    """

    number: int
    id: str | None
    email: str | None
    anonymous_ids: Sequence[str]
    first_known: float
    first_sync: str
    updated_at: float
    attributes: Sequence[AttributeRecord]
    related: int = 0
    relationships: Sequence[RelationshipRecord] = field(default_factory=tuple)
    suppressed: bool = False
    segments: Sequence[str] = ()
    merges: Sequence[MergeRecord] = ()


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """An object; `related` counts all relationships, of which the first 100 are here.

    `number` is the object's place in lists.
    """

    number: int
    object_type: str
    object_id: str
    first_known: float
    first_sync: str
    updated_at: float
    attributes: Sequence[AttributeRecord]
    related: int = 0
    relationships: Sequence[RelationshipRecord] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class ObjectType:
    """A type of objects, and how many there are of it; more than 10,000 are not counted."""

    object_type: str
    count: int


def named(who: str) -> dict[str, str]:
    """Return what a text may stand for, by kind of identifier: one, or all three."""
    kind, colon, value = who.partition(":")
    return {kind: value} if colon and kind in _WAYS else dict.fromkeys(_WAYS, who)


def find_person(home: Home, who: str) -> Person | None:
    """Return whom a text names; raises ConfigError WHO_AMBIGUOUS when it names two."""
    found = {kind: _WAYS[kind](home.workspace, value) for kind, value in named(who).items()}
    people = {one.record.pid: (kind, one) for kind, one in found.items() if one}
    if len(people) > 1:
        (first, one), (second, other), *_ = people.values()
        raise ConfigError(
            "WHO_AMBIGUOUS",
            f"{who} is the {first} of {label(one)} and the {second} of {label(other)}.",
            mend=f"Say which: {first}:{who} or {second}:{who}.",
        )
    return next((one for _, one in people.values()), None)


def label(person: Person) -> str:
    """Return what a person is best called by."""
    kinds = {"id": person.id, "email": person.email}
    kinds["anonymous_id"] = next(iter(person.anonymous_ids), None)
    return next((f"{kind} {value}" for kind, value in kinds.items() if value), "somebody unnamed")


def show_person(home: Home, who: str, related: int = MOST_RELATIONSHIPS) -> PersonRecord:
    """Return one person with so many relationships; raises StateError NOT_FOUND."""
    person = find_person(home, who)
    if person is None:
        raise unknown(who)
    pid = person.record.pid
    joined = relationships_of(home.workspace, related, person=pid)
    return replace(
        _person(person, sync_names(home), joined),
        suppressed=Names(person.id, person.email, person.anonymous_ids).are_suppressed(home),
        segments=segments_of(home.workspace, pid),
        merges=merges_of(home, pid),
    )


def show_object(home: Home, object_type: str, object_id: str) -> ObjectRecord:
    """Return one object with relationships; raises StateError NOT_FOUND."""
    thing = object_by_id(home.workspace, object_type, object_id)
    if thing is None:
        text = f"The workspace has no object {object_id} of type {object_type}."
        raise StateError("NOT_FOUND", text, mend="See rowlift objects list.")
    related = relationships_of(home.workspace, MOST_RELATIONSHIPS, thing=thing.record.pid)
    return _object(thing, sync_names(home), related)


def people_page(home: Home, limit: int, after: int) -> list[PersonRecord]:
    """Return people without relationships, from the one after a number."""
    names = sync_names(home)
    return [_person(one, names) for one in list_people(home.workspace, limit, after=after)]


def search_people(home: Home, text: str, limit: int) -> list[PersonRecord]:
    """Return people one of whose identifiers begins with a text, ids first."""
    names = sync_names(home)
    return [_person(one, names) for one in people_beginning(home.workspace, named(text), limit)]


def everybody(home: Home) -> Iterator[PersonRecord]:
    """Yield all people without relationships; those who come meanwhile may be among them."""
    after = 0
    while page := people_page(home, _PAGE, after):
        yield from page
        after = page[-1].number


def objects_page(home: Home, limit: int, after: int) -> list[ObjectRecord]:
    """Return objects without relationships, from the one after a number."""
    names = sync_names(home)
    return [_object(one, names) for one in list_objects(home.workspace, limit, after=after)]


def objects_of_type(
    home: Home, object_type: str, limit: int, after: str, beginning: str
) -> list[ObjectRecord]:
    """Return objects of a type by id without relationships, from the one after an id."""
    names = sync_names(home)
    found = objects_beginning(home.workspace, object_type, beginning, limit, after=after)
    return [_object(one, names) for one in found]


def types_of_objects(home: Home) -> list[ObjectType]:
    """Return the types of objects that there are."""
    return [ObjectType(*one) for one in object_types(home.workspace)]


def unknown(who: str) -> StateError:
    """Return the error of a person nobody knows."""
    text = f"The workspace knows nobody as {who}."
    return StateError("NOT_FOUND", text, mend="See rowlift people list.")


def attributes(record: Record, names: Mapping[str, str]) -> list[AttributeRecord]:
    """Return a record's attributes in the order of their names."""
    return [
        AttributeRecord(
            name,
            value,
            names.get(origin.sync_uid, origin.sync_uid),
            origin.run_id or None,
            origin.as_of,
        )
        for name, value, origin in (
            (name, value, record.origins[name]) for name, value in sorted(record.attributes.items())
        )
    ]


def _person(
    person: Person,
    names: Mapping[str, str],
    related: tuple[Iterable[Relationship], int] = ((), 0),
) -> PersonRecord:
    record = person.record
    return PersonRecord(
        record.pid, person.id, person.email, person.anonymous_ids, record.created_at,
        names.get(record.first_writer, record.first_writer), record.updated_at,
        attributes(record, names), related[1], [_relationship(one, names) for one in related[0]],
    )  # fmt: skip


def _object(
    thing: Object,
    names: Mapping[str, str],
    related: tuple[Iterable[Relationship], int] = ((), 0),
) -> ObjectRecord:
    record = thing.record
    return ObjectRecord(
        record.pid, thing.object_type, thing.object_id, record.created_at,
        names.get(record.first_writer, record.first_writer), record.updated_at,
        attributes(record, names), related[1], [_relationship(one, names) for one in related[0]],
    )  # fmt: skip


def _relationship(one: Relationship, names: Mapping[str, str]) -> RelationshipRecord:
    listed = attributes(one.record, names)
    return RelationshipRecord(one.id, one.email, one.object_type, one.object_id, listed)
