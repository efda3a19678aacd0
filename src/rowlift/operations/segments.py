"""Manual segments as every door shows them; times are Unix seconds."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import sqlalchemy as sa

from rowlift.core.errors import ConfigError
from rowlift.operations.home import Home, sync_names
from rowlift.state.audiences import ask
from rowlift.workspace import membership, segments, suppression

_PAGE = 10_000  # people read, or looked up, at a time

Change = Callable[[sa.Connection, int, list[int]], int]


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """A segment, how many people are in it, and which syncs put people in.

    With `is_audience` Rowlift computes who is in it.
    """

    name: str
    members: int
    created_at: float
    syncs: Sequence[str] = ()
    is_audience: bool = False


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """Somebody in a segment, and the sync or audience that put them in; neither: by hand.

    `number` is the person's place in lists.
    """

    number: int
    id: str | None
    email: str | None
    sync: str | None
    entered_at: float


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Somebody entered a segment, was changed in it or left: segment_entered, _touched or _left.

    `number` rises with each event, `person` is the person's place in lists.
    """

    number: int
    kind: str
    person: int
    id: str | None
    email: str | None
    sync: str | None
    run: int | None
    at: float


@dataclass(frozen=True, slots=True)
class MembersChanged:
    """How many people entered or left by hand, how many had already, and whom nobody knows.

    Who is suppressed does not enter.
    """

    segment: str
    changed: int = 0
    unchanged: int = 0
    unknown: Sequence[str] = ()
    suppressed: Sequence[str] = ()


def list_segments(
    home: Home, limit: int | None = None, *, after: str | None = None
) -> list[SegmentRecord]:
    """Return segments by name, all or so many, from the one after a name."""
    found = segments.list_segments(home.workspace, limit, after)
    return [_record(home, one) for one in found]


def show_segment(home: Home, name: str) -> SegmentRecord:
    """Return one segment."""
    return _record(home, segments.segment(home.workspace, name))


def create_segment(home: Home, name: str) -> SegmentRecord:
    """Make a segment, unless there is one of that name; raises ConfigError VALUE_WRONG."""
    with home.store.database.transaction("segment.create") as connection:
        segments.make(connection, home.workspace, name)
    return show_segment(home, name)


def members_page(home: Home, name: str, limit: int, after: int) -> list[MemberRecord]:
    """Return people of a segment, from the one after a number."""
    chosen = segments.id_of(home.workspace, name)
    names = _names(home)
    return [
        MemberRecord(one.pid, one.id, one.email, names.get(one.sync_uid), one.entered_at)
        for one in segments.members(home.workspace, chosen, limit, after=after)
    ]


def all_members(home: Home, name: str) -> Iterator[MemberRecord]:
    """Yield all people of a segment; those who enter meanwhile may be among them."""
    after = 0
    while page := members_page(home, name, _PAGE, after):
        yield from page
        after = page[-1].number


def events_page(
    home: Home, name: str, limit: int, after: int, *, newest: bool
) -> list[EventRecord]:
    """Return what happened to people of a segment, from the event after a number, or the newest."""
    chosen = segments.id_of(home.workspace, name)
    names = _names(home)
    return [
        EventRecord(
            one.number, one.kind, one.pid, one.id, one.email, names.get(one.sync_uid), one.run_id,
            one.at,
        )
        for one in segments.history(home.workspace, chosen, limit, after=after, newest=newest)
    ]  # fmt: skip


def add_to_segment(home: Home, name: str, people: Iterable[str]) -> MembersChanged:
    """Put people in, each named by an id or an address."""
    return _change(home, name, people, membership.enter)


def remove_from_segment(home: Home, name: str, people: Iterable[str]) -> MembersChanged:
    """Take people out, whoever put them in; a sync that changes them later puts them back."""
    return _change(home, name, people, membership.leave)


def _change(home: Home, name: str, people: Iterable[str], change: Change) -> MembersChanged:
    chosen = segments.id_of(home.workspace, name)
    if _is_audience(home, name):
        mend = "Change its conditions, or an attribute that they ask for."
        raise ConfigError("SEGMENT_COMPUTED", f"Who is in {name} is computed.", mend=mend)
    done = MembersChanged(name)
    left = iter(people)
    while named := list(islice(left, _PAGE)):
        done = _change_some(home, chosen, named, change, done)
    return done


def _change_some(
    home: Home, segment_id: int, named: list[str], change: Change, done: MembersChanged
) -> MembersChanged:
    with home.store.database.transaction("segment.change") as connection:
        found = segments.find_people(connection, home.workspace, named)
        hidden = _suppressed(home, connection, found) if change is membership.enter else []
        for one in hidden:
            del found[one]
        pids = sorted(set(found.values()))
        changed = change(connection, segment_id, pids) if pids else 0
        if changed:
            ask(connection, home.workspace_id)
    return replace(
        done,
        changed=done.changed + changed,
        unchanged=done.unchanged + len(pids) - changed,
        unknown=[*done.unknown, *(one for one in named if one not in found and one not in hidden)],
        suppressed=[*done.suppressed, *hidden],
    )


def _suppressed(home: Home, connection: sa.Connection, named: Iterable[str]) -> list[str]:
    """Return which ids and addresses are of people who are suppressed, by all they are known by."""
    is_suppressed = suppression.finder(connection, home.workspace_id)
    return [
        one
        for one in named
        if is_suppressed(suppression.identifier(kind, one) for kind in ("id", "email"))
    ]


def _record(home: Home, one: segments.Segment) -> SegmentRecord:
    syncs = [
        name
        for name, spec in home.project.syncs.items()
        if spec.segment and spec.segment.name == one.name
    ]
    return SegmentRecord(
        one.name, one.members, one.created_at, syncs, one.audience_uid in home.audiences.values()
    )


def _names(home: Home) -> Mapping[str, str]:
    """Return what put people into segments: syncs and audiences, by uid."""
    audiences = home.store.definitions.names(home.workspace_id, "audience")
    return {**sync_names(home), **audiences}


def _is_audience(home: Home, name: str) -> bool:
    found = segments.segment(home.workspace, name)
    return found.audience_uid in home.audiences.values()
