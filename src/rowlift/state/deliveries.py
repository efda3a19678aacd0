"""Deliveries and the outcome of each batch; one active delivery per sync and destination."""

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from rowlift.core.errors import Busy, StateError
from rowlift.core.nouns import Outcome, Outcomes, Status, Verdict
from rowlift.core.progress import Headway
from rowlift.db import LEASE_SECONDS, Database
from rowlift.state.leases import (
    Lease,
    database_now,
    is_dead,
    lock_name,
    owner_name,
)
from rowlift.state.locks import Locks
from rowlift.state.tables import batches, budgets, deliveries
from rowlift.state.tallies import count_delivery


@dataclass(frozen=True, slots=True)
class Delivery:
    """One destination of a sync catching up with the image."""

    id: int
    workspace_id: int
    sync_uid: str
    destination_uid: str
    run_id: int
    spec: str
    status: Status
    phase: str
    active: int | None
    generation: int
    owner: str
    lease_until: float
    image_revision: int | None
    epoch: int
    suppressions: int
    ledger_revision: int | None
    next_spec: str | None
    next_run_id: int | None
    created_at: float
    finished_at: float | None
    cancelled_by: str = ""
    reason_code: str = ""
    reason: str = ""
    unjudged: int | None = None
    progress: Headway | None = None
    counts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_followed(self) -> bool:
        """Tell whether what is due now will be sent anyway: by itself or by the next one."""
        return bool(self.active) and (self.generation == 0 or self.next_spec is not None)


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """What is known of one batch of a plan."""

    number: int
    rows: int
    status: str
    attempts: int
    outcomes: Outcomes | None


_TARGET = (deliveries.c.sync_uid, deliveries.c.destination_uid)
_TRIED = ("sync_uid", "destination_uid", "run_id")
_LEFT = [one.value for one in (Status.FAILED, Status.SOME_ROWS_FAILED, Status.CANCELLED)]


def delivery_from(row: sa.Row[Any]) -> Delivery:
    """Build a delivery from its row."""
    values = {column.name: getattr(row, column.name) for column in deliveries.columns}
    read = {
        "status": Status(row.status),
        "counts": json.loads(row.counts),
        "progress": Headway.of(row.progress),
    }
    return Delivery(**values | read)


