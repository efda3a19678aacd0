"""Events that people's messages told of: tracked calls, pages and screens.

They are numbered as they came: whoever knows a number has seen all up to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from rowlift.workspace.rows import any_of, insert, run_rows
from rowlift.workspace.tables import tracked
from rowlift.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a person: kind is track, page or screen; times are Unix seconds.

    It has a number once it is kept.
    """

    pid: int
    kind: str
    name: str
    properties: str
    message_id: str
    at: float
    received_at: float
    number: int = 0


@dataclass(frozen=True, slots=True)
class Numbered:
    """An event with its number."""

    number: int
    event: Event


@dataclass(frozen=True, slots=True)
class Doer:
    """Whom events are of; attributes are canonical JSON text."""

    pid: int
    id: str | None
    email: str | None
    attributes: str
    anonymous_ids: tuple[str, ...]


_NAMES = [one.name for one in fields(Event) if one.name != "number"]
_DEVICES = "SELECT pid, anonymous_id FROM anonymous_ids WHERE {pids} ORDER BY anonymous_id"
_PEOPLE = """
SELECT pid, id, email, attributes FROM people WHERE {pids} AND workspace_id + 0 = :workspace
"""


def add_events(connection: sa.Connection, workspace_id: int, events: Sequence[Event]) -> None:
    """Write events, in their order, as part of the caller's transaction."""
    if not events:
        return
    columns = {name: pa.array([getattr(one, name) for one in events]) for name in _NAMES}
    insert(connection, tracked.name, columns, {"workspace_id": workspace_id})


def events_of(
    workspace: Workspace, pid: int, limit: int, before: tuple[float, int] | None = None
) -> list[Event]:
    """Return what happened to a person, the newest first, from the one before a moment and number.

    Of one moment those that came later are the newer ones.
    """
    query = sa.select(*(tracked.c[name] for name in (*_NAMES, "id"))).where(
        tracked.c.pid == pid, tracked.c.workspace_id == workspace.id
    )
    if before:
        query = query.where(sa.tuple_(tracked.c.at, tracked.c.id) < sa.tuple_(*before))
    newest = query.order_by(tracked.c.at.desc(), tracked.c.id.desc()).limit(limit)
    with workspace.database.read() as connection:
        return [Event(*row) for row in connection.execute(newest)]


def last_before(workspace: Workspace, moment: float) -> int:
    """Return the number of the last event that came before a moment, or 0."""
    query = sa.select(tracked.c.id).where(
        tracked.c.workspace_id == workspace.id, tracked.c.received_at < moment
    )
    with workspace.database.read() as connection:
        return connection.scalar(query.order_by(tracked.c.id.desc()).limit(1)) or 0


def number_of(workspace: Workspace, message_id: str) -> int | None:
    """Return the number of the first event that came under a message id, if one is kept."""
    query = sa.select(sa.func.min(tracked.c.id)).where(
        tracked.c.workspace_id == workspace.id, tracked.c.message_id == message_id
    )
    with workspace.database.read() as connection:
        found: int | None = connection.scalar(query)
    return found


def newest(connection: sa.Connection, workspace_id: int) -> int:
    """Return the number of the newest event, or 0."""
    query = sa.select(tracked.c.id).where(tracked.c.workspace_id == workspace_id)
    return connection.scalar(query.order_by(tracked.c.id.desc()).limit(1)) or 0


def count_after(workspace: Workspace, number: int) -> int:
    """Return how many events came after one."""
    query = sa.select(sa.func.count()).where(
        tracked.c.workspace_id == workspace.id, tracked.c.id > number
    )
    with workspace.database.read() as connection:
        return int(connection.scalar(query) or 0)


def last_within(connection: sa.Connection, workspace_id: int, after: int, most: int) -> int:
    """Return the number of the last of the next events, at most so many; `after` if none came."""
    mine = (tracked.c.workspace_id == workspace_id, tracked.c.id > after)
    following = sa.select(tracked.c.id).where(*mine).order_by(tracked.c.id).limit(most).subquery()
    return connection.scalar(sa.select(sa.func.max(following.c.id))) or after


def events_within(
    connection: sa.Connection,
    workspace_id: int,
    after: int,
    upto: int,
    types: Sequence[str],
    names: Sequence[str],
) -> list[Numbered]:
    """Return the events between two numbers, of some types, and of some names unless none is given.

    They come in their order.
    """
    query = sa.select(tracked.c.id, *(tracked.c[name] for name in _NAMES)).where(
        tracked.c.workspace_id == workspace_id,
        tracked.c.id > after,
        tracked.c.id <= upto,
        tracked.c.kind.in_(types),
    )
    if names:
        query = query.where(tracked.c.name.in_(names))
    found = connection.execute(query.order_by(tracked.c.id))
    return [Numbered(row[0], Event(*row[1:])) for row in found]


def doers(connection: sa.Connection, workspace_id: int, pids: Sequence[int]) -> dict[int, Doer]:
    """Return people by number, with what names them."""
    anonymous: dict[int, list[str]] = {}
    for pid, name in run_rows(connection, _chosen(connection, _DEVICES), pids=list(pids)):
        anonymous.setdefault(pid, []).append(name)
    found = run_rows(
        connection, _chosen(connection, _PEOPLE), workspace=workspace_id, pids=list(pids)
    )
    return {row[0]: _doer(row, anonymous) for row in found}


def _doer(row: Sequence[Any], anonymous: Mapping[int, Sequence[str]]) -> Doer:
    pid, id_, email, attributes = row
    return Doer(pid, id_, email, attributes, tuple(anonymous.get(pid, ())))


def _chosen(connection: sa.Connection, query: str) -> str:
    return query.format(pids=any_of(connection, "pid", "pids"))
