"""What the end of a run or a delivery says: which rules it breaks, and which it meets again.

Only codes, counts and names from files are told: a reason may hold a value of a row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from rowlift.core.alerts import AlertRule
from rowlift.core.nouns import Status
from rowlift.core.rules import RULES
from rowlift.core.specs import AlertSpec
from rowlift.project.slots import written
from rowlift.project.units import duration
from rowlift.state.alerts import GIVEN_UP, SENT, WAITING, Outgoing
from rowlift.state.audiences import Audience
from rowlift.state.deliveries import Delivery
from rowlift.state.forwards import Forward
from rowlift.state.runs import Run

PAST = 20  # runs that tell what is usual
LEAST_PAST = 5  # runs before anything is
DEAF_ATTEMPTS = 3  # at a message, before the other channels hear of the one that fails
LEAST_SECONDS = 60.0  # beyond the usual: small runs vary by more than they take

_DONE = frozenset({Status.COMPLETED, Status.SOME_ROWS_FAILED})
_LEFT = ("rejected", "pending", "in_doubt")


@dataclass(frozen=True, slots=True)
class Found:
    """Whether a rule is broken, and what is said of it."""

    rule: AlertRule
    wrong: bool
    code: str
    text: str


def of_run(run: Run, rules: AlertSpec, past: Sequence[Run]) -> Iterator[Found]:
    """Yield what a run's end says; `past` are the runs of its sync before it."""
    if run.status is Status.SKIPPED and run.reason_code == "SLOTS_MISSED" and rules.missed_slot:
        yield _wrong(AlertRule.MISSED_SLOT, run.reason_code, run.reason)
    if run.status is Status.FAILED and rules.failure:
        yield _wrong(AlertRule.FAILURE, run.reason_code, f"failed: {_why(run)}")
    if run.status is Status.STOPPED and rules.guard_stop:
        yield _wrong(AlertRule.GUARD_STOP, run.reason_code, f"stopped: {_why(run)}")
    if run.status not in _DONE:
        return
    yield _rows_failed(run, rules, _rejected(run), _read(run) + int(run.counts.get("retried", 0)))
    if not run.is_whole:
        return
    yield _over(AlertRule.FAILURE, "runs again")
    yield _over(AlertRule.GUARD_STOP, "runs again")
    if run.scheduled_for is not None:
        yield _over(AlertRule.MISSED_SLOT, "runs by its schedule again")
    yield from _unusual(run, rules, [one for one in past if _is_whole(one)][:PAST])


def of_delivery(delivery: Delivery, run: Run | None, rules: AlertSpec) -> Iterator[Found]:
    """Yield what the end of a delivery of a run says.

    Rejected rows are due again and again, so their share is of what the run read, at least.
    """
    if delivery.status is Status.FAILED and rules.failure:
        why = _why(delivery)
        yield _wrong(AlertRule.FAILURE, delivery.reason_code, f"delivery failed: {why}")
    if delivery.status in _DONE:
        yield _over(AlertRule.FAILURE, "is delivered to again")
        left = sum(int(delivery.counts.get(name, 0)) for name in _LEFT)
        due = int(delivery.counts.get("due", 0))
        yield _rows_failed(delivery, rules, left, max(due, _read(run) if run else 0))


def of_forward(forward: Forward) -> Found:
    """Return what the state of a forward says."""
    if forward.status is Status.FAILED:
        code = forward.reason_code
        refused = f"; {forward.rejected:,} events were refused so far" if forward.rejected else ""
        return _wrong(AlertRule.FAILURE, code, f"does not go on: {title(code)}{refused}")
    return _over(AlertRule.FAILURE, "goes on")


def of_audience(audience: Audience) -> Found | None:
    """Return what the last look for an audience's people says; nothing before it has ended."""
    if audience.status is Status.COMPLETED:
        return _over(AlertRule.FAILURE, "is computed again")
    if audience.status is Status.FAILED:
        code = audience.reason_code
        return _wrong(AlertRule.FAILURE, code, f"cannot be computed: {title(code)}")
    return None


