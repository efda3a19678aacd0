"""`rowlift serve` as a process: sign up, make a sync, ask for a run, watch it, send messages."""

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from doors.cli import run_cli
from e2e.service import ANN, CODE, serving, signed_in
from intake import Inlet
from served import until


@pytest.mark.door("api")
def test_A13_from_an_empty_folder_to_people_over_http_only(tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "people.csv").write_text("user_id,plan\nann,pro\nbob,free\n")
    with serving(folder) as (service, api):
        code = service.told(CODE)
        assert api.post("/setup", json={"code": code, **ANN}).status_code == 201
        signed_in(api)
        source = {"name": "shop", "document": {"type": "files", "root": "data"}}
        assert api.post("/definitions/source", json=source).status_code == 201
        sync = {
            "preset": "import", "kind": "person", "source": "shop", "identify_by": "user_id",
            "sql": "SELECT user_id, plan FROM people", "workspace": "write", "destinations": [],
        }  # fmt: skip
        made = api.post("/definitions/sync", json={"name": "people", "document": sync})
        assert made.status_code == 201, made.text
        asked = api.post("/syncs/people/runs", json={})
        assert (asked.status_code, asked.json()["asked_by"]) == (202, ANN["email"])
        run = until(lambda: api.get("/requests").json()["items"][0]["run"])
        with api.stream("GET", f"/runs/{run}/events") as events:
            lines = [line for line in events.iter_lines() if line.startswith("data:")]
        assert '"status":"Completed"' in lines[-1]
        assert [one["id"] for one in api.get("/people").json()["items"]] == ["ann", "bob"]
        assert api.get("/service").json()["is_alive"] is True
        assert service.end() == 0
    assert "Ended in order." in service.said
    assert "Traceback" not in service.said


@pytest.mark.door("api")
def test_A10_S35_messages_are_taken_in_beside_the_api_and_old_ones_go_though_no_sync_runs(
    tmp_path: Path,
) -> None:
    inlet = Inlet(tmp_path / "acme")
    with inlet.opened() as asked:
        asked.send({"type": "track", "userId": "ann", "event": "Old", "messageId": "old"})
    with closing(sqlite3.connect(inlet.folder / ".rowlift" / "state.db")) as state, state:
        state.execute("UPDATE message_ids SET seen_at = 0")
        state.execute("UPDATE tracked SET received_at = 0, at = 0")
    with serving(inlet.folder) as (service, api):
        address = str(api.base_url).replace("/api/v1", "/v1").rstrip("/")
        message = {"userId": "ann", "event": "New", "messageId": "new"}
        sent = httpx.post(f"{address}/track", json=message, auth=(asked.key, ""), trust_env=False)
        assert (sent.status_code, sent.json()) == (200, {"success": True})
        api.post("/setup", json={"code": service.told(CODE), **ANN})
        signed_in(api)

        def events() -> list[str]:
            return [one["name"] for one in api.get("/people/ann/events").json()["items"]]

        until(lambda: events() == ["New"])
        assert service.end() == 0


def test_a_port_that_is_taken_and_a_folder_that_is_served_are_told(tmp_path: Path) -> None:
    for name in ("acme", "other"):
        (tmp_path / name).mkdir()
    with serving(tmp_path / "acme") as (_, api):
        port = str(api.base_url.port)
        taken = run_cli("serve", "--port", port, cwd=tmp_path / "other")
        assert (taken.code, "ADDRESS_TAKEN" in taken.stderr) == (2, True)
        twice = run_cli("serve", "--port", "0", cwd=tmp_path / "acme")
        assert (twice.code, "SERVICE_RUNNING" in twice.stderr) == (5, True)