class DeliveryStore:
    """Queues, claims, records and finishes deliveries."""

    def __init__(self, database: Database, locks: Locks) -> None:
        self._database = database
        self._locks = locks

    def queue(
        self,
        connection: sa.Connection,
        workspace_id: int,
        sync_uid: str,
        run_id: int,
        uses: Mapping[str, str],
    ) -> None:
        """Queue a delivery for each destination uid, as part of the caller's transaction.

        One that nobody has begun is skipped for it. A destination that still has an active delivery
        gets its next one when that one ends.
        """
        now = database_now(self._database, connection)
        _skip_unbegun(connection, sync_uid, uses, now)
        for uid, spec in sorted(uses.items()):
            row = {
                "workspace_id": workspace_id, "sync_uid": sync_uid, "destination_uid": uid,
                "run_id": run_id, "spec": spec, "status": Status.QUEUED.value, "phase": "plan",
                "active": 1, "generation": 0, "owner": "", "lease_until": 0.0, "counts": "{}",
                "created_at": now,
            }  # fmt: skip
            # The active one may end, or another may begin, between the two statements.
            while not (_queue_behind(connection, row) or self._queue_first(connection, row)):
                pass

    def _queue_first(self, connection: sa.Connection, row: Mapping[str, Any]) -> bool:
        # rowcount is -1 on PostgreSQL, where SQLAlchemy asks for the new key itself.
        query = self._database.insert(deliveries).values(row).on_conflict_do_nothing()
        return connection.scalar(query.returning(deliveries.c.id)) is not None

    def queue_next(self, connection: sa.Connection, ended: int, *, again: bool = False) -> None:
        """Queue what came in while a delivery was active, in the transaction that ends it.

        Where nothing came in, it is queued `again` itself.
        """
        row = connection.execute(sa.select(deliveries).where(deliveries.c.id == ended)).one()
        if row.next_spec:
            uses = {row.destination_uid: row.next_spec}
            self.queue(connection, row.workspace_id, row.sync_uid, row.next_run_id, uses)
        elif again:
            uses = {row.destination_uid: row.spec}
            self.queue(connection, row.workspace_id, row.sync_uid, row.run_id, uses)

    def queue_again(self, connection: sa.Connection, sync_uids: Sequence[str]) -> None:
        """Queue one more delivery to each destination that syncs, or their parts, ever had."""
        newest = sa.select(sa.func.max(deliveries.c.id)).group_by(
            deliveries.c.sync_uid, deliveries.c.destination_uid
        )
        query = sa.select(deliveries).where(deliveries.c.id.in_(newest)).order_by(deliveries.c.id)
        for row in connection.execute(query).all():
            if row.sync_uid.partition(".")[0] in sync_uids:
                uses = {row.destination_uid: row.spec}
                self.queue(connection, row.workspace_id, row.sync_uid, row.run_id, uses)

    def claim(self, delivery_id: int) -> Delivery | None:
        """Take a delivery that is queued or whose process is dead."""
        with (
            self._locks.taking() as take,
            self._database.transaction("delivery.claim") as connection,
        ):
            row = connection.execute(
                sa.select(deliveries).where(deliveries.c.id == delivery_id)
            ).one()
            now = database_now(self._database, connection)
            if row.active != 1 or not self._is_free(row, now):
                return None
            generation = row.generation + 1
            lock = lock_name(deliveries, delivery_id, generation)
            if not take(lock):
                return None
            taken = connection.execute(
                deliveries.update()
                .where(
                    deliveries.c.id == delivery_id,
                    deliveries.c.generation == row.generation,
                    deliveries.c.active == 1,
                )
                .values(
                    generation=generation,
                    owner=owner_name(),
                    lease_until=now + LEASE_SECONDS,
                    status=Status.RUNNING.value,
                )
            )
            if taken.rowcount == 1:
                return self._get(connection, delivery_id)
        self._locks.release(lock)
        return None

    def _is_free(self, row: sa.Row[Any], now: float) -> bool:
        return not row.owner or is_dead(self._locks, deliveries, row, now)

    def claimable(self, workspace_id: int) -> Sequence[Delivery]:
        """Return a workspace's deliveries that nobody carries, the oldest first."""
        waiting = (deliveries.c.workspace_id == workspace_id, deliveries.c.active == 1)
        query = sa.select(deliveries).where(*waiting).order_by(deliveries.c.id)
        with self._database.read() as connection:
            found = connection.execute(query).all()
            now = database_now(self._database, connection)
        return [delivery_from(row) for row in found if self._is_free(row, now)]

    def left(self, workspace_id: int) -> Sequence[tuple[Delivery, int, float]]:
        """Return the newest deliveries that failed or were interrupted, none being under way.

        Each with how many its run has had to that destination, and the seconds since it ended.
        """
        again = deliveries.alias("again")
        tries = (
            sa.select(sa.func.count())
            .where(*(again.c[name] == deliveries.c[name] for name in _TRIED))
            .scalar_subquery()
        )
        newest = sa.select(sa.func.max(deliveries.c.id)).where(
            deliveries.c.workspace_id == workspace_id
        )
        query = sa.select(deliveries, tries.label("tries")).where(
            deliveries.c.id.in_(newest.group_by(*_TARGET)),
            deliveries.c.active.is_(None),
            deliveries.c.status.in_(_LEFT),
        )
        with self._database.read() as connection:
            found = connection.execute(query).all()
            now = database_now(self._database, connection)
        return [(delivery_from(row), row.tries, now - row.finished_at) for row in found]

    def cancel(self, run_id: int, by: str) -> int:
        """Ask whoever carries a run's deliveries to end them; those not begun end at once."""
        mine = (deliveries.c.run_id == run_id, deliveries.c.active == 1)
        asked = deliveries.update().where(*mine).values(cancelled_by=by)
        with self._database.transaction("delivery.cancel") as connection:
            now = database_now(self._database, connection)
            count = connection.execute(asked).rowcount
            connection.execute(
                deliveries.update().where(*mine, deliveries.c.generation == 0).values(
                    active=None, phase="over", status=Status.CANCELLED.value, finished_at=now,
                    reason_code="CANCELLED", reason=f"Cancelled by {by}; the rows stay due.",
                )
            )  # fmt: skip
        return count

    def lease(self, delivery: Delivery) -> Lease:
        """Return the right to write for a delivery of ours."""
        return Lease(self._database, self._locks, deliveries, delivery.id, delivery.generation)

    def newest(self, sync_uid: str) -> dict[str, Delivery]:
        """Return the newest delivery to each destination a sync ever had, by uid."""
        last = (
            sa.select(sa.func.max(deliveries.c.id))
            .where(deliveries.c.sync_uid == sync_uid)
            .group_by(deliveries.c.destination_uid)
        )
        return {one.destination_uid: one for one in self._select(deliveries.c.id.in_(last))}

    def open(self, sync_uid: str) -> Sequence[Delivery]:
        """Return a sync's deliveries that are not over, the oldest first."""
        return self._select(deliveries.c.sync_uid == sync_uid, deliveries.c.active == 1)

    def of_run(self, run_id: int) -> Sequence[Delivery]:
        """Return the deliveries a run queued."""
        return self.of_runs([run_id])

    def of_runs(self, run_ids: Sequence[int]) -> Sequence[Delivery]:
        """Return the deliveries that some runs queued."""
        return self._select(deliveries.c.run_id.in_(run_ids))

    def that_wrote(self, sync_uid: str, target: str, ledger_revision: int) -> Delivery | None:
        """Return the delivery whose outcomes stand in a revision of a ledger."""
        found = self._select(
            deliveries.c.sync_uid == sync_uid,
            deliveries.c.destination_uid == target,
            deliveries.c.ledger_revision == ledger_revision,
        )
        return found[0] if found else None

    def get(self, delivery_id: int) -> Delivery:
        """Return one delivery; raises StateError NOT_FOUND."""
        with self._database.read() as connection:
            return self._get(connection, delivery_id)

    def _get(self, connection: sa.Connection, delivery_id: int) -> Delivery:
        row = connection.execute(
            sa.select(deliveries).where(deliveries.c.id == delivery_id)
        ).one_or_none()
        if row is None:
            raise StateError("NOT_FOUND", f"There is no delivery {delivery_id}.")
        return delivery_from(row)

    def _select(self, *conditions: sa.ColumnElement[bool]) -> Sequence[Delivery]:
        query = sa.select(deliveries).where(*conditions).order_by(deliveries.c.id)
        with self._database.read() as connection:
            return [delivery_from(row) for row in connection.execute(query)]

    def advance(
        self, connection: sa.Connection, delivery_id: int, phase: str, **values: Any
    ) -> None:
        """Move a delivery to its next phase as part of the caller's fenced transaction."""
        if "counts" in values:
            values["counts"] = json.dumps(values["counts"], sort_keys=True)
        connection.execute(
            deliveries.update().where(deliveries.c.id == delivery_id).values(phase=phase, **values)
        )

    def finish(
        self,
        connection: sa.Connection,
        delivery_id: int,
        status: Status,
        counts: Mapping[str, Any],
        reason_code: str = "",
        reason: str = "",
        ledger_revision: int | None = None,
    ) -> None:
        """End a delivery as part of the caller's fenced transaction.

        `ledger_revision` is that of the ledger's rows in which its outcomes stand.
        """
        now = database_now(self._database, connection)
        self.advance(
            connection, delivery_id, "over", status=status.value, active=None, counts=counts,
            reason_code=reason_code, reason=reason, ledger_revision=ledger_revision,
            finished_at=now,
        )  # fmt: skip
        count_delivery(connection, delivery_id)

    def start_batches(
        self,
        connection: sa.Connection,
        delivery_id: int,
        starting: Mapping[int, int],
        again: AbstractSet[int],
    ) -> None:
        """Record, before their first attempt, that batches may have left.

        `starting` has the number of rows by batch; those among `again` were started before.
        """
        now = database_now(self._database, connection)
        repeated = [
            {"delivery": delivery_id, "batch": number} for number in starting if number in again
        ]
        fresh = [
            {
                "delivery_id": delivery_id, "number": number, "rows": rows, "status": "sending",
                "attempts": 1, "updated_at": now,
            }
            for number, rows in starting.items() if number not in again
        ]  # fmt: skip
        if repeated:
            connection.execute(_START_AGAIN, repeated)
        if fresh:
            connection.execute(_START, fresh)

    def end_batches(
        self, connection: sa.Connection, delivery_id: int, ended: Mapping[int, Outcomes]
    ) -> None:
        """Record what became of batches."""
        if not ended:
            return
        now = database_now(self._database, connection)
        rows = [
            {
                "delivery": delivery_id, "batch": number, "now": now,
                "verdict": one.default.verdict.value, "outcomes": _told(one),
            }
            for number, one in ended.items()
        ]  # fmt: skip
        connection.execute(_END, rows)

    def batches(self, delivery_id: int) -> dict[int, BatchRecord]:
        """Return what is known of each batch that was started."""
        query = sa.select(batches).where(batches.c.delivery_id == delivery_id)
        with self._database.read() as connection:
            found = connection.execute(query.order_by(batches.c.number)).all()
        return {row.number: _batch(row) for row in found}

    def reserve(self, account: str, requests: int, rate: float) -> float:
        """Book requests on an account's budget; return the seconds to wait before the first."""
        with self._database.transaction("budget", alone=True) as connection:
            now = database_now(self._database, connection)
            booked = connection.scalar(
                sa.select(budgets.c.next_at).where(budgets.c.account == account)
            )
            start = max(now, booked or 0.0)
            end = start + requests / rate
            changed = connection.execute(
                budgets.update().where(budgets.c.account == account).values(next_at=end)
            )
            if changed.rowcount == 0:
                connection.execute(budgets.insert().values(account=account, next_at=end))
            return start - now


