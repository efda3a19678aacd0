"""One person, object or relationship at a time, found through an index; and pages of them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rowlift.core.identifiers import email_key
from rowlift.workspace.contributions import contributors
from rowlift.workspace.tables import anonymous_ids, objects, people, relationships
from rowlift.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Origin:
    """Who wrote an attribute last: the sync, its run, and the source's time in Unix seconds."""

    sync_uid: str
    run_id: int
    as_of: int


@dataclass(frozen=True, slots=True)
class Record:
    """Attributes with where each comes from, and since when they are known in Unix seconds.

    The uids of `contributors` are of the syncs that wrote it and have not taken that back.
    """

    pid: int
    attributes: Mapping[str, Any]
    origins: Mapping[str, Origin]
    first_writer: str
    other_writers: bool
    contributors: tuple[str, ...]
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class Person:
    """One person."""

    id: str | None
    email: str | None
    anonymous_ids: tuple[str, ...]
    record: Record


@dataclass(frozen=True, slots=True)
class Object:
    """One object; accounts are of type 1."""

    object_type: str
    object_id: str
    record: Record


@dataclass(frozen=True, slots=True)
class Relationship:
    """What joins a person and an object, each by its identifiers."""

    id: str | None
    email: str | None
    object_type: str
    object_id: str
    record: Record


def person_by_id(workspace: Workspace, value: str) -> Person | None:
    """Return the person with an id, or None."""
    return _person(workspace, people.c.id == value)


def person_by_email(workspace: Workspace, address: str) -> Person | None:
    """Return the person with an address, however it is spelled, or None."""
    return _person(workspace, people.c.email_key == email_key(address))


def person_by_anonymous_id(workspace: Workspace, value: str) -> Person | None:
    """Return the person with an anonymous id, or None."""
    owner = sa.select(anonymous_ids.c.pid).where(
        anonymous_ids.c.workspace_id == workspace.id, anonymous_ids.c.anonymous_id == value
    )
    return _person(workspace, people.c.pid == owner.scalar_subquery())


def list_people(workspace: Workspace, limit: int, *, after: int = 0) -> list[Person]:
    """Return people in the order they became known, from the one after a pid."""
    return _people(workspace, *_page(workspace, people, after), limit=limit)


def object_by_id(workspace: Workspace, object_type: str, object_id: str) -> Object | None:
    """Return an object by its type and id, or None."""
    wanted = sa.and_(objects.c.object_type == object_type, objects.c.object_id == object_id)
    found = objects_where(workspace, wanted)
    return found[0] if found else None


def list_objects(workspace: Workspace, limit: int, *, after: int = 0) -> list[Object]:
    """Return objects in the order they became known, from the one after a pid."""
    return _objects(workspace, *_page(workspace, objects, after), limit=limit)


def people_where(workspace: Workspace, wanted: sa.ColumnElement[bool]) -> list[Person]:
    """Return the people who meet a condition."""
    return _people(workspace, people.c.workspace_id == workspace.id, wanted)


def objects_where(workspace: Workspace, *wanted: sa.ColumnElement[bool]) -> list[Object]:
    """Return the objects that meet all conditions."""
    return _objects(workspace, objects.c.workspace_id == workspace.id, *wanted)


def relationships_of(
    workspace: Workspace, limit: int, *, person: int | None = None, thing: int | None = None
) -> tuple[list[Relationship], int]:
    """Return the first relationships of a person or an object, and how many there are."""
    wanted = (
        relationships.c.person_pid == person
        if person is not None
        else relationships.c.object_pid == thing
    )
    query = (
        sa.select(
            people.c.id, people.c.email, objects.c.object_type, objects.c.object_id, relationships
        )
        .join_from(relationships, people, people.c.pid == relationships.c.person_pid)
        .join(objects, objects.c.pid == relationships.c.object_pid)
        .where(wanted, relationships.c.workspace_id == workspace.id)
    )
    counted = sa.select(sa.func.count()).select_from(relationships).where(wanted)
    with workspace.database.read() as connection:
        found = connection.execute(query.order_by(relationships.c.pid).limit(limit)).all()
        total = len(found) if len(found) < limit else connection.execute(counted).scalar_one()
    return [_relationship(row) for row in found], total


def _page(
    workspace: Workspace, table: sa.Table, after: int
) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    # Plus 0, or SQLite takes an index on the workspace and sorts all of it for each page.
    return table.c.pid > after, table.c.workspace_id + 0 == workspace.id


def _person(workspace: Workspace, wanted: sa.ColumnElement[bool]) -> Person | None:
    found = people_where(workspace, wanted)
    return found[0] if found else None


def _people(
    workspace: Workspace, *wanted: sa.ColumnElement[bool], limit: int | None = None
) -> list[Person]:
    query = sa.select(people).where(*wanted)
    with workspace.database.read() as connection:
        found = connection.execute(query.order_by(people.c.pid).limit(limit)).all()
        owned = _owned(connection, [row.pid for row in found])
    return [Person(row.id, row.email, owned.get(row.pid, ()), _record(row)) for row in found]


def _owned(connection: sa.Connection, pids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    query = sa.select(anonymous_ids.c.pid, anonymous_ids.c.anonymous_id)
    owned: dict[int, tuple[str, ...]] = {}
    for pid, value in connection.execute(
        query.where(anonymous_ids.c.pid.in_(pids)).order_by(anonymous_ids.c.anonymous_id)
    ):
        owned[pid] = (*owned.get(pid, ()), value)
    return owned


def _objects(
    workspace: Workspace, *wanted: sa.ColumnElement[bool], limit: int | None = None
) -> list[Object]:
    query = sa.select(objects).where(*wanted)
    with workspace.database.read() as connection:
        found = connection.execute(query.order_by(objects.c.pid).limit(limit)).all()
    return [Object(row.object_type, row.object_id, _record(row)) for row in found]


def _relationship(row: Any) -> Relationship:
    return Relationship(row.id, row.email, row.object_type, row.object_id, _record(row))


def _record(row: Any) -> Record:
    attributes = json.loads(row.attributes)
    return Record(
        pid=row.pid,
        attributes=attributes,
        origins=dict.fromkeys(attributes, Origin(row.sync_uid, row.run_id, row.as_of))
        | dict(_earlier(row.origins)),
        first_writer=row.first_writer,
        other_writers=bool(row.other_writers),
        contributors=contributors(row.contributors),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _earlier(origins: str) -> Iterable[tuple[str, Origin]]:
    for group in json.loads(origins):
        origin = Origin(group["sync"], group["run"], group["as_of"])
        yield from ((name, origin) for name in group["names"])
