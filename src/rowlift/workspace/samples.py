"""Some of what a workspace holds, the newest of each kind, for who is about to ask for it.

Nothing of people who are suppressed is among it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from rowlift.workspace import suppression
from rowlift.workspace.tables import objects, people, relationships, tracked
from rowlift.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Example:
    """A record of a kind: of a type, or of that name; its values are a JSON text.

    `pid` is whose it is, 0 where it is nobody's.
    """

    pid: int
    kind: str
    name: str
    values: str


def some_people(connection: sa.Connection, workspace: Workspace, most: int) -> Iterator[Example]:
    """Yield people who were known last."""
    query = sa.select(people.c.pid, sa.literal("person"), sa.literal(""), people.c.attributes)
    return _newest(connection, query, people.c.workspace_id, workspace, people.c.pid, most)


def some_events(connection: sa.Connection, workspace: Workspace, most: int) -> Iterator[Example]:
    """Yield events that were received last: track, page or screen, and their names."""
    query = sa.select(tracked.c.pid, tracked.c.kind, tracked.c.name, tracked.c.properties)
    return _newest(connection, query, tracked.c.workspace_id, workspace, tracked.c.id, most)


def some_objects(connection: sa.Connection, workspace: Workspace, most: int) -> Iterator[Example]:
    """Yield objects that were known last, with their types as names."""
    query = sa.select(
        sa.literal(0), sa.literal("object"), objects.c.object_type, objects.c.attributes
    )
    return _newest(connection, query, objects.c.workspace_id, workspace, objects.c.pid, most)


def some_relationships(
    connection: sa.Connection, workspace: Workspace, most: int
) -> Iterator[Example]:
    """Yield relationships that were known last."""
    joining = relationships.c
    query = sa.select(
        joining.person_pid, sa.literal("relationship"), sa.literal(""), joining.attributes
    )
    return _newest(connection, query, joining.workspace_id, workspace, joining.pid, most)


def _newest(
    connection: sa.Connection,
    query: sa.Select[int, str, str, str],
    workspace_id: sa.Column[int],
    workspace: Workspace,
    number: sa.Column[int],
    most: int,
) -> Iterator[Example]:
    """Yield records from the last number on, without those of people who are suppressed."""
    # Plus 0, or SQLite takes an index on the workspace, and sorts all it has.
    ours = query.where(workspace_id + 0 == workspace.id)
    newest = connection.execute(ours.order_by(number.desc()).limit(most))
    found = [Example(*row) for row in newest]
    hidden = suppression.hidden(connection, workspace.id, [*{one.pid for one in found}])
    return (one for one in found if one.pid not in hidden)
