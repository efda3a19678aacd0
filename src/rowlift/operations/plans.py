"""Plans that wait for somebody's word, and runs that begin by one."""

import re
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rowlift.core.clock import Clock, SystemClock
from rowlift.core.errors import ConfigError, GuardStop, StateError
from rowlift.core.progress import Progress, Silent
from rowlift.operations.approving import approval_needed
from rowlift.operations.fencing import erasing, last_erasure
from rowlift.operations.home import Home
from rowlift.operations.markdown import plan_markdown
from rowlift.operations.openings import Opening
from rowlift.operations.pausing import refuse_paused
from rowlift.operations.planning import Planner
from rowlift.operations.reports import PlanRecord, PlanReport, RequestReport
from rowlift.operations.retrying import opening_again
from rowlift.operations.servicing import ask
from rowlift.operations.timetable import Turn
from rowlift.state.shelf import GOOD_FOR_SECONDS, Shelf

_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Plans:
    """Plans of one project, kept in its state for a day; of each sync the newest one."""

    home: Home
    clock: Clock
    progress: Progress

    def make(self, sync: str, *, by: str = "", first_rows: int | None = None) -> PlanRecord:
        """Run the query and keep what a run would do, in place of an older plan of the sync.

        With `first_rows` of the query it tries these alone, see `Project.run`. The samples are left
        out of the answer.
        Raises Busy while somebody is erased, ConfigError, GuardStop and SourceError.
        """

        def make(place: Path, plan_id: str) -> PlanReport:
            planner = self._planner
            return planner.make(sync, place, plan_id=plan_id, by=by, first_rows=first_rows)

        return self._made(make)

    def make_undo(self, run_id: int, *, by: str = "") -> PlanRecord:
        """Keep what the undo of a run would do, in place of an older plan of its sync.

        The samples are left out of the answer. Raises Busy, ConfigError, GuardStop and
        StateError NOT_FOUND.
        """

        def make(place: Path, plan_id: str) -> PlanReport:
            return self._planner.make_undo(run_id, place, plan_id=plan_id, by=by)

        return self._made(make)

    def _made(self, make: Callable[[Path, str], PlanReport]) -> PlanRecord:
        erased, older, plan_id = last_erasure(self.home), self.list(), uuid.uuid4().hex
        sync = make(self._shelf.place(plan_id), plan_id).sync
        if last_erasure(self.home) != erased:
            self._shelf.forget(plan_id)
            raise erasing()
        for one in older:
            if one.sync == sync:
                self._shelf.forget(one.id)
        return self.show(plan_id, samples=False)

    def list(self) -> list[PlanRecord]:
        """Return the plans without samples, the newest first."""
        self._shelf.expire()
        found = []
        for plan_id in self._shelf.ids():
            with suppress(ConfigError):  # it went meanwhile
                found.append(self._record(self._shelf.place(plan_id), samples=False))
        return sorted(found, key=lambda one: one.created_at, reverse=True)

    def show(self, plan_id: str, *, samples: bool = True) -> PlanRecord:
        """Return one plan; raises StateError NOT_FOUND."""
        return self._record(self._path(plan_id), samples=samples)

    def approve(self, plan_id: str, *, by: str = "") -> RequestReport:
        """Ask the service to do exactly what a plan says.

        Raises GuardStop PLAN_STALE, PAUSED and APPROVAL_NEEDED, RowliftError SERVICE_DOWN,
        StateError NOT_FOUND.
        """
        path = self._path(plan_id)
        plan = self._planner.read(path)
        if self._needs_another and plan["by"] in ("", by):
            raise approval_needed(f"{plan['by'] or 'Somebody'} made this plan.")
        self._planner.opening(path)
        return ask(
            self.home, self.home.syncs[plan["sync"]], by, allow_removals=True, plan=plan_id,
            though_paused=bool(plan.get("undo_of")),
        )  # fmt: skip

    def markdown(self, plan_id: str, *, samples: bool = True) -> str:
        """Return what a plan says as Markdown, for a pull request; raises StateError NOT_FOUND."""
        return plan_markdown(self.show(plan_id, samples=samples))

    def discard(self, plan_id: str) -> None:
        """Forget a plan; raises StateError NOT_FOUND."""
        self._path(plan_id)
        self._shelf.forget(plan_id)

    @property
    def _needs_another(self) -> bool:
        return self.home.project.workspace.approval == "another"

    @property
    def _planner(self) -> Planner:
        return Planner(self.home, self.clock, self.progress)

    @property
    def _shelf(self) -> Shelf:
        return Shelf(self.home.store.folder, self.home.workspace_id)

    def _path(self, plan_id: str) -> Path:
        if not _ID.fullmatch(plan_id) or plan_id not in self._shelf.ids():
            mend = "A plan is kept for a day, and a newer one of its sync takes its place."
            raise StateError("NOT_FOUND", "There is no such plan.", mend=mend)
        return self._shelf.place(plan_id)

    def _record(self, path: Path, *, samples: bool) -> PlanRecord:
        plan = self._planner.read(path)
        run = self._planner.applied(path)
        return PlanRecord(
            plan["id"], plan["sync"], plan["by"], plan["created_at"],
            plan["created_at"] + GOOD_FOR_SECONDS, plan["counts"], plan["targets"], plan["notes"],
            run.id if run else None, plan["samples"] if samples else (),
            plan.get("first_rows"), self._needs_another, plan.get("undo_of"),
        )  # fmt: skip


def waiting(home: Home, sync: str) -> str | None:
    """Say who made a plan of a sync that waits for somebody's word; None where none does."""
    shelf, planner = (
        Shelf(home.store.folder, home.workspace_id),
        Planner(home, SystemClock(), Silent()),
    )
    for plan_id in shelf.ids():
        with suppress(ConfigError):  # it went meanwhile
            path = shelf.place(plan_id)
            plan = planner.read(path)
            is_young = time.time() - plan["created_at"] < GOOD_FOR_SECONDS
            if plan["sync"] == sync and is_young and planner.applied(path) is None:
                return (
                    f"A plan{' by ' + plan['by'] if plan['by'] else ''} waits for somebody's word."
                )
    return None


def opening(home: Home, clock: Clock, turn: Turn) -> Opening:
    """Return how the run of a turn begins; raises ConfigError or GuardStop where it does not."""
    if turn.sync not in home.project.syncs:
        raise ConfigError("NAME_UNKNOWN", "The sync is not there any more.")
    if turn.trigger is None or not turn.trigger.plan:
        refuse_paused(home, turn.uid)
    if turn.trigger is None or turn.trigger.is_plain:
        return Opening(allow_removals=bool(turn.trigger and turn.trigger.allow_removals))
    if turn.trigger.plan:
        shelf = Shelf(home.store.folder, home.workspace_id)
        if turn.trigger.plan not in shelf.ids():
            raise GuardStop("PLAN_STALE", "The plan is not there any more.")
        return Planner(home, clock, Silent()).opening(shelf.place(turn.trigger.plan))
    run = home.store.runs.find(turn.trigger.retry_of)
    again = opening_again(home, run) if run else None
    if again is None:
        raise GuardStop("NOTHING_LEFT", "The workspace has no reject of that run any more.")
    return again
