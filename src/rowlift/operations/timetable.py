"""Which slots have come, whose turn it is, and why a slot becomes no run."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from rowlift.core.specs import SKIPS_IN_A_ROW, SyncSpec
from rowlift.operations.home import Home, sync_names
from rowlift.operations.openings import Opening
from rowlift.project.slots import Every, Slots, slots_of, start_of, written
from rowlift.state.runs import Run
from rowlift.state.schedules import Schedule, Skip
from rowlift.state.triggers import Trigger


@dataclass(frozen=True, slots=True)
class Turn:
    """A sync that waits for a run: for a slot, for whom asked, or both."""

    sync: str
    uid: str
    slot: int | None = None
    trigger: Trigger | None = None


class Timetable:
    """The schedules of one project as they stand at one moment, and how they go on."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._schedules = home.store.schedules.all(home.workspace_id)

    def look(self, now: int, *, anew: bool = False) -> int | None:
        """Account for the slots that have come; return when the next one comes.

        `anew` counts from the present moment, as after a clock that was put back.
        """
        paused = self.home.store.runs.paused(self.home.workspace_id)
        specs, skips, moved = self._scheduled(), list[Skip](), dict[str, Schedule]()
        for uid in specs.keys() | self._schedules.keys():
            if uid in specs:
                before = self._schedules.get(uid) or self._new(uid, specs[uid], now)
                after, skipped = _advanced(before, specs[uid], now, paused=uid in paused, anew=anew)
            else:
                after, skipped = _dropped(self._schedules[uid])
            if after != self._schedules.get(uid):
                moved[uid] = after
            skips += skipped
        self._settle(moved, skips)
        return min((one.next_at for one in self._schedules.values() if one.next_at), default=None)

    def turns(self) -> list[Turn]:
        """Return who waits for a run: first whom somebody asked for, then the longest skipped."""
        asked = self.home.store.triggers.queued(self.home.workspace_id)
        names = sync_names(self.home) if asked else {}
        waiting = {one.sync_uid: one for one in self._schedules.values() if one.waiting_for}
        turns = []
        for one in asked:
            schedule = waiting.pop(one.sync_uid, None) if one.is_plain else None
            slot = schedule.waiting_for if schedule else None
            turns.append(Turn(names.get(one.sync_uid, ""), one.sync_uid, slot, one))
        names = {uid: name for name, uid in self.home.syncs.items()}
        longest_first = sorted(
            waiting.values(), key=lambda one: (one.waits_since, one.waiting_for, one.sync_uid)
        )
        return turns + [
            Turn(names[one.sync_uid], one.sync_uid, one.waiting_for) for one in longest_first
        ]

    def start(self, turn: Turn, opening: Opening) -> Run | None:
        """Open the run of a turn; None while another one is active."""
        takes_slot = turn.trigger is None or turn.trigger.is_plain

        def also(connection: sa.Connection, run_id: int) -> None:
            if takes_slot:
                self.home.store.schedules.begun(connection, turn.uid)
            if turn.trigger:
                self.home.store.triggers.begun(connection, turn.trigger.id, run_id)

        spec = opening.spec or self.home.project.syncs[turn.sync]
        run = self.home.store.runs.open_if_free(
            self.home.workspace_id, turn.uid, spec.to_json(), also=also, scheduled_for=turn.slot,
            **opening.told,
        )  # fmt: skip
        if run and takes_slot and turn.uid in self._schedules:
            begun = self._schedules[turn.uid]
            self._schedules[turn.uid] = replace(begun, waiting_for=None)
        return run

    def skip_busy(self) -> None:
        """Record as Skipped the slots that found another run and do not wait for it."""
        specs = self._scheduled()
        found = [one for one in self._schedules.values() if one.waiting_for]
        skipped = [one for one in found if _skips(one, specs[one.sync_uid])]
        blocking = self.home.store.runs.active(self.home.workspace_id) if skipped else None
        if blocking is None:
            return
        name = sync_names(self.home).get(blocking.sync_uid, blocking.sync_uid)
        reason = f"Run {blocking.id} of {name} was still running."
        skips = [Skip(one.sync_uid, one.waiting_for or 0, "BUSY", reason) for one in skipped]
        self._settle({one.sync_uid: _skipped(one) for one in skipped}, skips)

    def _settle(self, moved: Mapping[str, Schedule], skips: Sequence[Skip]) -> None:
        if moved:
            settle = self.home.store.schedules.settle
            settled = settle(self.home.workspace_id, list(moved.values()), skips)
            self._schedules |= {one.sync_uid: one for one in settled}

    def _scheduled(self) -> dict[str, SyncSpec]:
        syncs = self.home.project.syncs
        return {uid: syncs[name] for name, uid in self.home.syncs.items() if syncs[name].schedule}

    def _new(self, uid: str, spec: SyncSpec, now: int) -> Schedule:
        """Return how a schedule begins: at its start; an interval without one begins at once."""
        start = start_of(spec.schedule or {})
        slots = _slots(spec, now)
        first = slots.after((start or now) - 1) if start or isinstance(slots, Every) else None
        if first is not None and first <= now:
            first = slots.latest(now)
        anchor = now if start is None else start
        settled = now if first is None else first - 1
        return Schedule(uid, self.home.workspace_id, _text(spec), anchor, settled)


