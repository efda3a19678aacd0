"""One slice of decided rows into the tables: plain writes by pid, all or nothing.

No unique key can fail within a slice as it was decided. When something else wrote to the same
people since, the slice is taken back to its savepoint and repeated without the rows concerned.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from rowlift.core.errors import StateError
from rowlift.core.nouns import Reject
from rowlift.workspace import conflicts
from rowlift.workspace.contributions import contribution
from rowlift.workspace.membership import follow
from rowlift.workspace.merges import absorb
from rowlift.workspace.rows import any_of, by_index, insert, is_sqlite, literal, many, run, stage
from rowlift.workspace.tables import slices
from rowlift.workspace.workspace import Workspace, Writer

_MOST_TRIES = 5

IDENTIFIERS = {
    "people": ("id", "email", "email_key"),
    "objects": ("object_type", "object_id"),
    "relationships": ("person_pid", "object_pid"),
}


class _Stale(Exception):
    """Fewer rows were there to change than the slice expects."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Decided rows of one slice; table is people, objects or relationships."""

    workspace: Workspace
    writer: Writer
    table: str
    rows: pa.Table


def write(
    connection: sa.Connection, given: Slice, refused: Mapping[str, Reject]
) -> tuple[Reject, ...]:
    """Write a slice and return, with those refused before, the rows that no longer could be."""
    late = dict(refused)
    for _ in range(_MOST_TRIES):
        part = _without(given, late)
        try:
            with connection.begin_nested(), by_index(connection):
                _write(connection, part)
            return tuple(late.values())
        except (sa.exc.IntegrityError, _Stale):
            late |= conflicts.find(connection, part.table, part.workspace.id, part.rows)
    raise StateError(
        "STATE_BUSY",
        "People were changed by somebody else faster than the run could write them.",
        mend="Run again: nothing was lost.",
    )


def checkpoint(
    connection: sa.Connection, writer: Writer, number: int, rows: int, late: tuple[Reject, ...]
) -> None:
    """Remember, in the slice's own transaction, that it was written."""
    told = [[each.row_number, each.identifier, each.code, each.reason] for each in late]
    connection.execute(
        slices.insert().values(
            run_id=writer.run_id, part=writer.part, number=number, rows=rows, late=json.dumps(told)
        )
    )


def written(connection: sa.Connection, writer: Writer) -> dict[int, tuple[Reject, ...]]:
    """Return the slices a run has committed, each with the rows that came too late."""
    of_run = (slices.c.run_id == writer.run_id, slices.c.part == writer.part)
    found = connection.execute(sa.select(slices).where(*of_run)).all()
    return {row.number: tuple(Reject(*each) for each in json.loads(row.late)) for row in found}


def _without(given: Slice, late: dict[str, Reject]) -> Slice:
    if not late:
        return given
    lost = pc.is_in(given.rows.column("key"), pa.array(list(late), pa.string()))
    rows = given.rows.filter(pc.invert(lost))
    return Slice(given.workspace, given.writer, given.table, rows)


def _write(connection: sa.Connection, part: Slice) -> None:
    people = part.table == "people"
    delete(connection, part.table, _pid_list(_by_action(part, "delete")))
    if people:
        _release(connection, part)
        if not absorb(connection, part.workspace.id, part.writer, part.rows):
            raise _Stale
    _clear(connection, part)
    _update(connection, part, takes=False)
    if people:
        _update(connection, part, takes=True)
    _create(connection, part)
    if people:
        _add_anonymous(connection, part)
        follow(connection, part.writer, part.rows)


def _by_action(part: Slice, *actions: str) -> pa.Table:
    chosen = pc.is_in(part.rows.column("action"), pa.array(actions))
    return part.rows if pc.all(chosen).as_py() else part.rows.filter(chosen)  # no copy of all


def _pid_list(rows: pa.Table) -> list[int]:
    return list(rows.column("pid").to_pylist())


# What goes with a record: tables, and their columns that name the record.
_BELONGINGS = {
    "people": (
        ("anonymous_ids", "pid"), ("relationships", "person_pid"), ("segment_members", "pid"),
        ("events", "pid"), ("tracked", "pid"), ("merges", "pid"), ("merges", "into_pid"),
        ("people", "pid"),
    ),
    "objects": (("relationships", "object_pid"), ("objects", "pid")),
    "relationships": (("relationships", "pid"),),
}  # fmt: skip


