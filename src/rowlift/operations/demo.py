"""The demo: the main job from beginning to end on a small warehouse, on the code of real runs.

Every number it tells comes from a report, and what it claims it checks: a claim that does not hold
is a fault of ours.
"""

import base64
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rowlift.core.errors import ConfigError, GuardStop, RowliftError
from rowlift.core.progress import Progress
from rowlift.engine.preview import Preview
from rowlift.operations import demo_files
from rowlift.operations.demo_receiver import Receiver
from rowlift.operations.demo_seed import PEOPLE, next_day, seed
from rowlift.operations.project import Project
from rowlift.operations.reports import RunReport

FOLDER = Path("rowlift-demo")
FAULTS = {"EMAIL_INVALID": 3, "EMAIL_TAKEN": 2, "ID_DUPLICATE": 2, "ID_NULL": 2}
NEXT_DAY = {"customers": (2, 3, 0), "open_tickets": (1, 0, 1)}  # added, changed, removed


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the story: what is done, as which command, and what came of it."""

    title: str
    command: str = ""
    about: str = ""
    runs: tuple[RunReport, ...] = ()
    error: RowliftError | None = None
    preview: Preview | None = None
    received: Mapping[str, int] | None = None

    @property
    def exit_code(self) -> int:
        """Return what the command of this step leaves with."""
        if self.error:
            return self.error.exit_code
        return 1 if any(run.failed for run in self.runs) else 0


class Demo:
    """Plays the story in one folder, step by step, with as many people as asked for."""

    def __init__(self, folder: Path, progress: Progress, people: int = PEOPLE) -> None:
        self.folder = folder
        self._size = people
        self._progress = progress
        self._records = 0

    def play(self) -> Iterator[Step]:
        """Yield each step when it is done; raises RowliftError INTERNAL for a claim that fails."""
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        with Receiver(secret) as receiver:
            demo_files.write(self.folder, receiver.port, secret)
            yield self._seeded()
            self._receiver = receiver
            yield self._imported()
            yield self._stopped()
            self._mend()
            yield self._previewed()
            yield self._ran()
            yield self._unchanged()
            yield self._next_day()
        demo_files.mark(self.folder, receiver.port)

    def _project(self) -> Project:
        env = {demo_files.PORT: str(self._receiver.port)}
        return Project(self.folder, progress=self._progress, env=env)

    def _seeded(self) -> Step:
        counts = seed(self.folder / demo_files.WAREHOUSE, self._size)
        rows = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        return Step("A sample warehouse", about=f"{rows}; some of them are faulty on purpose.")

    def _imported(self) -> Step:
        with self._project() as project:
            runs = project.run(["customers"])
            codes = Counter(str(one["code"]) for one in project.rejects(runs[0].id))
        _claim(codes == FAULTS, f"the planted faults are rejected, not {dict(codes)}")
        about = "preset import: the bad rows are left out and listed, all others go."
        return Step("Import all customers", "run customers", about, tuple(runs))

    def _stopped(self) -> Step:
        try:
            with self._project() as project:
                project.run(["open_tickets"])
        except GuardStop as error:
            about = "preset traits: one bad row stops the run before anything is changed."
            _claim(not self._receiver.records, "a stopped run sends nothing")
            return Step("A first query for a trait", "run open_tickets", about, error=error)
        raise _broken("the first query is stopped by the rules")

    def _mend(self) -> None:
        model = self.folder / "models" / "open_tickets.sql"
        model.write_text(demo_files.MENDED_QUERY, encoding="utf-8")

    def _previewed(self) -> Step:
        with self._project() as project:
            preview = project.preview("open_tickets")
        about = "DISTINCT and IS NOT NULL were added, as the rules said."
        return Step("The mended query", "preview open_tickets", about, preview=preview)

    def _ran(self) -> Step:
        with self._project() as project:
            runs = project.run(["open_tickets"])
        _claim(not runs[0].failed, "the mended query runs")
        read = int(runs[0].counts["read"])
        _claim(len(self._receiver.people) == read, f"the webhook has {read:,} people")
        title, about = "Run it", "Into the workspace, to a webhook and to files."
        return self._told(Step(title, "run open_tickets", about, tuple(runs)))

    def _unchanged(self) -> Step:
        with self._project() as project:
            runs = project.run()
        sent = sum(int(one.counts["due"]) for run in runs for one in run.deliveries)
        _claim(sent == 0 and not self._new_records(), f"an unchanged run sends nothing, not {sent}")
        about = (
            "Nothing changed in the warehouse, so nothing is sent. The bad customers are still "
            "there: that is the exit code."
        )
        return self._told(Step("Run everything again", "run", about, tuple(runs)))

    def _next_day(self) -> Step:
        next_day(self.folder / demo_files.WAREHOUSE)
        with self._project() as project:
            runs = project.run()
        changes = {run.sync: change(run) for run in runs}
        _claim(changes == NEXT_DAY, f"exactly the change is found, not {changes}")
        due = {one.destination: int(one.counts["due"]) for run in runs for one in run.deliveries}
        _claim(due["helpdesk"] == self._new_records(), "exactly the change arrives")
        about = (
            "Two customers signed up, three changed their plan, one ticket was opened and "
            "somebody's last one was solved."
        )
        return self._told(Step("The next day", "run", about, tuple(runs)))

    def _new_records(self) -> int:
        return self._receiver.records - self._records

    def _told(self, step: Step) -> Step:
        _claim(not self._receiver.refused, "every signature is right")
        new, self._records = self._new_records(), self._receiver.records
        return Step(step.title, step.command, step.about, step.runs, received={"helpdesk": new})


def receive(folder: Path, tell: Callable[[int], None]) -> None:
    """Take the webhook requests of a folder that a demo left, until interrupted.

    `tell` gets the number of records of each request. Raises ConfigError for another folder or
    when the port is taken.
    """
    secret, port = demo_files.receiver_of(folder)
    try:
        receiver = Receiver(secret, port, tell)
    except OSError as error:
        text = f"Port {port} cannot be used: {error.strerror}."
        raise ConfigError("VALUE_WRONG", text, mend="End what uses it, then try again.") from None
    with receiver:
        threading.Event().wait()


def change(run: RunReport) -> tuple[int, int, int]:
    """Return how many rows a run added, changed and removed."""
    added = int(run.counts["added"]) + int(run.counts["returned"])
    return added, int(run.counts["changed"]), int(run.counts["removed"])


def _claim(holds: bool, words: str) -> None:  # noqa: FBT001
    if not holds:
        raise _broken(words)


def _broken(words: str) -> RowliftError:
    return RowliftError("INTERNAL", f"The demo claims that {words}: that does not hold.")
