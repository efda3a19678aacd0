"""Run syncs one after the other, finish first what was interrupted, and drain what they queue."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rowlift import operations
from rowlift.core.clock import Clock
from rowlift.core.errors import Busy, ConfigError, GuardStop, SourceError
from rowlift.core.progress import Progress
from rowlift.core.specs import OWN
from rowlift.operations.alerting import telling
from rowlift.operations.approving import LIFTING, refuse_alone
from rowlift.operations.home import Home
from rowlift.operations.importing import Importer
from rowlift.operations.pausing import chosen, paused, refuse_paused
from rowlift.operations.pruning import tidy
from rowlift.operations.reporting import latest, report_run
from rowlift.operations.reports import RetryReport, RunReport
from rowlift.operations.suppressing import revision
from rowlift.state.runs import Run


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs of one project, as its commands begin them.

    With `wait` deliveries are carried to their end, else they wait for the next run.
    """

    home: Home
    clock: Clock
    progress: Progress
    wait: bool = True

    def run(
        self, syncs: Sequence[str], *, allow_removals: bool, first_rows: int | None = None
    ) -> list[RunReport]:
        """Run syncs, all of them if none is named, but those that are paused.

        With one sync its refusal or failure is raised; with several it is a report of its own.
        """
        if allow_removals:
            refuse_alone(self.home, LIFTING)
        with self._telling():
            finished = self._finish_interrupted()
            names = chosen(self.home, syncs)
            idle = set(paused(self.home, names)) - finished.keys()
            begin = partial(
                self._importer.run, allow_removals=allow_removals, first_rows=first_rows
            )
            begun = [name for name in names if name not in idle]
            own = {name: self.home.sync(name).source == OWN.name for name in begun}
            reports = {}
            for name in sorted(begun, key=own.__getitem__):
                if own[name]:
                    self._compute()  # what the syncs before it brought
                report = finished.get(name) or self._run_one(begin, name, raising=len(names) == 1)
                reports[name] = report
            return [reports[name] for name in begun]

    def apply(self, plan: Path) -> RunReport:
        """Apply a plan, or go on with the run that began to; raises GuardStop APPROVAL_NEEDED."""
        with self._telling():
            finished = self._finish_interrupted()
            planner = operations.planning.Planner(self.home, self.clock, self.progress)
            begun = planner.applied(plan)
            if begun and begun.id in self._resumable(begun, finished):
                return self._delivered(begun, resumed=True)
            refuse_alone(self.home, "Nobody approved this plan.")
            return self._delivered(planner.apply(plan))

    def undo(self, run_id: int) -> RunReport:
        """Take back what a run did, or go on with the run that began to.

        Raises what `Planner.make_undo` and `Planner.apply` do, and GuardStop APPROVAL_NEEDED.
        """
        with self._telling():
            left = self._resumed()
            if left is not None and left.undo_of == run_id:
                return self._delivered(left, resumed=True)
        planner = operations.planning.Planner(self.home, self.clock, self.progress)
        with operations.planning.scratch(self.home.store.files.scratch) as folder:
            planner.make_undo(run_id, folder / "undo.plan")
            return self.apply(folder / "undo.plan")

    def retry(self, run_id: int) -> RetryReport:
        """Apply again what the workspace rejected in a run, and send again what is not delivered.

        Raises GuardStop PAUSED.
        """
        run = self.home.run(run_id)
        refuse_paused(self.home, run.sync_uid)
        with self._telling():
            left = self._resumed()
            try:
                is_done = left is not None and left.retry_of == run_id
                again = left if is_done else operations.retrying.apply_again(self._importer, run)
            finally:
                operations.retrying.send_again(self.home, run)
                self._drain(run.sync_uid)
        return operations.retrying.report_retry(self.home, run, again)

    def drain(self) -> None:
        """Carry the open deliveries of every sync to their end."""
        for uid in self.home.syncs.values():
            self._drain(uid)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Tell channels what a run ended with, and destinations of whom it found suppressed."""
        with telling(self.home, self.clock):
            before = revision(self.home)
            yield
            if self.wait and revision(self.home) != before:
                self.drain()
            self._compute()

    def _compute(self) -> None:
        if self.home.audiences:
            operations.audiences.Computing(self.home, self.clock, self.progress).compute_due()

    def _resumable(self, begun: Run, finished: Mapping[str, RunReport]) -> Sequence[int]:
        open_ = self.home.store.deliveries.open(begun.sync_uid)
        return [*(one.id for one in finished.values()), *(one.run_id for one in open_)]

    def _finish_interrupted(self) -> dict[str, RunReport]:
        """Finish what a killed process left; a sync finished so needs no run of its own.

        Unless it was edited since: then the new settings want theirs.
        """
        left = self._resumed()
        if left is None or not left.is_whole or self._importer.is_edited(left):
            return {}
        report = report_run(self.home, left, resumed=True)
        return {report.sync: report}

    @property
    def _importer(self) -> Importer:
        return Importer(self.home, self.progress)

    def _resumed(self) -> Run | None:
        left = self._importer.resume()
        if left and self.wait:
            self._drain(left.sync_uid)
        return left

    def _run_one(self, begin: Callable[[str], Run], name: str, *, raising: bool) -> RunReport:
        try:
            run = begin(name)
        except (Busy, ConfigError, GuardStop, SourceError):
            if self.wait:
                self._drain(self.home.syncs[name])
            if raising:
                raise
            return latest(self.home, name, limit=1, before=None, failed=False)[0]
        return self._delivered(run)

    def _delivered(self, run: Run, *, resumed: bool = False) -> RunReport:
        if self.wait:
            self._drain(run.sync_uid)
        ended = self.home.store.runs.get(run.id)
        return report_run(self.home, ended, resumed=resumed)

    def _drain(self, sync_uid: str) -> None:
        cancelled = threading.Event()
        operations.delivering.Drain(self.home, self.clock, self.progress, cancelled).sync(sync_uid)
        tidy(self.home)
