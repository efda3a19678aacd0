"""Manual segments: which there are, who is in them, and what happened to them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rowlift.core.errors import ConfigError
from rowlift.core.identifiers import email_key
from rowlift.core.specs import SegmentSpec, is_segment_name
from rowlift.core.spelling import did_you_mean
from rowlift.workspace.membership import ENTERED, LEFT
from rowlift.workspace.rows import any_of, run, run_rows
from rowlift.workspace.tables import events, people, segment_members, segments
from rowlift.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment and how many people are in it; created_at is in Unix seconds.

    Those of an audience are computed.
    """

    id: int
    name: str
    members: int
    created_at: float
    audience_uid: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a segment since entered_at; the sync that put them in, empty: by hand."""

    pid: int
    id: str | None
    email: str | None
    sync_uid: str
    entered_at: float


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to somebody in a segment; without sync and run it was done by hand."""

    number: int
    kind: str
    pid: int
    id: str | None
    email: str | None
    sync_uid: str
    run_id: int | None
    at: float


@dataclass(frozen=True, slots=True)
class Membership:
    """A segment that a person is in, or was last in where `left_at` is a moment (Unix seconds).

    Sync and run let them in, or out; `entered_at` is None where that is forgotten.
    """

    segment: str
    audience_uid: str | None
    sync_uid: str
    run_id: int | None
    entered_at: float | None
    left_at: float | None = None


def list_segments(
    workspace: Workspace, limit: int | None = None, after: str | None = None
) -> list[Segment]:
    """Return segments by name, all or so many, from the one after a name."""
    chosen = sa.true() if after is None else segments.c.name > after
    return _segments(workspace, chosen, limit)


def segment(workspace: Workspace, name: str) -> Segment:
    """Return the segment of that name; raises ConfigError NAME_UNKNOWN."""
    found = _segments(workspace, segments.c.name == name)
    if not found:
        raise _unknown(workspace, name)
    return found[0]


def id_of(workspace: Workspace, name: str) -> int:
    """Return the id of the segment of that name; raises ConfigError NAME_UNKNOWN."""
    query = sa.select(segments.c.id).where(
        segments.c.workspace_id == workspace.id, segments.c.name == name
    )
    with workspace.database.read() as connection:
        found = connection.scalar(query)
    if found is None:
        raise _unknown(workspace, name)
    return int(found)


def require(workspace: Workspace, wanted: SegmentSpec) -> None:
    """Raise ConfigError NAME_UNKNOWN if a sync's segment is not there and is not to be made."""
    if not wanted.create:
        segment(workspace, wanted.name)


def _segments(
    workspace: Workspace, wanted: sa.ColumnElement[bool], limit: int | None = None
) -> list[Segment]:
    inside = segment_members.c.segment_id == segments.c.id
    size = sa.select(sa.func.count()).where(inside).scalar_subquery()
    query = (
        sa.select(
            segments.c.id, segments.c.name, size, segments.c.created_at, segments.c.audience_uid
        )
        .where(segments.c.workspace_id == workspace.id, wanted)
        .order_by(segments.c.name)
        .limit(limit)
    )
    with workspace.database.read() as connection:
        return [Segment(*row) for row in connection.execute(query)]


def _unknown(workspace: Workspace, name: str) -> ConfigError:
    known = [one.name for one in list_segments(workspace)]
    return ConfigError(
        "NAME_UNKNOWN",
        f'There is no segment "{name}".{did_you_mean(name, known)}',
        mend="Make it: rowlift segments create NAME; a sync does with segment: {create: true}.",
    )


_MAKE = """
INSERT INTO segments (workspace_id, name, created_at) VALUES (:workspace, :name, :now)
ON CONFLICT DO NOTHING
"""


def make(connection: sa.Connection, workspace: Workspace, name: str) -> bool:
    """Make a segment unless it is there; return whether it was made."""
    if not is_segment_name(name):
        raise ConfigError(
            "VALUE_WRONG",
            "A segment's name has 1 to 128 printable characters and no space around them.",
            mend="Choose another name.",
        )
    return run(connection, _MAKE, workspace=workspace.id, name=name, now=time.time()) == 1


