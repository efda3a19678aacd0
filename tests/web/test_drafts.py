"""Drafts of syncs: one's own, kept whatever is wrong with them, and begun at last."""

from typing import Any

import httpx
import pytest

from doors.api import Api
from rowlift.core.rights import Role
from world import World

SQL = "SELECT user_id, plan FROM people WHERE user_id IS NOT NULL"
WHOLE: dict[str, Any] = {
    "source": "shop", "sql": SQL, "identify_by": "user_id", "destinations": [{"use": "crm"}],
    "schedule": {"at": "08:00", "days": ["mon", "fri"], "timezone": "Europe/Berlin"},
}  # fmt: skip
EDITED = {"preset": "import", "source": "shop", "sql": SQL, "identify_by": "user_id"}


def begun(client: httpx.Client, name: str = "plans", **document: Any) -> dict[str, Any]:
    answer = client.post("/drafts", json={"name": name, "document": document})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def save(client: httpx.Client, draft: dict[str, Any], **document: Any) -> httpx.Response:
    body = {"name": draft["name"], "document": document}
    tag = {"if-match": f'"{draft["version"]}"'}
    return client.put(f"/drafts/{draft['id']}", json=body, headers=tag)


def edited(client: httpx.Client, sync: str) -> dict[str, Any]:
    return dict(client.post("/drafts/edits", json={"sync": sync}).raise_for_status().json())


def made(client: httpx.Client, name: str = "plans", **document: Any) -> None:
    body = {"name": name, "document": EDITED | document}
    client.post("/definitions/sync", json=body).raise_for_status()


def test_a_draft_is_kept_with_whatever_is_wrong_with_it(api: Api) -> None:
    with api.as_user(Role.EDITOR) as ann, api.as_user(Role.ADMIN) as bob:
        draft = begun(ann, name="", mode="nonsense", schedule={"every": "soon"})
        told = ann.get(f"/drafts/{draft['id']}/outline").json()
        keys = {one["key"] for one in told["concerns"]}
        assert {"mode", "schedule", "source"} <= keys
        assert (told["prose"], told["times"]) == ("", [])
        assert [one["id"] for one in ann.get("/drafts").json()["items"]] == [draft["id"]]
        assert bob.get("/drafts").json()["items"] == []
        for path in ("", "/outline"):
            assert bob.get(f"/drafts/{draft['id']}{path}").status_code == 404
        assert save(bob, draft, **WHOLE).status_code == 404
        assert bob.delete(f"/drafts/{draft['id']}").status_code == 404
        assert ann.delete(f"/drafts/{draft['id']}").status_code == 204
        assert ann.get("/drafts").json()["items"] == []


def test_two_windows_of_one_person_do_not_undo_each_other(api: Api) -> None:
    with api.as_user(Role.EDITOR) as client:
        draft = begun(client, **WHOLE)
        assert save(client, draft, **WHOLE, mode="update").status_code == 200
        late = save(client, draft, **WHOLE, mode="create")
        assert (late.status_code, late.json()["code"]) == (412, "EDIT_CONFLICT")
        kept = client.get(f"/drafts/{draft['id']}").json()
        assert (kept["version"], kept["document"]["mode"]) == (2, "update")


@pytest.mark.door("api")
def test_B8_an_outline_tells_a_sync_in_words_with_its_next_times(api: Api) -> None:
    with api.as_user(Role.EDITOR) as client:
        draft = begun(client, **WHOLE)
        told = client.get(f"/drafts/{draft['id']}/outline").json()
        assert told["concerns"] == []
        assert told["prose"].startswith("Every Monday and Friday at 08:00 (Europe/Berlin), Rowlift")
        assert "What changed goes to crm (as user_id)." in told["prose"]
        assert len(told["times"]) == 5
        body = {"name": "plans", "document": WHOLE}
        assert client.post("/definitions/sync/outline", json=body).json()["prose"] == told["prose"]
        assert told["yaml"].startswith("sync: plans\nsource: shop\nsql:")


@pytest.mark.door("api")
def test_B28_a_draft_becomes_the_sync_that_it_describes(api: Api) -> None:
    with api.as_user(Role.EDITOR) as client:
        draft = begun(client, **WHOLE)
        seen = client.post(f"/drafts/{draft['id']}/preview").json()
        assert [one["name"] for one in seen["columns"]] == ["user_id", "plan"]
        kept = client.get(f"/drafts/{draft['id']}").json()
        assert [one["name"] for one in kept["view"]["columns"]] == ["user_id", "plan"]
        started = client.post(f"/drafts/{draft['id']}/start")
        assert started.json()["document"] == {"sync": "plans", **WHOLE}
        assert client.get("/drafts").json()["items"] == []
        log = api.project.access.audit.page(2)
        assert [(one.action, one.subject) for one in log] == [
            ("sync.create", "plans"), ("draft.start", "plans"),
        ]  # fmt: skip
        assert log[1].after == {"sync": "plans", "version": 1}


