"""Names as people give them, in the addresses of the API."""

import json
from urllib.parse import quote

import pytest

from doors.api import Api
from rowlift.core.rights import Role
from world import World

NAMES = ["A/B", "/", "..", "a%2Fb", "100 %", "?x=1#y", "ä 用户", "a\\b", "people/ann/why"]


@pytest.mark.door("api")
def test_B10_whatever_is_a_name_can_be_asked_for(api: Api, shop: World) -> None:
    shop.rows(*((name, f"{number}@example.com", "pro") for number, name in enumerate(NAMES)))
    shop.run()
    with api.as_user(Role.EDITOR) as editor:
        for name in NAMES:
            quoted = quote(name, safe="").replace(".", "%2E")
            assert editor.get(f"/people/id:{quoted}").raise_for_status().json()["id"] == name
            assert editor.get(f"/people/id:{quoted}/why").status_code == 200
            editor.post("/segments", json={"name": name}).raise_for_status()
            path = f"/segments/{quoted}/members"
            editor.post(path, json={"people": [name]}).raise_for_status()
            (member,) = map(json.loads, editor.get(f"{path}.jsonl").text.splitlines())
            assert member["id"] == name


def test_a_written_slash_parts_no_names(api: Api) -> None:
    with api.as_user(Role.EDITOR) as editor:
        for path in ("/people%2Fann", "/segments%2f", "/runs%2F1%2Frejects.csv"):
            assert editor.get(path).json()["code"] == "NOT_FOUND"
