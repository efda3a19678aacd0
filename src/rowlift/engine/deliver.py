"""Deliver: send a plan's batches, several in flight, and learn what became of every row.

Tries within one delivery: at once, then after about 1, 5, 30 and 120 s with full jitter. Five
failed attempts in a row open the circuit for 60 s; if the one probe after that fails too, the
delivery ends and its rows stay due.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Protocol

import pyarrow as pa

from rowlift.core import faults
from rowlift.core.clock import Clock
from rowlift.core.errors import DestinationError, Fenced
from rowlift.core.nouns import Outcome, Outcomes, Verdict
from rowlift.core.ports import Batch, Destination
from rowlift.kit.arrow import digest
from rowlift.kit.packed import pack

BACKOFF_SECONDS = (0.0, 1.0, 5.0, 30.0, 120.0)
FAILURES_TO_OPEN = 5
DRAIN_SECONDS = 10.0  # in which requests may be answered after a cancel
OPEN_SECONDS = 60.0
LONGEST_WAIT = 3600.0
AT_ONCE = 8  # requests; of more that have begun, some wait for their turn

_DELIVERED = Outcome(Verdict.DELIVERED)
_LEFT = Outcome(Verdict.IN_DOUBT, "INTERRUPTED", "A killed process may have sent it.")
_AGAIN = frozenset({Verdict.IN_DOUBT, Verdict.PENDING})


class Stopped(Exception):
    """Sending is over for now: the circuit is open, the destination refused us, or a cancel."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Pace:
    """When the next request may leave: budget, Retry-After and circuit of one destination."""

    def __init__(
        self,
        clock: Clock,
        rate: float | None,
        reserve: Callable[[int, float], float],
        cancelled: Callable[[], bool] = lambda: False,
        tell: Callable[[str, str], None] = lambda _text, _detail: None,
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._cancelled = cancelled
        self._rate = rate
        self._reserve = reserve
        self._lock = threading.Lock()
        self._failures = 0
        self._successes = 0
        self._not_before = 0.0
        self._booked = 0
        self._next_slot = 0.0
        self._probing = False
        self.stopped: Stopped | None = None

    def stop(self, code: str, reason: str) -> None:
        """Let no further request leave."""
        with self._lock:
            self.stopped = self.stopped or Stopped(code, reason)

    def is_over(self) -> bool:
        """Tell whether no further request may leave."""
        if self._cancelled():
            self.stop("INTERRUPTED", "Sending was interrupted; the rows stay due.")
        return self.stopped is not None

    def enter(self) -> None:
        """Wait until a request may leave; raises Stopped when none may any more."""
        self.is_over()
        while (seconds := self._wait_for()) > 0:
            self._clock.sleep(min(seconds, 1.0))
            self.is_over()

    def pause(self, seconds: float) -> None:
        """Wait before another attempt; raises Stopped as soon as sending is over."""
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0:
            if self.is_over():
                raise self.stopped or Stopped("INTERRUPTED", "")
            self._clock.sleep(min(left, 1.0))

    def _wait_for(self) -> float:
        with self._lock:
            if self.stopped:
                raise self.stopped
            seconds = self._not_before - self._clock.monotonic()
            if seconds > 0:
                return seconds
            if self._failures >= FAILURES_TO_OPEN and self._probing:
                return 1.0
            seconds = self._slot()
            self._probing = seconds <= 0 and self._failures >= FAILURES_TO_OPEN
            return seconds

    def _slot(self) -> float:
        if self._rate is None:
            return 0.0
        now = self._clock.monotonic()
        if self._booked == 0:
            self._booked = max(1, int(self._rate / 2))
            self._next_slot = now + self._reserve(self._booked, self._rate)
        if self._next_slot > now:
            return self._next_slot - now
        self._booked -= 1
        self._next_slot += 1 / self._rate
        return 0.0

    def at_once(self, in_flight: int) -> int:
        """Return how many requests may be out: one that is down gets no more than open its circuit.

        Each success since the last failure makes room for one more.
        """
        return min(in_flight, FAILURES_TO_OPEN + self._successes)

    def succeeded(self) -> None:
        """Close the circuit."""
        with self._lock:
            self._failures, self._probing = 0, False
            self._successes += 1

    def failed(self, outcome: Outcome) -> None:
        """Count a failed attempt, obey its Retry-After, open the circuit when it is time."""
        with self._lock:
            self._successes = 0
            now = self._clock.monotonic()
            asked_before = outcome.retry_after is not None and now < self._not_before
            if outcome.retry_after is not None:
                wait_for = min(outcome.retry_after, LONGEST_WAIT)
                if now + wait_for > self._not_before + 1:
                    self._tell(f"The destination asked to wait {wait_for:.0f} s.", "")
                self._not_before = max(self._not_before, now + wait_for)
            if asked_before:  # sent side by side with one that was asked to wait: one failure
                self._probing = False
                return
            self._failures += 1
            said = outcome.reason or outcome.code
            if self._failures == 1:
                self._tell("A request failed; it is tried again.", said)
            if self._failures > FAILURES_TO_OPEN and self._probing:
                self.stopped = self.stopped or Stopped("CIRCUIT_OPEN", _open_reason(outcome))
            elif self._failures == FAILURES_TO_OPEN:
                self._not_before = max(self._not_before, now + OPEN_SECONDS)
                self._tell(
                    f"{FAILURES_TO_OPEN} requests failed one after another; "
                    f"one more is tried in {OPEN_SECONDS:.0f} s.",
                    said,
                )


def _open_reason(outcome: Outcome) -> str:
    return f"Batches kept failing ({outcome.reason or outcome.code}); the rows stay due."


@dataclass(slots=True)
class _Piece:
    """Some rows of a batch that still wait for an answer, and how often they were tried."""

    rows: Sequence[int]
    tries: int = 0


class _Sheet:
    """What is known of each row of one batch; a doubt ends only where the row is there.

    Whoever refuses a row tells nothing of what became of the attempt before.
    """

    def __init__(self, rows: int, *, in_doubt: bool) -> None:
        self._rows = rows
        self._odd: dict[int, Outcome] = dict.fromkeys(range(rows), _LEFT) if in_doubt else {}

    def note(self, row: int, outcome: Outcome) -> None:
        before = self._odd.get(row)
        if outcome.verdict is Verdict.DELIVERED:
            self._odd.pop(row, None)
        elif before and before.verdict is Verdict.IN_DOUBT:
            self._odd[row] = replace(outcome, verdict=Verdict.IN_DOUBT)
        else:
            self._odd[row] = outcome

    def all_delivered(self, rows: Sequence[int]) -> None:
        if self._odd:
            for row in rows:
                self._odd.pop(row, None)

    def outcomes(self) -> Outcomes:
        """Store what all rows share as the default, so that a dead destination costs no list."""
        same = set(self._odd.values())
        if len(self._odd) == self._rows and len(same) == 1:
            return Outcomes(same.pop())
        return Outcomes(_DELIVERED, self._odd)


class Settler:
    """Brings one batch to an outcome for every row: retries, bisects, waits."""

    def __init__(self, destination: Destination, pace: Pace, jitter: random.Random) -> None:
        self._destination = destination
        self._pace = pace
        self._jitter = jitter

    def settle(self, batch: Batch, *, in_doubt: bool = False) -> Outcomes:
        """Send a batch until each row has an outcome; rows not listed were delivered.

        `in_doubt` says that a killed process may already have sent it.
        """
        sheet = _Sheet(len(batch), in_doubt=in_doubt)
        pieces = [_Piece(range(len(batch)))]
        while pieces:
            piece = pieces.pop()
            try:
                answer = self._attempt(batch, piece)
            except Stopped as stopped:
                never = Outcome(Verdict.PENDING, stopped.code, stopped.reason)
                for row in (row for left in (piece, *pieces) for row in left.rows):
                    sheet.note(row, never)
                break
            pieces += self._judge(piece, answer, sheet)
        return sheet.outcomes()

    def _attempt(self, batch: Batch, piece: _Piece) -> Outcomes:
        longest = BACKOFF_SECONDS[piece.tries]
        if longest:
            self._pace.pause(self._jitter.uniform(0, longest))
        self._pace.enter()
        part = batch if len(piece.rows) == len(batch) else _part(batch, piece.rows)
        faults.point("deliver.before_send")
        try:
            answer = self._destination.deliver(part)
        except DestinationError as error:
            self._pace.stop(error.code, error.message)
            return Outcomes(Outcome(Verdict.PENDING, error.code, error.message))
        faults.point("deliver.after_send")
        self._tell_pace(answer)
        return answer

    def _tell_pace(self, answer: Outcomes) -> None:
        if answer.default.verdict in _AGAIN:
            self._pace.failed(answer.default)
            return
        self._pace.succeeded()
        waits = [one for one in answer.rows.values() if one.retry_after is not None]
        if waits:
            self._pace.failed(waits[0])

    def _judge(self, piece: _Piece, answer: Outcomes, sheet: _Sheet) -> list[_Piece]:
        if not answer.rows and answer.default.verdict is Verdict.DELIVERED:
            sheet.all_delivered(piece.rows)
            return []
        again: list[int] = []
        refused: list[int] = []
        for at, row in enumerate(piece.rows):
            outcome = answer.rows.get(at, answer.default)
            if outcome.verdict is not Verdict.REFUSED:
                sheet.note(row, outcome)
                if outcome.verdict in _AGAIN:
                    again.append(row)
            elif len(piece.rows) == 1:
                sheet.note(row, replace(outcome, verdict=Verdict.REJECTED))
            else:
                refused.append(row)
        return _next_pieces(piece, again, refused)


def _next_pieces(piece: _Piece, again: list[int], refused: list[int]) -> list[_Piece]:
    pieces = []
    if again and piece.tries + 1 < len(BACKOFF_SECONDS):
        pieces.append(_Piece(again, piece.tries + 1))
    half = (len(refused) + 1) // 2
    return pieces + [_Piece(part) for part in (refused[half:], refused[:half]) if part]


def _part(batch: Batch, rows: Sequence[int]) -> Batch:
    chosen = pa.array(rows, pa.int32())
    message_ids = batch.message_ids.take(chosen)
    return replace(
        batch,
        id=digest(message_ids),
        keys=batch.keys.take(chosen),
        message_ids=message_ids,
        packed=pack(batch.messages.take(chosen)),
    )


class Journal(Protocol):
    """Writes down what sending does, so that a killed process is resumed."""

    def __call__(
        self, settled: Sequence[tuple[Batch, Outcomes]], starting: Sequence[Batch]
    ) -> AbstractSet[int] | None:
        """Commit once: what became of some batches, and which ones may leave from now on.

        Returns the numbers of batches that a killed process may have sent before, or None when
        nothing more is to leave; then none has been started.
        """


def draining(break_off: Callable[[], None]) -> Callable[[], None]:
    """Return what is called every second after a cancel: at first it lets requests be answered."""
    since: list[float] = []

    def end() -> None:
        since.append(time.monotonic())
        if since[-1] - since[0] >= DRAIN_SECONDS:
            break_off()

    return end


def send(
    batches: Iterator[Batch], settler: Settler, pace: Pace, journal: Journal, in_flight: int
) -> Stopped | None:
    """Send batches, at most `in_flight` begun and not ended; return why it stopped early, if so.

    A batch counts as in flight until its outcomes are written down; AT_ONCE of them are on their
    way, and so some end while a commit waits for the disk. What is in flight is brought to an end
    and written down, also when the user interrupts.
    """
    waiting: dict[Future[Outcomes], Batch] = {}
    with ThreadPoolExecutor(min(in_flight, AT_ONCE), thread_name_prefix="deliver") as pool:
        try:
            stopped = _pump(pool, waiting, batches, settler, pace, journal, in_flight)
        except Fenced:
            pace.stop("FENCED", "Another process took over.")
            raise
        except BaseException:
            pace.stop("INTERRUPTED", "Sending was interrupted; the rows stay due.")
            while waiting:
                journal(_collect(waiting), ())
            raise
    return stopped


def _pump(
    pool: ThreadPoolExecutor,
    waiting: dict[Future[Outcomes], Batch],
    batches: Iterator[Batch],
    settler: Settler,
    pace: Pace,
    journal: Journal,
    in_flight: int,
) -> Stopped | None:
    superseded = False
    while True:
        done = _collect(waiting)
        room = pace.at_once(in_flight) - len(waiting)
        fresh = [] if superseded or pace.is_over() else list(islice(batches, max(room, 0)))
        if not (done or fresh):
            break
        doubted = journal(done, fresh)
        if doubted is None:
            superseded = True
            continue
        for batch in fresh:
            settle = partial(settler.settle, batch, in_doubt=batch.number in doubted)
            future = pool.submit(copy_context().run, settle)
            waiting[future] = batch
    if superseded and not pace.stopped:
        return Stopped("SUPERSEDED", "A newer image took over.")
    return pace.stopped


def _collect(waiting: dict[Future[Outcomes], Batch]) -> list[tuple[Batch, Outcomes]]:
    """Wait until half has ended: one commit for several costs no more than for one."""
    done = list(islice(as_completed(waiting), max(1, len(waiting) // 2)))
    return [(waiting.pop(future), future.result()) for future in done]
