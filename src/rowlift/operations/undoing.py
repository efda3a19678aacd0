"""Undo a run: what comes back, what stays, and who cannot take it back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rowlift.core.clock import Clock
from rowlift.core.errors import Busy, ConfigError, RowliftError
from rowlift.core.nouns import Kind, Mode, Removed
from rowlift.core.progress import Progress
from rowlift.core.specs import SyncSpec
from rowlift.engine.delivery import timestamp_of
from rowlift.engine.duck import Duck
from rowlift.engine.foresee import Foreseen, Foresight
from rowlift.engine.parts import parts, uids
from rowlift.engine.undo import DELTA, changed_anything, is_known, nothing_left, too_old
from rowlift.operations.estimating import estimate_undo
from rowlift.operations.home import Home
from rowlift.operations.kinds import ACCEPTS
from rowlift.operations.openings import Opening
from rowlift.operations.reports import PlanReport, UndoReport
from rowlift.state.files import PINS
from rowlift.state.images import WORKSPACE
from rowlift.state.runs import UNDO, Run


@dataclass(frozen=True, slots=True)
class Undoing:
    """Looks back at the runs of one project."""

    home: Home
    clock: Clock
    progress: Progress

    def spec(self, run: Run) -> SyncSpec:
        """Return the sync of a run that can be undone, as the undo takes it.

        Raises ConfigError NAME_UNKNOWN and UNDO_TOO_OLD, GuardStop NOTHING_LEFT, and Busy.
        """
        names = {uid: name for name, uid in self.home.syncs.items()}
        if run.sync_uid not in names:
            text = f"The sync of run {run.id} is not there any more."
            raise ConfigError("NAME_UNKNOWN", text, mend="Put its file back.")
        active = self.home.store.runs.active(self.home.workspace_id)
        if active is not None and active.id == run.id:
            raise Busy("BUSY", f"Run {run.id} is not over.", mend="Wait for it, or cancel it.")
        spec = self.home.sync(names[run.sync_uid])
        if self._is_forgotten(run) or not any(self._changed(run, spec)):
            raise nothing_left(run)
        known = all(self._is_known(run, uid, told) for uid, told in self._changed(run, spec))
        if not known or self.clock.now().timestamp() >= self.until(run):
            raise too_old(run)
        return replace(spec, mode=Mode.UPSERT) if spec.mode is Mode.CREATE else spec

    def _is_forgotten(self, run: Run) -> bool:
        """Tell whether a run left no image, or its sync was reset since."""
        image = self.home.store.images.image(run.sync_uid)
        return not image or (run.image_revision or 0) <= image.forgotten

    def _changed(self, run: Run, spec: SyncSpec) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the parts in whose image a run changed something, each with its counts."""
        for part in parts(spec, run.sync_uid):
            told = run.counts.get(part.name) if part.name else run.counts
            if told and changed_anything(told):
                yield part.uid, told

    def _is_known(self, run: Run, uid: str, told: Mapping[str, Any]) -> bool:
        deltas = self.home.store.files.of_run(DELTA, run.id, uid, replaced=True)
        return is_known(told, [one.path for one in deltas])

    def until(self, run: Run) -> float:
        """Return until when a run can be undone, in Unix seconds."""
        keep = self.home.project.retention
        return run.created_at + min(keep.undo, keep.runs)

    def foresee(self, run: Run, folder: Path) -> PlanReport:
        """Return what an undo would do; leaves the rows that come back in the folder.

        Raises what `spec` does, and Busy while a run is active or was interrupted.
        """
        if active := self.home.store.runs.active(self.home.workspace_id):
            mend = "Wait for it, or finish what was interrupted: rowlift run."
            raise Busy("BUSY", f"Run {active.id} is active or was interrupted.", mend=mend)
        spec = self.spec(run)
        self.progress.phase(spec.name, "plan")
        now = self.clock.now().timestamp()
        store = self.home.store
        foresight = Foresight(
            self.home.workspace, store, run.sync_uid, "", self.home.destinations,
            self.home.relate(spec), self.home.destination, timestamp_of(int(now)), self.progress,
        )  # fmt: skip
        with Duck(store.files.scratch, begins_small=True) as duck:
            foreseen = foresight.look_back(duck, parts(spec, run.sync_uid), run, folder)
        rows = sum(_moved(one) for one in _parts_of(foreseen.counts))
        if not rows:
            raise nothing_left(run)
        return PlanReport(
            spec.name, "", now, foreseen.counts, foreseen.targets, foreseen.samples,
            tuple(self._notes(run, spec, foreseen)),
            estimate_undo(self.home, spec, run.sync_uid, foreseen, rows), undo_of=run.id,
        )  # fmt: skip

    def _notes(self, run: Run, spec: SyncSpec, foreseen: Foreseen) -> Iterator[str]:
        """Yield what the undo does not bring back, and what it does besides."""
        stays = sum(int(one.get("stays", 0)) for one in _parts_of(foreseen.counts))
        if stays:
            yield f"{stays:,} rows changed since run {run.id}: they stay as they are."
        if run.counts.get("added"):
            yield from self._newcomers(spec)
        for target, rows in _more(foreseen, spec):
            yield f"{target}: {rows:,} rows that are due besides are tried with it."
        for use in spec.destinations:
            connection = self.home.project.destinations.get(use.use)
            able = ACCEPTS.get(connection.type) if connection else None
            if able and able.appends:
                yield f"{use.use}: files that were written stay; the rows come in a new one."
            if use.removed is Removed.KEEP and int(foreseen.counts.get("removed", 0)):
                yield f"{use.use} keeps who leaves: what it was sent of new rows stays there."
        if run.undo_of is None:
            yield (
                f"{spec.name} is then paused, and what is undone does not come back until the "
                f"source says something else. Let it run again: rowlift resume {spec.name}."
            )

    def _newcomers(self, spec: SyncSpec) -> Iterator[str]:
        if spec.removed is Removed.KEEP and spec.workspace and spec.kind is not Kind.RELATIONSHIP:
            text = "Who is new stays, without the values of this sync: it keeps who leaves"
            yield f"{text} (removed: keep)."
        if spec.segment and spec.removed is Removed.KEEP:
            yield f"Who entered the segment {spec.segment.name} stays in it."

    def opening(self, run_id: int, plan: str) -> Opening:
        """Return how a run begins that undoes another one; raises what `spec` does."""
        run = self.home.run(run_id)
        before = self.home.store.runs.last_good(run.sync_uid, run.id)
        moment = (before or run).source_time
        return Opening(UNDO, plan=plan, undo_of=run.id, source_time=moment, spec=self.spec(run))


