"""What a process does that serves one project: the work behind a scheduler's decisions."""

import threading

from rowlift import operations
from rowlift.core.clock import Clock
from rowlift.core.errors import ConfigError, GuardStop, RowliftError, SourceError, StateError
from rowlift.core.nouns import Status
from rowlift.core.progress import Attentive, Progress
from rowlift.core.specs import SyncSpec
from rowlift.kit.logs import Fact, about
from rowlift.operations.alerting import Alerts
from rowlift.operations.asking import asking_until
from rowlift.operations.cancelling import cancel_deleted
from rowlift.operations.delivering import Drain
from rowlift.operations.forwarding import Forwarder
from rowlift.operations.home import Home, sync_names
from rowlift.operations.importing import Importer
from rowlift.operations.logbooks import is_asked_for
from rowlift.operations.opening import kept, refreshed, seen
from rowlift.operations.openings import Opening
from rowlift.operations.plans import opening
from rowlift.operations.pruning import prune, tidy
from rowlift.operations.retrying import queue_again
from rowlift.operations.timetable import Turn
from rowlift.operations.writing_back import write_back
from rowlift.state.audiences import Audience
from rowlift.state.deliveries import Delivery
from rowlift.state.forwards import Forward
from rowlift.state.runs import Run
from rowlift.state.services import Service

REREAD_SECONDS = 5.0


class Interrupted(BaseException):
    """This process ends: whatever it carries is left as it is, and goes on in the next one."""


