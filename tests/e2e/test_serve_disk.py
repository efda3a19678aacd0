"""A service whose disk fills up or turns read-only under it, and is mended while it goes on."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import httpx
import pytest

from doors.cli import run_cli
from e2e.service import ANN, CODE, Service, serving, signed_in
from faults.disks import disk, filled, needs_root, turned_read_only
from faults.samples import cases
from rowlift.testing.misbehaviour import Misbehaviour, answer
from rowlift.testing.sink import Sink
from served import together
from served import until as soon
from world import World

SECRET = "whsec_" + "QUJD" * 8
SLOWLY = Misbehaviour(answer(200, b'{"success":true}'), apply=True, wait=3)
LISTS = ("/overview", "/syncs", "/runs", "/runs/1", "/people", "/people/u1", "/audit")
PAGES = ("/", "/runs", "/runs/1", "/people", "/syncs/people")


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as opened:
        yield opened


@pytest.fixture
def world(tmp_path: Path, sink: Sink) -> World:
    """Two people who go to the workspace and to a webhook, and a channel that hears of trouble."""
    made = World(tmp_path / "acme")
    hook = {"type": "webhook", "allow_networks": ["127.0.0.1"]}
    made.others["hook"] = {**hook, "url": f"{sink.url}/in"}
    made.channels["ops"] = {**hook, "url": f"{sink.url}/ops", "secret": "${HOOK}"}
    made.use = {"use": "hook", "match": "user_id"}
    made.sync["workspace"] = "write"
    made.rows(("u1", "free"), ("u2", "team"))
    made.env = {"HOOK": SECRET, "ROWLIFT_DATA_DIR": str(tmp_path / "small" / "data")}
    made.save()
    return made


until = partial(soon, pause=0.2)  # each look costs a request


def told(sink: Sink) -> list[tuple[str, bool]]:
    """Code of everything the channel heard, and whether it is over."""
    messages = [json.loads(one.body) for one in sink.requests if one.path == "/ops"]
    return [(one["code"], one["recovered"]) for each in messages for one in each["alerts"]]


def records(sink: Sink) -> dict[str, str]:
    """The plan of each person at the webhook."""
    return {key: one["attributes"]["plan"] for key, one in sink.taken.by_key.items()}


@needs_root
@pytest.mark.door("api")
@pytest.mark.parametrize("fault", cases("read-only", "full", few=1))
def test_F20_F22_a_service_outlives_its_disk_tells_of_it_and_goes_on(
    world: World, sink: Sink, tmp_path: Path, fault: str
) -> None:
    with (
        disk(tmp_path / "small", "40m") as small,
        serving(world.folder, **world.env) as (service, api),
    ):
        admin_of(api, service)
        key = run_cli("keys", "create", "site", cwd=world.folder, env=world.env).stdout.split()[-1]
        ended_run(api)
        assert send(api, key, "before").status_code == 200
        until(lambda: api.get("/people/before").status_code == 200)
        world.rows(("u1", "free"), ("u2", "pro"), ("u3", "pro"))
        sink.always(SLOWLY)
        before = sink.taken.requests
        api.post("/syncs/people/runs", json={}).raise_for_status()
        until(lambda: sink.taken.requests > before)
        with broken(fault, small, service):
            until(lambda: api.get(root(api, "/readyz")).status_code == 503)
            assert api.get(root(api, "/readyz")).json()["code"] == "STATE_FULL"
            until(lambda: told(sink) == [("STATE_FULL", False)])
            refused = api.post("/syncs/people/runs", json={})
            assert (refused.status_code, refused.json()["code"]) == (503, "STATE_FULL")
            assert refused.json()["mend"]
            assert (send(api, key, "lost").status_code, api.get("/people/lost").status_code) == (
                503, 404,
            )  # fmt: skip
            html = {"accept": "text/html"}
            asked = [partial(api.get, path) for path in LISTS]
            asked += [partial(api.get, root(api, path), headers=html) for path in PAGES]
            answers = together(asked * 2)
            assert [one.text for one in answers if one.status_code != 200] == []
        sink.always(None)
        until(lambda: api.get(root(api, "/readyz")).status_code == 200)
        until(lambda: told(sink) == [("STATE_FULL", False), ("STATE_FULL", True)])
        assert send(api, key, "after").status_code == 200
        retry = {"paused": False}
        written = together([partial(api.put, "/syncs/people/paused", json=retry)] * 12)
        assert [one.text for one in written if one.status_code != 200] == []
        ended_run(api)
        until(lambda: records(sink) == {"u1": "free", "u2": "pro", "u3": "pro"})
        until(lambda: api.get("/people/after").status_code == 200)
        found = {one["id"] for one in api.get("/people").json()["items"]}
        assert found == {"u1", "u2", "u3", "before", "after"}
        assert service.end() == 0
    assert "Traceback" not in service.said
    assert len(service.said.splitlines()) < 60, "it says the same again and again"
    assert SECRET not in service.said


def broken(fault: str, small: Path, service: Service) -> AbstractContextManager[None]:
    return filled(small) if fault == "full" else turned_read_only(small, service.process.pid)


def root(api: httpx.Client, path: str) -> str:
    return str(api.base_url).removesuffix("/api/v1/") + path


def admin_of(api: httpx.Client, service: Service) -> None:
    api.post("/setup", json={"code": service.told(CODE), **ANN}).raise_for_status()
    signed_in(api)


def send(api: httpx.Client, key: str, who: str) -> httpx.Response:
    message = {"userId": who, "traits": {"plan": "pro"}, "messageId": who}
    return httpx.post(root(api, "/v1/identify"), json=message, auth=(key, ""), trust_env=False)


def ended_run(api: httpx.Client) -> None:
    """Ask for a run, and wait until it and what it delivers are over."""
    api.post("/syncs/people/runs", json={}).raise_for_status()

    def is_over() -> bool:
        runs = api.get("/runs").json()["items"]
        waiting = [one for one in api.get("/requests").json()["items"] if one["is_waiting"]]
        ended = [one["status"] != "Running" for run in runs for one in (run, *run["deliveries"])]
        return not waiting and bool(ended) and all(ended)

    until(is_over)
