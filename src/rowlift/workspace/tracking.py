"""Events that people's messages told of: tracked calls, pages and screens."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import pyarrow as pa
import sqlalchemy as sa

from rowlift.workspace.rows import insert
from rowlift.workspace.tables import tracked
from rowlift.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a person: kind is track, page or screen; times are Unix seconds."""

    pid: int
    kind: str
    name: str
    properties: str
    message_id: str
    at: float
    received_at: float


_NAMES = [one.name for one in fields(Event)]


def add_events(connection: sa.Connection, workspace_id: int, events: Sequence[Event]) -> None:
    """Write events, in their order, as part of the caller's transaction."""
    if not events:
        return
    columns = {name: pa.array([getattr(one, name) for one in events]) for name in _NAMES}
    insert(connection, tracked.name, columns, {"workspace_id": workspace_id})


def events_of(workspace: Workspace, pid: int, limit: int) -> list[Event]:
    """Return what happened to a person, the newest first."""
    query = sa.select(*(tracked.c[name] for name in _NAMES)).where(
        tracked.c.pid == pid, tracked.c.workspace_id == workspace.id
    )
    newest = query.order_by(tracked.c.at.desc(), tracked.c.id.desc()).limit(limit)
    with workspace.database.read() as connection:
        return [Event(*row) for row in connection.execute(newest)]
