"""One delivery from claim to record: plan the due rows, send them, fold the answers.

Every phase ends with one fenced commit; a killed delivery goes on from the last of them.
"""

import json
import random
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rowlift.core.clock import Clock
from rowlift.core.errors import ConfigError, DestinationError, RowliftError, unexpected
from rowlift.core.nouns import (
    Column,
    Feed,
    Kind,
    Limits,
    Mode,
    Outcomes,
    Removed,
    Status,
)
from rowlift.core.ports import Batch, Destination
from rowlift.core.progress import Progress
from rowlift.core.spans import Span, span, trace_of
from rowlift.core.specs import SyncSpec, UseSpec
from rowlift.engine.deliver import Pace, Settler, Stopped, draining, send
from rowlift.engine.duck import Duck, parquet
from rowlift.engine.layers import Layers, add_to_ledger, image_width, open_image, open_ledger
from rowlift.engine.ledger import (
    LEDGER_FILES,
    Mapping,
    Target,
    find_due,
    fold_settled,
    load_ledger,
    mapping_of,
    salt_of,
)
from rowlift.engine.meter import Meter
from rowlift.engine.plan import (
    ROLLED,
    SUPPRESSED,
    TOO_LARGE,
    Cut,
    plan_batches,
    write_nothing,
    write_plan,
)
from rowlift.engine.suppress import op_for, watch
from rowlift.engine.traffic import Load, large_told, traffic
from rowlift.engine.verdicts import verdict, verdict_tables
from rowlift.kit.http import breakable
from rowlift.state.deliveries import Delivery
from rowlift.state.files import Owner, StoredFile
from rowlift.state.images import Ledger
from rowlift.state.store import Store
from rowlift.workspace import suppression

_SETTLED = """
CREATE OR REPLACE TEMP VIEW settled AS
SELECT p.key, p.version, p.op, p.fp, p.row_number, p.batch,
    CASE WHEN p.batch = {rolled} THEN 'rolled' WHEN p.batch = {suppressed} THEN 'suppressed'
         WHEN p.batch = {too_large} THEN 'rejected'
         ELSE coalesce(r.verdict, b.verdict, '{left}') END AS verdict,
    CASE WHEN p.batch = {too_large} THEN 'RECORD_TOO_LARGE'
         ELSE coalesce(r.code, b.code, '') END AS code,
    CASE WHEN p.batch = {too_large} THEN 'The encoded record has ' || p.bytes || ' bytes.'
         ELSE coalesce(r.reason, b.reason, '') END AS reason
FROM {plan} p
LEFT JOIN batch_verdicts b ON b.batch = p.batch
LEFT JOIN row_verdicts r ON r.batch = p.batch AND r.position = p.position
"""

_ALL_DELIVERED = """
CREATE OR REPLACE TEMP VIEW settled AS
SELECT key, version, op, fp, row_number, batch, 'delivered' AS verdict, '' AS code, '' AS reason
FROM {plan}
"""

_REJECTS = """
SELECT row_number, key AS identifier, code, reason, verdict FROM settled
WHERE verdict IN ('rejected', 'in_doubt', 'pending') ORDER BY row_number, key
"""
_CODES = """
SELECT code, count(*) FROM settled WHERE verdict <> 'delivered' AND code <> ''
GROUP BY code ORDER BY count(*) DESC, code
"""

_NEWER = "A newer image, or a suppression, took over."

COUNTED = (
    "delivered", "rejected", "suppressed", "skipped", "superseded", "pending", "in_doubt",
)  # fmt: skip
_IN_LEDGER = ("delivered", "in_doubt", "unchanged", "suppressed")  # the counts of `ledger_rows`
_FAILED = ("rejected", "in_doubt", "pending")


@dataclass(frozen=True, slots=True)
class DeliverySpec:
    """What a delivery froze when it was queued; it holds no secret."""

    use: UseSpec
    feed: Feed
    record_bytes: int | None
    timestamp: str
    destination: str

    def to_json(self) -> str:
        """Return it as JSON text."""
        told = asdict(self)
        del told["feed"]["formerly"]
        return json.dumps(told)

    @classmethod
    def from_json(cls, text: str) -> "DeliverySpec":
        """Build the value that `to_json` wrote."""
        raw = json.loads(text)
        use, feed = raw.pop("use"), raw.pop("feed")
        use |= {"only": tuple(use["only"]), "exclude": tuple(use["exclude"])}
        feed |= {
            "kind": Kind(feed["kind"]),
            "removed": Removed(feed["removed"]),
            "columns": tuple(Column(**one) for one in feed["columns"]),
        }
        use |= {"mode": Mode(use["mode"]), "removed": Removed(use["removed"])}
        return cls(UseSpec(**use), Feed(**feed), **raw)