def of_late_audience(at: float | None, every: int, *, late: bool) -> Found:
    """Return what is said of when an audience's people were last looked for."""
    if not late:
        return Found(AlertRule.LATE, wrong=False, code="", text="is looked at again in time")
    said = f"last looked at {written(int(at))}" if at else "nobody looked at it yet"
    text = f"is late, {said}; promised: every {duration(every)}"
    return Found(AlertRule.LATE, wrong=True, code="LATE", text=text)


def of_definition(code: str) -> Found:
    """Return what is said of a definition that is wrong, and so left out."""
    return _wrong(AlertRule.FAILURE, code, f"is left out: {title(code)}")


def of_mended() -> Found:
    """Return what is said of a definition that was left out and no longer is."""
    return _over(AlertRule.FAILURE, "is in force again")


def of_channel(last: Outgoing) -> Found | None:
    """Return what the newest message of a channel says; nothing while it may still get through."""
    if last.status == SENT:
        return _over(AlertRule.FAILURE, "takes messages again")
    is_deaf = last.status == WAITING and last.attempts >= DEAF_ATTEMPTS
    if is_deaf or last.status == GIVEN_UP:
        return _wrong(AlertRule.FAILURE, "CHANNEL_FAILED", "does not take messages")
    return None


def of_logs(code: str) -> Found:
    """Return what is said of logs that are written to a warehouse; `code` is why they are not."""
    if not code:
        return _over(AlertRule.FAILURE, "are written again")
    return _wrong(AlertRule.FAILURE, code, "are not written to their warehouse")


def title(code: str) -> str:
    """Return what a code means, without anything of what happened."""
    return RULES[code].title if code in RULES else "see rowlift runs"


def _wrong(rule: AlertRule, code: str, text: str) -> Found:
    return Found(rule, wrong=True, code=code, text=text)


def _over(rule: AlertRule, text: str) -> Found:
    return Found(rule, wrong=False, code="", text=text)


def _why(ended: Run | Delivery) -> str:
    return title(ended.reason_code)


def _rows_failed(ended: Run | Delivery, rules: AlertSpec, failed: int, of: int) -> Found:
    most, is_wrong = rules.rows_failed, False
    if most is not None and failed:
        allowed = most.rows if most.percent is None else of * most.percent / 100
        is_wrong = failed > (allowed or 0)
    text = f"{failed:,} of {of:,} rows failed" if is_wrong else "rows go through again"
    code = ended.reason_code if is_wrong else ""
    return Found(AlertRule.ROWS_FAILED, is_wrong, code, text)


def _rejected(run: Run) -> int:
    """Return how many rows of both queries broke a rule, or were rejected by the workspace."""
    parts = [run.counts, *(one for one in run.counts.values() if isinstance(one, dict))]
    return sum(int(one.get("rejected", 0)) for one in parts)


def _unusual(run: Run, rules: AlertSpec, past: Sequence[Run]) -> Iterator[Found]:
    known = len(past) >= LEAST_PAST
    took, usual = _seconds(run), median(map(_seconds, past)) if known else 0.0
    is_slow = known and rules.slower is not None and took > usual * rules.slower
    is_slow = is_slow and took > usual + LEAST_SECONDS
    text = f"took {took:,.0f} s, usually {usual:,.0f} s" if is_slow else "is as quick as usual"
    yield Found(AlertRule.SLOWER, is_slow, "", text)
    rows, often = _read(run), median(map(_read, past)) if known else 0.0
    is_off = known and rules.count_off is not None and _is_off(rows, often, rules.count_off)
    text = f"{rows:,} rows, usually {often:,.0f}" if is_off else "has as many rows as usual"
    yield Found(AlertRule.COUNT_OFF, is_off, "", text)


def _is_off(rows: int, usual: float, percent: float) -> bool:
    return abs(rows - usual) > usual * percent / 100


def _is_whole(run: Run) -> bool:
    return run.status in _DONE and run.is_whole


def _seconds(run: Run) -> float:
    return max(0.0, (run.finished_at or run.created_at) - run.created_at)


def _read(run: Run) -> int:
    return int(run.counts.get("read", 0))
