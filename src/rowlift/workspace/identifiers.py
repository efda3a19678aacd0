"""Who is known: identifiers and records of people and objects, read for a whole run at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from rowlift.workspace.rows import any_of, by_index, fetch, of_texts, run_rows

CHUNK = 20_000  # values per look-up

PEOPLE = pa.schema(
    [
        ("pid", pa.int64()),
        ("id", pa.string()),
        ("email_key", pa.string()),
        ("revision", pa.int64()),
    ]
)
ANONYMOUS = pa.schema([("anonymous_id", pa.string()), ("pid", pa.int64())])
OBJECTS = pa.schema(
    [
        ("pid", pa.int64()),
        ("object_type", pa.string()),
        ("object_id", pa.string()),
        ("revision", pa.int64()),
    ]
)
RELATIONSHIPS = pa.schema(
    [
        ("pid", pa.int64()),
        ("person_pid", pa.int64()),
        ("object_pid", pa.int64()),
        ("revision", pa.int64()),
    ]
)
RECORDS = pa.schema(
    [
        ("pid", pa.int64()),
        ("attributes", pa.string()),
        ("origins", pa.string()),
        ("sync_uid", pa.string()),
        ("run_id", pa.int64()),
        ("as_of", pa.int64()),
        ("email", pa.string()),
    ]
)
WHOLE_PEOPLE = pa.schema([*PEOPLE, *(field for field in RECORDS if field.name != "pid")])


@dataclass(frozen=True, slots=True)
class Named:
    """The identifiers a run's rows name, when they are few enough to be looked up one by one."""

    ids: Sequence[str]
    email_keys: Sequence[str]
    anonymous_ids: Sequence[str]


def anybody(connection: sa.Connection, workspace_id: int) -> bool:
    """Tell whether the workspace knows any person."""
    sql = "SELECT pid FROM people WHERE workspace_id = :workspace LIMIT 1"
    return bool(run_rows(connection, sql, workspace=workspace_id))


def people(
    connection: sa.Connection,
    workspace_id: int,
    named: Named | None = None,
    schema: pa.Schema = PEOPLE,
) -> Iterator[pa.RecordBatch]:
    """Stream everybody, or those whom the identifiers name; some may come more than once.

    With the schema WHOLE_PEOPLE what is stored of them comes too.
    """
    select = _select("people", schema)
    if named is None:
        yield from fetch(connection, select, {"workspace": workspace_id}, schema)
        return
    for column, values in (("id", named.ids), ("email_key", named.email_keys)):
        yield from _looked_up(connection, workspace_id, select, column, values, schema)
    owners = [
        pid
        for batch in anonymous(connection, workspace_id, named)
        for pid in batch.column("pid").to_pylist()
    ]
    yield from _by_pid(connection, workspace_id, select, owners, schema)


def anonymous(
    connection: sa.Connection, workspace_id: int, named: Named | None = None
) -> Iterator[pa.RecordBatch]:
    """Stream all anonymous ids with their people, or those that are named."""
    select = _select("anonymous_ids", ANONYMOUS)
    if named is None:
        return fetch(connection, select, {"workspace": workspace_id}, ANONYMOUS)
    return _looked_up(
        connection, workspace_id, select, "anonymous_id", named.anonymous_ids, ANONYMOUS
    )


def anonymous_of(
    connection: sa.Connection, workspace_id: int, people: Sequence[int]
) -> Iterator[pa.RecordBatch]:
    """Stream the anonymous ids of some people."""
    select = _select("anonymous_ids", ANONYMOUS)
    return _by_pid(connection, workspace_id, select, people, ANONYMOUS)


def objects(
    connection: sa.Connection,
    workspace_id: int,
    object_type: str,
    ids: Sequence[str] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Stream the objects of one type, all or those that are named."""
    select = _select("objects", OBJECTS) + " AND object_type = :type"
    if ids is None:
        parameters = {"workspace": workspace_id, "type": object_type}
        return fetch(connection, select, parameters, OBJECTS)
    return _looked_up(connection, workspace_id, select, "object_id", ids, OBJECTS, type=object_type)


def relationships(
    connection: sa.Connection, workspace_id: int, people: Sequence[int]
) -> Iterator[pa.RecordBatch]:
    """Stream the relationships of some people."""
    select = _select("relationships", RELATIONSHIPS)
    return _looked_up(connection, workspace_id, select, "person_pid", people, RELATIONSHIPS)


def records(
    connection: sa.Connection, workspace_id: int, table: str, pids: Sequence[int]
) -> Iterator[pa.RecordBatch]:
    """Stream attributes and where they come from; email is NULL for all but people."""
    select = _select(table, RECORDS)
    if table != "people":
        select = select.replace("email", "NULL AS email")
    return _by_pid(connection, workspace_id, select, pids, RECORDS)


def _select(table: str, schema: pa.Schema) -> str:
    return f"SELECT {', '.join(schema.names)} FROM {table} WHERE workspace_id = :workspace"


def _by_pid(
    connection: sa.Connection,
    workspace_id: int,
    select: str,
    pids: Sequence[int],
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    # Plus 0, or SQLite takes an index on the workspace and looks at all of it.
    select = select.replace("workspace_id =", "workspace_id + 0 =")
    return _looked_up(connection, workspace_id, select, "pid", pids, schema)


def _looked_up(
    connection: sa.Connection,
    workspace_id: int,
    select: str,
    column: str,
    values: Sequence[Any],
    schema: pa.Schema,
    **parameters: str,
) -> Iterator[pa.RecordBatch]:
    if pa.types.is_string(schema.field(column).type):
        sql = of_texts(connection, select, column, "chunk")
    else:
        sql = f"{select} AND {any_of(connection, column, 'chunk')}"
    unique = list(dict.fromkeys(values))
    with by_index(connection):
        for start in range(0, len(unique), CHUNK):
            chunk = unique[start : start + CHUNK]
            given = {"workspace": workspace_id, "chunk": chunk, **parameters}
            yield from fetch(connection, sql, given, schema)