@pytest.mark.door("api")
def test_S36_what_becomes_of_drafts_is_written_down(api: Api) -> None:
    api.project.definitions.create("sync", "plans", WHOLE)
    with api.as_user(Role.EDITOR) as client:
        copy = client.post("/drafts/copies", json={"sync": "plans"}).json()["id"]
        edits = [client.post("/drafts/edits", json={"sync": "plans"}).json() for _ in range(2)]
        assert edits[0]["id"] == edits[1]["id"], "it is begun once"
        assert client.delete(f"/drafts/{copy}").status_code == 204
        assert client.delete(f"/drafts/{copy}").status_code == 404
    log = api.project.access.audit.page(action="draft.")
    assert [(one.action, one.subject, one.before, one.after) for one in reversed(log)] == [
        ("draft.create", "plans_2", {}, {"draft": copy}),
        ("draft.create", "plans", {}, {"draft": edits[0]["id"], "edits": "plans", "version": 1}),
        ("draft.drop", "plans_2", {"draft": copy}, {}),
    ]


@pytest.mark.door("api")
def test_A5_a_draft_whose_preview_stops_becomes_nothing(api: Api) -> None:
    with api.as_user(Role.EDITOR) as client:
        draft = begun(client, **(WHOLE | {"sql": "SELECT user_id, plan FROM people"}))
        refused = client.post(f"/drafts/{draft['id']}/start")
        assert (refused.status_code, refused.json()["code"]) == (409, "PREVIEW_STOPS")
        assert client.get(f"/drafts/{draft['id']}").status_code == 200
        assert client.get("/definitions/sync/plans").status_code == 404


def test_a_query_is_looked_at_while_other_steps_are_wrong(api: Api) -> None:
    with api.as_user(Role.EDITOR) as client:
        draft = begun(client, source="shop", sql=SQL, destinations=[{"use": "nowhere"}])
        seen = client.post(f"/drafts/{draft['id']}/preview?sample=true").json()
        assert len(seen["rows"]) == 1
        empty = begun(client, name="")
        refused = client.post(f"/drafts/{empty['id']}/preview")
        assert (refused.status_code, refused.json()["code"]) == (422, "KEY_MISSING")


def test_two_people_who_edit_one_sync_lose_nothing(api: Api) -> None:
    with api.as_user(Role.EDITOR) as ann, api.as_user(Role.ADMIN) as bob:
        made(ann)
        hers, his = edited(ann, "plans"), edited(bob, "plans")
        assert edited(ann, "plans")["id"] == hers["id"]
        mine = {"description": "Hers", "mode": "update"}
        hers = save(ann, hers, **EDITED, **mine).json()
        his = save(bob, his, **EDITED, description="His", removed="clear").json()
        assert bob.post(f"/drafts/{his['id']}/start").status_code == 200
        refused = ann.post(f"/drafts/{hers['id']}/start")
        assert (refused.status_code, refused.json()["code"]) == (412, "EDIT_CONFLICT")
        behind = ann.get(f"/drafts/{hers['id']}").json()
        assert (behind["base"], behind["current"]) == (1, 2)
        merged = ann.post(f"/drafts/{hers['id']}/merge").json()
        assert merged["taken"] == ["removed"]
        assert merged["clashes"] == [
            {"key": "description", "before": None, "theirs": "His", "mine": "Hers"}
        ]
        kept = ann.post(f"/drafts/{hers['id']}/start").json()
        assert kept["document"] == {"sync": "plans", **EDITED, **mine, "removed": "clear"}


def test_what_files_manage_is_not_edited_but_copied(api: Api) -> None:
    with api.as_user(Role.EDITOR) as client:
        refused = client.post("/drafts/edits", json={"sync": "people"})
        assert (refused.status_code, refused.json()["code"]) == (422, "MANAGED_IN_FILES")
        copy = client.post("/drafts/copies", json={"sync": "people"}).json()
        assert (copy["name"], copy["sync"]) == ("people_2", "")
        assert copy["document"]["source"] == "shop"


def test_an_edit_may_give_another_name(api: Api) -> None:
    with api.as_user(Role.EDITOR) as client:
        made(client)
        draft = edited(client, "plans")
        body = {"name": "tariffs", "document": EDITED}
        client.put(f"/drafts/{draft['id']}", json=body, headers={"if-match": '"1"'})
        assert client.post(f"/drafts/{draft['id']}/start").json()["name"] == "tariffs"
        assert api.project.definitions.get("sync", "tariffs").version == 3


def test_somebody_keeps_so_many_drafts_only(api: Api, shop: World) -> None:
    with api.as_user(Role.EDITOR) as client:
        for _ in range(50):
            begun(client)
        refused = client.post("/drafts", json={"document": {}})
        assert (refused.status_code, refused.json()["code"]) == (409, "TOO_MANY_DRAFTS")
        client.delete(f"/drafts/{client.get('/drafts').json()['items'][0]['id']}")
        assert begun(client)["document"] == {}
    assert shop.folder.is_dir()


def test_drafts_of_who_is_kept_out_pass_to_the_admin_who_does_it(api: Api) -> None:
    with api.as_user(Role.EDITOR) as ann, api.as_user(Role.ADMIN) as bob:
        draft = begun(ann, **WHOLE)
        (user,) = [one for one in bob.get("/users").json()["items"] if one["role"] == "editor"]
        bob.patch(
            f"/users/{user['id']}", json={"disabled": True},
            headers={"if-match": f'"{user["version"]}"'},
        ).raise_for_status()  # fmt: skip
        assert [one["id"] for one in bob.get("/drafts").json()["items"]] == [draft["id"]]
        assert bob.get(f"/drafts/{draft['id']}").json()["name"] == draft["name"]
