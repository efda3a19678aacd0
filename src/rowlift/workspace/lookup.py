"""Reading people: marks for previews, one person's record, lists."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from rowlift.core.identifiers import email_key
from rowlift.workspace.rows import fetch
from rowlift.workspace.tables import anonymous_ids, people
from rowlift.workspace.workspace import Workspace

MARKS = pa.schema(
    [
        ("id", pa.string()),
        ("email_key", pa.string()),
        ("anonymous_id", pa.string()),
        ("first_writer", pa.string()),
        ("other_writers", pa.bool_()),
    ]
)

_MARKS = """
SELECT p.id, p.email_key, a.anonymous_id, p.first_writer, p.other_writers
FROM people p LEFT JOIN anonymous_ids a
    ON a.workspace_id = p.workspace_id AND a.pid = p.pid
WHERE p.workspace_id = :workspace
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who wrote an attribute last: the sync, its run, and the source's time in Unix seconds."""

    sync_uid: str
    run_id: int
    as_of: int


@dataclass(frozen=True, slots=True)
class Person:
    """One person; times are Unix seconds."""

    pid: int
    id: str | None
    email: str | None
    anonymous_ids: tuple[str, ...]
    attributes: Mapping[str, Any]
    origins: Mapping[str, Origin]
    first_writer: str
    other_writers: bool
    created_at: float
    updated_at: float


def marks(workspace: Workspace) -> pa.RecordBatchReader:
    """Stream everybody's identifiers with who made them known; one row per anonymous id.

    A person is made only by sync S if `first_writer` is S and `other_writers` is false. The
    database is read while the reader is.
    """

    def batches() -> Any:
        with workspace.database.read() as connection:
            yield from fetch(connection, _MARKS, {"workspace": workspace.id}, MARKS)

    return pa.RecordBatchReader.from_batches(MARKS, batches())


def count(workspace: Workspace, *, besides: str | None = None) -> int:
    """Return the number of people, or of those whom something besides one sync made known."""
    query = sa.select(sa.func.count()).where(people.c.workspace_id == workspace.id)
    if besides is not None:
        query = query.where((people.c.first_writer != besides) | people.c.other_writers)
    with workspace.database.read() as connection:
        return int(connection.execute(query).scalar_one())


def person_by_id(workspace: Workspace, value: str) -> Person | None:
    """Return the person with an id, or None."""
    return _first(workspace, people.c.id == value)


def person_by_email(workspace: Workspace, address: str) -> Person | None:
    """Return the person with an address, however it is spelled, or None."""
    return _first(workspace, people.c.email_key == email_key(address))


def person_by_anonymous_id(workspace: Workspace, value: str) -> Person | None:
    """Return the person with an anonymous id, or None."""
    owner = sa.select(anonymous_ids.c.pid).where(
        anonymous_ids.c.workspace_id == workspace.id, anonymous_ids.c.anonymous_id == value
    )
    return _first(workspace, people.c.pid.in_(owner))


def _first(workspace: Workspace, wanted: sa.ColumnElement[bool]) -> Person | None:
    found = _people(workspace, sa.select(people).where(wanted))
    return found[0] if found else None


def list_people(workspace: Workspace, limit: int, *, after: int = 0) -> list[Person]:
    """Return people in the order they became known, from the one after a pid."""
    query = sa.select(people).where(people.c.pid > after).order_by(people.c.pid).limit(limit)
    return _people(workspace, query)


def _people(workspace: Workspace, query: sa.Select[Any]) -> list[Person]:
    with workspace.database.read() as connection:
        found = connection.execute(query.where(people.c.workspace_id == workspace.id)).all()
        owned = connection.execute(
            sa.select(anonymous_ids.c.pid, anonymous_ids.c.anonymous_id)
            .where(anonymous_ids.c.pid.in_([row.pid for row in found]))
            .order_by(anonymous_ids.c.anonymous_id)
        ).all()
    return [_person(row, tuple(value for pid, value in owned if pid == row.pid)) for row in found]


def _person(row: Any, owned: tuple[str, ...]) -> Person:
    attributes = json.loads(row.attributes)
    return Person(
        pid=row.pid,
        id=row.id,
        email=row.email,
        anonymous_ids=owned,
        attributes=attributes,
        origins=dict.fromkeys(attributes, Origin(row.sync_uid, row.run_id, row.as_of))
        | dict(_earlier(row.origins)),
        first_writer=row.first_writer,
        other_writers=bool(row.other_writers),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _earlier(origins: str) -> list[tuple[str, Origin]]:
    return [
        (name, Origin(group["sync"], group["run"], group["as_of"]))
        for group in json.loads(origins)
        for name in group["names"]
    ]
