"""One import, from the query to the workspace. Read this file first.

    read      the query's rows go to a staged file            commit: stage file, source time
    validate  rules decide which rows are good                (nothing is written)
    merge     good rows against the image                     commit: image, deliveries queued
    apply     due rows into the workspace, slice by slice     commit: one per slice
    record    ledger of the workspace, last_sync_time, status commit: the run is over

A killed run goes on from the last commit. Deliveries drain afterwards, see delivery.py.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rowlift.core.errors import Fenced, GuardStop, RowliftError, unexpected
from rowlift.core.nouns import Column, Finding, Status
from rowlift.core.ports import Source
from rowlift.core.progress import Progress
from rowlift.core.specs import SyncSpec
from rowlift.engine.canon import CANON_VERSION
from rowlift.engine.columns import check_columns
from rowlift.engine.compare import Compared, Result, compare, trait_columns
from rowlift.engine.delivery import DeliverySpec, feed_of, timestamp_of
from rowlift.engine.duck import Duck
from rowlift.engine.held import write_held
from rowlift.engine.layers import add_to_image
from rowlift.engine.moments import conversion_told
from rowlift.engine.populate import Populated, populate, record_ledger
from rowlift.engine.read import stage
from rowlift.kit.sqlguard import guard, render
from rowlift.state.files import Owner, StoredFile
from rowlift.state.images import Image
from rowlift.state.runs import ADOPT, Run
from rowlift.state.store import Store
from rowlift.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Planned:
    """The rows of a plan file, which a run takes instead of asking the source again."""

    source_time: int
    unpack: Callable[[Path], int]


@dataclass(frozen=True, slots=True)
class Import:
    """What a run needs besides the state: the frozen sync, its source and its destinations."""

    spec: SyncSpec
    source: Callable[[], AbstractContextManager[Source]]  # opened only while rows are read
    workspace: Workspace
    identifiers: tuple[str, ...]
    destination_uids: Mapping[str, str]  # name → uid
    allow_removals: bool = False
    planned: Planned | None = None


class ImportRun:
    """Carries one run that is ours through its phases."""

    def __init__(self, store: Store, run: Run, work: Import, progress: Progress) -> None:
        self._store = store
        self._run = run
        self._work = work
        self._spec = work.spec
        self._progress = progress
        self._task = work.spec.name
        self._lease = store.runs.lease(run)
        self._owner = Owner(run.workspace_id, run.sync_uid, run_id=run.id)

    def carry(self) -> Run:
        """Read, validate, merge, apply, record; returns the run as it ended.

        A refusal or a failure is recorded in the run and raised; so is a fault of ours, or else
        the run would stay active and block its workspace. This is the boundary where it is caught.
        """
        with self._lease, Duck(self._store.files.scratch) as duck:
            try:
                self._carry(duck)
            except Fenced:
                raise
            except RowliftError as error:
                self._fail(error)
                raise
            except Exception as error:
                self._fail(unexpected(error))
                raise
        return self._store.runs.get(self._run.id)

    def cancel(self, reason: GuardStop) -> None:
        """End a run that changed nothing yet; the reason's code is INTERRUPTED."""
        with self._lease:
            self._fail(reason)

    def _carry(self, duck: Duck) -> None:
        if self._run.phase == ADOPT:
            self._adopt()
        if self._run.phase in ("read", "validate"):
            with self._work.source() as source:
                if self._run.phase == "read":
                    self._read(source)
                self._merge(duck, source.dialect)
        self._apply(duck)

    # read

    def _adopt(self) -> None:
        planned = self._work.planned
        if planned is None:
            raise GuardStop(
                "INTERRUPTED",
                "It stopped before it had taken over the rows of its plan; nothing was changed.",
                mend="Apply the plan again: rowlift run --plan FILE.",
            )
        stored = self._store.files.write("stage", self._owner, planned.unpack)
        self._commit_read("plan.adopt", stored, planned.source_time)

    def _read(self, source: Source) -> None:
        self._progress.phase(self._task, "query")
        spec = self._spec
        moment = source.now()
        query = guard(render(spec.sql, self._since()), source.dialect)
        with conversion_told(spec.sql, source.dialect):
            columns = source.describe(query.sql)
        self._tell(check_columns(columns, spec, self._work.identifiers))

        def fill(path: Path) -> int:
            return stage(
                source, query.sql, path, most_rows=spec.limits.rows,
                progress=self._progress, task=self._task,
            )  # fmt: skip

        stored = self._store.files.write("stage", self._owner, fill)
        self._commit_read("run.read", stored, moment)

    def _commit_read(self, name: str, stored: StoredFile, moment: int) -> None:
        with self._store.database.transaction(name) as connection:
            self._lease.hold(connection)
            self._store.files.publish(connection, stored)
            self._store.runs.advance(
                connection, self._run.id, "validate",
                source_time=moment, counts={"read": stored.rows},
            )  # fmt: skip
        self._refresh()

    def _since(self) -> int:
        return max(
            0, self._store.runs.last_sync_time(self._run.sync_uid) - self._spec.overlap_seconds
        )

    def _tell(self, warnings: Sequence[Finding]) -> None:
        for warning in warnings:
            self._progress.note(self._task, f"{warning.message} {warning.mend}".strip())

    # validate and merge

    def _merge(self, duck: Duck, dialect: str) -> None:
        self._progress.phase(self._task, "validate")
        (staged,) = self._store.files.of_run("stage", self._run.id)
        compared = compare(
            duck, self._store, self._run.sync_uid, self._spec,
            Result(staged.path, dialect, self._run.created_at),
            allow_removals=self._work.allow_removals,
        )  # fmt: skip
        self._tell(compared.warnings)
        self._progress.phase(self._task, "changes")
        self._commit_merge(duck, compared)
        self._refresh()

    def _commit_merge(self, duck: Duck, compared: Compared) -> None:
        image, columns, counts = compared.image, compared.columns, compared.counts
        revision = compared.revision
        added = add_to_image(
            duck, self._store, self._owner, compared.found,
            revision=revision, judged=compared.judged, rewritten=compared.rewritten,
        )  # fmt: skip
        rejects = self._write_rejects(duck, counts)
        held = write_held(self._store, self._owner, compared.holding)
        rows = (image.rows if image else 0) + counts["added"]
        with self._store.database.transaction("run.merge") as connection:
            self._lease.hold(connection)
            self._store.files.swap(
                connection, (*added.stored, *rejects, *held.stored),
                (*added.replaced, *held.replaced),
            )  # fmt: skip
            self._store.images.save_image(
                connection,
                Image(
                    self._run.sync_uid, self._run.workspace_id, revision, self._spec.identify_by,
                    tuple(columns), CANON_VERSION, rows, counts["present"], self._run.id,
                ),
            )  # fmt: skip
            self._store.runs.advance(
                connection, self._run.id, "apply", image_revision=revision, counts=counts
            )
            self._store.deliveries.queue(
                connection, self._run.workspace_id, self._run.sync_uid, self._run.id,
                self._delivery_specs(columns),
            )  # fmt: skip

    def _write_rejects(self, duck: Duck, counts: Mapping[str, Any]) -> list[StoredFile]:
        if not counts["rejected"]:
            return []
        fill = partial(duck.write, "SELECT * FROM rejected")
        return [self._store.files.write("rejects", self._owner, fill)]

    def _delivery_specs(self, columns: Sequence[Column]) -> dict[str, str]:
        traits = trait_columns(columns, self._spec)
        timestamp = timestamp_of(self._run.source_time or 0)
        return {
            self._work.destination_uids[use.use]: DeliverySpec(
                use,
                feed_of(self._spec, use, self._run.sync_uid, traits),
                self._spec.limits.record_bytes,
                timestamp,
                use.use,
            ).to_json()
            for use in self._spec.destinations
        }

    # apply and record

    def _apply(self, duck: Duck) -> None:
        done = Populated()
        if self._spec.workspace:
            self._progress.phase(self._task, "workspace")
            done = populate(
                duck, self._store, self._lease, self._run, self._spec, self._work.workspace,
                self._progress,
            )  # fmt: skip
        self._progress.phase(self._task, "record")
        counts = {**self._run.counts, "workspace": {**done.counts, "codes": dict(done.codes)}}
        rejected = int(counts["rejected"]) + done.counts.get("rejected", 0)
        status = Status.SOME_ROWS_FAILED if rejected else Status.COMPLETED
        reason = f"{rejected:,} rows were rejected." if rejected else ""
        code = next(iter(counts["codes"] | done.codes), "") if rejected else ""
        added = record_ledger(duck, self._store, self._run, done) if self._spec.workspace else None
        staged = self._store.files.of_run("stage", self._run.id)
        with self._store.database.transaction("run.record") as connection:
            self._lease.hold(connection)
            self._store.files.retire(connection, staged)
            if added:
                self._store.files.swap(connection, added.stored, added.replaced)
                self._store.images.save_ledger(connection, added.ledger)
            if self._is_all_kept(done):
                self._store.runs.move_last_sync_time(
                    connection, self._run.workspace_id, self._run.sync_uid,
                    self._run.source_time or 0,
                )  # fmt: skip
            self._store.runs.finish(connection, self._run.id, status, counts, code, reason)

    def _is_all_kept(self, done: Populated) -> bool:
        """Tell whether no row needs to be read again: what failed is held, or due in the image."""
        counts = self._run.counts
        is_due = self._spec.cursor == "held_rows" or not done.counts.get("rejected")
        return counts["rejected"] == counts["held"] and is_due

    def _fail(self, error: RowliftError) -> None:
        status = Status.STOPPED if isinstance(error, GuardStop) else Status.FAILED
        if error.code == "INTERRUPTED":
            status = Status.CANCELLED
        reason = f"{error.message} {error.mend}".strip()
        files = self._store.files
        left = [one for kind in ("stage", "apply") for one in files.of_run(kind, self._run.id)]
        with self._store.database.transaction("run.fail") as connection:
            self._lease.hold(connection)
            files.retire(connection, left)
            self._store.runs.finish(
                connection, self._run.id, status, self._run.counts, error.code, reason
            )

    def _refresh(self) -> None:
        self._run = self._store.runs.get(self._run.id)
