"""Pages of audiences, as a browser without scripts uses them."""

import json
import re
import time
from typing import Any

import httpx
import pytest

from doors.api import Api, serving
from rowlift.core.rights import Role
from rowlift.project.audiences import MOST_LEVELS
from rowlift.state.intake import Accepted
from rowlift.web.pages import building
from rowlift.web.rights import csrf_token
from servers.postgres import PostgresDatabase
from sheets import Sheet
from web.test_pages import Reader
from world import World

PRO = "where: {attribute: plan, is: pro}\nsplit: {control: 50}\n"


def headed(text: str) -> str:
    """What stands in the heading of a page."""
    return re.sub(r"\s+", " ", text.partition("<h1")[2].partition(">")[2].partition("</h1>")[0])


@pytest.mark.door("ui")
def test_an_audience_is_tried_made_computed_changed_and_deleted(api: Api, shop: World) -> None:
    shop.run()
    with Reader(api, Role.EDITOR) as editor:
        assert "No audiences yet" in editor.get("/audiences").text
        tried = editor.post("/new/audience", name="", document=PRO, do="try").text
        assert "1 person<span" in tried
        assert "People whose plan is “pro”" in tried
        assert "ann@example.com" in tried
        wrong = editor.post("/new/audience", name="pros", document="where: {plan: pro}", do="keep")
        assert "plan: pro" in wrong.text
        assert 'class="message bad"' in wrong.text
        made = editor.post("/new/audience", name="pros", document=PRO, do="keep")
        assert made.headers["location"] == "/audiences/pros"
        twice = editor.post("/new/audience", name="pros", document=PRO, do="keep").text
        assert 'href="#name"' in twice
        editor.post("/audiences/pros/compute")
        page = editor.get("/audiences/pros").text
        assert headed(page) == "pros"
        assert "split into control (50 %)" in page
        assert headed(editor.get("/audiences/pros.control").text) == "pros.control"
        assert "its conditions" in editor.get("/segments/pros").text
        form = editor.get("/audiences/pros/edit").text
        assert "control: 50" in form
        changed = {"document": "where: {attribute: plan, is: free}", "version": "1", "do": "keep"}
        assert editor.post("/audiences/pros/edit", **changed).status_code == 303
        late = editor.post("/audiences/pros/edit", **changed).text
        assert "EDIT_CONFLICT" in late
        assert editor.post("/audiences/pros/delete", version="2").status_code == 303
        left = editor.get("/audiences", "application/json").json()
        assert left["items"] == []
        assert {(one["name"], one["sync"]) for one in left["drafts"]} == {("", ""), ("pros", "")}


@pytest.mark.door("ui")
def test_A21_a_count_that_takes_too_long_says_so_and_how_to_get_the_number(
    shop: World, postgres_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "LONGEST_LOOK", 0.3)
    shop.env["ROWLIFT_STATE_URL"] = postgres_database.url
    shop.run()
    with serving(shop.folder, **shop.env) as api, Reader(api, Role.EDITOR) as editor:
        with postgres_database.connect() as connection, connection.transaction():
            connection.execute("LOCK TABLE people IN ACCESS EXCLUSIVE MODE")
            page = editor.post("/new/audience", name="pros", document=PRO, do="look").text
        assert "Counting these people takes more than 0.3 s, so it was stopped." in page
        assert "Keep the audience: it is computed without this limit" in page
        assert "STATE_SLOW" in page
        assert "People whose plan is “pro”" in page
        assert 'id="size"' not in page
        monkeypatch.setattr(building, "LONGEST_LOOK", 60.0)
        counted = editor.post("/new/audience", name="pros", document=PRO, do="look").text
        assert 'id="size">1 person<' in counted


HOSTILE = "<img src=x onerror=alert(1)>\"'{{7*7}}"
WHERE = {"where": {"attribute": "plan", "is": "pro"}}


