"""A runner whose runs take no time but that of a clock, for schedules of days and months."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rowlift.core.clock import Clock
from rowlift.core.nouns import Status
from rowlift.state.store import Store

if TYPE_CHECKING:
    from rowlift.state.runs import Run
    from rowlift.workers.runner import Job


class FakeRunner:
    """Ends each import so many seconds after it began; it reads and writes nothing else.

    `most` is how many imports there ever were at once.
    """

    def __init__(self, store: Store, clock: Clock, lasts: Callable[["Run"], float]) -> None:
        self._store = store
        self._clock = clock
        self._lasts = lasts
        self._jobs: dict[Job, datetime] = {}
        self.most = 0

    def start(self, job: "Job") -> None:
        if job.run is None:
            raise NotImplementedError(job)
        self._jobs[job] = self._clock.now() + timedelta(seconds=self._lasts(job.run))
        self.most = max(self.most, len(self._jobs))

    def running(self) -> "Collection[Job]":
        return list(self._jobs)

    def stop(self, seconds: float) -> "Collection[Job]":
        return self.running()

    @property
    def next_end(self) -> datetime | None:
        """Return when the next job ends."""
        return min(self._jobs.values(), default=None)

    def end_due(self) -> None:
        """End the jobs whose time has come."""
        for job, end in list(self._jobs.items()):
            if end <= self._clock.now() and job.run:
                self._finish(job.run)
                del self._jobs[job]

    def _finish(self, run: "Run") -> None:
        with (
            self._store.runs.lease(run) as lease,
            self._store.database.transaction("run.record") as connection,
        ):
            lease.hold(connection)
            self._store.runs.finish(connection, run.id, Status.COMPLETED, {})