def refuse_open(database: Database, connection: sa.Connection, workspace_id: int) -> None:
    """Raise Busy if a delivery of the workspace is not over; until the commit none can begin."""
    if not database.is_sqlite:
        connection.exec_driver_sql("LOCK TABLE deliveries IN SHARE ROW EXCLUSIVE MODE")
    open_ = (deliveries.c.workspace_id == workspace_id, deliveries.c.active == 1)
    if connection.scalar(sa.select(sa.func.count()).select_from(deliveries).where(*open_)):
        mend = "Let rowlift run finish the deliveries first."
        raise Busy("BUSY", "Deliveries are under way or wait.", mend=mend)


def _skip_unbegun(
    connection: sa.Connection, sync_uid: str, uses: Mapping[str, str], now: float
) -> None:
    connection.execute(
        deliveries.update()
        .where(
            deliveries.c.sync_uid == sync_uid,
            deliveries.c.destination_uid.in_(list(uses)),
            deliveries.c.active == 1,
            deliveries.c.generation == 0,
        )
        .values(
            active=None, phase="over", status=Status.SKIPPED.value, finished_at=now,
            reason_code="SUPERSEDED", reason="A newer run took over.",
        )
    )  # fmt: skip


def _queue_behind(connection: sa.Connection, row: Mapping[str, Any]) -> bool:
    behind = (
        deliveries.update()
        .where(
            deliveries.c.sync_uid == row["sync_uid"],
            deliveries.c.destination_uid == row["destination_uid"],
            deliveries.c.active == 1,
        )
        .values(next_spec=row["spec"], next_run_id=row["run_id"])
    )
    return connection.execute(behind).rowcount == 1