def press(reader: Reader, path: str, page: str, do: str, /, **changed: str) -> httpx.Response:
    """Send the form of a page as a browser does, with some fields changed and a button pressed."""
    sent = [(name, changed.pop(name, value)) for name, value in Sheet(page, "audience").sent]
    fields: dict[str, list[str]] = {}
    for name, value in [*sent, *changed.items(), ("do", do)]:
        fields.setdefault(name, []).append(value)
    fields["csrf"] = [csrf_token(reader.client.cookies["rowlift"])]
    return reader.client.post(path, data=fields, headers={"accept": "text/html"})


def marked(page: str) -> list[str]:
    """The fields that are marked as wrong, each with what describes it."""
    found = re.findall(r'id="([^"]+)"[^>]* aria-invalid="true" aria-describedby="([^"]+)"', page)
    assert [at for at, by in found if by != f"{at}-wrong" or f'id="{by}"' not in page] == []
    return [at for at, _ in found]


@pytest.mark.door("ui")
def test_A21_what_is_wrong_is_marked_at_its_row(api: Api, shop: World) -> None:
    shop.run()
    seen = {"attribute": "price", "more_than": "much"}
    event = {"event": "Bought", "within_last": "soon", "where": seen}
    twice = [{"attribute": "plan", "at_least": one} for one in (1, "two")]
    where = {"all": [{"attribute": "plan", "one_of": ["pro"]}, {"any": [event, {"all": twice}]}]}
    missing = {"any": [{"attribute": "plan", "is": "pro"}, {"segment": "nowhere"}]}
    with Reader(api, Role.EDITOR) as editor:
        for told, at in (
            ({"where": where, "exclude": {"attribute": "mrr", "less_than": "x"}},
             ["where-1-0-within_last", "where-1-0-where-0-value-0-0", "where-1-1-1-value-0-0",
              "exclude-0-value-0-0"]),
            ({"where": missing}, ["where-1-name"]),
            ({"where": seen}, ["where-0-value-0-0"]),
        ):  # fmt: skip
            page = editor.post("/new/audience", name="odd", document=json.dumps(told), do="rows")
            looked = press(editor, "/new/audience", page.text, "look").text
            assert marked(looked) == at
            if told["where"] != missing:  # which may come
                kept = press(editor, "/new/audience", looked, "keep").text
                assert marked(kept) == at
                assert any(f'href="#{one}"' in kept for one in at)


@pytest.mark.door("ui")
def test_A21_rows_of_conditions_become_a_document_and_rows_again(api: Api, shop: World) -> None:
    shop.run()
    path = "/new/audience"
    with Reader(api, Role.EDITOR) as editor:
        page = editor.get(path).text
        assert "Fill in the rows" in page
        assert '<option value="pro">' in page  # a value that people have
        page = press(editor, path, page, "add where event", **{
            "name": HOSTILE, "where-0:name": "plan", "where-0:value-0": HOSTILE,
        }).text  # fmt: skip
        assert re.search(r'name="where-1:name"[^>]* autofocus', page)
        page = press(editor, path, page, "add where-1-where attribute", **{
            "where-1:name": "Bought", "where-1:at_least": "2", "where-1:within_last": "30d",
        }).text  # fmt: skip
        page = press(editor, path, page, "look", **{
            "name": "pros", "where-1-where-0:name": "price", "where-1-where-0:test-0": "at_least",
            "where-1-where-0:value-0": "9.5", "most": "10", "by": "mrr", "waterfall": "care",
            "place": "3",
        }).text  # fmt: skip
        assert "0 people" in page
        assert "<img" not in page
        assert "with price is at least 9.5; the 10 with the highest mrr." in page
        wrong = press(editor, path, page, "keep", every="soon")
        assert wrong.status_code == 422
        assert 'href="#every"' in wrong.text
        assert marked(wrong.text) == ["every"]
        assert "Must be a duration" in wrong.text
        yaml = press(editor, path, wrong.text, "yaml", every="").text
        assert "within_last: " in yaml
        page = press(editor, path, yaml, "rows").text
        assert press(editor, path, page, "keep").headers["location"] == "/audiences/pros"
        bought = {
            "event": "Bought", "at_least": 2, "within_last": "30d",
            "where": {"attribute": "price", "at_least": 9.5},
        }  # fmt: skip
        assert api.project.definitions.get("audience", "pros").document == {
            "audience": "pros", "where": {"all": [{"attribute": "plan", "is": HOSTILE}, bought]},
            "limit": {"most": 10, "by": "mrr"}, "waterfall": {"name": "care", "place": 3},
        }  # fmt: skip
        odd = press(editor, path, yaml, "rows", document="where: {plan: pro}")
        assert "Rows cannot show this" in odd.text
        assert "where: {plan: pro}" in odd.text
        deep: dict[str, Any] = {"attribute": "plan", "one_of": ["pro"]}
        for _ in range(MOST_LEVELS - 1):
            deep = {"any": [deep, {"segment": "pros"}]}
        as_yaml = {"name": "deep", "document": json.dumps({"where": deep})}
        page = editor.post("/new/audience", **as_yaml, do="rows").text
        page = press(editor, path, page, "yaml").text
        assert press(editor, path, page, "keep").status_code == 303
        as_yaml = {"name": "deeper", "document": json.dumps({"where": {"any": [deep]}})}
        assert "13 levels deep: at most 12" in editor.post(path, **as_yaml, do="keep").text
        told = editor.get("/audiences/pros/edit", "application/json").json()
        assert told["form"]["where"]["of"][0]["tests"] == [{"name": "is", "values": [HOSTILE]}]


