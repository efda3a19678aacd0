"""Forget old events, and the checkpoints of runs that are over."""

import sqlalchemy as sa

from rowlift.core.specs import RetentionSpec
from rowlift.workspace.rows import any_of, run, run_rows
from rowlift.workspace.workspace import Workspace

LARGEST = 2**63 - 1  # number of an event
MOST_EVENTS = 20_000  # in one transaction
MOST_RUNS = 200  # whose checkpoints go in one transaction

# Events are numbered as they happen, so the old ones are the first.
_EVENTS = """
SELECT id FROM (
    SELECT id, at FROM events
    WHERE segment_id IN (SELECT id FROM segments WHERE workspace_id = :workspace)
    ORDER BY id LIMIT :most
) oldest WHERE at < :before
"""
_TRACKED = """
SELECT id FROM (
    SELECT id, received_at FROM tracked WHERE workspace_id = :workspace ORDER BY id LIMIT :most
) oldest WHERE received_at < :before AND id <= :wanted
"""
_OVER = """
SELECT DISTINCT s.run_id FROM slices s LEFT JOIN runs r ON r.id = s.run_id
WHERE r.id IS NULL
    OR (r.workspace_id = :workspace AND r.active IS NULL AND r.finished_at < :before)
LIMIT :most
"""


def prune_workspace(
    workspace: Workspace, keep: RetentionSpec, now: float, wanted: int = LARGEST
) -> dict[str, int]:
    """Forget some of what is old and return how many events went; 0 when nothing is left.

    What people did stays, however old, beyond the number up to which it is not `wanted` any more.
    """
    with workspace.database.read() as connection:
        events = _chosen(connection, _EVENTS, workspace.id, MOST_EVENTS, now - keep.events)
        tracked = _chosen(
            connection, _TRACKED, workspace.id, MOST_EVENTS, now - keep.events, wanted=wanted
        )
        over = _chosen(connection, _OVER, workspace.id, MOST_RUNS, now - keep.batches)
    if events or tracked or over:
        with workspace.database.transaction("prune.workspace") as connection:
            _forget(connection, "events", "id", events)
            _forget(connection, "tracked", "id", tracked)
            _forget(connection, "slices", "run_id", over)
    return {"events": len(events) + len(tracked)}


def _chosen(
    connection: sa.Connection, query: str, workspace_id: int, most: int, before: float, **more: int
) -> list[int]:
    found = run_rows(connection, query, workspace=workspace_id, most=most, before=before, **more)
    return [number for (number,) in found]


def _forget(connection: sa.Connection, table: str, column: str, numbers: list[int]) -> None:
    run(connection, f"DELETE FROM {table} WHERE {any_of(connection, column, 'gone')}", gone=numbers)
