"""Contract suites: what every destination must keep, run against a real receiver.

Subclass `HttpDestinationSuite`, which walks through every fault of the sink, and say the type and
the settings; for what does not speak HTTP subclass `DestinationSuite` and give its two methods.
What can be read back proves so by `ReadableSuite`.
`rowlift.testing.deliveries` has the suite that sends through a whole project.
"""

import json
import random
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from rowlift.core.errors import DestinationError
from rowlift.core.nouns import Accepts, Column, Feed, Kind, Op, Verdict
from rowlift.core.ports import Batch, Destination, ReadableDestination, Rows
from rowlift.core.rules import RULES
from rowlift.kit.http import Http
from rowlift.kit.packed import pack
from rowlift.registry import destination_kind
from rowlift.testing import misbehaviour as m
from rowlift.testing.answers import (
    ENDLESS,
    NONSENSE,
    REFUSALS,
    SILENCES,
    STOPS,
    TROUBLE,
    UNCONFIRMED,
    UNREADABLE,
    WAITS,
    Answer,
    redirects,
)
from rowlift.testing.misbehaviour import Misbehaviour
from rowlift.testing.sink import Sink, key_of
from rowlift.testing.texts import HOSTILE_TEXTS

TIMESTAMP = "2026-11-21T10:00:00.000Z"
COLUMNS = (Column("name", "text", "text"), Column("score", "int8", "int"))
_LOOPBACK = ("127.0.0.0/8",)
State = tuple[Verdict | None, str, float | None]
CLEAN, LOST, NEVER = Verdict.DELIVERED, Verdict.IN_DOUBT, Verdict.PENDING


def rows_of(
    keys: Sequence[str], attributes: Sequence[dict[str, Any]] | None = None, op: Op = Op.UPSERT
) -> Rows:
    """Return rows as the engine hands them over."""
    given = attributes or [{"name": f"n{at}", "score": at} for at in range(len(keys))]
    texts = [json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in given]
    return Rows(
        keys=pa.array(keys, pa.string()),
        ops=pa.array([op.value] * len(keys), pa.string()),
        message_ids=pa.array([f"{at:064x}" for at in range(len(keys))], pa.string()),
        attributes=pa.array(texts, pa.string()),
        timestamp=TIMESTAMP,
    )


def batch_of(destination: Destination, rows: Rows, ident: str = "batch-1") -> Batch:
    """Return the rows encoded as one batch."""
    packed = pack(destination.encode(rows))
    return Batch(ident, 0, rows.keys, rows.message_ids, packed, rows.timestamp)


