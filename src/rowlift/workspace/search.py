"""People whose identifiers begin with a text, and objects of one type; all found by an index."""

from collections.abc import Iterator, Mapping

import sqlalchemy as sa

from rowlift.core.identifiers import email_key
from rowlift.workspace.records import Object, Person, objects_where, people_where
from rowlift.workspace.tables import anonymous_ids, objects, people
from rowlift.workspace.workspace import Workspace

_LAST = "\U0010ffff"  # the last character there is
MOST_COUNTED = 10_000


# Where an identifier of each kind stands, and what is asked of it first.
_WAYS = {
    "id": (people, people.c.id, people.c.id),
    "email": (people, people.c.email_key, people.c.email_key),
    "anonymous_id": (anonymous_ids, anonymous_ids.c.anonymous_id, anonymous_ids.c.pid),
}


def people_beginning(
    workspace: Workspace, beginnings: Mapping[str, str], limit: int
) -> list[Person]:
    """Return people one of whose identifiers begins so, by its kind: id, email, anonymous_id."""
    found: dict[int, Person] = {}
    for kind, text in beginnings.items():
        table, column, key = _WAYS[kind]
        beginning = email_key(text) if kind == "email" else text
        with workspace.database.read() as connection:
            query = _beginning(connection, workspace, table, column, beginning)
            # Only what the index holds is asked for, so that no row of the table is read.
            names = list(connection.scalars(query.with_only_columns(key).limit(limit)))
        if not names:  # SQLite looks at everybody for those of an empty list
            continue
        wanted = people.c.pid if table is anonymous_ids else column
        for one in people_where(workspace, wanted.in_(names)):
            found.setdefault(one.record.pid, one)
    return list(found.values())[:limit]


def objects_beginning(
    workspace: Workspace, object_type: str, text: str, limit: int, *, after: str = ""
) -> list[Object]:
    """Return objects of a type by id, those that begin with a text, from the one after an id."""
    column = objects.c.object_id
    with workspace.database.read() as connection:
        query = _beginning(connection, workspace, objects, column, text)
        mine = query.where(objects.c.object_type == object_type, column > after)
        ids = list(connection.scalars(mine.with_only_columns(column).limit(limit)))
    if not ids:
        return []
    found = objects_where(workspace, objects.c.object_type == object_type, column.in_(ids))
    place = {one: at for at, one in enumerate(ids)}
    return sorted(found, key=lambda one: place[one.object_id])


def object_types(workspace: Workspace) -> list[tuple[str, int]]:
    """Return the types of objects, and how many there are of each, up to 10,000."""
    mine = objects.c.workspace_id == workspace.id
    with workspace.database.read() as connection:
        return [
            (one, _counted(connection, sa.and_(mine, objects.c.object_type == one)))
            for one in _types(connection, mine)
        ]


def _types(connection: sa.Connection, mine: sa.ColumnElement[bool]) -> Iterator[str]:
    """Yield each type by a look into the index, not by reading every object."""
    column = objects.c.object_type
    newest = connection.scalar(sa.select(sa.func.min(column)).where(mine))
    while newest is not None:
        yield newest
        newest = connection.scalar(sa.select(sa.func.min(column)).where(mine, column > newest))


def _counted(connection: sa.Connection, wanted: sa.ColumnElement[bool]) -> int:
    some = sa.select(objects.c.object_id).where(wanted).limit(MOST_COUNTED).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def _beginning(
    connection: sa.Connection,
    workspace: Workspace,
    table: sa.Table,
    column: sa.Column[str],
    text: str,
) -> sa.Select[str]:
    """Select by an index; PostgreSQL's own order of texts is no order of their beginnings."""
    query = sa.select(column).where(table.c.workspace_id == workspace.id).order_by(column)
    if connection.dialect.name == "sqlite":
        return query.where(column >= text, column < text + _LAST)
    return query.where(sa.func.starts_with(column, text))
