"""Settling batches against the shipped sandbox: retries, bisection, circuit, doubt."""

import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from rowlift.core.nouns import Feed, Kind, Outcome, Outcomes, Verdict
from rowlift.core.ports import Batch, Rows
from rowlift.engine.deliver import (
    FAILURES_TO_OPEN,
    OPEN_SECONDS,
    Journal,
    Pace,
    Settler,
    Stopped,
    send,
)
from rowlift.kit.packed import pack
from rowlift.testing.clock import QuickClock
from rowlift.testing.fake import FakeConfig, FakeDestination, applied, deliveries, requests

FEED = Feed("uid", "people", Kind.PERSON, "user_id", "user_id")
NOW = "2026-11-21T10:00:00.000Z"
ALMOST_ALWAYS = 0.999999999


def sandbox(log: Path, **settings: object) -> FakeDestination:
    return FakeDestination(FakeConfig(path=log, **settings), FEED)


def batch_of(destination: FakeDestination, keys: list[str], number: int = 0) -> Batch:
    rows = Rows(
        keys=pa.array(keys),
        ops=pa.array(["upsert"] * len(keys)),
        message_ids=pa.array([f"m-{key}" for key in keys]),
        attributes=pa.array(['{"plan":"free"}'] * len(keys)),
        timestamp=NOW,
    )
    packed = pack(destination.encode(rows))
    return Batch(f"b{number}", number, rows.keys, rows.message_ids, packed, NOW)


def free(_requests: int, _rate: float) -> float:
    return 0.0


def settle(destination: FakeDestination, batch: Batch, **how: bool) -> tuple[Outcomes, QuickClock]:
    clock = QuickClock()
    pace = Pace(clock, None, free)
    settler = Settler(destination, pace, random.Random(1))
    return settler.settle(batch, **how), clock


@pytest.mark.parametrize("position", range(16))
def test_F54_a_poison_row_in_any_position_costs_only_itself(tmp_path: Path, position: int) -> None:
    keys = [f"k{n}" for n in range(16)]
    destination = sandbox(tmp_path / "log", poison=(keys[position],))
    outcomes, _ = settle(destination, batch_of(destination, keys))
    assert outcomes.default.verdict is Verdict.DELIVERED
    assert {row: one.verdict for row, one in outcomes.rows.items()} == {position: Verdict.REJECTED}
    assert set(applied(tmp_path / "log")) == set(keys) - {keys[position]}


def test_T18_a_poison_row_costs_log2_n_refused_requests(tmp_path: Path) -> None:
    keys = [f"k{n}" for n in range(512)]
    destination = sandbox(tmp_path / "log", poison=("k300",), batch_rows=512)
    settle(destination, batch_of(destination, keys))
    found = list(requests(tmp_path / "log"))
    assert sum(not request["messages"] for request in found) == 9 + 1
    assert len(found) == 2 * 9 + 1


def test_F48_lost_replies_are_sent_again_with_the_same_ids(tmp_path: Path) -> None:
    keys = [f"k{n}" for n in range(8)]
    destination = sandbox(tmp_path / "log", lost_replies=ALMOST_ALWAYS)
    outcomes, clock = settle(destination, batch_of(destination, keys))
    assert outcomes == Outcomes(Outcome(Verdict.IN_DOUBT, "UNREACHABLE", "the reply was lost"))
    ids = [message["message_id"] for message in deliveries(tmp_path / "log")]
    assert len(ids) == 5 * len(keys)
    assert set(ids) == {f"m-{key}" for key in keys}
    assert clock.slept > 0


def test_a_batch_that_a_killed_process_sent_stays_in_doubt_when_nobody_answers(
    tmp_path: Path,
) -> None:
    destination = sandbox(tmp_path / "log", unavailable=ALMOST_ALWAYS)
    batch = batch_of(destination, ["a", "b"])
    fresh, _ = settle(destination, batch)
    doubted, _ = settle(destination, batch, in_doubt=True)
    assert fresh.default.verdict is Verdict.PENDING
    assert doubted.default.verdict is Verdict.IN_DOUBT


def test_T2_a_refusal_after_a_doubt_tells_nothing_of_the_attempt_before(tmp_path: Path) -> None:
    """Else a row that went and comes back as it was would not be sent again."""
    for refusal in ({"reject": ("a",)}, {"poison": ("a",)}):
        destination = sandbox(tmp_path / f"{[*refusal]}", **refusal)
        outcomes, _ = settle(destination, batch_of(destination, ["a", "b"]), in_doubt=True)
        assert outcomes.default.verdict is Verdict.DELIVERED
        assert outcomes.rows[0].verdict is Verdict.IN_DOUBT
        assert outcomes.rows[0].code == "REFUSED"


def test_rejected_rows_keep_their_reason(tmp_path: Path) -> None:
    destination = sandbox(tmp_path / "log", reject=("b",))
    outcomes, _ = settle(destination, batch_of(destination, ["a", "b", "c"]))
    assert outcomes.rows[1].verdict is Verdict.REJECTED
    assert outcomes.rows[1].reason == "the fake does not like this key"


