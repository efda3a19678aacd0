"""The loop of `rowlift serve`: look, begin, wait, until the process is asked to end."""

import logging
import threading
from collections.abc import Callable

from rowlift.core.errors import Fenced, RowliftError, StateError, is_passing, unexpected
from rowlift.operations.serving import Serving
from rowlift.scheduler.rests import Rests
from rowlift.scheduler.scheduler import LOOK_SECONDS, Scheduler
from rowlift.workers.embedded import EmbeddedRunner
from rowlift.workers.runner import Job

DRAIN_SECONDS = 15.0

_log = logging.getLogger("rowlift.service")


class ServiceLoop:
    """Serves one project in this process; raises Busy SERVICE_RUNNING while another one does."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._service = serving.start()
        self._wake = threading.Event()
        self._asked_to_end = False
        self._rests = Rests(serving.clock)
        self._trouble = ""

    def run(self, ready: Callable[[], object] | None = None) -> None:
        """Serve until `end` or KeyboardInterrupt, then let what runs come to a good end.

        `ready` is called once, when either would end it in order. Returns when all of it has,
        within 15 s; raises StateError DRAIN_LATE when some has not. What is left is safe, and goes
        on with the next service. Raises Fenced when another process took over.
        """
        runner = EmbeddedRunner(self._failed, self._wake.set)
        scheduler = Scheduler(self._serving, runner, self._service, self._rests)
        try:
            self._serving.note("service", "It serves. Ctrl-C or SIGTERM ends it in order.")
            if ready:
                ready()
            while not self._asked_to_end:
                self._wait(self._ticked(scheduler))
        except KeyboardInterrupt:
            self._serving.note("service", "Asked to end: what runs is brought to a good end.")
        finally:
            left = runner.stop(DRAIN_SECONDS)
        if left:
            titles = ", ".join(sorted({job.title for job in left}))
            text = f"Not ended after {DRAIN_SECONDS:.0f} s: {titles}."
            raise StateError("DRAIN_LATE", text, mend="Nothing is lost: the next start goes on.")
        self._serving.home.store.services.end(self._service)

    def end(self) -> None:
        """Ask the loop, from another thread, to end in order."""
        self._asked_to_end = True
        self._wake.set()

    def _ticked(self, scheduler: Scheduler) -> float:
        """Tick once; the documented boundary at which any exception ends but Fenced.

        What cannot be done is tried again: neither a state that is away for a while nor a fault of
        ours ends what else goes on.
        """
        try:
            seconds = scheduler.tick()
        except Fenced:
            raise
        except StateError as error:
            self._serving.trouble = error
            self._troubled("The state is away; it is tried again.", error)
            return LOOK_SECONDS
        except RowliftError as error:
            self._troubled("What is due waits; it is tried again.", error)
            return LOOK_SECONDS
        except Exception as error:  # noqa: BLE001
            if (fault := unexpected(error)).code != self._trouble:
                _log.error("A fault of ours", exc_info=error)
            self._troubled("What is due waits; it is tried again.", fault)
            return LOOK_SECONDS
        if self._trouble:
            self._serving.note("service", "It goes on.")
        self._trouble, self._serving.trouble = "", None
        return seconds

    def _troubled(self, text: str, error: RowliftError) -> None:
        """Say once what is in the way."""
        if error.code != self._trouble:
            self._serving.note("service", text, str(error), code=error.code)
        self._trouble = error.code

    def _wait(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def _failed(self, job: Job, error: RowliftError) -> None:
        self._rests.begin(job)
        said = f"{error} {error.mend}".strip()
        became = "broke off and goes on soon" if is_passing(error) else "failed"
        text = f"The {job.kind} {job.number} {became}."
        self._serving.note(job.title or "service", text, said, code=error.code)
