"""What former runs took: the past that an estimate goes by."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rowlift.core.nouns import Status
from rowlift.db import Database
from rowlift.state.runs import ERASURE, WHOLE
from rowlift.state.tables import deliveries, runs

_DONE = (Status.COMPLETED.value, Status.SOME_ROWS_FAILED.value)


@dataclass(frozen=True, slots=True)
class Carried:
    """A run that came to its end: the query it asked, how many rows it read, and its seconds."""

    sync_uid: str
    sql: str
    rows: int
    began: float
    seconds: float


def carried(
    database: Database, workspace_id: int, most: int, *, sync_uid: str | None = None
) -> list[Carried]:
    """Return the newest runs that read a source and came to their end, of one sync or of all."""
    is_of_sync = runs.c.sync_uid != ERASURE
    which = [runs.c.workspace_id == workspace_id, runs.c.plan == "", WHOLE, is_of_sync]
    if sync_uid is not None:
        which.append(runs.c.sync_uid == sync_uid)
    return _ended(database, most, *which)


def undone(database: Database, workspace_id: int, most: int) -> list[Carried]:
    """Return the newest undos of a workspace that came to their end; rows are those they moved."""
    return _ended(database, most, runs.c.workspace_id == workspace_id, runs.c.undo_of.is_not(None))


def _ended(database: Database, most: int, *which: sa.ColumnElement[bool]) -> list[Carried]:
    query = (
        sa.select(runs.c.sync_uid, runs.c.spec, runs.c.counts, runs.c.created_at,
                  runs.c.finished_at, runs.c.undo_of)
        .where(runs.c.status.in_(_DONE), *which)
        .order_by(runs.c.id.desc())
        .limit(most)
    )  # fmt: skip
    with database.read() as connection:
        return [_carried(*row) for row in connection.execute(query)]


def _carried(
    uid: str, spec: str, counts: str, began: float, ended: float, undo_of: int | None
) -> Carried:
    told = json.loads(counts)
    rows = int(told.get("read", 0)) + (int(told.get("removed", 0)) if undo_of else 0)
    return Carried(uid, str(json.loads(spec)["sql"]), rows, began, ended - began)


def timed_out(database: Database, sync_uid: str, most: int) -> bool:
    """Tell whether one of a sync's newest runs ended at the source's timeout."""
    newest = (
        sa.select(runs.c.reason_code)
        .where(runs.c.sync_uid == sync_uid, runs.c.status != Status.SKIPPED.value)
        .order_by(runs.c.id.desc())
        .limit(most)
    )
    with database.read() as connection:
        return "QUERY_TIMEOUT" in connection.scalars(newest).all()


def sent(database: Database, sync_uid: str, destination_uid: str, most: int) -> Sequence[int]:
    """Return how many messages were due in a destination's newest deliveries."""
    query = (
        sa.select(deliveries.c.counts)
        .where(
            deliveries.c.sync_uid == sync_uid,
            deliveries.c.destination_uid == destination_uid,
            deliveries.c.status.in_(_DONE),
        )
        .order_by(deliveries.c.id.desc())
        .limit(most)
    )
    with database.read() as connection:
        return [int(json.loads(text).get("due", 0)) for text in connection.scalars(query)]
