"""What begins now. Read `tick` first.

Slots and requests become runs, one at a time in a workspace; deliveries are carried beside them and
never wait for one. Whatever is decided stands in the database before it begins, so a process that
dies at any instruction neither loses a slot nor begins one twice.
"""

import math
from collections.abc import Collection
from functools import partial

from rowlift.core.errors import ConfigError, GuardStop
from rowlift.core.nouns import Status
from rowlift.operations.openings import Opening
from rowlift.operations.serving import Serving
from rowlift.operations.timetable import Timetable, Turn
from rowlift.project.slots import written
from rowlift.scheduler.rests import Rests
from rowlift.state.deliveries import Delivery
from rowlift.state.leases import HEARTBEAT_SECONDS
from rowlift.state.runs import Run
from rowlift.state.services import Service
from rowlift.workers.runner import Job, Kind, Runner

LOOK_SECONDS = 1.0  # how soon a request, a file or another process's end is noticed
AGAIN_SECONDS = 15.0
DELIVERIES_AT_ONCE = 8
FORWARDS_AT_ONCE = 4
_TRY_AGAIN_SECONDS = (60, 240, 960, 3600)  # after the first failure, the second, …
_IMPORTS = frozenset({Kind.IMPORT, Kind.RESUME})
_NOT_AGAIN = frozenset({"INTERNAL", "NAME_UNKNOWN", "CANCELLED"})


