"""Arithmetic on the past: how long a run takes, and how many slots of a schedule it would miss."""

import math
from collections.abc import Iterator, Sequence
from itertools import cycle, islice, pairwise, takewhile

from rowlift.core.estimates import Basis, Cadence, Duration
from rowlift.core.specs import SKIPS_IN_A_ROW, SyncSpec
from rowlift.kit.sqlguard import uses_last_sync_time
from rowlift.project.slots import Slots, slots_of, start_of
from rowlift.state.carried import Carried

SLOTS = 500  # that are played
PAST_RUNS = 500  # of a workspace, that are looked at
MOST_RUNS = 50  # of a sync, that a prediction goes by
ALIKE = 100  # a run tells of one that reads at most so many times its rows
_DAY = 86_400
_DAYS = 7
_YEARS = 10 * 366 * _DAY


def of_query(past: Sequence[Carried], sql: str) -> list[Carried]:
    """Return a sync's newest runs with a query; with a cursor not the first, which reads all."""
    found = [one for one in past if one.sql == sql][:MOST_RUNS]
    has_first = uses_last_sync_time(sql) and len(found) < MOST_RUNS
    return found[:-1] if has_first else found


def duration(own: Sequence[Carried], past: Sequence[Carried], rows: int | None) -> Duration:
    """Predict from the sync's own runs, else from runs of others that read about as many rows."""
    if own:
        return _measured("runs", [one.seconds for one in own])
    if rows is None:
        return Duration()
    alike = [one for one in past if one.rows and one.rows * ALIKE >= rows][:MOST_RUNS]
    scaled = [one.seconds * max(1.0, rows / one.rows) for one in alike]
    return _measured("other runs", scaled) if scaled else Duration()


def _measured(basis: Basis, seconds: Sequence[float]) -> Duration:
    ordered = sorted(seconds)
    return Duration(basis, len(ordered), _at(ordered, 0.5), _at(ordered, 0.95))


def _at(ordered: Sequence[float], share: float) -> float:
    """Return the least value that a share of all does not exceed."""
    return ordered[math.ceil(share * len(ordered)) - 1]


def cadence(
    spec: SyncSpec,
    told: Duration,
    own: Sequence[Carried],
    past: Sequence[Carried],
    uid: str,
    now: int,
) -> Cadence | None:
    """Play the slots to come of a sync's schedule; None where it has none."""
    if spec.schedule is None:
        return None
    slots = slots_of(spec.schedule, start_of(spec.schedule) or now)
    coming = _coming(slots, now)
    gaps = [after - before for before, after in pairwise(coming)]
    if not gaps:
        return Cadence(0.0, 0)
    a_day = _DAY * len(gaps) / (coming[-1] - coming[0])
    busy = _busy([one for one in past if one.sync_uid != uid], now, is_all=len(past) < PAST_RUNS)
    seconds = [one.seconds for one in own] or _reckoned(spec, told)
    skipped = _skipped(coming, seconds, spec.on_busy) if seconds else None
    if skipped is not None and spec.on_busy == "skip":
        skipped += (1 - skipped) * busy
    return Cadence(a_day, min(gaps), skipped, busy)


def _reckoned(spec: SyncSpec, told: Duration) -> list[float]:
    """Return how long runs take that nobody measured; with a cursor that is the first alone."""
    if told.p50 is None or uses_last_sync_time(spec.sql):
        return []
    return [told.p50]


def _coming(slots: Slots, now: int) -> list[int]:
    """Return the slots that are played: those of the next years, and not too many."""
    last = now + _YEARS
    return list(islice(takewhile(lambda slot: slot < last, _following(slots, now)), SLOTS))


def _following(slots: Slots, moment: int) -> Iterator[int]:
    while (slot := slots.after(moment)) is not None:
        yield slot
        moment = slot


def _busy(others: Sequence[Carried], now: int, *, is_all: bool) -> float:
    """Return the share of the last days in which other syncs ran, of a day at least.

    Where these are not all runs that there were, it is that of the time since the first of them.
    """
    recent = [one for one in others if now - _DAYS * _DAY <= one.began <= now]
    if not recent:
        return 0.0
    span = now - min(one.began for one in recent)
    return min(1.0, sum(one.seconds for one in recent) / max(span, _DAY if is_all else 1))


def _skipped(slots: Sequence[int], seconds: Sequence[float], on_busy: str) -> float:
    """Return the share of slots that become no run, by the rules of the scheduler."""
    lasting = cycle(reversed(seconds))
    free_at, waits, in_a_row, skipped = -math.inf, False, 0, 0
    for slot in slots:
        if waits and free_at <= slot:
            waits, free_at = False, free_at + next(lasting)
        if free_at <= slot:
            free_at, in_a_row = slot + next(lasting), 0
        elif waits:
            skipped += 1
        elif on_busy == "skip" and in_a_row < SKIPS_IN_A_ROW:
            skipped, in_a_row = skipped + 1, in_a_row + 1
        else:
            waits, in_a_row = True, 0
    return skipped / len(slots)
