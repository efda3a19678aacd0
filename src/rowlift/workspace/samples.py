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
    ours = query.where(people.c.workspace_id == workspace.id)
    return _read(connection, ours.order_by(people.c.pid.desc()).limit(most))


def some_events(connection: sa.Connection, workspace: Workspace, most: int) -> Iterator[Example]:
    """Yield events that were received last: track, page or screen, and their names."""
    query = sa.select(tracked.c.kind, tracked.c.name, tracked.c.properties)
    ours = query.where(tracked.c.workspace_id == workspace.id)
    return _read(connection, ours.order_by(tracked.c.id.desc()).limit(most))


def some_objects(connection: sa.Connection, workspace: Workspace, most: int) -> Iterator[Example]:
    """Yield objects that were known last, with their types as names."""
    query = sa.select(sa.literal("object"), objects.c.object_type, objects.c.attributes)
    ours = query.where(objects.c.workspace_id == workspace.id)
    return _read(connection, ours.order_by(objects.c.pid.desc()).limit(most))


def some_relationships(
    connection: sa.Connection, workspace: Workspace, most: int
) -> Iterator[Example]:
    """Yield relationships that were known last."""
    query = sa.select(sa.literal("relationship"), sa.literal(""), relationships.c.attributes)
    ours = query.where(relationships.c.workspace_id == workspace.id)
    return _read(connection, ours.order_by(relationships.c.pid.desc()).limit(most))


def _read(connection: sa.Connection, query: sa.Select[str, str, str]) -> Iterator[Example]:
    return (Example(*row) for row in connection.execute(query))
