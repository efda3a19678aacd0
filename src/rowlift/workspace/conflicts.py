"""Which rows of a slice no longer fit the tables, because somebody wrote after the decision."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from rowlift.core.nouns import Reject
from rowlift.workspace.identifiers import CHUNK
from rowlift.workspace.rows import any_of, run_rows
from rowlift.workspace.suppression import KINDS, finder, identifier

_WRITES = ("create", "update", "enter")
_TAKEN = {
    "id": ("people", "ID_TAKEN"),
    "email_key": ("people", "EMAIL_TAKEN"),
    "anonymous_id": ("anonymous_ids", "ANONYMOUS_ID_TAKEN"),
}


def find(
    connection: sa.Connection, table: str, workspace_id: int, rows: pa.Table
) -> dict[str, Reject]:
    """Return the rejects by key; the rows whose changes were counted on go with them."""
    held = [row for row in rows.to_pylist() if row["action"] != "delete"]
    late = dict(_changed(connection, table, workspace_id, held))
    if table != "people":
        late |= _made_meanwhile(connection, table, workspace_id, held)
        return late
    gone = {row["pid"] for row in rows.to_pylist() if row["action"] == "delete"}
    while True:
        left = [row for row in held if row["key"] not in late]
        free = gone | {row["pid"] for row in left if row["release"]}
        more = dict(_taken(connection, workspace_id, left, free))
        if not more:
            return late
        late |= more


def find_suppressed(
    connection: sa.Connection, workspace_id: int, rows: pa.Table, own: str
) -> dict[str, Reject]:
    """Return the rejects by key of people who were suppressed since; `own` is the kind of keys."""
    is_suppressed = finder(connection, workspace_id)
    reason = "The person was suppressed while the run was writing."
    return {
        row["key"]: _reject(row, "PERSON_SUPPRESSED", reason)
        for row in rows.to_pylist()
        if row["action"] in _WRITES and is_suppressed(_identifiers(row, own))
    }


def _identifiers(row: Mapping[str, Any], own: str) -> Iterator[str]:
    if "person_pid" in row:
        yield identifier(own, json.loads(row["key"])[-1])
    elif "email_key" in row:
        yield identifier(own, row["key"])
        yield from (identifier(kind, row[kind]) for kind in KINDS if row[kind])


def _changed(
    connection: sa.Connection, table: str, workspace_id: int, rows: list[dict[str, Any]]
) -> Iterator[tuple[str, Reject]]:
    decided = {
        row["key"]: {row["pid"]: row["revision"]} | _strangers(row)
        for row in rows
        if row["action"] in ("update", "clear")
    }
    pids = [pid for revisions in decided.values() for pid in revisions]
    now = dict(_look_up(connection, table, workspace_id, "pid", pids, "revision"))
    for row in rows:
        revisions = decided.get(row["key"], {})
        if any(now.get(pid) != revision for pid, revision in revisions.items()):
            reason = "The record was changed while the run was writing."
            yield row["key"], _reject(row, "RECORD_CHANGED", reason)


def _strangers(row: dict[str, Any]) -> dict[int, int]:
    return {one["pid"]: one["revision"] for one in row.get("merged") or ()}


_ENDS = {"objects": ("object_id", "object_type"), "relationships": ("person_pid", "object_pid")}


def _made_meanwhile(
    connection: sa.Connection, table: str, workspace_id: int, rows: list[dict[str, Any]]
) -> dict[str, Reject]:
    first, second = _ENDS[table]
    creates = {(row[first], row[second]): row for row in rows if row["action"] == "create"}
    wanted = sorted({ends[0] for ends in creates})
    known = _look_up(connection, table, workspace_id, first, wanted, second)
    reason = "It was made by somebody else while the run was writing."
    late = [creates[ends] for ends in known if ends in creates]
    return {row["key"]: _reject(row, "RECORD_CHANGED", reason) for row in late}


def _taken(
    connection: sa.Connection, workspace_id: int, rows: list[dict[str, Any]], free: set[int]
) -> Iterator[tuple[str, Reject]]:
    for column, (table, code) in _TAKEN.items():
        claims = {row[column]: row for row in rows if row[column] and _claims(row, column)}
        owners = _look_up(connection, table, workspace_id, column, list(claims), "pid")
        for value, owner in owners:
            row = claims[value]
            if owner not in free and (column == "anonymous_id" or owner != row["pid"]):
                reason = f"{value} was given to somebody else while the run was writing."
                yield row["key"], _reject(row, code, reason)


def _claims(row: dict[str, Any], column: str) -> bool:
    return bool(row["takes"]) or column == "anonymous_id"


def _reject(row: dict[str, Any], code: str, reason: str) -> Reject:
    return Reject(row["row_number"], row["key"], code, reason)


def _look_up(
    connection: sa.Connection,
    table: str,
    workspace_id: int,
    column: str,
    values: Sequence[Any],
    wanted: str,
) -> list[tuple[Any, Any]]:
    sql = f"SELECT {column}, {wanted} FROM {table} WHERE workspace_id = :workspace AND "
    sql += any_of(connection, column, "chunk")
    return [
        pair
        for start in range(0, len(values), CHUNK)
        for pair in run_rows(
            connection, sql, workspace=workspace_id, chunk=list(values[start : start + CHUNK])
        )
    ]