class Scheduler:
    """Decides, each time it is asked, what begins."""

    def __init__(
        self, serving: Serving, runner: Runner, service: Service, rests: Rests | None = None
    ) -> None:
        self._serving = serving
        self._runner = runner
        self._service = service
        self._clock = serving.clock
        self._rests = rests or Rests(serving.clock)
        self._seen = math.inf
        self._beat_at = -math.inf
        self._again_at = -math.inf
        self._is_current = False

    def tick(self) -> float:
        """Begin what is due and return the seconds until it is worth asking again."""
        self._beat()
        self._is_current = self._serving.reread()
        now = int(self._clock.now().timestamp())
        was_put_back, self._seen = now < self._seen - 1, now
        timetable = Timetable(self._serving.home)
        next_at = timetable.look(now, anew=was_put_back)
        if not self._is_importing() and self._begin_next(timetable):
            return 0.0
        timetable.skip_busy()
        self._deliveries()
        self._forwards()
        self._audiences()
        return min(LOOK_SECONDS, max(0.0, next_at - now)) if next_at else LOOK_SECONDS

    def _beat(self) -> None:
        """Say that the service lives; raises Fenced when another process took its place."""
        now = self._clock.monotonic()
        if now - self._beat_at >= HEARTBEAT_SECONDS:
            self._serving.home.store.services.beat(self._service)
            self._beat_at = now

    # runs

    def _is_importing(self) -> bool:
        return any(job.kind in _IMPORTS for job in self._runner.running())

    def _begin_next(self, timetable: Timetable) -> bool:
        """Begin a run, if one is due; tell whether what was decided is out of date instead."""
        home = self._serving.home
        active = home.store.runs.active(home.workspace_id)
        if active:
            is_left = home.store.runs.is_abandoned(home.workspace_id)
            if is_left and not self._rests.has(Kind.RESUME, active.id):
                self._runner.start(Job(Kind.RESUME, active.id, "", self._serving.resume))
            return False
        for turn in timetable.turns():
            if self._was_edited():
                return True
            if opening := self._opening(turn):
                run = timetable.start(turn, opening)
                if run:
                    self._start(turn, run, opening)
                return False
        return False

    def _was_edited(self) -> bool:
        """Take in, before anything begins, what was changed a moment ago; tell if anything was."""
        before = self._serving.home
        if not self._is_current:
            self._is_current = self._serving.reread(at_once=True)
        return self._serving.home is not before

    def _opening(self, turn: Turn) -> Opening | None:
        """Return how a turn's run begins; give up what was asked for where it does not."""
        try:
            return self._serving.opening(turn)
        except (ConfigError, GuardStop) as error:
            if turn.trigger:
                give_up = self._serving.home.store.triggers.give_up
                give_up(turn.trigger.id, error.code, error.message)
            return None

    def _start(self, turn: Turn, run: Run, opening: Opening) -> None:
        asked = turn.trigger
        why = f"asked for by {asked.asked_by}" if asked else f"slot {written(turn.slot or 0)}"
        self._serving.note(turn.sync, f"Run {run.id} begins: {why}.", sync=turn.sync, run=run.id)
        work = partial(self._serving.carry, run, opening=opening)
        self._runner.start(Job(Kind.IMPORT, run.id, turn.sync, work, run))

    # deliveries

    def _deliveries(self) -> None:
        self._queue_again()
        carried = self._carried(Kind.DELIVERY)
        free = DELIVERIES_AT_ONCE - len(carried)
        home = self._serving.home
        open_ = [] if free <= 0 else home.store.deliveries.claimable(home.workspace_id)
        fresh = [one for one in open_ if self._is_free(Kind.DELIVERY, one.id, carried)]
        if fresh:
            self._was_edited()
            silent = home.store.runs.silent(home.workspace_id)
            for one in [one for one in fresh if _sync(one) not in silent][:free]:
                self._deliver(one)

    def _deliver(self, delivery: Delivery) -> None:
        title = self._serving.name_of(delivery.sync_uid)
        target = self._serving.target_of(delivery)
        self._serving.note(
            title, f"Delivery {delivery.id} to {target} begins.",
            sync=title, run=delivery.run_id, delivery=delivery.id, destination=target,
        )  # fmt: skip
        work = partial(self._serving.deliver, delivery)
        self._runner.start(Job(Kind.DELIVERY, delivery.id, title, work))

    def _queue_again(self) -> None:
        """Queue once more what a destination could not take when it was tried."""
        now = self._clock.monotonic()
        if now < self._again_at:
            return
        self._again_at = now + AGAIN_SECONDS
        home = self._serving.home
        for delivery, tries, ago in home.store.deliveries.left(home.workspace_id):
            if ago >= _patience(delivery, tries):
                self._serving.deliver_again(delivery)

    # forwards

    def _forwards(self) -> None:
        carried = self._carried(Kind.FORWARD)
        open_ = self._serving.forwards().items()
        due = [each for each in open_ if self._is_free(Kind.FORWARD, each[1].id, carried)]
        if due and self._was_edited():
            return  # the next tick looks again
        for name, one in due[: FORWARDS_AT_ONCE - len(carried)]:
            work = partial(self._serving.forward, name, one)
            self._runner.start(Job(Kind.FORWARD, one.id, name, work))

    # audiences

    def _audiences(self) -> None:
        """Compute one at a time, as others may be made from it, and none while a run writes."""
        if any(job.kind is Kind.AUDIENCE or job.kind in _IMPORTS for job in self._runner.running()):
            return
        open_ = self._serving.audiences().items()
        due = [each for each in open_ if self._is_free(Kind.AUDIENCE, each[1].id, ())]
        if not due or self._was_edited():
            return
        name, one = due[0]
        work = partial(self._serving.compute, name, one)
        self._runner.start(Job(Kind.AUDIENCE, one.id, name, work))

    def _carried(self, kind: Kind) -> Collection[int]:
        return {job.number for job in self._runner.running() if job.kind is kind}

    def _is_free(self, kind: Kind, number: int, carried: Collection[int]) -> bool:
        return number not in carried and not self._rests.has(kind, number)


def _sync(delivery: Delivery) -> str:
    return delivery.sync_uid.partition(".")[0]


def _patience(delivery: Delivery, tries: int) -> float:
    """Return after how many seconds a delivery is tried again; infinite if it is not."""
    if delivery.reason_code in _NOT_AGAIN:
        return math.inf
    if delivery.reason_code == "INTERRUPTED":
        return 0.0
    waits = sum(int(delivery.counts.get(name, 0)) for name in ("pending", "in_doubt"))
    if not waits and delivery.status is not Status.FAILED:
        return math.inf
    return float(_TRY_AGAIN_SECONDS[min(tries, len(_TRY_AGAIN_SECONDS)) - 1])