@pytest.mark.door("ui")
def test_C9_the_builder_suggests_nothing_of_who_is_suppressed(api: Api, shop: World) -> None:
    shop.rows(("ann", "ann@example.com", "pro"), ("eve", "eve@example.com", "a secret"))
    shop.run()
    happened = [("ann", "Bought", {"price": "cheap"}), ("eve", "Resigned", {"reason": "her own"})]
    batch = [
        {"type": "track", "userId": who, "event": event, "properties": told}
        for who, event, told in happened
    ]
    ingest = api.project.ingest
    body = json.dumps({"batch": batch}).encode()
    ingest.accept([Accepted(ingest.home.workspace_id, "", time.time(), body)])
    while ingest.write_some():
        pass
    hers = ["a secret", "Resigned", "reason", "her own"]
    with Reader(api, Role.EDITOR) as editor, Reader(api, Role.VIEWER) as viewer:
        page = editor.get("/new/audience").text
        assert [one for one in hers if one not in page] == []
        api.project.suppress(["eve@example.com"], note="", wait=False)
        page = editor.get("/new/audience").text
        assert [one for one in hers if one in page] == []
        assert [one for one in ("pro", "Bought", "cheap") if f'value="{one}"' not in page] == []
        known = editor.get("/new/audience", "application/json").json()["suggestions"]["scopes"]
        assert [one["values"] for one in known["person"]["attributes"]] == [[], [], ["pro"]]
        assert viewer.get("/new/audience").status_code == 403


@pytest.mark.door("api")
def test_A21_values_are_suggested_to_who_may_see_them(api: Api, shop: World) -> None:
    shop.run()
    with api.as_user(Role.EDITOR) as editor, api.as_user(Role.VIEWER) as viewer:
        told = editor.get("/conditions/choices").json()
        hidden = viewer.get("/conditions/choices").json()
    assert [one["name"] for one in told["attributes"]] == ["id", "email", "plan"]
    assert told["attributes"][2] == {"name": "plan", "type": "text", "values": ["pro"]}
    assert hidden["attributes"][2] == {"name": "plan", "type": "text", "values": []}


@pytest.mark.door("api")
def test_C10_the_builder_and_an_audience_say_how_old_their_data_is(api: Api, shop: World) -> None:
    shop.run()
    shop.sync["attributes_fresh_within"] = {"plan": "1h"}
    shop.save()
    api.project.refresh()
    with api.project.watch.home.store.database.transaction("test") as state:
        state.exec_driver_sql(f"UPDATE runs SET source_time = source_time - {26 * 3600 + 60}")
    with Reader(api, Role.EDITOR) as editor:
        seen = editor.post("/new/audience", name="", document=PRO, do="try").text
        assert re.search("This audience uses data <time[^>]*>26 h</time> old", seen)
        assert "is later than it promises" in seen
        editor.post("/new/audience", name="pros", document=PRO, do="keep")
        shown = editor.get("/audiences/pros").text
        assert re.search(">26 h</time> old", shown)
        assert '<span class="bad-text">late</span> <span class="hint">as of' in shown
        sync = editor.get("/syncs/people?tab=freshness").text
        assert "within 1h" in sync
        assert "Late" in sync
        told = editor.get("/syncs/people?tab=freshness", "application/json").json()["fresh"]
        late = {(it["target"], it["attribute"]) for it in told if it["late"]}
        assert late == {("workspace", "plan"), ("crm", "plan")}
        assert {it["met"] for it in told if it["within"] is None} == {None}


