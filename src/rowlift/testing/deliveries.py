"""The contract of a delivery: a whole project sends to a sink that misbehaves."""

from collections.abc import Iterator, Sequence
from math import ceil, log2
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from rowlift.core.nouns import Feed, Kind, Status
from rowlift.kit.http import Http
from rowlift.registry import destination_kind
from rowlift.testing import misbehaviour as m
from rowlift.testing.answers import (
    NONSENSE,
    REFUSALS,
    SILENCES,
    STOPS,
    TROUBLE,
    UNCONFIRMED,
    UNREADABLE,
    YEAR,
    redirects,
)
from rowlift.testing.destinations import Receiving
from rowlift.testing.folder import Folder
from rowlift.testing.sink import Sink, ident_of, key_of

if TYPE_CHECKING:
    from rowlift.operations.reports import DeliveryReport, RunReport

BATCH = 16  # rows, or a few more where the destination's limits do not allow so few
FAILURES_TO_OPEN = 5
FEED = Feed("", "", Kind.PERSON, "user_id", "user_id")


class Delivering:
    """A project of people in a CSV file, whose batches to a sink are about 16 rows."""

    def __init__(self, path: Path, type_name: str, settings: dict[str, Any], **sync: Any) -> None:
        kind: Any = destination_kind(type_name)
        self.path = path
        self.limits = kind(kind.Config(**settings), FEED, Http()).limits
        destination = {"type": type_name, **settings}
        self.width = self._width()
        sql = f"SELECT user_id, plan, repeat('x', {self.width}) AS note FROM people"
        self.folder = Folder(path / "acme", self._source(), destination, sql=sql, **sync)

    def rows(self, keys: Sequence[str], plan: str = "free") -> None:
        """Write the people of the next run."""
        lines = ["user_id,plan", *(f"{key},{plan}" for key in keys)]
        (self.path / "data" / "people.csv").write_text("\n".join(lines) + "\n")

    def run(self) -> "RunReport":
        """Run once; the import ends well whatever becomes of the delivery."""
        report = self.folder.run()
        assert report.status is Status.COMPLETED
        counts = self.delivery(report).counts
        assert counts["due"] == sum(counts[name] for name in _STATES)
        return report

    def delivery(self, report: "RunReport") -> "DeliveryReport":
        return report.deliveries[0]

    def _source(self) -> dict[str, Any]:
        (self.path / "data").mkdir()
        return {"type": "files", "root": str(self.path / "data")}

    def _width(self) -> int:
        limits = self.limits
        if limits.batch_rows <= BATCH:
            return 0
        return int(min(limits.record_bytes, limits.batch_bytes // BATCH) - 1000)


_STATES = (
    "delivered", "rejected", "suppressed", "skipped", "superseded", "pending", "in_doubt",
)  # fmt: skip


class HttpDeliverySuite(Receiving):
    """What becomes of rows, runs and requests, whatever the receiver does.

    Settings of the destination should leave batches of more than 16 rows possible, or exactly 16.
    """

    reads_reply: ClassVar[bool] = True

    @pytest.fixture
    def shop(self, place: Sink, tmp_path: Path) -> Delivering:
        return Delivering(tmp_path, self.type, self.settings(place), workspace="none")

    def test_F44_to_F51_every_row_outlives_every_answer(
        self, place: Sink, shop: Delivering
    ) -> None:
        answers = [*NONSENSE, *TROUBLE, *SILENCES, *UNREADABLE, *REFUSALS]
        answers += UNCONFIRMED if self.reads_reply else ()
        keys = _keys(BATCH * len(answers))
        shop.rows(keys)
        place.misbehave(*(way for answer in answers for way in (answer.way, None)))
        delivered = shop.delivery(shop.run()).counts["delivered"]
        assert delivered > len(keys) // 2
        healed = shop.delivery(shop.run())
        assert healed.status is Status.COMPLETED
        assert healed.counts["delivered"] == len(keys) - delivered
        assert sorted(place.taken.by_key) == sorted(keys)
        assert len(place.taken.records) == len(keys)
        assert len(place.seen) > 2 * len(answers)

    def test_F44_retry_after_is_obeyed_and_cut_at_an_hour(
        self, place: Sink, shop: Delivering
    ) -> None:
        shop.rows(_keys(3))
        for text, least, most in (("7", 7, 10), (YEAR, 3600, 3605), ("0", 0, 3), ("-5", 0, 3)):
            place.misbehave(m.status(429, retry_after=text))
            before = shop.folder.clock.slept
            shop.rows(_keys(3), plan=text)
            assert shop.delivery(shop.run()).status is Status.COMPLETED
            assert least - 1 < shop.folder.clock.slept - before < most
        assert {one["plan"] for one in _traits(place)} == {"-5"}

    def test_F45_a_destination_that_is_down_opens_its_circuit(
        self, place: Sink, tmp_path: Path
    ) -> None:
        shop = Delivering(tmp_path, self.type, self.settings(place))
        keys = _keys(BATCH * 8)
        shop.rows(keys)
        place.always(m.status(500))
        report = shop.run()
        down = shop.delivery(report)
        assert (down.status, down.reason_code) == (Status.FAILED, "CIRCUIT_OPEN")
        assert down.counts["pending"] + down.counts["in_doubt"] == len(keys)
        assert report.counts["added"] == len(keys)
        batches = {tuple(map(key_of, one.records)) for one in place.seen}
        assert len(batches) <= FAILURES_TO_OPEN
        # Those in flight when it opens, and one probe.
        assert len(place.seen) <= FAILURES_TO_OPEN + shop.limits.in_flight
        place.always(None)
        assert shop.delivery(shop.run()).counts["delivered"] == len(keys)
        assert (len(place.taken.records), place.taken.repeats) == (len(keys), 0)

    def test_F45_five_percent_failing_requests_never_end_a_run(
        self, place: Sink, shop: Delivering
    ) -> None:
        batches = 40 if shop.width else 100
        bad = iter([answer.way for answer in (*TROUBLE, *SILENCES)])
        ways = [next(bad) if at % 20 == 7 else None for at in range(2 * batches)]
        keys = _keys(BATCH * batches)
        shop.rows(keys)
        place.misbehave(*ways)
        done = shop.delivery(shop.run())
        assert (done.status, done.counts["delivered"]) == (Status.COMPLETED, len(keys))
        assert len(place.taken.records) == len(keys)

    def test_F46_F52_a_refused_endpoint_stops_and_keeps_every_row(
        self, place: Sink, shop: Delivering
    ) -> None:
        keys = _keys(BATCH * 3)
        shop.rows(keys)
        for answer in (*STOPS[::3], *redirects(place.url)[::11]):
            before = len(place.seen)
            place.always(answer.way)
            stopped = shop.delivery(shop.run())
            assert (stopped.status, stopped.reason_code) == (Status.FAILED, answer.code)
            assert stopped.counts["pending"] == len(keys)
            assert stopped.reason
            assert len(place.seen) - before <= shop.limits.in_flight
        place.always(None)
        assert shop.delivery(shop.run()).counts["delivered"] == len(keys)

    def test_F48_lost_replies_make_no_duplicates_and_T2_a_source_may_revert(
        self, place: Sink, shop: Delivering
    ) -> None:
        keys = _keys(BATCH * 4)
        for plan in ("A", "B", "A"):
            shop.rows(keys, plan)
            place.always(m.lost_reply() if plan == "B" else None)
            counts = shop.delivery(shop.run()).counts
            assert counts["delivered"] == (0 if plan == "B" else counts["due"])
        assert {one["plan"] for one in _traits(place)} == {"A"}
        assert place.taken.repeats > 0
        assert shop.delivery(shop.run()).counts["due"] == 0

    def test_F54_T18_a_poison_row_costs_log2_requests_and_only_itself(
        self, place: Sink, shop: Delivering
    ) -> None:
        keys = _keys(BATCH * BATCH)
        shop.rows(keys)
        place.poison |= {keys[at * BATCH + at] for at in range(BATCH)}  # each position in a batch
        report = shop.run()
        counts = shop.delivery(report).counts
        assert (counts["rejected"], counts["delivered"]) == (BATCH, len(keys) - BATCH)
        with shop.folder.project() as project:
            rejected = [(one["identifier"], one["code"]) for one in project.rejects(report.id)]
        assert sorted(rejected) == sorted((key, "REFUSED") for key in place.poison)
        largest = max(len(one.records) for one in place.seen)
        refused = len(place.seen) - len(place.requests)
        assert refused <= BATCH * (1 + ceil(log2(largest)))
        assert len(place.seen) <= BATCH * (1 + 2 * ceil(log2(largest)))
        place.poison.clear()
        assert shop.delivery(shop.run()).counts["delivered"] == BATCH

    def test_F57_a_slow_destination_holds_no_more_than_its_limit(
        self, place: Sink, shop: Delivering
    ) -> None:
        keys = _keys(BATCH * 8)
        shop.rows(keys)
        place.always(m.late(0.2))
        assert shop.delivery(shop.run()).counts["delivered"] == len(keys)
        assert 1 <= place.most_at_once <= shop.limits.in_flight
        assert place.taken.repeats == 0

    def test_a_restarted_run_repeats_only_ids(self, place: Sink, shop: Delivering) -> None:
        shop.rows(_keys(BATCH * 3))
        place.misbehave(m.lost_reply(), m.status(500), m.lost_reply())
        shop.run()
        shop.run()
        ids: dict[str, set[str]] = {}
        for request in place.seen:
            for one in request.records:
                ids.setdefault(key_of(one), set()).add(ident_of(one))
        assert {len(one) for one in ids.values()} == {1}


def _keys(count: int) -> list[str]:
    return [f"k{number:05}" for number in range(count)]


def _traits(place: Sink) -> Iterator[dict[str, Any]]:
    for one in place.taken.by_key.values():
        yield one.get("traits") or one["attributes"]