def delete(connection: sa.Connection, table: str, pids: list[int]) -> None:
    """Delete records of one table with what belongs to them."""
    for each, column in _BELONGINGS[table] if pids else ():
        chosen = any_of(connection, column, "pids")
        run(connection, f"DELETE FROM {each} WHERE {chosen}", pids=pids)


def _release(connection: sa.Connection, part: Slice) -> None:
    """Addresses that another row of the slice takes must be free before it does."""
    pids = _pid_list(part.rows.filter(part.rows.column("release")))
    if pids:
        chosen = any_of(connection, "pid", "pids")
        sql = f"UPDATE people SET email = NULL, email_key = NULL WHERE {chosen}"
        run(connection, sql, pids=pids)


def _clear(connection: sa.Connection, part: Slice) -> None:
    _change(connection, part, _by_action(part, "clear"), _VALUES, contributes=False)


def _update(connection: sa.Connection, part: Slice, *, takes: bool) -> None:
    rows = _by_action(part, "update")
    taking = rows.column("takes")
    rows = rows.filter(taking if takes else pc.invert(taking))
    names = ("id", "email", "email_key", *_VALUES) if takes else _VALUES
    _change(connection, part, rows, names, contributes=True)


_VALUES = ("attributes", "origins")


def _change(
    connection: sa.Connection,
    part: Slice,
    rows: pa.Table,
    names: tuple[str, ...],
    *,
    contributes: bool,
) -> None:
    if not len(rows):
        return
    values = {name: rows.column(name) for name in names}
    where = {name: rows.column(name) for name in ("pid", "revision")}
    shared = _shared(part.writer, contributes=contributes)
    change = _update_sqlite if is_sqlite(connection) else _update_postgresql
    if change(connection, part.table, values, where, shared) != len(rows):
        raise _Stale


# A writer makes a person known to others than the first one; its removals do not.
_SHARED = """sync_uid = {sync}, run_id = {run}, as_of = {as_of}, updated_at = {now},
    revision = t.revision + 1,
    other_writers = (t.other_writers OR t.first_writer <> {sync}),
    contributors = replace(t.contributors, {contributor}, '') || {contributed}"""


def _shared(writer: Writer, *, contributes: bool) -> str:
    contributor = literal(contribution(writer.sync_uid))
    return _SHARED.format(
        sync=literal(writer.sync_uid),
        run=literal(writer.run_id),
        as_of=literal(writer.as_of),
        now=literal(time.time()),
        contributor=contributor,
        contributed=contributor if contributes else "''",
    )


def _update_sqlite(
    connection: sa.Connection,
    table: str,
    values: dict[str, pa.Array],
    where: dict[str, pa.Array],
    shared: str,
) -> int:
    changes = ", ".join(f"{name} = ?" for name in values)
    sql = f"UPDATE {table} AS t SET {changes}, {shared} WHERE pid = ? AND revision = ?"
    return many(connection, sql, values | where)


_STAGED = """pid bigint, revision bigint, id text, email text, email_key text, attributes text,
    origins text"""


def _update_postgresql(
    connection: sa.Connection,
    table: str,
    values: dict[str, pa.Array],
    where: dict[str, pa.Array],
    shared: str,
) -> int:
    stage(connection, "slice_rows", _STAGED, where | values)
    changes = ", ".join(f"{name} = s.{name}" for name in values)
    return connection.exec_driver_sql(
        f"UPDATE {table} AS t SET {changes}, {shared} FROM slice_rows s"
        " WHERE t.pid = s.pid AND t.revision = s.revision"
    ).rowcount


def _create(connection: sa.Connection, part: Slice) -> None:
    rows = _by_action(part, "create")
    if len(rows):
        names = ("pid", *IDENTIFIERS[part.table], "attributes", "origins")
        columns = {name: rows.column(name) for name in names}
        insert(connection, part.table, columns, _constants(part))


def _constants(part: Slice) -> dict[str, object]:
    now = time.time()
    return {
        "workspace_id": part.workspace.id,
        "sync_uid": part.writer.sync_uid,
        "run_id": part.writer.run_id,
        "as_of": part.writer.as_of,
        "first_writer": part.writer.sync_uid,
        "other_writers": False,
        "contributors": contribution(part.writer.sync_uid),
        "revision": 1,
        "created_at": now,
        "updated_at": now,
    }


def _add_anonymous(connection: sa.Connection, part: Slice) -> None:
    rows = part.rows.filter(pc.is_valid(part.rows.column("anonymous_id")))
    if len(rows):
        columns = {name: rows.column(name) for name in ("anonymous_id", "pid")}
        insert(connection, "anonymous_ids", columns, {"workspace_id": part.workspace.id})
