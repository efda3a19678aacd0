"""The next events of a forward, with their people, as what a destination encodes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import sqlalchemy as sa

from rowlift.core.ports import Events
from rowlift.core.specs import ForwardSpec
from rowlift.engine.attributes import joined, label, split
from rowlift.state.forwards import Forward
from rowlift.workspace import suppression
from rowlift.workspace.tracking import Doer, Event, Numbered, doers, events_within


@dataclass(frozen=True, slots=True)
class Due:
    """One event that goes, under the identifier by which the destination knows its person."""

    number: int
    event: Event
    identifier: str
    key: str
    traits: str


@dataclass(frozen=True, slots=True)
class Window:
    """Some events that follow each other, up to a number: those that go, and those that do not.

    `suppressions` is the revision by which the people were looked at.
    """

    upto: int
    suppressions: int
    due: Sequence[Due]
    suppressed: frozenset[int]
    skipped: frozenset[int]


def look(connection: sa.Connection, spec: ForwardSpec, forward: Forward, upto: int) -> Window:
    """Return what a forward has to send of the events up to a number."""
    workspace_id = forward.workspace_id
    found = events_within(connection, workspace_id, forward.position, upto, spec.types, spec.names)
    open_ = [one for one in found if one.number not in forward.settled]
    people = doers(connection, workspace_id, sorted({one.event.pid for one in open_}))
    revision = suppression.revision(connection, workspace_id)
    is_suppressed = suppression.finder(connection, workspace_id)
    hidden = {pid for pid, one in people.items() if is_suppressed(_identifiers(one))}
    named = {pid: _Named.of(one, spec) for pid, one in people.items() if pid not in hidden}
    due = [one for each in open_ if (one := _due(each, named.get(each.event.pid)))]
    suppressed = frozenset(one.number for one in open_ if one.event.pid in hidden)
    skipped = {one.number for one in open_} - suppressed - {one.number for one in due}
    return Window(upto, revision, due, suppressed, frozenset(skipped))


@dataclass(frozen=True, slots=True)
class _Named:
    """A person as the destination is told of them."""

    identifier: str
    key: str
    traits: str

    @classmethod
    def of(cls, person: Doer, spec: ForwardSpec) -> "_Named | None":
        has = {
            "user_id": person.id,
            "email": person.email,
            "anonymous_id": next(iter(person.anonymous_ids), None),
        }
        for identifier in spec.match:
            key = has[identifier]
            if key:
                return cls(identifier, key, _traits(person, spec.traits))
        return None


def _due(one: Numbered, person: _Named | None) -> Due | None:
    if person is None:
        return None
    return Due(one.number, one.event, person.identifier, person.key, person.traits)


def _identifiers(person: Doer) -> Iterator[str]:
    if person.id:
        yield suppression.identifier("id", person.id)
    if person.email:
        yield suppression.identifier("email", person.email)
    for name in person.anonymous_ids:
        yield suppression.identifier("anonymous_id", name)


def _traits(person: Doer, wanted: Mapping[str, str]) -> str:
    known = {"id": person.id, "email": person.email}
    own = {name: label(value) for name, value in known.items() if value}
    members = own | split(person.attributes) if wanted else {}
    return joined({called: members[name] for name, called in wanted.items() if name in members})


def as_columns(due: Sequence[Due]) -> Events:
    """Return events as a destination encodes them."""
    events = [one.event for one in due]
    laid = (joined(split(one.traits) | split(one.event.properties)) for one in due)
    return Events(
        types=_texts(one.kind for one in events),
        names=_texts(one.name for one in events),
        identifiers=_texts(one.identifier for one in due),
        keys=_texts(one.key for one in due),
        message_ids=_texts(one.message_id for one in events),
        moments=_texts(moment_of(one) for one in events),
        properties=_texts(one.properties for one in events),
        traits=_texts(one.traits for one in due),
        attributes=_texts(laid),
    )


def _texts(values: Iterable[str]) -> pa.StringArray:
    return pa.array(values, pa.string())


def moment_of(event: Event) -> str:
    """Return in ISO 8601 when it happened; when it came, if no calendar has that moment."""
    try:
        happened = datetime.fromtimestamp(event.at, UTC)
    except (ValueError, OverflowError, OSError):
        happened = datetime.fromtimestamp(event.received_at, UTC)
    return happened.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