class DestinationSuite:
    """Encoding, sizes and repeats of any destination."""

    feed: ClassVar[Feed] = Feed("sync-uid", "people", Kind.PERSON, "user_id", "user_id", COLUMNS)

    def destination(self, place: Any, feed: Feed) -> Destination:
        """Build the destination under test; `place` is what the fixture of that name gives."""
        raise NotImplementedError

    def arrived(self, place: Any) -> list[tuple[str, dict[str, Any]]]:
        """Return key and attributes of every record that arrived, in order."""
        raise NotImplementedError

    @pytest.fixture
    def place(self, tmp_path: Path) -> Any:
        """Give the receiver's place: a folder, or a sink."""
        return tmp_path / "out"

    def test_it_says_what_it_takes(self, place: Any) -> None:
        built = self.destination(place, self.feed)
        assert isinstance(built.accepts, Accepts)
        assert self.feed.kind in built.accepts.kinds
        assert self.feed.match in built.accepts.matches
        assert 0 < built.limits.record_bytes <= built.limits.batch_bytes
        assert built.account == self.destination(place, self.feed).account

    def test_only_what_is_proven_says_that_it_can_be_read_back(self, place: Any) -> None:
        built = self.destination(place, self.feed)
        assert isinstance(built, ReadableDestination) == isinstance(self, ReadableSuite)

    def test_the_check_reports_findings(self, place: Any) -> None:
        findings = list(self.destination(place, self.feed).check())
        assert findings
        assert {one.level for one in findings} <= {"ok", "note"}

    def test_hostile_texts_arrive_as_they_are(self, place: Any) -> None:
        built = self.destination(place, self.feed)
        rows = rows_of(HOSTILE_TEXTS, [{"name": text, "score": None} for text in HOSTILE_TEXTS])
        outcomes = built.deliver(batch_of(built, rows))
        assert outcomes.default.verdict is CLEAN
        assert [key for key, _ in self.arrived(place)] == list(HOSTILE_TEXTS)
        assert [record["name"] for _, record in self.arrived(place)] == list(HOSTILE_TEXTS)

    def test_encoding_is_deterministic(self, place: Any) -> None:
        rows = rows_of(HOSTILE_TEXTS)
        first = self.destination(place, self.feed).encode(rows)
        assert len(first) == len(rows)
        assert first.null_count == 0
        assert first.equals(self.destination(place, self.feed).encode(rows))

    def test_no_rows_are_no_messages(self, place: Any) -> None:
        assert len(self.destination(place, self.feed).encode(rows_of([]))) == 0

    def test_a_repeated_batch_arrives_once(self, place: Any) -> None:
        built = self.destination(place, self.feed)
        batch = batch_of(built, rows_of(["a", "b"]))
        built.deliver(batch)
        built.deliver(batch)
        assert [key for key, _ in self.arrived(place)] == ["a", "b"]

    @pytest.mark.parametrize("letter", ["x", "é", "€", "😀"])
    def test_a_record_at_the_limit_passes(self, place: Any, letter: str) -> None:
        built = self.destination(place, self.feed)
        most = min(built.limits.record_bytes, 70_000)
        frame = pc.binary_length(built.encode(rows_of(["k"], [{"name": ""}])))[0].as_py()
        room = most - frame
        size = len(letter.encode())
        text = letter * (room // size) + "y" * (room % size)
        batch = batch_of(built, rows_of(["k"], [{"name": text}]))
        assert pc.binary_length(batch.messages)[0].as_py() == pytest.approx(most, abs=2)
        assert built.deliver(batch).default.verdict is CLEAN
        assert self.arrived(place)[0][1]["name"] == text


class ReadableSuite(DestinationSuite):
    """What a destination that can be read back says that it holds: the newest of each key."""

    def held(
        self, place: Any, feed: Feed | None = None, keys: Sequence[str] | None = None
    ) -> dict[str, dict[str, Any] | None]:
        """Read back what is held by key; None is what is not there any more."""
        built = self.destination(place, feed or self.feed)
        assert isinstance(built, ReadableDestination)
        told = built.held(None if keys is None else pa.array(keys, pa.string()))
        assert told.form in {"json", "text", "csv"}
        rows = [row for batch in told.batches for row in batch.to_pylist()]
        assert all(row["wrote"] for row in rows)
        return {
            row["key"]: None if row["attributes"] is None else json.loads(row["attributes"])
            for row in rows
        }

    def test_C14_nothing_was_sent_and_nothing_is_held(self, place: Any) -> None:
        assert not self.held(place)

    def test_C14_the_newest_of_each_key_is_held(self, place: Any) -> None:
        built = self.destination(place, self.feed)
        rows = rows_of(HOSTILE_TEXTS, [{"name": text, "score": 1} for text in HOSTILE_TEXTS])
        built.deliver(batch_of(built, rows))
        told = self.held(place)
        assert len(told) == len({*HOSTILE_TEXTS})
        assert {str(one and one["score"]) for one in told.values()} == {"1"}
        later = replace(rows_of(["a", "b"]), message_ids=pa.array(["x", "y"]))
        built.deliver(batch_of(built, replace(later, timestamp="2026-11-21T10:00:01.000Z"), "two"))
        gone = replace(rows_of(["b"], [{}], Op.DELETE), message_ids=pa.array(["z"]))
        built.deliver(batch_of(built, replace(gone, timestamp="2026-11-21T10:00:02.000Z"), "three"))
        told = self.held(place, keys=["a", "b"])
        assert (told["a"] or {}).get("name") == "n0"
        assert told["b"] is None

    def test_C14_other_syncs_and_second_queries_are_left_out(self, place: Any) -> None:
        built = self.destination(place, self.feed)
        built.deliver(batch_of(built, rows_of(["a"])))
        for feed in (
            replace(self.feed, sync="others", sync_uid="other-uid"),
            replace(self.feed, kind=Kind.RELATIONSHIP, columns=()),
        ):
            assert not self.held(place, feed)


class Receiving:
    """An HTTP destination and the sink it sends to: say its type and its settings.

    The type is the name under which it is installed (entry point `rowlift.destinations`); the
    settings are what stands in connections.yml, `allow_networks: [127.0.0.0/8]` among them.
    """

    type: ClassVar[str]

    def settings(self, sink: Sink) -> dict[str, Any]:
        """Return the settings under which it sends to a sink."""
        raise NotImplementedError

    @pytest.fixture
    def place(self) -> Iterator[Sink]:
        with Sink() as sink:
            yield sink


class HttpDestinationSuite(Receiving, DestinationSuite):
    """What an HTTP destination makes of every way a receiver can misbehave, one request each."""

    secrets: ClassVar[tuple[str, ...]] = ()  # of the settings: they may stand in no message
    reads_reply: ClassVar[bool] = True  # or any 2xx that is no web page confirms all rows

    @pytest.fixture(autouse=True)
    def http(self) -> Iterator[Http]:
        self.client = Http(_LOOPBACK)
        yield self.client
        self.client.close()

    @pytest.fixture
    def hasty(self) -> Iterator[Http]:
        """A client that gives up after half a second."""
        client = Http(_LOOPBACK, deadline=0.5)
        yield client
        client.close()

    def over(self, place: Sink, feed: Feed, http: Http) -> Destination:
        """Build the destination with a given client."""
        kind: Any = destination_kind(self.type)
        built: Destination = kind(kind.Config(**self.settings(place)), feed, http)
        return built

    def destination(self, place: Any, feed: Feed) -> Destination:
        return self.over(place, feed, self.client)

    def arrived(self, place: Any) -> list[tuple[str, dict[str, Any]]]:
        records = place.taken.records.values()
        return [(key_of(one), one.get("traits") or one.get("attributes")) for one in records]

    def sent(
        self, place: Sink, http: Http, way: Misbehaviour, keys: Sequence[str] = ("a", "b")
    ) -> Any:
        """Deliver one batch to a sink that misbehaves once."""
        built = self.over(place, self.feed, http)
        place.misbehave(way)
        return built.deliver(batch_of(built, rows_of(keys)))

    def state_after(self, place: Sink, http: Http, answer: Answer) -> State:
        """Return what a batch's rows are after one answer: verdict, code, seconds to wait."""
        outcomes = self.sent(place, http, answer.way)
        assert not outcomes.rows
        return outcomes.default.verdict, outcomes.default.code, outcomes.default.retry_after

    @pytest.mark.parametrize("rows", [1, 2, 100])
    def test_the_limits_count_every_byte(self, place: Sink, rows: int) -> None:
        built = self.destination(place, self.feed)
        batch = batch_of(built, rows_of([f"k{at}" for at in range(rows)]))
        built.deliver(batch)
        counted = pc.sum(pc.add(pc.binary_length(batch.messages), 1)).as_py()
        assert len(place.requests[0].body) <= counted + built.limits.envelope_bytes

    @pytest.mark.parametrize("answer", [*WAITS, *NONSENSE], ids=str)
    def test_F44_a_wait_is_kept_and_capped_and_nonsense_is_none(
        self, place: Sink, http: Http, answer: Answer
    ) -> None:
        assert self.state_after(place, http, answer) == _state_of(answer)

    @pytest.mark.parametrize("answer", TROUBLE, ids=str)
    def test_F45_trouble_of_the_server_is_in_doubt(
        self, place: Sink, http: Http, answer: Answer
    ) -> None:
        assert self.state_after(place, http, answer) == _state_of(answer)

    @pytest.mark.parametrize("answer", STOPS, ids=str)
    def test_F46_a_refused_endpoint_stops(self, place: Sink, http: Http, answer: Answer) -> None:
        with pytest.raises(DestinationError) as caught:
            self.sent(place, http, answer.way)
        assert caught.value.code == answer.code
        assert caught.value.mend

    @pytest.mark.parametrize("answer", REFUSALS, ids=str)
    def test_F46_a_refused_batch_is_to_be_bisected(
        self, place: Sink, http: Http, answer: Answer
    ) -> None:
        assert self.state_after(place, http, answer) == _state_of(answer)

    def test_S32_what_a_receiver_says_is_one_short_line(self, place: Sink, http: Http) -> None:
        way = m.status(400, b"no\n\x1b[31m " + b"x" * 999)
        outcome = self.sent(place, http, way).default
        assert outcome.code in RULES
        assert outcome.reason.startswith("400 no [31m x")
        assert len(outcome.reason) == 300

    @pytest.mark.parametrize("answer", SILENCES, ids=str)
    def test_F47_F48_no_reply_is_in_doubt(self, place: Sink, http: Http, answer: Answer) -> None:
        assert self.state_after(place, http, answer) == _state_of(answer)

    def test_F47_a_reset_in_a_large_body_is_in_doubt(self, place: Sink, http: Http) -> None:
        built = self.over(place, self.feed, http)
        rows = rows_of(["a"], [{"name": noise(built.limits.record_bytes // 2)}])
        place.misbehave(m.reset_during_body())
        assert built.deliver(batch_of(built, rows)).default.verdict is LOST

    def test_F47_a_connection_the_receiver_closed_is_not_used_again(
        self, place: Sink, http: Http
    ) -> None:
        built = self.over(place, self.feed, http)
        place.misbehave(m.good_bye(), m.good_bye())
        for ident in ("batch-1", "batch-2"):
            assert built.deliver(batch_of(built, rows_of(["a"]), ident)).default.verdict is CLEAN
            place.wait_until_idle()
        assert built.deliver(batch_of(built, rows_of(["a"]), "batch-3")).default.verdict is CLEAN
        assert place.connections == 3

    def test_F51_what_is_left_of_a_reply_answers_no_other_request(
        self, place: Sink, http: Http
    ) -> None:
        built = self.over(place, self.feed, http)
        place.misbehave(m.two_replies(), m.status(500))
        built.deliver(batch_of(built, rows_of(["a"])))
        assert built.deliver(batch_of(built, rows_of(["b"]), "batch-2")).default.verdict is LOST

    def test_F47_a_closed_port_was_never_reached(self, place: Sink, http: Http) -> None:
        built = self.over(place, self.feed, http)
        batch = batch_of(built, rows_of(["a"]))
        place.close()
        outcome = built.deliver(batch).default
        assert (outcome.verdict, outcome.code) == (NEVER, "UNREACHABLE")

    def test_F48_a_lost_reply_makes_no_duplicate(self, place: Sink, http: Http) -> None:
        built = self.over(place, self.feed, http)
        batch = batch_of(built, rows_of(["a", "b"]))
        place.misbehave(m.lost_reply())
        assert built.deliver(batch).default.verdict is LOST
        assert built.deliver(batch).default.verdict is CLEAN
        assert len(place.taken.records) == 2
        assert place.taken.repeats == 2

    @pytest.mark.parametrize("answer", ENDLESS, ids=str)
    def test_F49_one_deadline_holds_for_all(self, place: Sink, hasty: Http, answer: Answer) -> None:
        started = time.monotonic()
        assert self.state_after(place, hasty, answer) == _state_of(answer)
        assert time.monotonic() - started < 5

    def test_F49_the_deadline_holds_for_a_receiver_that_does_not_read(
        self, place: Sink, hasty: Http
    ) -> None:
        built = self.over(place, self.feed, hasty)
        one = built.limits.record_bytes // 2
        keys = [f"k{at}" for at in range(min(built.limits.batch_bytes // one - 1, 20))]
        rows = rows_of(keys, [{"name": noise(one - 500)}] * len(keys))
        place.misbehave(m.half_open())
        assert built.deliver(batch_of(built, rows)).default.verdict is LOST

    @pytest.mark.parametrize("answer", UNREADABLE, ids=str)
    def test_F50_F51_an_unreadable_reply_is_in_doubt(
        self, place: Sink, http: Http, answer: Answer
    ) -> None:
        assert self.state_after(place, http, answer) == _state_of(answer)

    @pytest.mark.parametrize("answer", UNCONFIRMED, ids=str)
    def test_T16_F50_only_the_documented_reply_confirms(
        self, place: Sink, http: Http, answer: Answer
    ) -> None:
        if self.reads_reply:
            assert self.state_after(place, http, answer) == _state_of(answer)
        else:
            assert self.sent(place, http, answer.way).default.verdict in (CLEAN, LOST)

    def test_F51_a_bomb_takes_no_memory(self, place: Sink, http: Http) -> None:
        way = m.gzip_bomb()
        tracemalloc.start()
        try:
            self.sent(place, http, way)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 5_000_000

    def test_F52_a_redirect_is_not_followed(self, place: Sink, http: Http) -> None:
        with Sink() as other:
            for answer in (*redirects(f"{other.url}/elsewhere?token=t0p"), *redirects(place.url)):
                with pytest.raises(DestinationError) as caught:
                    self.sent(place, http, answer.way)
                assert caught.value.code == "REDIRECTED"
                assert caught.value.mend
                assert "t0p" not in caught.value.message
                assert ("/elsewhere" in answer.name) == (other.url in caught.value.message)
            assert other.connections == 0
        assert len(place.seen) == 2 * len(redirects(""))

    @pytest.mark.parametrize("at", range(16))
    def test_F54_a_poison_row_is_found_by_halving(self, place: Sink, http: Http, at: int) -> None:
        built = self.over(place, self.feed, http)
        keys = [f"k{number}" for number in range(16)]
        place.poison.add(keys[at])
        rows = rows_of(keys)
        pieces, refused = [range(16)], []
        while pieces:
            piece = pieces.pop()
            part = _part(rows, piece)
            verdict = built.deliver(batch_of(built, part, f"part-{piece}")).default.verdict
            if verdict is Verdict.REFUSED and len(piece) > 1:
                middle = len(piece) // 2
                pieces += [piece[:middle], piece[middle:]]
            elif verdict is Verdict.REFUSED:
                refused.append(piece[0])
        assert refused == [at]
        assert len(place.taken.records) == 15

    def test_F56_proxies_of_the_environment_are_ignored(
        self, place: Sink, http: Http, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        built = self.over(place, self.feed, http)
        assert built.deliver(batch_of(built, rows_of(["a"]))).default.verdict is CLEAN

    @pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 200])
    def test_S25_secrets_stay_out_of_every_word(self, place: Sink, http: Http, status: int) -> None:
        built = self.over(place, self.feed, http)
        echo = " ".join(self.secrets).encode()
        place.misbehave(m.status(status, b"<html>" + echo))
        try:
            words = repr(built.deliver(batch_of(built, rows_of(["a"]))))
        except DestinationError as error:
            words = repr(error) + str(error) + error.message
        words += repr(built) + built.account + repr(built.limits)
        assert self.secrets
        for secret in self.secrets:
            assert secret not in words


def noise(size: int) -> str:
    """Return a text that does not compress, always the same."""
    return random.Random(size).randbytes(size // 2 + 1).hex()[:size]  # noqa: S311 - no secret


def _state_of(answer: Answer) -> State:
    return answer.verdict, answer.code, answer.wait


def _part(rows: Rows, piece: Sequence[int]) -> Rows:
    at = pa.array(piece)
    return Rows(
        keys=rows.keys.take(at),
        ops=rows.ops.take(at),
        message_ids=rows.message_ids.take(at),
        attributes=rows.attributes.take(at),
        timestamp=rows.timestamp,
    )