class Serving:
    """One project while it is served; the files are read again when they change."""

    def __init__(self, home: Home, profile: str | None, clock: Clock, progress: Progress) -> None:
        self.home = home
        self.clock = clock
        self._profile = profile
        self._progress = progress
        self._seen: object = None
        self._writing = threading.Lock()
        self._read_at = clock.monotonic()
        self.trouble: StateError | None = None  # that whoever decides what begins met last

    # the service itself

    def start(self) -> Service:
        """Serve from now on; raises Busy SERVICE_RUNNING while another process does."""
        return self.home.store.services.start(self.home.workspace_id)

    def reread(self, *, at_once: bool = False) -> bool:
        """Take in what changed in files and definitions; what is wrong in them is said once.

        It is looked for every 5 s, or `at_once`; returns whether it was.
        """
        if not at_once and self.clock.monotonic() - self._read_at < REREAD_SECONDS:
            return False
        self._read_at = self.clock.monotonic()
        before = seen(self.home)  # what changes while it is read shall be seen the next time
        if before == self._seen:
            return True
        self._seen = before
        former = self.home.syncs.values()
        try:
            self.home = refreshed(self.home, profile=self._profile)
        except ConfigError as error:
            self.home = kept(self.home, error)
            text = "The files are not taken in, so those of before stay in force."
            self.note("project", text, str(error), code=error.code)
        for uid in {*former} - {*self.home.syncs.values()}:
            cancel_deleted(self.home, uid)
        return True

    def alerts(self) -> Alerts:
        """Return what is told of the project as it is now."""
        return Alerts(self.home, self.clock)

    def hindrance(self) -> StateError | None:
        """Return what keeps the state from being written, if anything does."""
        try:
            self.home.store.files.require_room()
        except StateError as error:
            return error
        return self.trouble

    def note(self, task: str, text: str, detail: str = "", **facts: Fact) -> None:
        """Tell whoever looks on what the service does."""
        with about(workspace=self.home.workspace_id, **facts):
            self._progress.note(task, text, detail)

    # what it carries; each in a thread of its own

    def opening(self, turn: Turn) -> Opening:
        """Return how the run of a turn begins.

        Raises ConfigError or GuardStop where it does not: NAME_UNKNOWN, PAUSED, PLAN_STALE, …
        """
        return opening(self.home, self.clock, turn)

    def carry(self, run: Run, ending: threading.Event, opening: Opening) -> None:
        """Carry a run that was begun here to its end, or leave it when the process ends."""
        home, name = self.home, self.name_of(run.sync_uid)
        importer, spec = self._importer(home, ending), SyncSpec.from_json(run.spec)
        with (
            about(workspace=home.workspace_id, sync=name, run=run.id),
            asking_until(ending),
        ):
            try:
                done = importer.carry(
                    run, spec, allow_removals=opening.allow_removals, planned=opening.planned
                )
            except (GuardStop, SourceError) as error:
                self.note(name, f"Run {run.id} ended.", str(error), code=error.code)
            else:
                self._note_end(name, done)
            tidy(home)
            self._write_back(home)

    def resume(self, ending: threading.Event) -> None:
        """Finish the run that a dead process left, or that broke off here."""
        home = self.home
        with about(workspace=home.workspace_id), asking_until(ending):
            done = self._importer(home, ending).resume()
            if done:
                self._note_end(self.name_of(done.sync_uid), done)
            tidy(home)
            self._write_back(home)

    def tidy(self, ending: threading.Event) -> None:
        """Forget what is old, whether syncs run or not."""
        prune(self.home, ending)

    def _note_end(self, name: str, done: Run) -> None:
        facts = {"status": done.status.value, "code": done.reason_code}
        self.note(name, f"Run {done.id}: {done.status.value}.", done.reason, run=done.id, **facts)

    def deliver(self, delivery: Delivery, ending: threading.Event) -> None:
        """Carry a delivery to its end, unless somebody else has begun to."""
        name, target = self.name_of(delivery.sync_uid), self.target_of(delivery)
        with about(
            workspace=self.home.workspace_id, sync=name, run=delivery.run_id,
            delivery=delivery.id, destination=target,
        ):  # fmt: skip
            done = Drain(self.home, self.clock, self._progress, ending).one(delivery.id)
            if done:
                text = f"Delivery {done.id} to {target}: {done.status.value}."
                facts = {"status": done.status.value, "code": done.reason_code}
                self.note(name, text, done.reason, **facts)
                self._write_back(self.home)

    def _write_back(self, home: Home) -> None:
        """Write the logs to their warehouse, if one is named; what fails waits for the next run."""
        if not (is_asked_for(home) and self._writing.acquire(blocking=False)):
            return
        try:
            write_back(home)
        except RowliftError as error:
            self.note("logs", "They could not be written.", str(error), code=error.code)
        finally:
            self._writing.release()

    def deliver_again(self, delivery: Delivery) -> None:
        """Queue once more what a delivery left, as the newest settings say."""
        queue_again(self.home, delivery)

    def forwards(self) -> dict[str, Forward]:
        """Return the forwards that have something to look at, by name."""
        return self._forwarder().due()

    def forward(self, name: str, forward: Forward, ending: threading.Event) -> None:
        """Send on what came, unless somebody else does; only what went wrong is told."""
        done = self._forwarder().carry(name, forward, ending.is_set)
        if done and done.status is not Status.COMPLETED:
            facts = {"status": done.status.value, "code": done.reason_code}
            self.note(name, f"Forward: {done.status.value}.", done.reason, **facts)

    def audiences(self) -> dict[str, Audience]:
        """Return the audiences whose people may be others by now, by name, in order."""
        if not self.home.audiences:
            return {}
        found, now = self._computing().due(), self.clock.now().timestamp()
        return {name: one for name, one in found.items() if one.has_rested(now)}

    def compute(self, name: str, audience: Audience, ending: threading.Event) -> None:
        """Let everybody be in an audience whom it means, unless somebody else does."""
        self._computing().compute(name, audience, ending.is_set)

    def _computing(self) -> operations.audiences.Computing:
        return operations.audiences.Computing(self.home, self.clock, self._progress)

    def _forwarder(self) -> Forwarder:
        return Forwarder(self.home, self.clock, self._progress)

    def _importer(self, home: Home, ending: threading.Event) -> Importer:
        def look() -> None:
            if ending.is_set():
                raise Interrupted

        return Importer(home, Attentive(self._progress, look), look)

    def name_of(self, sync_uid: str) -> str:
        """Return the name of a sync, also of one of its parts, and of one that is gone."""
        own, _, part = sync_uid.partition(".")
        return f"{sync_names(self.home).get(own, own)} {part}".strip()

    def target_of(self, delivery: Delivery) -> str:
        """Return the name of a delivery's destination."""
        names = {uid: name for name, uid in self.home.destinations.items()}
        return names.get(delivery.destination_uid, "a destination that is gone")
