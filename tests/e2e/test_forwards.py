"""Forwards through the doors: made over HTTP and served, and carried from the command line."""

from pathlib import Path

import httpx
import pytest
from segment.analytics import Client

from doors.cli import run_cli
from e2e.service import ANN, CODE, serving, signed_in
from rowlift.testing import misbehaviour as m
from rowlift.testing.forwards import FORWARD, Crossing, track
from rowlift.testing.sink import Sink
from served import until

LOOPBACK = ["127.0.0.0/8"]


def make(api: httpx.Client, kind: str, name: str, document: dict[str, object]) -> None:
    made = api.post(f"/definitions/{kind}", json={"name": name, "document": document})
    assert made.status_code == 201, made.text


@pytest.mark.door("api")
def test_A24_what_an_sdk_tracks_goes_on_to_segment_with_traits(sink: Sink, tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    shared = {"ROWLIFT_SHARED_NETWORKS": LOOPBACK[0]}
    with serving(tmp_path / "acme", **shared) as (service, api):
        api.post("/setup", json={"code": service.told(CODE), **ANN}).raise_for_status()
        signed_in(api)
        segment = {"type": "segment", "write_key": "k", "endpoint": f"{sink.url}/v1"}
        make(api, "destination", "cdp", {**segment, "allow_networks": LOOPBACK})
        make(api, "forward", "orders", {"destination": "cdp", "traits": {"plan": "plan"}})
        key = api.post("/keys", json={"name": "site"}).json()["secret"]
        client = Client(key, host=str(api.base_url).replace("/api/v1", "").rstrip("/"))
        client.identify("ann", {"plan": "pro"})
        client.track("ann", "Order Completed", {"total": 19.9}, message_id="m1")
        client.page(anonymous_id="a9", name="Start")
        client.shutdown()
        until(lambda: len(sink.taken.records) == 2)
        report = until(lambda: done(api, "orders", 2))
        assert (report["status"], report["waiting"], report["rejected"]) == ("Completed", 0, 0)
        assert api.get("/forwards").json()["items"] == [report]
        assert api.get("/forwards/orders/rejects").json()["items"] == []
        assert api.get("/forwards/nobody").status_code == 404
        assert service.end() == 0
    order = sink.taken.records["m1"]
    assert (order["event"], order["userId"]) == ("Order Completed", "ann")
    assert order["properties"] == {"total": 19.9}
    assert order["context"]["traits"] == {"plan": "pro"}
    assert {one.get("anonymousId") for one in sink.taken.records.values()} == {None, "a9"}
    assert "Traceback" not in service.said


def done(api: httpx.Client, name: str, events: int) -> dict[str, object] | None:
    report: dict[str, object] = api.get(f"/forwards/{name}").json()
    return report if report["delivered"] == events and report["status"] != "Running" else None


@pytest.mark.door("cli")
def test_A24_events_are_forwarded_on_request_and_told(sink: Sink, tmp_path: Path) -> None:
    hook = {"type": "webhook", "url": f"{sink.url}/hook", "allow_networks": LOOPBACK}
    crossing = Crossing(tmp_path / "acme", hook)
    crossing.come(track("ann"), track("bad", "Broken"))
    sink.poison = {"bad"}
    refused = run_cli("-o", "json", "forward", cwd=crossing.path)
    (report,) = refused.json["forwards"]
    assert (refused.code, report["delivered"], report["rejected"]) == (1, 1, 1)
    assert run_cli("forward", FORWARD, cwd=crossing.path).code == 0
    told = run_cli("-o", "json", "messages", "forwards", FORWARD, cwd=crossing.path)
    (reject,) = told.json["rejects"]
    assert (reject["name"], reject["identifier"], reject["code"]) == ("Broken", "bad", "REFUSED")
    shown = run_cli("messages", "forwards", cwd=crossing.path)
    assert FORWARD in shown.stdout
    assert "Completed" in shown.stdout
    wrong = run_cli("forward", "event", cwd=crossing.path)
    assert wrong.code == 2
    assert 'Did you mean "events"?' in wrong.stderr
    crossing.come(track("ann", "later"))
    sink.always(m.status(401))
    stopped = run_cli("-o", "json", "forward", cwd=crossing.path)
    (report,) = stopped.json["forwards"]
    assert (stopped.code, report["reason_code"]) == (1, "CREDENTIALS_REFUSED")
    assert report["waiting"] == 1
