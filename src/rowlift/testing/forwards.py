"""The contract of a forward: events go on to a sink that misbehaves, each one, and once by its id.

Subclass `HttpForwardSuite` and say the type and the settings, as for the other suites.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rowlift.core.nouns import Status
from rowlift.state.intake import Accepted
from rowlift.testing import misbehaviour as m
from rowlift.testing.answers import NONSENSE, SILENCES, STOPS, TROUBLE, UNCONFIRMED, UNREADABLE
from rowlift.testing.clock import QuickClock
from rowlift.testing.destinations import Receiving
from rowlift.testing.folder import project_in
from rowlift.testing.sink import Sink, key_of
from rowlift.testing.texts import HOSTILE_TEXTS

if TYPE_CHECKING:
    import rowlift
    from rowlift.operations.forwarding import ForwardReport

FORWARD = "events"
BATCH = 16


class Crossing:
    """A project that forwards what people do to one destination; more of the forward by name."""

    def __init__(
        self, path: Path, destination: Mapping[str, Any], *, state_url: str = "", **forward: Any
    ) -> None:
        self.path = path
        self.clock = QuickClock()
        self.env = {"ROWLIFT_STATE_URL": state_url} if state_url else {}
        (path / "forwards").mkdir(parents=True)
        self._write("rowlift.yml", {"version": 1, "workspace": {"name": "acme"}})
        self.connect(destination)
        self._given: dict[str, Any] = {"forward": FORWARD, "destination": "there"}
        self.edit(**forward)

    def connect(self, destination: Mapping[str, Any]) -> None:
        """Send to another destination."""
        profile = {"sources": {}, "destinations": {"there": destination}}
        self._write("connections.yml", {"default": "dev", "profiles": {"dev": profile}})

    def edit(self, **forward: Any) -> None:
        """Set keys of the forward."""
        self._given |= forward
        self._write(f"forwards/{FORWARD}.yml", self._given)

    def project(self) -> "rowlift.Project":
        """Open the project; the state is in the folder, unless it has a URL."""
        return project_in(self.path, self.clock, **self.env)

    def come(self, *messages: Mapping[str, Any]) -> None:
        """Take messages in and write them, as a service would."""
        with self.project() as project:
            ingest = project.ingest
            _ = ingest.forwards.list()  # it begins
            body = json.dumps({"batch": messages}).encode()
            ingest.accept([Accepted(ingest.home.workspace_id, "", time.time(), body)])
            while ingest.write_some():
                pass
            assert not ingest.rejects()

    def run(self) -> "ForwardReport":
        """Forward what came."""
        with self.project() as project:
            (report,) = project.ingest.forwards.run()
        return report

    def rejects(self) -> list[tuple[str, str, str]]:
        """Return name, identifier and code of what was refused, the newest first."""
        with self.project() as project:
            found = project.ingest.forwards.rejects(FORWARD, 10_000)
        return [(one.name, one.identifier, one.code) for one in found]

    def _write(self, name: str, document: Mapping[str, Any]) -> None:
        (self.path / name).write_text(json.dumps(document, indent=1))  # JSON is YAML


def track(who: str, name: str = "Bought", **properties: Any) -> dict[str, Any]:
    """Return a message that tells of an event."""
    return {"type": "track", "userId": who, "event": name, "properties": properties}


class HttpForwardSuite(Receiving):
    """What becomes of events, whatever the receiver does."""

    reads_reply: ClassVar[bool] = True

    def crossing(self, place: Sink, path: Path, **forward: Any) -> Crossing:
        """Return a project that forwards to the sink."""
        destination = {"type": self.type, **self.settings(place)}
        return Crossing(path / "acme", destination, **forward)

    def shown(self, record: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
        """Return the name, properties and traits of an event that arrived."""
        raise NotImplementedError

    def test_hostile_texts_arrive_as_they_are(self, place: Sink, tmp_path: Path) -> None:
        crossing = self.crossing(place, tmp_path, traits={"plan": "plan"})
        texts = [text.strip() for text in HOSTILE_TEXTS if text.strip() and "\0" not in text]
        names = [text for text in texts if len(text.encode()) <= 100]
        who = {"type": "identify", "userId": "ann", "traits": {"plan": "".join(texts)}}
        crossing.come(who, *(track("ann", name, said=name) for name in names))
        report = crossing.run()
        assert (report.status, report.delivered) == (Status.COMPLETED, len(names))
        shown = [self.shown(one) for one in place.taken.records.values()]
        assert [name for name, _, _ in shown] == names
        assert [properties["said"] for _, properties, _ in shown] == names
        assert {traits["plan"] for _, _, traits in shown} == {"".join(texts)}

    def test_every_event_outlives_every_answer(self, place: Sink, tmp_path: Path) -> None:
        answers = [*NONSENSE, *TROUBLE, *SILENCES, *UNREADABLE]
        answers += UNCONFIRMED if self.reads_reply else ()
        crossing = self.crossing(place, tmp_path)
        who = _people(BATCH)
        crossing.come(*(track(one) for one in who))
        place.misbehave(*(answer.way for answer in answers))
        for _ in answers:
            if crossing.run().status is Status.COMPLETED:
                break
        assert len(place.seen) > BATCH
        assert [key_of(one) for one in place.taken.records.values()] == who

    def test_poison_anywhere_is_set_aside_and_holds_nothing_up(
        self, place: Sink, tmp_path: Path
    ) -> None:
        crossing = self.crossing(place, tmp_path)
        who = _people(BATCH * BATCH)
        place.poison = {who[at * BATCH + at] for at in range(BATCH)}  # each position in a batch
        crossing.come(*(track(one) for one in who))
        report = crossing.run()
        assert report.status is Status.SOME_ROWS_FAILED
        assert (report.waiting, report.rejected) == (0, BATCH)
        assert report.delivered == len(place.taken.records) == len(who) - BATCH
        assert sorted(crossing.rejects()) == [
            ("Bought", one, "REFUSED") for one in sorted(place.poison)
        ]
        assert place.taken.repeats == 0
        crossing.come(track(who[1]))
        assert crossing.run().status is Status.COMPLETED

    def test_what_is_down_is_left_alone_and_gets_all_in_order(
        self, place: Sink, tmp_path: Path
    ) -> None:
        crossing = self.crossing(place, tmp_path)
        crossing.come(*(track("ann", str(at)) for at in range(BATCH)))
        place.always(m.status(500))
        down = crossing.run()
        assert (down.status, down.waiting, down.delivered) == (Status.FAILED, BATCH, 0)
        assert down.next_at > 0
        place.always(m.lost_reply())
        crossing.run()
        crossing.come(track("ann", "more"))
        place.always(None)
        report = crossing.run()
        assert (report.status, report.delivered) == (Status.COMPLETED, BATCH + 1)
        names = [self.shown(one)[0] for one in place.taken.records.values()]
        assert names == [*map(str, range(BATCH)), "more"]

    def test_who_refuses_us_stops_the_forward_and_keeps_every_event(
        self, place: Sink, tmp_path: Path
    ) -> None:
        crossing = self.crossing(place, tmp_path)
        crossing.come(track("ann"), track("bob"))
        for answer in STOPS[::3]:
            place.always(answer.way)
            stopped = crossing.run()
            assert (stopped.status, stopped.reason_code) == (Status.FAILED, answer.code)
            assert (stopped.waiting, stopped.reason != "") == (2, True)
        place.always(None)
        assert crossing.run().delivered == 2

    def test_a_repeat_has_the_same_id(self, place: Sink, tmp_path: Path) -> None:
        crossing = self.crossing(place, tmp_path)
        crossing.come(track("ann"), track("bob"))
        place.misbehave(m.lost_reply(), m.lost_reply())
        assert crossing.run().delivered == 2
        assert (len(place.taken.records), place.taken.repeats) == (2, 4)


def _people(count: int) -> list[str]:
    return [f"k{number:05}" for number in range(count)]
