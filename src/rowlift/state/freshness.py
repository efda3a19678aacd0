"""Which result of a sync has wholly arrived where: in the workspace, and at each destination."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rowlift.core.nouns import Status
from rowlift.db import Database
from rowlift.state.runs import WHOLE
from rowlift.state.tables import definitions, deliveries, runs

_DONE = [Status.COMPLETED.value, Status.SOME_ROWS_FAILED.value]
_MEASURED = 5000
_LOOKED_AT = 100  # deliveries; what left rows over so often is late by any measure


@dataclass(frozen=True, slots=True)
class Arrival:
    """A result that is there: its run, the source's time, and when it came (Unix seconds)."""

    run: int
    as_of: int
    at: float


def arrived(database: Database, sync_uid: str) -> Arrival | None:
    """Return the newest result of a sync that was taken over; rejected rows do not count."""
    with database.read() as connection:
        row = connection.execute(_whole(sync_uid).limit(1)).one_or_none()
    return Arrival(row.id, row.source_time, row.finished_at) if row else None


def delivered(database: Database, sync_uid: str, destination_uid: str) -> Arrival | None:
    """Return the newest result of which no row is on its way to a destination any more."""
    with database.read() as connection:
        for row in connection.execute(_there(sync_uid, destination_uid).limit(_LOOKED_AT)):
            if _lacks_nothing(row.counts):
                return Arrival(row.id, row.source_time, row.finished_at)
    return None


def _whole(sync_uid: str) -> sa.Select[Any]:
    query = sa.select(runs.c.id, runs.c.source_time, runs.c.finished_at).where(
        runs.c.sync_uid == sync_uid,
        runs.c.status.in_(_DONE),
        runs.c.source_time.is_not(None),
        WHOLE,
    )
    return query.order_by(runs.c.id.desc())


def _there(sync_uid: str, destination_uid: str) -> sa.Select[Any]:
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
    return query.order_by(deliveries.c.id.desc())


def _lacks_nothing(counts: str) -> bool:
    told = json.loads(counts)
    return not (told.get("pending") or told.get("in_doubt"))


def arrivals_since(
    database: Database, sync_uid: str, destination_uid: str | None, since: float
) -> list[Arrival]:
    """Return what arrived from a moment on, the oldest first, after what was there at that moment.

    It is what came to the workspace without a destination, and at most the newest 5,000.
    """
    found: list[Arrival] = []
    for one in _newest_first(database, sync_uid, destination_uid):
        found.append(one)
        if one.at < since:
            break
    return found[::-1]


def _newest_first(
    database: Database, sync_uid: str, destination_uid: str | None
) -> Iterator[Arrival]:
    with database.read() as connection:
        if destination_uid is None:
            for row in connection.execute(_whole(sync_uid).limit(_MEASURED)):
                yield Arrival(row.id, row.source_time, row.finished_at)
            return
        for row in connection.execute(_there(sync_uid, destination_uid).limit(_MEASURED)):
            if _lacks_nothing(row.counts):
                yield Arrival(row.id, row.source_time, row.finished_at)


def made_at(database: Database, sync_uid: str) -> float:
    """Return since when a sync is declared (Unix seconds); 0 for one that never was."""
    query = sa.select(definitions.c.created_at).where(definitions.c.uid == sync_uid)
    with database.read() as connection:
        return float(connection.scalar(query) or 0)
