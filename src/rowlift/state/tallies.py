"""Counts of what has happened, which only rise; written in the transactions that they count.

So several processes agree on them, nothing is counted twice or lost by a process that dies, and
they go on when the runs that they count are forgotten.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rowlift.core.nouns import Status
from rowlift.db import Database
from rowlift.state.tables import deliveries, runs
from rowlift.state.tally_tables import tallies

BUCKETS = (1, 5, 15, 60, 300, 900, 3600, 14400)  # seconds that a run took, at most

# Subjects; their labels are statuses, outcomes, or the bound that a duration stays below.
RUNS, ROWS, WORKSPACE_ROWS, TOOK, SECONDS = "runs", "rows", "workspace_rows", "took", "seconds"
DELIVERIES, DELIVERED_ROWS, MESSAGES = "deliveries", "delivered_rows", "messages"
SUCCEEDED_AT, CIRCUIT_OPEN = "succeeded_at", "circuit_open"  # set, not counted, as those below
FAILING, ROWS_LEFT = "failing", "rows_left"
STANDING = frozenset({CIRCUIT_OPEN, FAILING, ROWS_LEFT})  # of a sync at a destination, as it is now

READ = ("read", "unchanged", "added", "changed", "returned", "removed", "rejected")
WRITTEN = ("written", "rejected", "suppressed", "skipped")
SETTLED = ("delivered", "rejected", "suppressed", "skipped", "superseded")  # nothing is due again
LEFT = ("rejected", "pending", "in_doubt")

_COLUMNS = "(workspace_id, sync_uid, target, subject, label, value)"
_VALUES = "VALUES (:workspace_id, :sync_uid, :target, :subject, :label, :value)"
_KEY = "ON CONFLICT (workspace_id, sync_uid, target, subject, label)"
_ADD = sa.text(
    f"INSERT INTO tallies {_COLUMNS} {_VALUES}"
    f" {_KEY} DO UPDATE SET value = tallies.value + excluded.value"
)
_SET = sa.text(
    f"INSERT INTO tallies {_COLUMNS} {_VALUES} {_KEY} DO UPDATE SET value = excluded.value"
)


@dataclass(frozen=True, slots=True)
class Tally:
    """One count: of what, of which status or outcome of it, and whose."""

    subject: str
    label: str
    value: float
    sync_uid: str = ""
    target: str = ""


def add(connection: sa.Connection, workspace_id: int, counted: Iterable[Tally]) -> None:
    """Add to counts, as part of the caller's transaction."""
    _write(connection, _ADD, workspace_id, [one for one in counted if one.value])


def count_run(connection: sa.Connection, run_id: int) -> None:
    """Count a run that the caller's transaction ends."""
    run = connection.execute(sa.select(runs).where(runs.c.id == run_id)).one()
    add(connection, run.workspace_id, _of_run(run))
    if run.status == Status.COMPLETED:
        at = Tally(SUCCEEDED_AT, "", run.finished_at, run.sync_uid)
        _write(connection, _SET, run.workspace_id, [at])


def count_skipped(connection: sa.Connection, workspace_id: int, sync_uids: Iterable[str]) -> None:
    """Count runs that the caller's transaction records as skipped."""
    skipped = (Tally(RUNS, Status.SKIPPED.value, 1, uid) for uid in sync_uids)
    add(connection, workspace_id, skipped)


def count_delivery(connection: sa.Connection, delivery_id: int) -> None:
    """Count a delivery that the caller's transaction ends."""
    query = sa.select(deliveries).where(deliveries.c.id == delivery_id)
    one = connection.execute(query).one()
    whose = (one.sync_uid, one.destination_uid)
    outcomes = _outcomes(DELIVERED_ROWS, SETTLED, json.loads(one.counts), *whose)
    add(connection, one.workspace_id, [Tally(DELIVERIES, one.status, 1, *whose), *outcomes])
    stands = [
        Tally(CIRCUIT_OPEN, "", one.reason_code == "CIRCUIT_OPEN", *whose),
        Tally(FAILING, "", one.status == Status.FAILED, *whose),
        *_outcomes(ROWS_LEFT, LEFT, json.loads(one.counts), *whose),
    ]
    _write(connection, _SET, one.workspace_id, stands)


def _of_run(run: sa.Row[Any]) -> list[Tally]:
    uid, counts = run.sync_uid, json.loads(run.counts)
    seconds = max(0.0, run.finished_at - run.created_at)
    bound = next((str(most) for most in BUCKETS if seconds <= most), "+Inf")
    return [
        Tally(RUNS, run.status, 1, uid),
        Tally(TOOK, bound, 1, uid),
        Tally(SECONDS, "", seconds, uid),
        *_outcomes(ROWS, READ, counts, uid),
        *_outcomes(WORKSPACE_ROWS, WRITTEN, counts.get("workspace", {}), uid),
    ]


def _outcomes(
    subject: str, labels: Iterable[str], counts: Mapping[str, Any], *whose: str
) -> list[Tally]:
    return [Tally(subject, label, counts.get(label, 0), *whose) for label in labels]


def _write(
    connection: sa.Connection, statement: sa.TextClause, workspace_id: int, told: list[Tally]
) -> None:
    if told:
        rows = [
            {
                "workspace_id": workspace_id, "sync_uid": one.sync_uid, "target": one.target,
                "subject": one.subject, "label": one.label, "value": float(one.value),
            }
            for one in told
        ]  # fmt: skip
        connection.execute(statement, rows)


class TallyStore:
    """Reads the counts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, workspace_id: int) -> list[Tally]:
        """Return every count of a workspace."""
        query = sa.select(tallies).where(tallies.c.workspace_id == workspace_id)
        with self._database.read() as connection:
            return [
                Tally(row.subject, row.label, row.value, row.sync_uid, row.target)
                for row in connection.execute(query)
            ]
