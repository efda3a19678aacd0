"""Who enters and leaves a segment, and the events that tell of it."""

import time

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from rowlift.workspace.rows import any_of, begin_with_staged, run, stage
from rowlift.workspace.workspace import Writer

ENTERED, TOUCHED, LEFT = "segment_entered", "segment_touched", "segment_left"
CHANGES = ("create", "update")
ENTRIES = (*CHANGES, "enter")
EXITS = ("clear", "leave")

_COMERS = "pid bigint, version bigint, is_change boolean"

_EVENTS = """
INSERT INTO events (kind, segment_id, pid, sync_uid, run_id, version, at)
SELECT :kind, :segment, c.pid, :sync, :run, c.version, :now FROM comers c
"""
# A run that failed is repeated with the same versions. NOT EXISTS would let PostgreSQL join, and
# go through all events of the sync for each person.
_TOUCH = f"""{_EVENTS}
JOIN segment_members m ON m.segment_id = :segment AND m.pid = c.pid
WHERE c.is_change AND (
    SELECT count(*) FROM events e WHERE e.pid = c.pid AND e.segment_id = :segment
        AND e.sync_uid = :sync AND e.version = c.version
) = 0
ORDER BY c.pid
"""
# Who was to enter may have been deleted since.
_ANNOUNCE = f"""{_EVENTS}
JOIN people p ON p.pid = c.pid
WHERE NOT EXISTS (
    SELECT 1 FROM segment_members m WHERE m.segment_id = :segment AND m.pid = c.pid
)
ORDER BY c.pid
"""
_ENTER = """
INSERT INTO segment_members (segment_id, pid, sync_uid, entered_at)
SELECT :segment, c.pid, :sync, :now FROM comers c JOIN people p ON p.pid = c.pid
WHERE TRUE ON CONFLICT DO NOTHING
"""
_BYE = """
INSERT INTO events (kind, segment_id, pid, sync_uid, run_id, at)
SELECT :kind, segment_id, pid, :by, :run, :now FROM segment_members WHERE
"""
_LEAVE = "DELETE FROM segment_members WHERE "


def follow(connection: sa.Connection, writer: Writer, rows: pa.Table) -> None:
    """Let people enter and leave the writer's segment as a slice's rows say.

    Only those leave whom the same sync put in.
    """
    if writer.segment_id is None:
        return
    leavers = _by_action(rows, EXITS).column("pid").to_pylist()
    if leavers:
        ours = "segment_id = :segment AND sync_uid = :by AND "
        _leave(connection, ours, leavers, writer.segment_id, writer.sync_uid, writer.run_id)
    comers = _by_action(rows, ENTRIES)
    if len(comers):
        is_change = pc.is_in(comers.column("action"), pa.array(CHANGES))
        _stage(connection, comers.column("pid"), comers.column("version"), is_change)
        _enter(connection, writer.segment_id, writer.sync_uid, writer.run_id)


def enter(connection: sa.Connection, segment_id: int, pids: list[int]) -> int:
    """Put people in by hand and return how many were not in it."""
    return _come(connection, segment_id, "", pids)


def leave(connection: sa.Connection, segment_id: int, pids: list[int]) -> int:
    """Take people out by hand, whoever put them in, and return how many that were."""
    return _leave(connection, "segment_id = :segment AND ", pids, segment_id)


def keep(
    connection: sa.Connection, segment_id: int, by: str, comers: list[int], leavers: list[int]
) -> tuple[int, int]:
    """Let people enter and leave an audience's segment, and return how many did of each."""
    left = entered = 0
    if leavers:
        left = _leave(connection, "segment_id = :segment AND ", leavers, segment_id, by)
    if comers:
        entered = _come(connection, segment_id, by, comers)
    return entered, left


def leave_all(connection: sa.Connection, pids: list[int]) -> None:
    """Take people out of every segment, whoever put them in."""
    _leave(connection, "", pids)


def _come(connection: sa.Connection, segment_id: int, by: str, pids: list[int]) -> int:
    versions = pa.nulls(len(pids), pa.int64())
    _stage(connection, pa.array(pids, pa.int64()), versions, pa.nulls(len(pids), pa.bool_()))
    return _enter(connection, segment_id, by, None)


def _leave(
    connection: sa.Connection, of: str, pids: list[int], segment_id: int | None = None,
    by: str = "", run_id: int | None = None,
) -> int:  # fmt: skip
    given = {"segment": segment_id, "by": by, "pids": pids}
    whom = of + any_of(connection, "pid", "pids")
    told = {"kind": LEFT, "run": run_id, "now": time.time()}
    run(connection, _BYE + whom, **given, **told)
    return run(connection, _LEAVE + whom, **given)


def _by_action(rows: pa.Table, actions: tuple[str, ...]) -> pa.Table:
    return rows.filter(pc.is_in(rows.column("action"), pa.array(actions)))


def _stage(
    connection: sa.Connection, pids: pa.Array, versions: pa.Array, is_change: pa.Array
) -> None:
    columns = {"pid": pids, "version": versions, "is_change": is_change}
    stage(connection, "comers", _COMERS, columns)
    begin_with_staged(connection)


def _enter(connection: sa.Connection, segment_id: int, sync_uid: str, run_id: int | None) -> int:
    given = {"segment": segment_id, "sync": sync_uid, "now": time.time()}
    run(connection, _TOUCH, kind=TOUCHED, run=run_id, **given)
    run(connection, _ANNOUNCE, kind=ENTERED, run=run_id, **given)
    return run(connection, _ENTER, **given)
