"""One import, from the query to the workspace. Read this file first.

    read      the query's rows go to a staged file            commit: stage file, source time
    validate  rules decide which rows are good                (nothing is written)
    merge     good rows against the image                     commit: image, deliveries queued
    apply     due rows into the workspace, slice by slice     commit: one per slice
    record    ledger of the workspace, last_sync_time, status commit: the run is over

A sync with a second query, for relationships, does each of these for both, and commits once. A run
that undoes another one reads nothing: it begins with what was before that one, see undo.py. A
killed run goes on from the last commit. Deliveries drain afterwards, see delivery.py.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rowlift import engine
from rowlift.core.errors import Fenced, GuardStop, RowliftError, StateError, unexpected
from rowlift.core.nouns import Column, Finding, Status
from rowlift.core.ports import Source
from rowlift.core.progress import Attentive, Progress
from rowlift.core.rules import rule
from rowlift.core.spans import Span, span, trace_of
from rowlift.core.specs import SyncSpec
from rowlift.engine.describe import describe
from rowlift.engine.meter import Meter
from rowlift.engine.moments import no_seconds, seconds_told
from rowlift.engine.parts import RELATIONSHIPS, Part, parts
from rowlift.engine.read import stage, staged_columns
from rowlift.kit.sqlguard import uses_last_sync_time
from rowlift.state.files import Owner, StoredFile
from rowlift.state.images import Image
from rowlift.state.runs import ADOPT, UNDO, Run
from rowlift.state.store import Store
from rowlift.workspace.segments import require
from rowlift.workspace.workspace import Workspace

if TYPE_CHECKING:
    from rowlift.engine.duck import Duck
    from rowlift.engine.early import LookAhead
    from rowlift.engine.populate import LedgerChange, Populated
    from rowlift.engine.validate import Ahead


@dataclass(frozen=True, slots=True)
class Planned:
    """The rows of a plan file, which a run takes instead of asking the source again."""

    source_time: int
    unpack: Callable[[str, Path], int]  # the part's name, and where its rows go


@dataclass(frozen=True, slots=True)
class Import:
    """What a run needs besides the state: the frozen sync, its source and its destinations."""

    spec: SyncSpec
    source: Callable[[], AbstractContextManager[Source]]  # opened only while rows are read
    workspace: Workspace
    identifiers: tuple[str, ...]
    destination_uids: Mapping[str, str]  # name → uid
    relate: frozenset[str] = frozenset()  # names of destinations that take relationships
    allow_removals: bool = False
    planned: Planned | None = None
    leave: Callable[[], None] = lambda: None  # raises where the process ends, and the run goes on


@dataclass(frozen=True, slots=True)
class _Merged:
    """One part's files, image and counts, to be committed with those of the others."""

    part: Part
    image: Image
    stored: tuple[StoredFile, ...]
    replaced: tuple[StoredFile, ...]
    counts: dict[str, Any]
    columns: Sequence[Column]


# What comes after reading, and is not loaded before: a fifth of the start.
_LATER = ("compare", "delivery", "early", "held", "populate", "preflight", "rejected", "touching")


