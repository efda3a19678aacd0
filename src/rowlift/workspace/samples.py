"""Some of what a workspace holds, the newest of each kind, for who is about to ask for it."""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from rowlift.workspace.tables import objects, people, relationships, tracked
from rowlift.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Example:
    """A record of a kind: of a type, or of that name; its values are a JSON text."""

    kind: str
    name: str
    values: str


def some_people(connection: sa.Connection, workspace: Workspace, most: int) -> Iterator[Example]:
    """Yield people who were known last."""
    query = sa.select(sa.literal("person"), sa.literal(""), people.c.attributes)
    return _newest(connection, query, people.c.workspace_id, workspace, people.c.pid, most)


def some_events(connection: sa.Connection, workspace: Workspace, most: int) -> Iterator[Example]:
    """Yield events that were received last: track, page or screen, and their names."""
    query = sa.select(tracked.c.kind, tracked.c.name, tracked.c.properties)
    return _newest(connection, query, tracked.c.workspace_id, workspace, tracked.c.id, most)


def some_objects(connection: sa.Connection, workspace: Workspace, most: int) -> Iterator[Example]:
    """Yield objects that were known last, with their types as names."""
    query = sa.select(sa.literal("object"), objects.c.object_type, objects.c.attributes)
    return _newest(connection, query, objects.c.workspace_id, workspace, objects.c.pid, most)


def some_relationships(
    connection: sa.Connection, workspace: Workspace, most: int
) -> Iterator[Example]:
    """Yield relationships that were known last."""
    query = sa.select(sa.literal("relationship"), sa.literal(""), relationships.c.attributes)
    return _newest(
        connection, query, relationships.c.workspace_id, workspace, relationships.c.pid, most
    )


def _newest(
    connection: sa.Connection,
    query: sa.Select[str, str, str],
    workspace_id: sa.Column[int],
    workspace: Workspace,
    number: sa.Column[int],
    most: int,
) -> Iterator[Example]:
    """Yield records from the last number on."""
    # Plus 0, or SQLite takes an index on the workspace, and sorts all it has.
    ours = query.where(workspace_id + 0 == workspace.id)
    found = connection.execute(ours.order_by(number.desc()).limit(most))
    return (Example(*row) for row in found)
