"""One forward from claim to rest: the events that came since, in their order.

    window    the next events, with their people        commit: where it ends
    send      batch by batch, one after the other       commit: what became of each, how far it is
    rest      what had come is settled, or it waits     commit: status, and until when it waits

A killed forward reads its window again and sends what is not settled, under the same message ids.
What a destination refuses for good is set aside and does not hold up what comes after it.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from rowlift.core.clock import Clock
from rowlift.core.errors import ConfigError, DestinationError, RowliftError, unexpected
from rowlift.core.nouns import Limits, Outcome, Status, Verdict
from rowlift.core.ports import Batch, EventDestination
from rowlift.core.specs import ForwardSpec
from rowlift.engine.deliver import Pace, Settler, Stopped
from rowlift.engine.eventrows import Due, Window, as_columns, look, moment_of
from rowlift.engine.plan import batch_ends
from rowlift.kit.arrow import digest
from rowlift.kit.packed import pack
from rowlift.state.forwards import Advance, Forward, ForwardReject
from rowlift.state.store import Store
from rowlift.workspace import suppression
from rowlift.workspace.tracking import last_within, newest

WINDOW = 1000  # events
TRY_AGAIN_SECONDS = (15, 60, 240, 960, 3600)  # after the first failure, the second, …

_OPEN = frozenset({Verdict.IN_DOUBT, Verdict.PENDING})
_SETTLED = Outcome(Verdict.DELIVERED)


@dataclass(frozen=True, slots=True)
class _Piece:
    """One request and its events."""

    due: Sequence[Due]
    batch: Batch


class ForwardRun:
    """Carries one claimed forward up to the event that is the newest then, or until it cannot."""

    def __init__(
        self,
        store: Store,
        forward: Forward,
        spec: ForwardSpec,
        destination: Callable[[], AbstractContextManager[EventDestination]],
        clock: Clock,
        tell: Callable[[str, str], None] = lambda _text, _detail: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._forward = forward
        self._spec = spec
        self._open = destination
        self._clock = clock
        self._tell = tell
        self._cancelled = cancelled
        self._lease = store.forwards.lease(forward)
        self._rejected = 0
        self._last = 0

    def carry(self) -> Forward:
        """Send what came and rest; a fault of ours is raised after it was written down."""
        with self._lease:
            try:
                stopped = self._sent()
            except (ConfigError, DestinationError) as error:
                stopped = Stopped(error.code, f"{error.message} {error.mend}".strip())
            except RowliftError:
                raise
            except Exception as error:
                told = unexpected(error)
                self._rest(Stopped(told.code, f"{told.message} {told.mend}".strip()))
                raise
            self._rest(stopped)
        return self._forward

    def _sent(self) -> Stopped | None:
        with self._store.database.read() as connection:
            self._last = newest(connection, self._forward.workspace_id)
        with self._open() as destination:
            pace = self._pace(destination)
            settler = Settler(destination, pace, random.Random(self._forward.id))  # noqa: S311
            while window := self._window():
                left = self._send(window, destination, settler)
                if pace.is_over() or left.verdict in _OPEN:
                    return pace.stopped or Stopped(left.code, left.reason)
        return None

    def _pace(self, destination: EventDestination) -> Pace:
        def reserve(requests: int, rate: float) -> float:
            return self._store.deliveries.reserve(destination.account, requests, rate)

        def is_over() -> bool:
            return self._cancelled() or not self._lease.is_ours()

        rate = destination.limits.requests_per_second
        return Pace(self._clock, rate, reserve, is_over, self._tell)

    # window

    def _window(self) -> Window | None:
        """Begin the next window, or the last one again if something of it is left."""
        while self._forward.position < self._last:
            forward = self._forward
            with self._store.database.read() as connection:
                upto = forward.upto
                if upto <= forward.position:
                    upto = last_within(connection, forward.workspace_id, forward.position, WINDOW)
                window = look(connection, self._spec, forward, upto)
            with self._store.database.transaction("forward.begin") as connection:
                self._lease.hold(connection)
                self._forward = self._store.forwards.open_window(connection, forward, upto)
                if self._stands(connection, window):
                    return window
        return None

    def _stands(self, connection: sa.Connection, window: Window) -> bool:
        """Tell whether nobody was suppressed since a window was looked at."""
        found = suppression.revision(connection, self._forward.workspace_id)
        return found == window.suppressions

    # send

    def _send(self, window: Window, destination: EventDestination, settler: Settler) -> Outcome:
        """Send a window until something of it stays open; returns what became of that.

        It is left, to be looked at again, where somebody was suppressed meanwhile.
        """
        due, messages, large = _fitting(window, destination)
        for piece in _pieces(due, messages, destination.limits):
            outcomes = settler.settle(piece.batch)
            found = {
                one.number: outcomes.rows.get(at, outcomes.default)
                for at, one in enumerate(piece.due)
            }
            may_go_on = self._settle(window, found, large, piece.due[-1].number)
            left = [one for one in found.values() if one.verdict in _OPEN]
            if left or not may_go_on:
                return left[0] if left else _SETTLED
        if self._forward.position < window.upto:
            self._settle(window, {}, large, window.upto)
        return _SETTLED

    def _settle(
        self,
        window: Window,
        found: Mapping[int, Outcome],
        large: Mapping[int, Outcome],
        upto: int,
    ) -> bool:
        """Write down what became of a batch; tell whether the next one may leave."""
        step = self._step(window, found, large, upto)
        self._rejected += len(step.rejects)
        with self._store.database.transaction("forward.settle") as connection:
            self._lease.hold(connection)
            self._forward = self._store.forwards.advance(connection, self._forward, step)
            return self._stands(connection, window)

    def _step(
        self,
        window: Window,
        found: Mapping[int, Outcome],
        large: Mapping[int, Outcome],
        upto: int,
    ) -> Advance:
        before = self._forward
        open_ = {number for number, one in found.items() if one.verdict in _OPEN}
        position = min(open_) - 1 if open_ else upto
        passed = range(before.position + 1, position + 1)
        settled = {*before.settled, *found} - open_
        told = dict(found) | {number: one for number, one in large.items() if number in passed}
        refused = {number: one for number, one in told.items() if one.verdict is Verdict.REJECTED}
        return Advance(
            position,
            frozenset(number for number in settled if number > position),
            delivered=len(told) - len(open_) - len(refused),
            suppressed=sum(number in passed for number in window.suppressed),
            skipped=sum(number in passed for number in window.skipped),
            rejects=[
                self._reject(one, refused[one.number])
                for one in window.due
                if one.number in refused
            ],
        )

    def _reject(self, one: Due, outcome: Outcome) -> ForwardReject:
        now, event = self._clock.now().timestamp(), one.event
        return ForwardReject(
            now, event.kind, event.name, event.message_id, one.key, outcome.code, outcome.reason
        )

    # rest

    def _rest(self, stopped: Stopped | None) -> None:
        forward, status, wait = self._forward, Status.COMPLETED, 0.0
        if stopped and stopped.code == "INTERRUPTED":
            status = Status.CANCELLED
        elif stopped:
            status = Status.FAILED
            wait = TRY_AGAIN_SECONDS[min(forward.tries, len(TRY_AGAIN_SECONDS) - 1)]
        elif self._rejected:
            status = Status.SOME_ROWS_FAILED
        code, reason = (stopped.code, stopped.reason) if stopped else ("", "")
        with self._store.database.transaction("forward.rest") as connection:
            self._lease.hold(connection)
            self._forward = self._store.forwards.rest(
                connection, forward, status, code, reason, wait
            )


def _fitting(
    window: Window, destination: EventDestination
) -> tuple[list[Due], pa.StringArray, dict[int, Outcome]]:
    """Return the events that are not too large, their messages, and what is said of the others."""
    messages = destination.encode_events(as_columns(window.due))
    sizes = pc.binary_length(messages)
    fits = pc.less_equal(sizes, destination.limits.record_bytes)
    large = {
        one.number: Outcome(
            Verdict.REJECTED, "RECORD_TOO_LARGE", f"The encoded event has {size} bytes."
        )
        for one, size, fit in zip(window.due, sizes.to_pylist(), fits.to_pylist(), strict=True)
        if not fit
    }
    due = [one for one in window.due if one.number not in large]
    return due, messages.filter(fits), large


def _pieces(due: Sequence[Due], messages: pa.StringArray, limits: Limits) -> Iterator[_Piece]:
    ends = batch_ends(pc.binary_length(messages), limits)
    for start, end in pairwise([0, *ends]):
        yield _piece(due[start:end], messages[start:end])


def _piece(due: Sequence[Due], messages: pa.StringArray) -> _Piece:
    message_ids = pa.array([one.event.message_id for one in due], pa.string())
    batch = Batch(
        id=digest(message_ids),
        number=due[0].number,
        keys=pa.array([one.key for one in due], pa.string()),
        message_ids=message_ids,
        packed=pack(messages),
        timestamp=moment_of(due[0].event),
    )
    return _Piece(due, batch)
