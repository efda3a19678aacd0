"""What waits or is under way at this moment, in one cheap look."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from rowlift.db import Database
from rowlift.state.ingest_tables import ingested
from rowlift.state.leases import database_now
from rowlift.state.schedule_tables import schedules, services, triggers
from rowlift.state.tables import deliveries, runs


@dataclass(frozen=True, slots=True)
class Queues:
    """How much of a workspace waits; `now` and `beat_at` by the database's clock, Unix seconds.

    Deliveries by destination's uid and status. `messages` are accepted requests that are not
    written yet, of all workspaces.
    """

    now: float
    beat_at: float | None
    runs: int
    requests: int
    slots: int
    messages: int
    deliveries: Mapping[tuple[str, str], int]


def queues(database: Database, workspace_id: int) -> Queues:
    """Return what waits."""
    open_ = (deliveries.c.workspace_id == workspace_id, deliveries.c.active == 1)
    by_status = (deliveries.c.destination_uid, deliveries.c.status)
    with database.read() as connection:
        return Queues(
            database_now(database, connection),
            connection.scalar(sa.select(services.c.beat_at).where(services.c.id == workspace_id)),
            _count(connection, runs.c.workspace_id == workspace_id, runs.c.active == 1),
            _count(connection, triggers.c.workspace_id == workspace_id, triggers.c.open == 1),
            _count(
                connection,
                schedules.c.workspace_id == workspace_id,
                schedules.c.waiting_for.is_not(None),
            ),
            _waiting(connection),
            {
                (uid, status): count
                for uid, status, count in connection.execute(
                    sa.select(*by_status, sa.func.count()).where(*open_).group_by(*by_status)
                )
            },
        )


def _count(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> int:
    return connection.scalar(sa.select(sa.func.count()).where(*conditions)) or 0


def _waiting(connection: sa.Connection) -> int:
    """Return how many numbers are taken: to count rows would read all that waits."""
    last = connection.scalar(sa.select(sa.func.max(ingested.c.id)))
    first = connection.scalar(sa.select(sa.func.min(ingested.c.id)))
    return 0 if last is None or first is None else int(last - first + 1)
