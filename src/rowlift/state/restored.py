"""What a state that came back from a backup must not believe any more.

Targets may hold anything by now, so every row of theirs is in doubt and leaves under new message
ids. Whoever carried a run, a delivery, a forward or an audience is fenced, and nobody is signed in.
"""

import time

import sqlalchemy as sa

from rowlift.db import Database
from rowlift.state.accounts_tables import logins, sessions
from rowlift.state.audience_tables import audiences
from rowlift.state.forward_tables import forwards
from rowlift.state.images import WORKSPACE
from rowlift.state.leases import database_now, is_dead
from rowlift.state.locks import Locks
from rowlift.state.schedule_tables import services
from rowlift.state.tables import deliveries, files, ledgers, meta, runs

_CARRIED = (runs, deliveries, forwards, audiences)


def disown(database: Database, reset_epoch: int) -> None:
    """Forget what a backup cannot know, under a reset epoch that was never used."""
    with database.transaction("restore.disown") as connection:
        connection.execute(
            meta.update().where(meta.c.key == "reset_epoch").values(value=str(reset_epoch))
        )
        connection.execute(
            ledgers.update()
            .where(ledgers.c.target != WORKSPACE)
            .values(epoch=ledgers.c.epoch + 1, restored=ledgers.c.epoch + 1, settled=0)
        )
        for carried in _CARRIED:
            nobody = {"generation": carried.c.generation + 1, "lease_until": 0.0}
            connection.execute(carried.update().where(carried.c.active == 1).values(nobody))
        connection.execute(services.update().values(active=None, lease_until=0.0))
        connection.execute(sessions.delete())
        connection.execute(logins.delete())


def is_carried(database: Database, locks: Locks) -> bool:
    """Tell whether a living process serves the state, or carries something of it."""
    with database.read() as connection:
        now = database_now(database, connection)
        return any(
            not is_dead(locks, table, row, now)
            for table in (services, *_CARRIED)
            for row in connection.execute(sa.select(table).where(table.c.active == 1))
        )


def next_epoch(*used: int) -> int:
    """Return a reset epoch that no restore of the same backup had, on whatever machine."""
    return max(*used, int(time.time())) + 1


def paths(database: Database) -> dict[str, str]:
    """Return the state of every file by its path in the data directory."""
    with database.read() as connection:
        return {row.path: row.state for row in connection.execute(sa.select(files))}
