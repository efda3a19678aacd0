"""Verifications over the API: who sees what of them, and the way from drift to repair."""

import csv
import json

import pytest

from doors.api import Api
from rowlift.core.rights import Role
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