def test_F44_retry_after_is_waited_for_by_everybody_and_capped(tmp_path: Path) -> None:
    destination = sandbox(tmp_path / "log", unavailable=ALMOST_ALWAYS, retry_after=10**9)
    _, clock = settle(destination, batch_of(destination, ["a"]))
    assert clock.slept == pytest.approx(4 * 3600, abs=200)


def journal_of(known: dict[int, Outcomes], started: list[int], most: float = math.inf) -> Journal:
    def write_down(
        settled: Sequence[tuple[Batch, Outcomes]], starting: Sequence[Batch]
    ) -> frozenset[int] | None:
        known.update({batch.number: outcomes for batch, outcomes in settled})
        if len(known) >= most:
            return None
        started.extend(batch.number for batch in starting)
        return frozenset()

    return write_down


def many(destination: FakeDestination, count: int) -> Iterator[Batch]:
    for number in range(count):
        yield batch_of(destination, [f"k{number}"], number)


def test_F45_a_destination_that_is_down_opens_its_circuit_and_ends_the_delivery(
    tmp_path: Path,
) -> None:
    destination = sandbox(tmp_path / "log", unavailable=ALMOST_ALWAYS)
    clock = QuickClock()
    pace = Pace(clock, None, free)
    known: dict[int, Outcomes] = {}
    started: list[int] = []
    settler = Settler(destination, pace, random.Random(1))
    stopped = send(many(destination, 500), settler, pace, journal_of(known, started), 4)
    assert stopped is not None
    assert stopped.code == "CIRCUIT_OPEN"
    assert len(started) == len(known) <= FAILURES_TO_OPEN + 4
    assert all(one.default.verdict is Verdict.PENDING for one in known.values())
    assert len(list(requests(tmp_path / "log"))) <= FAILURES_TO_OPEN + 4
    assert clock.slept >= OPEN_SECONDS


def test_F44_a_destination_that_always_asks_to_wait_opens_its_circuit_too(tmp_path: Path) -> None:
    destination = sandbox(tmp_path / "log", unavailable=ALMOST_ALWAYS, retry_after=3600)
    clock = QuickClock()
    pace = Pace(clock, None, free)
    known: dict[int, Outcomes] = {}
    settler = Settler(destination, pace, random.Random(1))
    start = clock.monotonic()
    stopped = send(many(destination, 500), settler, pace, journal_of(known, []), 4)
    assert stopped is not None
    assert stopped.code == "CIRCUIT_OPEN"
    waits = (clock.monotonic() - start) / 3600
    assert FAILURES_TO_OPEN <= waits < FAILURES_TO_OPEN + 1
    assert len(list(requests(tmp_path / "log"))) <= 4 * (FAILURES_TO_OPEN + 1)


def test_five_percent_failing_requests_never_end_a_delivery(tmp_path: Path) -> None:
    destination = sandbox(tmp_path / "log", unavailable=0.05, lost_replies=0.05, seed=3)
    clock = QuickClock()
    pace = Pace(clock, None, free)
    known: dict[int, Outcomes] = {}
    settler = Settler(destination, pace, random.Random(1))
    stopped = send(many(destination, 400), settler, pace, journal_of(known, []), 4)
    assert stopped is None
    assert {one.default.verdict for one in known.values()} == {Verdict.DELIVERED}
    assert set(applied(tmp_path / "log")) == {f"k{n}" for n in range(400)}


def test_a_newer_image_stops_what_was_not_yet_sent(tmp_path: Path) -> None:
    destination = sandbox(tmp_path / "log")
    pace = Pace(QuickClock(), None, free)
    known: dict[int, Outcomes] = {}
    started: list[int] = []
    journal = journal_of(known, started, most=3)
    settler = Settler(destination, pace, random.Random(1))
    stopped = send(many(destination, 100), settler, pace, journal, 2)
    assert isinstance(stopped, Stopped)
    assert stopped.code == "SUPERSEDED"
    assert len(known) <= 4
    assert sorted(known) == sorted(started)


def test_a_cancel_brings_what_is_in_flight_to_an_end(tmp_path: Path) -> None:
    destination = sandbox(tmp_path / "log")
    known: dict[int, Outcomes] = {}
    pace = Pace(QuickClock(), None, free, cancelled=lambda: len(known) >= 2)
    settler = Settler(destination, pace, random.Random(1))
    started: list[int] = []
    stopped = send(many(destination, 50), settler, pace, journal_of(known, started), 2)
    assert stopped is not None
    assert stopped.code == "INTERRUPTED"
    assert sorted(known) == sorted(started)
    assert len(started) < 50


def test_requests_keep_the_rate_of_the_account(tmp_path: Path) -> None:
    destination = sandbox(tmp_path / "log")
    clock = QuickClock()
    booked: list[int] = []

    def reserve(count: int, _rate: float) -> float:
        booked.append(count)
        return 0.0

    pace = Pace(clock, 10.0, reserve)
    settler = Settler(destination, pace, random.Random(1))
    start = clock.monotonic()
    send(many(destination, 60), settler, pace, journal_of({}, []), 1)
    assert sum(booked) >= 60
    assert clock.monotonic() - start == pytest.approx(5.9, abs=1.5)