def hold_off(home: Home, name: str, now: int) -> None:
    """Let the first slot of a new sync's schedule be the one after now."""
    spec, uid = home.sync(name), home.syncs[name]
    if spec.schedule:
        start = start_of(spec.schedule)
        anchor = now if start is None else start
        held = Schedule(uid, home.workspace_id, _text(spec), anchor, settled=now)
        home.store.schedules.settle(home.workspace_id, [held])


def next_slot(spec: SyncSpec, known: Schedule | None, now: int) -> int | None:
    """Return when a sync's schedule is due next, as far as that is known; None for never."""
    if spec.schedule is None:
        return None
    if known and known.schedule == _text(spec) and known.next_at is not None:
        return known.next_at
    return _slots(spec, known.anchor if known else now).after(now - 1)


def _advanced(
    one: Schedule, spec: SyncSpec, now: int, *, paused: bool, anew: bool
) -> tuple[Schedule, list[Skip]]:
    is_idle = one.waiting_for is None or not paused
    is_early = one.next_at is not None and one.next_at > now
    if is_idle and is_early and not anew and one.schedule == _text(spec):
        return one, []
    if one.schedule != _text(spec):
        start = start_of(spec.schedule or {})
        anchor = one.anchor if start is None else start
        one = replace(one, schedule=_text(spec), anchor=anchor, settled=now, next_at=None)
    slots = _slots(spec, one.anchor)
    if one.next_at is None:
        one = replace(one, next_at=slots.after(one.settled))
    elif slots.latest(one.next_at) != one.next_at:
        one = replace(one, next_at=_moved(slots, one.next_at))
    if anew:
        one = replace(one, next_at=min(filter(None, (one.next_at, slots.after(now))), default=None))
    skips: list[Skip] = []
    if one.next_at is not None and one.next_at <= now:
        one, skips = _come(one, slots, now, paused=paused)
    if paused and one.waiting_for:
        skips.append(Skip(one.sync_uid, one.waiting_for, "PAUSED", "The sync was paused."))
        one = replace(one, waiting_for=None)
    return one, skips


def _moved(slots: Slots, slot: int) -> int | None:
    """Return where the rules of its zone have put a slot since it was counted: to the nearest."""
    around = filter(None, (slots.latest(slot), slots.after(slot)))
    return min(around, key=lambda one: abs(one - slot), default=None)


def _come(one: Schedule, slots: Slots, now: int, *, paused: bool) -> tuple[Schedule, list[Skip]]:
    """Account for the slots up to now: the last one waits for its turn, those before it passed."""
    first, slot = one.next_at or 0, slots.latest(now) or 0
    moved = replace(one, settled=slot, next_at=slots.after(now))
    if paused:
        return moved, []
    skips = list(_missed(one.sync_uid, first, slot))
    if one.waiting_for:
        reason = f"The slot of {written(one.waiting_for)} still waited for its turn."
        return moved, [*skips, Skip(one.sync_uid, slot, "SLOT_WAITS", reason)]
    return replace(moved, waiting_for=slot), skips


def _missed(uid: str, first: int, slot: int) -> Iterator[Skip]:
    if first < slot:
        text = f"No service ran from {written(first)} until {written(slot)}, or the clock was put"
        yield Skip(uid, first, "SLOTS_MISSED", f"{text} forward; the last slot is caught up.")


def _dropped(one: Schedule) -> tuple[Schedule, list[Skip]]:
    reason = "The sync has no schedule any more."
    skips = (
        [Skip(one.sync_uid, one.waiting_for, "SCHEDULE_GONE", reason)] if one.waiting_for else []
    )
    return replace(one, schedule="", next_at=None, waiting_for=None), skips


def _skips(one: Schedule, spec: SyncSpec) -> bool:
    return spec.on_busy == "skip" and one.skipped < SKIPS_IN_A_ROW


def _skipped(one: Schedule) -> Schedule:
    since = one.skipped_since or one.waiting_for
    return replace(one, waiting_for=None, skipped_since=since, skipped=one.skipped + 1)


def _slots(spec: SyncSpec, anchor: int) -> Slots:
    return slots_of(spec.schedule or {}, anchor)


def _text(spec: SyncSpec) -> str:
    return json.dumps(dict(spec.schedule or {}), sort_keys=True)
