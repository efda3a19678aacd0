"""What has run lately, in one query however many syncs there are."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from rowlift.db import Database
from rowlift.state.runs import Run, run_from
from rowlift.state.tables import runs

_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Day:
    """The runs of one day that began at `at`, in Unix seconds: rows that moved, and that failed."""

    at: int
    runs: int = 0
    moved: int = 0
    rejected: int = 0


def recent(database: Database, sync_uids: Sequence[str], limit: int) -> list[Run]:
    """Return the newest runs of each sync, the oldest first."""
    newest = sa.func.row_number().over(partition_by=runs.c.sync_uid, order_by=runs.c.id.desc())
    ranked = sa.select(runs.c.id, newest.label("place")).where(runs.c.sync_uid.in_(sync_uids))
    kept = ranked.subquery()
    ids = sa.select(kept.c.id).where(kept.c.place <= limit)
    with database.read() as connection:
        found = connection.execute(sa.select(runs).where(runs.c.id.in_(ids)).order_by(runs.c.id))
        return [run_from(row) for row in found]


def days_since(database: Database, workspace_id: int, first: int) -> list[Day]:
    """Return the days from a midnight on, in UTC, on which anything ran."""
    kind = sa.JSON() if database.is_sqlite else JSONB()
    told = (sa.type_coerce if database.is_sqlite else sa.cast)(runs.c.counts, kind)

    def count(*names: str) -> sa.ColumnElement[int]:
        each = [sa.func.coalesce(told[name].as_integer(), 0) for name in names]
        return sa.func.coalesce(sa.func.sum(sum(each[1:], each[0])), 0)

    day = sa.cast(sa.func.floor((runs.c.created_at - first) / _DAY_SECONDS), sa.Integer)
    query = sa.select(
        day.label("day"), sa.func.count().label("runs"),
        count("added", "changed", "returned", "removed").label("moved"),
        count("rejected").label("rejected"),
    ).where(runs.c.workspace_id == workspace_id, runs.c.created_at >= first)  # fmt: skip
    with database.read() as connection:
        found = connection.execute(query.group_by("day")).all()
    return [
        Day(first + row.day * _DAY_SECONDS, row.runs, int(row.moved), int(row.rejected))
        for row in found
    ]