def _parts_of(counts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    second = counts.get("relationships")
    return [counts, *([second] if second else [])]


def _more(foreseen: Foreseen, spec: SyncSpec) -> Iterator[tuple[str, int]]:
    """Yield the targets at which more rows are due than come back, and how many more."""
    for target in (WORKSPACE, *(use.use for use in spec.destinations)):
        told = foreseen.targets.get(target, {})
        tried = told.get("due") or sum(one for one in told.values() if isinstance(one, int))
        if (more := int(tried) - _moved(foreseen.counts)) > 0:
            yield target, more


def _moved(counts: Mapping[str, Any]) -> int:
    return sum(int(counts.get(name, 0)) for name in ("changed", "returned", "removed"))


def pinned(home: Home, sync_uid: str) -> int:
    """Return how many rows of a sync stay as an undo left them, whatever the source has."""
    each = (home.store.files.live([PINS], uid) for uid in uids(sync_uid).values())
    return sum(one.rows for files in each for one in files)


@dataclass(frozen=True, slots=True)
class Undone:
    """Which runs of one project can be undone, and what stays undone."""

    home: Home
    clock: Clock
    progress: Progress

    def show(self, run_id: int) -> UndoReport:
        """Tell whether a run can be undone, and by which run it was; raises StateError NOT_FOUND.

        It may turn out that nothing is left of it: only its plan looks at every row.
        """
        run, undoing = self.home.run(run_id), Undoing(self.home, self.clock, self.progress)
        by = self.home.store.runs.undone_by(run_id)
        undone_by = by.id if by else None
        try:
            undoing.spec(run)
        except RowliftError as error:
            return UndoReport(run_id, undone_by, None, error.code, error.message)
        return UndoReport(run_id, undone_by, undoing.until(run))

    def unpin(self, sync: str) -> int:
        """Let come back what was undone, with the next run that reads it; returns how many rows.

        Raises Busy while a run is active, and ConfigError NAME_UNKNOWN.
        """
        return _unpin(self.home, sync)


def _unpin(home: Home, name: str) -> int:
    home.sync(name)
    if home.store.runs.active(home.workspace_id):
        mend = "Wait for it, or finish what was interrupted: rowlift run."
        raise Busy("BUSY", "A run is active or was interrupted.", mend=mend)
    rows = pinned(home, home.syncs[name])
    with home.store.database.transaction("pins.drop") as connection:
        for uid in uids(home.syncs[name]).values():
            home.store.files.retire(connection, home.store.files.live([PINS], uid))
    return rows
