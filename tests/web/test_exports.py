"""Lists that leave the house, and the routes that keep house."""

import csv
import io
import json

import pytest

from doors.api import Api
from rowlift.core.rights import Right, Role
from served import served, until
from world import World


def test_S29_people_are_exported_with_origins_and_without_formulas(api: Api, shop: World) -> None:
    shop.rows(("ann", "ann@example.com", "=1+1"))
    shop.run()
    with api.as_user(Role.EDITOR) as editor:
        lines = editor.get("/people.jsonl")
        table = editor.get("/people.csv")
    assert lines.headers["content-type"].startswith("application/jsonl")
    (ann,) = map(json.loads, lines.text.splitlines())
    assert (ann["id"], ann["attributes"]["plan"]["sync"]) == ("ann", "people")
    assert table.headers["content-disposition"] == 'attachment; filename="people.csv"'
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [(row["attribute"], row["value"]) for row in rows] == [("plan", "'=1+1")]


@pytest.mark.door("api")
def test_C9_who_is_suppressed_is_exported_only_where_it_is_asked_for(api: Api, shop: World) -> None:
    shop.run()
    with api.as_user(Role.EDITOR) as editor:
        editor.post("/suppressions", json={"people": ["ann"]}).raise_for_status()
        assert editor.get("/people.jsonl").text == ""
        everybody = editor.get("/people.jsonl", params={"suppressed": True}).text
    assert json.loads(everybody)["id"] == "ann"


@pytest.mark.door("api")
def test_C9_the_service_takes_out_whom_the_api_suppresses(api: Api, shop: World) -> None:
    shop.run()
    assert shop.applied().keys() == {"ann"}
    with served(shop.project()), api.as_user(Role.EDITOR) as editor:
        editor.post("/suppressions", json={"people": ["ann@example.com"]}).raise_for_status()
        until(lambda: not shop.applied())  # its delivery is still under way
        editor.post("/suppressions/remove", json={"people": ["ann"]}).raise_for_status()
        until(shop.applied)


def test_S36_who_exported_what_is_written_down(api: Api, shop: World) -> None:
    shop.run()
    with api.as_user(Role.ADMIN) as admin:
        admin.post("/segments", json={"name": "=Beta"})
        admin.post("/segments/=Beta/members", json={"people": ["ann"]}).raise_for_status()
        members = admin.get("/segments/=Beta/members.csv")
        admin.get("/people.csv")
        admin.get("/runs/1/rejects.csv")
        noted = admin.get("/audit").json()["items"]
        unknown = admin.get("/segments/none/members.csv")
    assert members.headers["content-disposition"] == 'attachment; filename="segment.csv"'
    assert members.text.splitlines()[1].split(",")[1:3] == ["ann", "ann@example.com"]
    told = [(one["action"], one["subject"]) for one in noted if one["action"].endswith("export")]
    assert told == [("rejects.export", "1"), ("people.export", ""), ("segment.export", "=Beta")]
    assert (unknown.status_code, unknown.json()["code"]) == (404, "NAME_UNKNOWN")


def test_S15_to_see_values_is_not_to_export_them(api: Api, shop: World) -> None:
    shop.run()
    with api.by_token(Role.EDITOR, [Right.READ, Right.VALUES]) as program:
        assert program.get("/people").status_code == 200
        for path in ("/people.csv", "/people.jsonl", "/runs/1/rejects.csv"):
            assert program.get(path).json()["code"] == "RIGHT_MISSING"


def test_files_are_checked_over_the_api(api: Api, shop: World) -> None:
    with api.as_user(Role.VIEWER) as viewer:
        assert viewer.get("/check").json()["items"] == []
        (shop.folder / "syncs" / "more.yml").write_text("sync: more\n")
        problems = viewer.get("/check").json()["items"]
    assert {one["place"].partition(":")[0] for one in problems} == {"syncs/more.yml"}
    assert not any(one["is_warning"] for one in problems)


def test_what_is_old_is_forgotten_on_request(api: Api, shop: World) -> None:
    shop.run()
    with api.as_user(Role.ADMIN) as admin:
        gone = admin.post("/prune").json()
        assert {gone[name] for name in ("runs", "batches", "events")} == {0}
        assert admin.get("/audit").json()["items"][0]["action"] == "prune"