class DeliveryRun:
    """Carries one claimed delivery through its phases."""

    def __init__(
        self,
        store: Store,
        delivery: Delivery,
        destination: Callable[[], AbstractContextManager[Destination]],
        clock: Clock,
        progress: Progress,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._cancelled = cancelled
        self._store = store
        self._delivery = delivery
        self._open = destination
        self._clock = clock
        self._spec = DeliverySpec.from_json(delivery.spec)
        self._task = f"{self._spec.feed.sync} → {self._spec.destination}"
        self._lease = store.deliveries.lease(delivery)
        meter = Meter(progress, {})
        self._lease.telling = meter.told
        self._progress = meter

    def carry(self) -> Delivery:
        """Plan, send and record; returns the delivery as it ended.

        Whatever stops the sending, what is known of the batches that left goes into the ledger. A
        fault of ours is raised after that: left active, the delivery would meet it again and again.
        """
        with self._span() as told:
            self._carry()
            ended = self._store.deliveries.get(self._delivery.id)
            told.note(status=ended.status.value, **ended.counts)
        return ended

    def _carry(self) -> None:
        with self._lease, Duck(self._store.files.scratch, begins_small=True) as duck:
            try:
                stopped = self._sent(duck)
            except (ConfigError, DestinationError) as error:
                self._end(duck, Stopped(error.code, f"{error.message} {error.mend}".strip()))
            except RowliftError:
                raise
            except Exception as error:
                told = unexpected(error)
                self._end(duck, Stopped(told.code, f"{told.message} {told.mend}".strip()))
                raise
            else:
                self._end(duck, stopped)

    def _span(self) -> AbstractContextManager[Span]:
        one = self._delivery
        return span(
            "delivery", trace_of(one.sync_uid, one.run_id), workspace=one.workspace_id,
            run=one.run_id, delivery=one.id, sync=self._spec.feed.sync,
            destination=self._spec.destination, phase=one.phase,
        )  # fmt: skip

    def _sent(self, duck: Duck) -> Stopped | None:
        with (
            breakable() as break_off,
            self._lease.stopping(draining(break_off)),
            self._open() as destination,
        ):
            if self._delivery.phase == "plan":
                with span("plan") as told:
                    self._plan(duck, destination)
                    told.note(**self._delivery.counts)
            with span("send") as told:
                stopped = self._send(destination)
                told.note(stopped=stopped.code if stopped else "")
            return stopped

    def _end(self, duck: Duck, stopped: Stopped | None) -> None:
        if self._delivery.phase == "send":
            self._record(duck, stopped)
        elif stopped:
            self._refuse(stopped)

    # plan

    def _plan(self, duck: Duck, destination: Destination) -> None:
        self._progress.phase(self._task, "plan")
        image = self._store.images.image(self._delivery.sync_uid)
        if image is None:
            raise DestinationError("INTERNAL", "There is no image to deliver from.")
        mapping = mapping_of(self._spec.use, [column.name for column in image.columns])
        known = self._known_ledger(destination)
        changed = bool(known.mapping) and known.mapping != mapping.to_json()
        ledger = replace(
            known, account=destination.account, mapping=mapping.to_json(),
            epoch=known.epoch + (1 if changed else 0), settled=0 if changed else known.settled,
        )  # fmt: skip
        void = () if mapping.is_for_same_keys(known.mapping) else self._ledger_files()
        cut = Cut()

        def fill(path: Path) -> int:
            nonlocal cut
            if ledger.settled == image.revision:
                return write_nothing(path)
            self._find_due(duck, mapping, ledger, destination, void=bool(void))
            cut = write_plan(
                duck, path, destination, timestamp=self._spec.timestamp,
                record_bytes=self._spec.record_bytes, progress=self._progress, task=self._task,
            )  # fmt: skip
            return cut.due

        suppressions = self._suppressions()
        stored = self._store.files.write("plan", self._owner, fill)
        self._tell_large(Load(cut.due, cut.bytes, cut.batches), destination.limits)
        with self._store.database.transaction("delivery.plan") as connection:
            self._lease.hold(connection)
            self._store.files.swap(connection, [stored], void)
            epoch = self._store.images.epoch(connection, ledger)
            self._store.images.save_ledger(connection, replace(ledger, epoch=epoch))
            self._store.deliveries.advance(
                connection, self._delivery.id, "send",
                image_revision=image.revision, epoch=ledger.epoch, suppressions=suppressions,
                counts={"due": cut.due, "unchanged": cut.rolled},
            )  # fmt: skip
        self._delivery = self._store.deliveries.get(self._delivery.id)

    def _tell_large(self, load: Load, limits: Limits) -> None:
        """Say what a large delivery will take, before its first request."""
        told = traffic(self._spec.destination, load, (), limits, None)
        if told.is_large:
            self._tell(large_told(told))

    def _suppressions(self) -> int:
        with self._store.database.read() as connection:
            return suppression.revision(connection, self._delivery.workspace_id)

    def _find_due(
        self, duck: Duck, mapping: Mapping, ledger: Ledger, destination: Destination, *, void: bool
    ) -> None:
        one = self._delivery
        open_image(duck, self._store, one.sync_uid)
        duck.make_room(image_width(duck))
        if void:
            load_ledger(duck, None, ())
        else:
            self._open_ledger(duck)
        epochs = (self._store.reset_epoch(), ledger.epoch)
        salt = salt_of(one.sync_uid, one.destination_uid, *epochs)
        feed = self._spec.feed
        hides = watch(duck, self._store.database, one.workspace_id)
        find_due(
            duck,
            Target(
                mapping, feed.kind, feed.identify_by, ledger.epoch, salt,
                settled=ledger.settled, restored=ledger.restored,
                suppression=op_for(destination) if hides else None,
            ),
        )  # fmt: skip

    def _ledger_files(self) -> Sequence[StoredFile]:
        one = self._delivery
        return self._store.files.live(LEDGER_FILES, one.sync_uid, one.destination_uid)

    def _ledger(self) -> Ledger:
        one = self._delivery
        return self._store.images.ledger(one.sync_uid, one.destination_uid, one.workspace_id)

    def _known_ledger(self, destination: Destination) -> Ledger:
        ledger = self._ledger()
        account = destination.account
        if ledger.account and ledger.account != account:
            raise DestinationError(
                "ACCOUNT_CHANGED",
                f"{self._spec.destination} now belongs to {account}, "
                f"but what was sent before went to {ledger.account}.",
                mend="Add it under a new name, or start over: rowlift state reset NAME.",
            )
        return ledger

    # send

    def _send(self, destination: Destination) -> Stopped | None:
        self._known_ledger(destination)
        plan = self._plan_file()
        known = self._store.deliveries.batches(self._delivery.id)
        done = frozenset(number for number, one in known.items() if one.status == "done")
        if not self._is_current():
            return Stopped("SUPERSEDED", _NEWER)
        self._progress.phase(self._task, "send", int(self._delivery.counts.get("due", 0)))
        limits = destination.limits

        def reserve(requests: int, rate: float) -> float:
            return self._store.deliveries.reserve(destination.account, requests, rate)

        def is_over() -> bool:
            is_cancelled = self._cancelled() or bool(self._lease.cancelled_by)
            return is_cancelled or not self._lease.is_ours()

        pace = Pace(self._clock, limits.requests_per_second, reserve, is_over, self._tell)
        jitter = random.Random(self._delivery.id)  # noqa: S311
        settler = Settler(destination, pace, jitter)
        batches = plan_batches(plan.path, self._spec.timestamp, done)
        journal = partial(self._write_down, known.keys())
        stopped = send(batches, settler, pace, journal, limits.in_flight)
        if stopped and stopped.code == "INTERRUPTED" and (by := self._lease.cancelled_by):
            return Stopped("CANCELLED", f"Cancelled by {by}; the rows stay due.")
        return stopped

    def _tell(self, text: str, detail: str = "") -> None:
        self._progress.note(self._task, text, detail)

    def _write_down(
        self,
        doubted: AbstractSet[int],
        settled: Sequence[tuple[Batch, Outcomes]],
        starting: Sequence[Batch],
    ) -> AbstractSet[int] | None:
        store = self._store.deliveries
        with self._store.database.transaction(
            "delivery.batch" if settled else "delivery.start"
        ) as connection:
            self._lease.hold(connection)
            ended = {batch.number: outcomes for batch, outcomes in settled}
            store.end_batches(connection, self._delivery.id, ended)
            may_go_on = self._stands(connection)
            if starting and may_go_on:
                leaving = {batch.number: len(batch) for batch in starting}
                store.start_batches(connection, self._delivery.id, leaving, doubted)
        for batch, _ in settled:
            self._progress.advance(self._task, len(batch))
        return doubted if may_go_on else None

    def _is_current(self) -> bool:
        with self._store.database.read() as connection:
            return self._stands(connection)

    def _stands(self, connection: sa.Connection) -> bool:
        """Tell whether the plan is still of the newest image and of all who are suppressed."""
        one = self._delivery
        revision = self._store.images.revision(connection, one.sync_uid)
        suppressions = suppression.revision(connection, one.workspace_id)
        return (revision, suppressions) == (one.image_revision, one.suppressions)

    # record

    def _record(self, duck: Duck, stopped: Stopped | None) -> None:
        self._progress.phase(self._task, "record")
        superseded = stopped is not None and stopped.code == "SUPERSEDED"
        counts = self._fold(duck, "superseded" if superseded else "pending")
        ledger = self._ledger()
        seq = ledger.revision + 1
        found = self._open_ledger(duck)
        is_lifted = fold_settled(duck, self._delivery.epoch, seq)
        known = sum(counts[name] for name in _IN_LEDGER)
        added = add_to_ledger(duck, self._store, self._owner, found, "ledger_rows", known)
        failed = self._write_rejects(duck, counts)
        status, code, reason = verdict(counts, stopped)
        with self._store.database.transaction("delivery.record") as connection:
            self._lease.hold(connection)
            self._store.files.swap(connection, (*added.stored, *failed), added.replaced)
            epoch = self._store.images.epoch(connection, ledger)
            looks_again = superseded or is_lifted or epoch != self._delivery.epoch
            self._store.images.save_ledger(
                connection,
                replace(
                    ledger, epoch=epoch, revision=seq if added.stored else ledger.revision,
                    settled=0 if status is not Status.COMPLETED or looks_again
                    else self._delivery.image_revision or 0,
                ),
            )  # fmt: skip
            self._store.files.retire(connection, [self._plan_file()])
            self._store.deliveries.finish(
                connection, self._delivery.id, status, counts, code, reason,
                ledger_revision=seq if added.stored else None,
            )  # fmt: skip
            again = is_lifted and stopped is None
            self._store.deliveries.queue_next(connection, self._delivery.id, again=again)

    def _fold(self, duck: Duck, left: str) -> dict[str, Any]:
        known = self._store.deliveries.batches(self._delivery.id)
        of_batches, of_rows = verdict_tables(known)
        duck.register("batch_verdicts", of_batches)
        duck.register("row_verdicts", of_rows)
        plan = parquet([self._plan_file().path])
        duck.run(
            _SETTLED.format(
                left=left, plan=plan, rolled=ROLLED, too_large=TOO_LARGE, suppressed=SUPPRESSED
            )
        )
        found = dict(duck.rows("SELECT verdict, count(*) FROM settled GROUP BY verdict"))
        if found.keys() == {"delivered"}:
            duck.run(_ALL_DELIVERED.format(plan=plan))  # with nothing to look up row by row
        codes = duck.rows(_CODES) if found.keys() - {"delivered", "rolled"} else ()
        due = int(self._delivery.counts.get("due", 0))
        counts = {"due": due, "unchanged": found.pop("rolled", 0)}
        counts |= {name: found.get(name, 0) for name in COUNTED}
        if due != sum(counts[name] for name in COUNTED):
            text = f"The counts of {self._task} do not add up: {counts}."
            self._refuse(Stopped("INTERNAL", text))
            raise RowliftError("INTERNAL", text)
        return counts | {"codes": dict(codes)}

    def _write_rejects(self, duck: Duck, counts: dict[str, Any]) -> list[StoredFile]:
        if not any(counts[name] for name in _FAILED):
            return []
        fill = partial(duck.write, _REJECTS)
        return [self._store.files.write("delivery_rejects", self._owner, fill)]

    def _refuse(self, stopped: Stopped) -> None:
        with self._store.database.transaction("delivery.refuse") as connection:
            self._lease.hold(connection)
            self._store.deliveries.finish(
                connection, self._delivery.id, Status.FAILED, self._delivery.counts,
                stopped.code, stopped.reason,
            )  # fmt: skip
            self._store.deliveries.queue_next(connection, self._delivery.id)

    # files

    @property
    def _owner(self) -> Owner:
        one = self._delivery
        return Owner(
            one.workspace_id, one.sync_uid, one.destination_uid, one.run_id, delivery_id=one.id
        )

    def _plan_file(self) -> StoredFile:
        (plan,) = self._store.files.of_delivery("plan", self._delivery.id)
        return plan

    def _open_ledger(self, duck: Duck) -> Layers:
        return open_ledger(
            duck, self._store, self._delivery.sync_uid, self._delivery.destination_uid
        )


def feed_of(spec: SyncSpec, use: UseSpec, sync_uid: str, columns: Sequence[Column]) -> Feed:
    """Return what a destination must know of a sync; columns are traits under their own names."""
    by_name = {column.name: column for column in columns}
    pairs = mapping_of(use, list(by_name)).fields
    if pairs is None:
        pairs = tuple((name, name) for name in by_name)
    traits = tuple(replace(by_name[name], name=trait) for name, trait in pairs)
    return Feed(
        sync_uid, spec.name, spec.kind, spec.identify_by, use.match, traits,
        object_type=spec.object_type, removed=use.removed,
    )  # fmt: skip


def timestamp_of(seconds: float) -> str:
    """Return a moment as ISO 8601 UTC with milliseconds."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