class ImportRun:
    """Carries one run that is ours through its phases."""

    def __init__(self, store: Store, run: Run, work: Import, progress: Progress) -> None:
        self._store = store
        self._run = run
        self._work = work
        self._spec = work.spec
        self._parts = parts(work.spec, run.sync_uid, run.first_rows)
        self._task = work.spec.name
        self._lease = store.runs.lease(run)
        meter = Meter(progress, {part.title: part.name for part in self._parts})
        self._lease.telling = meter.told
        self._progress = Attentive(meter, self._refuse_cancelled)

    def carry(self) -> Run:
        """Read, validate, merge, apply, record; returns the run as it ended.

        A refusal or a failure is recorded in the run and raised; so is a fault of ours, or else
        the run would stay active and block its workspace. This is the boundary where it is caught.
        Where the state was away the run stays active, and goes on once somebody takes it over.
        """
        with self._span() as told:
            self._carry_on()
            ended = self._store.runs.get(self._run.id)
            told.note(status=ended.status.value)
        return ended

    def _carry_on(self) -> None:
        with self._lease:
            try:
                self._carry()
            except Fenced:
                raise
            except RowliftError as error:
                self._work.leave()  # what failed may have been stopped by the end of the process
                if self._run.goes_on_after(error) and not self._lease.cancelled_by:
                    raise self._left(error) from error
                self._fail(error)
                self._refuse_cancelled()
                raise
            except Exception as error:
                self._fail(unexpected(error))
                raise

    def _left(self, error: RowliftError) -> StateError:
        """Return an error that says what becomes of the run."""
        mend = f"{error.mend} Run {self._run.id} then goes on where it stopped."
        return StateError(error.code, error.message, mend=mend, examples=error.examples)

    def _span(self) -> AbstractContextManager[Span]:
        run = self._run
        return span(
            "run", trace_of(run.sync_uid, run.id), workspace=run.workspace_id, run=run.id,
            sync=self._task, phase=run.phase,
        )  # fmt: skip

    def _refuse_cancelled(self) -> None:
        """Raise GuardStop CANCELLED once somebody asked for the run's end."""
        if by := self._lease.cancelled_by:
            text = f"Run {self._run.id} was cancelled by {by}."
            raise GuardStop("CANCELLED", text, mend="Run again: what it left is still due.")

    def cancel(self, reason: GuardStop) -> None:
        """End a run that goes no further; the reason's code is INTERRUPTED or CANCELLED."""
        with self._lease:
            self._fail(reason)

    def _carry(self) -> None:
        if self._run.phase in (ADOPT, UNDO, "read") and self._spec.segment:
            require(self._work.workspace, self._spec.segment)
        if self._run.phase == ADOPT:
            self._adopt()
        dialect = self._asked() if self._run.phase in ("read", "validate") else ""
        scratch = self._store.files.scratch
        with (
            engine.duck.Duck(scratch, begins_small=True) as duck,
            engine.early.LookAhead(self._work.workspace, self._spec) as people,
        ):
            if self._run.phase == "validate":
                self._merge(duck, dialect, people)
            if self._run.phase == UNDO:
                self._undo(duck)
            self._apply(duck, people)

    # read

    def _asked(self) -> str:
        """Read the source's answer, unless that was done, and return the source's dialect."""
        with self._work.source() as source, self._lease.stopping(source.cancel):
            if self._run.phase == "read":
                with span("read") as told, _loading(self._store.files.scratch):
                    self._read(source)
                    told.note(rows=self._run.counts["read"])
            return source.dialect

    def _adopt(self) -> None:
        planned = self._work.planned
        if planned is None:
            raise GuardStop(
                "INTERRUPTED",
                "It stopped before it had taken over the rows of its plan; nothing was changed.",
                mend="Apply the plan again: rowlift run --plan FILE.",
            )
        stored = [
            self._store.files.write("stage", self._owner(part), partial(planned.unpack, part.name))
            for part in self._parts
        ]
        self._commit_read("plan.adopt", stored, planned.source_time)

    def _read(self, source: Source) -> None:
        moment = source.now()
        self._tell(self._clock_back(moment))
        queries = [self._described(source, part) for part in self._parts]
        stored = [
            self._staged(source, part, sql) for part, sql in zip(self._parts, queries, strict=True)
        ]
        self._commit_read("run.read", stored, moment)

    def _described(self, source: Source, part: Part) -> str:
        self._progress.phase(part.title, "query", self._usual(part))
        since, identifiers = self._since(), self._work.identifiers
        sql, warnings = describe(source, part.spec, since=since, identifiers=identifiers)
        self._tell(warnings)
        self._tell(seconds_told([*no_seconds(source, part.spec.sql)], source.dialect))
        return sql

    def _usual(self, part: Part) -> int | None:
        """Return how many rows are to be expected: those it tries, or what the last run read.

        Nobody knows where it asks for those of late.
        """
        if self._run.first_rows is not None:
            return self._run.first_rows
        if uses_last_sync_time(part.spec.sql):
            return None
        counts = self._store.runs.last_counts(self._run.sync_uid)
        of_part = counts.get(part.name) or {} if part.name else counts
        return of_part.get("read")

    def _staged(self, source: Source, part: Part, sql: str) -> StoredFile:
        def fill(path: Path) -> int:
            return stage(
                source, sql, path, most_rows=part.spec.limits.rows,
                progress=self._progress, task=part.title, first_rows=self._run.first_rows,
            )  # fmt: skip

        return self._store.files.write("stage", self._owner(part), fill)

    def _commit_read(self, name: str, stored: Sequence[StoredFile], moment: int) -> None:
        with self._store.database.transaction(name) as connection:
            self._lease.hold(connection)
            for one in stored:
                self._store.files.publish(connection, one)
            self._store.runs.advance(
                connection, self._run.id, "validate",
                source_time=moment, counts={"read": stored[0].rows},
                columns={one.name: one.value_type for one in staged_columns(stored[0].path)},
            )  # fmt: skip
        self._refresh()

    def _since(self) -> int:
        return max(
            0, self._store.runs.last_sync_time(self._run.sync_uid) - self._spec.overlap_seconds
        )

    def _clock_back(self, moment: int) -> Iterator[Finding]:
        """Yield a warning if the source's clock went back behind the last run that moved the time.

        What changed in between under an earlier time than that run's is not asked for.
        """
        last = self._store.runs.last_sync_time(self._run.sync_uid)
        if moment < last and uses_last_sync_time(self._spec.sql):
            known = rule("CLOCK_BACK")
            text = f"The source's clock is {last - moment:,} s behind the last run: {known.title}."
            yield Finding("clock", "warning", text, known.mend, known.code)

    def _tell(self, warnings: Iterable[Finding]) -> None:
        for warning in warnings:
            self._progress.note(self._task, f"{warning.message} {warning.mend}".strip())

    # validate and merge

    def _merge(self, duck: "Duck", dialect: str, people: "LookAhead") -> None:
        self._commit_merge([self._merged(duck, dialect, part, people) for part in self._parts])
        self._refresh()

    def _merged(self, duck: "Duck", dialect: str, part: Part, people: "LookAhead") -> _Merged:
        self._progress.phase(part.title, "validate")
        run = self._run
        (staged,) = self._store.files.of_run("stage", run.id, part.uid)
        with span("judge", part=part.name) as told:
            is_partial = bool(run.first_rows)
            compared = engine.compare.compare(
                duck, self._store, part.uid, part.spec,
                engine.compare.Result(staged.path, dialect, run.created_at, is_partial=is_partial),
                allow_removals=self._work.allow_removals, ahead=self._ahead(duck, people),
            )  # fmt: skip
            told.note(**compared.counts)
        self._tell(compared.warnings)
        if not part.name and not self._work.allow_removals:
            engine.preflight.guard_unknown(
                duck, self._store, run, part.spec, self._work.workspace, staged.path,
                compared.counts,
            )  # fmt: skip
        self._progress.phase(part.title, "changes")
        owner, counts = self._owner(part), compared.counts
        with span("merge", part=part.name):
            added = engine.layers.add_to_image(
                duck, self._store, owner, compared.found, revision=compared.revision,
                judged=compared.judged, rewritten=compared.rewritten,
            )  # fmt: skip
        rejects = self._write_rejects(duck, owner, counts, staged.path)
        held = engine.held.write_held(self._store, owner, compared.holding)
        pins = engine.pins.write_lasting(duck, self._store, owner, compared.pinning)
        image = Image(
            part.uid, self._run.workspace_id, compared.revision, part.spec.identify_by,
            compared.columns, compared.form,
            (compared.image.rows if compared.image else 0) + counts["added"],
            counts["present"], self._run.id,
        )  # fmt: skip
        stored = (*added.stored, *rejects, *held.stored, *pins.stored)
        replaced = (*added.replaced, *held.replaced, *pins.replaced)
        engine.arrivals.forget(duck)
        return _Merged(part, image, stored, replaced, counts, compared.columns)

    def _ahead(self, duck: "Duck", people: "LookAhead") -> "Ahead":
        is_wanted = self._spec.workspace and len(self._parts) == 1
        if not is_wanted:
            return engine.validate.nobody
        return partial(engine.populate.look_ahead, duck, people)

    def _commit_merge(self, merged: Sequence[_Merged]) -> None:
        own, *others = merged
        counts = own.counts | {one.part.name: one.counts for one in others}
        with self._store.database.transaction("run.merge") as connection:
            self._lease.hold(connection)
            self._store.runs.advance(
                connection, self._run.id, "apply",
                image_revision=own.image.revision, counts=counts,
            )  # fmt: skip
            if self._run.undo_of:
                self._store.runs.pause_after_undo(
                    connection, self._run.workspace_id, self._run.sync_uid, self._run.id
                )  # fmt: skip
            for one in merged:
                self._store.files.swap(connection, one.stored, one.replaced)
                self._store.images.save_image(connection, one.image)
                self._store.deliveries.queue(
                    connection, self._run.workspace_id, one.part.uid, self._run.id,
                    self._delivery_specs(one.part, one.columns),
                )  # fmt: skip

    # undo, instead of all of these

    def _undo(self, duck: "Duck") -> None:
        self._progress.phase(self._task, "changes")
        of = self._store.runs.get(self._run.undo_of or 0)
        each = [self._undone(duck, part, of) for part in self._parts]
        merged = [one for one in each if one]
        if not any(one.stored for one in merged):
            raise engine.undo.nothing_left(of)
        self._commit_merge(merged)
        self._refresh()

    def _undone(self, duck: "Duck", part: Part, of: Run) -> _Merged | None:
        """Return what becomes of a part; None of one that there is nothing of yet."""
        with span("undo", part=part.name):
            undone = engine.undo.undo_part(duck, self._store, part, of, self._run.created_at)
            if undone is None or not undone.moved:
                return self._unmoved(part)
            owner = self._owner(part)
            fill = partial(engine.undo.write_restored, duck, revision=undone.revision)
            added = engine.layers.add_delta(duck, self._store, owner, undone.found, fill)
            pins = engine.pins.write_undone(duck, self._store, owner, again=undone.again)
        image = replace(
            undone.image, revision=undone.revision, present=undone.counts["present"],
            run_id=self._run.id,
        )  # fmt: skip
        return _Merged(
            part, image, (*added.stored, *pins.stored), (*added.replaced, *pins.replaced),
            undone.counts, image.columns,
        )  # fmt: skip

    def _unmoved(self, part: Part) -> _Merged | None:
        image = self._store.images.image(part.uid)
        if image is None:
            return None
        return _Merged(part, image, (), (), engine.undo.no_counts(image), image.columns)

    def _write_rejects(
        self, duck: "Duck", owner: Owner, counts: Mapping[str, Any], staged: Path
    ) -> list[StoredFile]:
        if not counts["rejected"]:
            return []
        fill = partial(engine.rejected.write_rejected, duck, staged)
        return [self._store.files.write("rejects", owner, fill)]

    def _delivery_specs(self, part: Part, columns: Sequence[Column]) -> dict[str, str]:
        traits = engine.compare.trait_columns(columns, part.spec)
        moment = int(self._run.created_at) if self._run.undo_of else self._run.source_time
        timestamp = engine.delivery.timestamp_of(moment or 0)
        return {
            self._work.destination_uids[use.use]: engine.delivery.DeliverySpec(
                use,
                engine.delivery.feed_of(part.spec, use, self._run.sync_uid, traits),
                part.spec.limits.record_bytes,
                timestamp,
                use.use,
            ).to_json()
            for use in part.spec.destinations
            if part.name != RELATIONSHIPS or use.use in self._work.relate
        }

    # apply and record

    def _apply(self, duck: "Duck", people: "LookAhead") -> None:
        done: list[tuple[Populated, LedgerChange]] = []
        for part in self._parts if self._spec.workspace else ():
            self._progress.phase(part.title, "workspace")
            with span("apply", part=part.name) as told:
                populated = engine.populate.populate(
                    duck, self._store, self._lease, self._run, part, people, self._progress
                )  # fmt: skip
                told.note(**populated.counts)
            done.append(
                (populated, engine.populate.fold(duck, self._store, self._run, part, populated))
            )
        self._progress.phase(self._task, "record")
        counts, rejected, code = self._counted([populated for populated, _ in done])
        status = Status.SOME_ROWS_FAILED if rejected else Status.COMPLETED
        reason = f"Rows rejected: {rejected:,}." if rejected else ""
        staged = self._files("stage")
        with self._store.database.transaction("run.record") as connection:
            self._lease.hold(connection)
            self._store.files.retire(connection, staged)
            for _, change in done:
                self._store.files.swap(connection, change.stored, change.replaced)
                self._store.images.save_ledger(connection, change.ledger)
            names = [part.name for part in self._parts]
            if self._run.is_whole and is_all_kept(self._spec, names, counts):
                self._store.runs.move_last_sync_time(
                    connection, self._run.workspace_id, self._run.sync_uid,
                    self._run.source_time or 0,
                )  # fmt: skip
            written = zip(self._parts, [populated for populated, _ in done], strict=False)
            touched = engine.touching.wrote(written)
            self._store.runs.finish(
                connection, self._run.id, status, counts, code, reason, touched
            )  # fmt: skip

    def _counted(self, done: "Sequence[Populated]") -> tuple[dict[str, Any], int, str]:
        """Return the counts of all parts, the number of rows rejected and the first code."""
        own, *others = done or [engine.populate.Populated()]
        counts = {**self._run.counts, "workspace": _told(own)}
        by_part = [(counts, own)]
        for part, populated in zip(self._parts[1:], others, strict=False):
            counts[part.name] = {**counts.get(part.name, {}), "workspace": _told(populated)}
            by_part.append((counts[part.name], populated))
        rejected = sum(
            int(counted.get("rejected", 0)) + populated.counts.get("rejected", 0)
            for counted, populated in by_part
        )
        codes = [
            code for counted, one in by_part for code in {**counted.get("codes", {}), **one.codes}
        ]
        return counts, rejected, codes[0] if codes else ""

    def _owner(self, part: Part) -> Owner:
        return Owner(self._run.workspace_id, part.uid, run_id=self._run.id)

    def _files(self, *kinds: str) -> list[StoredFile]:
        files = self._store.files
        return [
            stored
            for kind in kinds
            for part in self._parts
            for stored in files.of_run(kind, self._run.id, part.uid)
        ]

    def _fail(self, error: RowliftError) -> None:
        status = Status.STOPPED if isinstance(error, GuardStop) else Status.FAILED
        code, reason = error.code, error.told
        if by := self._lease.cancelled_by:
            code, reason = "CANCELLED", f"Cancelled by {by}; what is due stays due."
        if code in {"INTERRUPTED", "CANCELLED"}:
            status = Status.CANCELLED
        left = self._files("stage", "apply")
        with self._store.database.transaction("run.fail") as connection:
            self._lease.hold(connection)
            self._store.files.retire(connection, left)
            self._store.runs.finish(
                connection, self._run.id, status, self._run.counts, code, reason
            )

    def _refresh(self) -> None:
        self._run = self._store.runs.get(self._run.id)


def is_all_kept(spec: SyncSpec, names: Sequence[str], counts: Mapping[str, Any]) -> bool:
    """Tell whether no row needs to be read again: what failed is held, or due in the image.

    `names` are those of the sync's parts.
    """
    each = [counts, *(counts[name] for name in names if name)]
    is_held = all(one["rejected"] == one["held"] for one in each)
    rejected = any(one["workspace"].get("rejected") for one in each if "workspace" in one)
    return is_held and (spec.cursor == "held_rows" or not rejected)


def _told(done: "Populated") -> dict[str, Any]:
    return {**done.counts, "codes": dict(done.codes)}


@contextmanager
def _loading(scratch: Path) -> Iterator[None]:
    """Load what comes after reading while the source is read, and start DuckDB.

    Whatever fails there fails again, and is told, where it is needed.
    """

    def load() -> None:
        for name in _LATER:
            import_module(f"{engine.__name__}.{name}")
        engine.duck.warm(scratch)

    with ThreadPoolExecutor(1, "loading") as other:
        other.submit(load)
        yield
