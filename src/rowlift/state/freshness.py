"""Which result of a sync has wholly arrived where: in the workspace, and at each destination."""

import json
from dataclasses import dataclass

import sqlalchemy as sa

from rowlift.core.nouns import Status
from rowlift.db import Database
from rowlift.state.runs import WHOLE
from rowlift.state.tables import definitions, deliveries, runs

_DONE = [Status.COMPLETED.value, Status.SOME_ROWS_FAILED.value]
_LOOKED_AT = 100  # deliveries; what left rows over so often is late by any measure


@dataclass(frozen=True, slots=True)
class Arrival:
    """A result that is there: its run, the source's time, and when it came (Unix seconds)."""

    run: int
    as_of: int
    at: float


def arrived(database: Database, sync_uid: str) -> Arrival | None:
    """Return the newest result of a sync that was taken over; rejected rows do not count."""
    query = sa.select(runs.c.id, runs.c.source_time, runs.c.finished_at).where(
        runs.c.sync_uid == sync_uid,
        runs.c.status.in_(_DONE),
        runs.c.source_time.is_not(None),
        WHOLE,
    )
    with database.read() as connection:
        row = connection.execute(query.order_by(runs.c.id.desc()).limit(1)).one_or_none()
    return Arrival(row.id, row.source_time, row.finished_at) if row else None


def delivered(database: Database, sync_uid: str, destination_uid: str) -> Arrival | None:
    """Return the newest result of which no row is on its way to a destination any more."""
    query = (
        sa.select(deliveries.c.counts, deliveries.c.finished_at, runs.c.id, runs.c.source_time)
        .join_from(deliveries, runs, runs.c.id == deliveries.c.run_id)
        .where(
            deliveries.c.sync_uid == sync_uid,
            deliveries.c.destination_uid == destination_uid,
            deliveries.c.status.in_(_DONE),
            runs.c.source_time.is_not(None),
            runs.c.first_rows.is_(None),
        )
    )
    with database.read() as connection:
        newest_first = query.order_by(deliveries.c.id.desc()).limit(_LOOKED_AT)
        for row in connection.execute(newest_first):
            counts = json.loads(row.counts)
            if not (counts.get("pending") or counts.get("in_doubt")):
                return Arrival(row.id, row.source_time, row.finished_at)
    return None


def made_at(database: Database, sync_uid: str) -> float:
    """Return since when a sync is declared (Unix seconds); 0 for one that never was."""
    query = sa.select(definitions.c.created_at).where(definitions.c.uid == sync_uid)
    with database.read() as connection:
        return float(connection.scalar(query) or 0)