def members(workspace: Workspace, segment_id: int, limit: int, *, after: int = 0) -> list[Member]:
    """Return people of a segment in the order they became known, from the one after a pid."""
    inside, person = segment_members.c, people.c
    query = (
        sa.select(person.pid, person.id, person.email, inside.sync_uid, inside.entered_at)
        .join_from(segment_members, people, person.pid == inside.pid)
        .where(inside.segment_id == segment_id, inside.pid > after)
        .order_by(inside.pid)
        .limit(limit)
    )
    with workspace.database.read() as connection:
        return [Member(*row) for row in connection.execute(query)]


def segments_of(workspace: Workspace, pid: int) -> list[str]:
    """Return the names of the segments that a person is in."""
    query = (
        sa.select(segments.c.name)
        .join(segment_members, segment_members.c.segment_id == segments.c.id)
        .where(segment_members.c.pid == pid)
        .order_by(segments.c.name)
    )
    with workspace.database.read() as connection:
        return list(connection.scalars(query))


def memberships(workspace: Workspace, pid: int) -> list[Membership]:
    """Return the segments by name that a person is in, and those that they left, if remembered."""
    event, inside = events.c, segment_members.c
    moves = event.kind.in_((ENTERED, LEFT))
    newest = sa.select(sa.func.max(event.id)).where(event.pid == pid, moves)
    query = (
        sa.select(
            segments.c.name, segments.c.audience_uid, inside.sync_uid, inside.entered_at,
            event.kind, event.sync_uid.label("by"), event.run_id, event.at,
        )
        .outerjoin_from(
            segments, segment_members, (inside.segment_id == segments.c.id) & (inside.pid == pid)
        )
        .outerjoin(
            events,
            (event.segment_id == segments.c.id) & event.id.in_(newest.group_by(event.segment_id)),
        )
        .where(segments.c.workspace_id == workspace.id)
        .order_by(segments.c.name)
    )  # fmt: skip
    with workspace.database.read() as connection:
        found = connection.execute(query).mappings().all()
    return [one for row in found if (one := _membership(row))]


def _membership(row: sa.RowMapping) -> Membership | None:
    name, audience = row["name"], row["audience_uid"]
    if row["sync_uid"] is not None:
        run_id = row["run_id"] if row["kind"] == ENTERED else None
        return Membership(name, audience, row["sync_uid"], run_id, row["entered_at"])
    if row["kind"] == LEFT:
        return Membership(name, audience, row["by"], row["run_id"], None, row["at"])
    return None


def history(
    workspace: Workspace, segment_id: int, limit: int, *, after: int = 0, newest: bool = False
) -> list[Event]:
    """Return events of a segment in their order, from the one after a number, or the newest."""
    event, person = events.c, people.c
    query = (
        sa.select(
            event.id, event.kind, event.pid, person.id, person.email, event.sync_uid,
            event.run_id, event.at,
        )
        .join_from(events, people, person.pid == event.pid)
        .where(event.segment_id == segment_id, event.id > after)
        .order_by(event.id.desc() if newest else event.id)
        .limit(limit)
    )  # fmt: skip
    with workspace.database.read() as connection:
        return [Event(*row) for row in connection.execute(query)]


def find_people(
    connection: sa.Connection, workspace: Workspace, named: Sequence[str]
) -> dict[str, int]:
    """Return the numbers of people by what names them: an id, or else an address."""
    found = _look_up(connection, workspace, "id", list(named))
    keys = {one: email_key(one) for one in named if one not in found}
    owners = _look_up(connection, workspace, "email_key", list(keys.values()))
    return found | {one: owners[key] for one, key in keys.items() if key in owners}


def _look_up(
    connection: sa.Connection, workspace: Workspace, column: str, values: list[str]
) -> dict[str, int]:
    sql = f"SELECT {column}, pid FROM people WHERE workspace_id = :workspace AND "
    sql += any_of(connection, column, "values")
    return {
        str(value): int(pid)
        for value, pid in run_rows(connection, sql, workspace=workspace.id, values=values)
    }