# Executed with every request or two, so they are built once.
_BATCH = batches.update().where(
    batches.c.delivery_id == sa.bindparam("delivery"), batches.c.number == sa.bindparam("batch")
)
_START = batches.insert()
_START_AGAIN = _BATCH.values(attempts=batches.c.attempts + 1, status="sending")
_END = _BATCH.values(
    status="done",
    verdict=sa.bindparam("verdict"),
    outcomes=sa.bindparam("outcomes"),
    updated_at=sa.bindparam("now"),
)


def _told(outcomes: Outcomes) -> str:
    rows = {
        str(index): [one.verdict.value, one.code, one.reason]
        for index, one in outcomes.rows.items()
    }
    one = outcomes.default
    return json.dumps({"default": [one.verdict.value, one.code, one.reason], "rows": rows})


def _batch(row: sa.Row[Any]) -> BatchRecord:
    raw = json.loads(row.outcomes)
    outcomes = None
    if row.status == "done":
        outcomes = Outcomes(
            _outcome(raw["default"]), {int(at): _outcome(one) for at, one in raw["rows"].items()}
        )
    return BatchRecord(row.number, row.rows, row.status, row.attempts, outcomes)


def _outcome(raw: Sequence[str]) -> Outcome:
    return Outcome(Verdict(raw[0]), raw[1], raw[2])
