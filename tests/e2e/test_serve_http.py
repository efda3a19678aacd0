"""`rowlift serve` as a process: sign up, make a sync, ask for a run, watch it, send messages."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from doors.cli import run_cli
from e2e.service import ANN, CODE, serving, signed_in
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
def test_A10_messages_of_an_sdk_are_taken_in_beside_the_api(tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    folder.mkdir()
    with serving(folder) as (service, api):
        keys = [sys.executable, "-m", "rowlift", "-C", str(folder), "keys", "create", "site"]
        made = subprocess.run(keys, capture_output=True, text=True, check=True)
        secret = made.stdout.split()[-1]
        inlet = str(api.base_url).replace("/api/v1", "/v1").rstrip("/")
        message = {"userId": "ann", "traits": {"plan": "pro"}, "messageId": "1"}
        sent = httpx.post(f"{inlet}/identify", json=message, auth=(secret, ""), trust_env=False)
        assert (sent.status_code, sent.json()) == (200, {"success": True})
        api.post("/setup", json={"code": service.told(CODE), **ANN})
        signed_in(api)
        until(lambda: api.get("/people/ann").status_code == 200)
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
