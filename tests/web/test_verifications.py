"""Verifications over the API: who sees what of them, and the way from drift to repair."""

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from doors.api import Api
from rowlift.core.errors import SourceError
from rowlift.core.progress import Silent
from rowlift.core.rights import Role
from rowlift.state.locks import Locks
from rowlift.state.verification_turns import UnderWay, VerificationTurns
from rowlift.web.rights import COOKIE, csrf_token
from world import World


def by_hand(shop: World, key: str, **attributes: str) -> None:
    """Changes somebody in the sandbox as a person there would."""
    message = {"op": "upsert", "key": {"user_id": key}, "attributes": attributes}
    messages = [{**message, "message_id": f"hand-{key}"}]
    request = {"batch": "", "keys": [], "attempt": 0, "answered": True, "messages": messages}
    with shop.log().open("a") as file:
        file.write(json.dumps({**request, "timestamp": ""}) + "\n")


@pytest.mark.door("api")
def test_C14_a_destination_is_verified_listed_and_repaired(api: Api, shop: World) -> None:
    rows = (("ann", "pro"), ("bob", "free"), ("cy", "free"))
    shop.rows(*((who, f"{who}@example.com", plan) for who, plan in rows))
    shop.run()
    by_hand(shop, "ann", email="ann@example.com", plan="=1+1")
    by_hand(shop, "zoe", plan="canary-theirs")
    at = "/destinations/crm"
    with api.as_user(Role.EDITOR) as editor, api.as_user(Role.VIEWER) as viewer:
        found = editor.post(f"{at}/verifications", json={})
        (one,) = found.json()["syncs"]
        assert (found.status_code, one["match_rate"], one["strangers"]) == (201, 2 / 3, 1)
        assert {(each["key"], each["kind"]) for each in one["samples"]} == {
            ("ann", "drifted"), ("zoe", "stranger"),
        }  # fmt: skip
        listed = viewer.get(f"{at}/verifications")
        assert "ann@" not in listed.text
        (kept,) = listed.json()["items"]
        assert (kept["by"], kept["syncs"][0]["drifted"]) == ("editor@example.com", 1)
        assert viewer.get(f"{at}/differences").status_code == 403
        assert viewer.get(f"{at}/differences.csv").status_code == 403
        assert viewer.post(f"{at}/verifications", json={}).status_code == 403
        first = editor.get(f"{at}/differences?limit=1").json()["items"]
        assert [(each["key"], each["ours"], each["theirs"]) for each in first] == [
            ("ann", "pro", "=1+1")
        ]
        rows = list(csv.DictReader(editor.get(f"{at}/differences.csv").text.splitlines()))
        assert [(row["key"], row["theirs"]) for row in rows] == [("ann", "'=1+1"), ("zoe", "")]
        drawn = editor.post(f"{at}/verifications", json={"sample": 2, "sync": "people"}).json()
        assert (drawn["sampled"], drawn["syncs"][0]["checked"]) == (2, 2)
        editor.post(f"{at}/verifications", json={})
        repaired = editor.post(f"{at}/repair", json={}).json()
        assert [one["records"] for one in repaired["syncs"]] == [1]
        shop.run()
        again = editor.post(f"{at}/verifications", json={}).json()["syncs"][0]
        assert (again["equal"], again["drifted"], again["strangers"]) == (3, 0, 1)
        refused = editor.post("/destinations/nobody/verifications", json={})
        assert refused.json()["code"] == "NAME_UNKNOWN"


class Waiting(Silent):
    """Waits where reading begins until it may go on."""

    def __init__(self) -> None:
        self.began, self.go_on = Event(), Event()

    def phase(self, task: str, phase: str, total: int | None = None) -> None:
        if phase == "read":
            self.began.set()
            assert self.go_on.wait(60)


@pytest.mark.door("api")
def test_C14_one_verification_goes_on_at_a_time_and_is_cancelled_from_elsewhere(
    api: Api, shop: World
) -> None:
    shop.rows(("ann", "ann@example.com", "pro"))
    shop.run()
    at, page, waiting = "/destinations/crm", f"{api.url}/destinations/crm/verify", Waiting()
    with (
        api.as_user(Role.EDITOR) as editor,
        api.as_user(Role.VIEWER) as viewer,
        ThreadPoolExecutor(1) as pool,
    ):
        by_hand(shop, "ann", plan="theirs")
        before = editor.post(f"{at}/verifications", json={}).json()["syncs"][0]["samples"]
        by_hand(shop, "zoe", plan="theirs")
        first = pool.submit(api.project.verifications.verify, "crm", by="dan", progress=waiting)
        try:
            assert waiting.began.wait(60)
            now = viewer.get(f"{at}/verifications/now").json()
            assert (now["by"], now["task"], now["phase"]) == ("dan", "people at crm", "read")
            second = editor.post(f"{at}/verifications", json={})
            assert (second.status_code, second.json()["code"]) == (409, "VERIFYING")
            assert "by dan" in second.json()["detail"]
            assert "dan began" in viewer.get(page).text
            assert "Cancel it" not in viewer.get(page).text
            assert "Cancel it" in editor.get(page).text
            assert viewer.post(f"{at}/verifications/cancel").status_code == 403
            assert editor.post(f"{at}/verifications/cancel").json()["by"] == "dan"
        finally:
            waiting.go_on.set()
        with pytest.raises(SourceError, match="QUERY_CANCELLED"):
            first.result(60)
        assert viewer.get(f"{at}/verifications/now").json() is None
        assert editor.post(f"{at}/verifications/cancel").json() is None
        assert len(viewer.get(f"{at}/verifications").json()["items"]) == 1
        assert editor.get(f"{at}/differences").json()["items"] == before
        token = csrf_token(editor.cookies[COOKIE])
        told = editor.post(page, data={"csrf": token}, headers={"accept": "application/x-ndjson"})
        lines = [json.loads(line) for line in told.text.splitlines()]
        far = [one["far"] for one in lines if "far" in one]
        assert far[0] == "people at crm: reading"
        assert far[-2:] == ["people at crm: 3 records read", "people at crm: comparing"]
        assert lines[-1] == {"to": "/destinations/crm/verify?said=verified"}


def test_what_takes_long_is_stopped_once_somebody_cancels_it(tmp_path: Path) -> None:
    turns = VerificationTurns(tmp_path, 1, Locks(tmp_path))

    class Work:
        stopped = Event()

        def cancel(self) -> None:
            self.stopped.set()

    with turns.taken("crm", UnderWay("crm", "ann", 0.0)), turns.heeded("crm", Work()):
        assert turns.stop("crm")
        assert Work.stopped.wait(60)
    assert turns.stop("crm") is None