@pytest.mark.door("api")
def test_C10_an_audience_tells_how_old_its_data_is(api: Api, shop: World) -> None:
    shop.run()
    with api.as_user(Role.EDITOR) as editor:
        told = editor.post("/audiences/pros/outline", json={"document": WHERE}).json()
        (one,) = told["sources"]
        assert (one["sync"], one["what"], one["as_of"]) == ("people", ["plan"], told["as_of"])
        fresh = editor.get("/freshness", params={"sync": "people"}).json()["items"]
        assert told["as_of"] == fresh[0]["as_of"]
        assert one["late"] is False
        other = {"where": {"event": "Bought"}}
        told = editor.post("/audiences/pros/outline", json={"document": other}).json()
        assert (told["sources"], told["as_of"]) == ([], None)


@pytest.mark.door("ui")
def test_A21_what_is_written_of_an_audience_outlives_its_page(api: Api, shop: World) -> None:
    shop.run()
    new, draft, edit = "/new/audience", "/new/audience/draft", "/audiences/pros/edit"
    with Reader(api, Role.EDITOR) as ann, Reader(api, Role.ADMIN) as bob:
        page = ann.get(new).text
        half = {"name": "pros", "where-0:name": "plan", "where-0:value-0": ""}
        kept = press(ann, draft, page, "", **half).text
        assert 'data-address="/new/audience?draft=1"' in kept
        listed = ann.get("/audiences").text
        assert 'href="/new/audience?draft=1"' in listed
        assert "Your drafts" not in bob.get("/audiences").text
        assert bob.get(f"{new}?draft=1").status_code == 404
        assert ann.get("/drafts/1").status_code == 404  # that is a place of syncs
        page, other = (ann.get(f"{new}?draft=1").text for _ in range(2))
        assert 'name="where-0:name" value="plan"' in page
        stale = press(ann, new, page, "look", **{"where-0:value-0": "pro"}).text
        assert "EDIT_CONFLICT" in press(ann, draft, other, "", name="late").text
        late = press(ann, draft, page, "", written_at="1764000000002", name="pros_again").text
        assert late == press(ann, draft, page, "", written_at="1764000000001", name="pros").text
        assert 'value="pros_again"' in ann.get(f"{new}?draft=1").text
        assert press(ann, new, stale, "keep").headers["location"] == "/audiences/pros"
        assert "Your drafts" not in ann.get("/audiences").text

        mine = press(ann, edit, ann.get(edit).text, "look", **{"where-0:value-0": "free"}).text
        theirs = press(bob, edit, bob.get(edit).text, "keep", most="10", by="mrr")
        assert theirs.status_code == 303
        late = press(ann, edit, mine, "keep").text
        assert "EDIT_CONFLICT" in late
        assert "admin@example.com changed pros since you began" in late
        assert "changed meanwhile" in ann.get("/audiences").text
        behind = ann.get(edit).text
        assert 'value="free"' in behind
        assert 'action="/new/audience/2/merge"' in behind
        merged = ann.post("/new/audience/2/merge").text
        assert "Their changes are taken in: limit." in merged
        assert press(ann, edit, merged, "keep").status_code == 303
        made = api.project.definitions.get("audience", "pros").document
        assert made["where"] == {"attribute": "plan", "is": "free"}
        assert made["limit"] == {"most": 10, "by": "mrr"}
        press(ann, draft, ann.get(edit).text, "", every="2h")
        assert ann.post("/new/audience/3/drop").headers["location"] == "/audiences?said=dropped"
        assert 'value="2h"' not in ann.get(edit).text
