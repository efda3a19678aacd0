"""The pages of a new sync: each step is kept, whatever is wrong with it, and comes back."""

import re

import pytest
from starlette.datastructures import FormData

from doors.api import Api
from rowlift.core.rights import Right, Role
from rowlift.web.pages.draft_form import read, shown
from rowlift.web.pages.mends import here
from web.test_pages import Reader
from world import World

SQL = "SELECT user_id, plan\nFROM people WHERE user_id IS NOT NULL"
WHOLE = {
    "name": "plans", "kind": "person", "preset": "traits", "source": "shop", "way": "sql",
    "sql": SQL, "identify_by": "user_id", "mode": "upsert", "workspace": "write", "when": "at",
    "at": "08:00", "day": "mon", "timezone": "Europe/Berlin", "to": "crm", "segment": "off",
}  # fmt: skip


def begun(reader: Reader) -> str:
    return reader.post("/drafts", kind="person", way="sql").headers["location"]


def version(reader: Reader, path: str) -> str:
    (found,) = re.findall(r'name="version" value="(\d+)"', reader.get(path).text)
    return str(found)


def test_every_step_is_kept_and_shown_again(api: Api) -> None:
    with Reader(api, Role.EDITOR) as reader:
        path = begun(reader)
        answer = reader.post(path, do="identify", version="1", **WHOLE)
        assert answer.headers["location"] == f"{path}#identify"
        page = reader.get(path).text
        assert "Every Monday at 08:00 (Europe/Berlin), Rowlift runs a query on shop" in page
        told = reader.get(path, "application/json").json()
        assert told["draft"]["document"] == {
            "source": "shop", "sql": SQL, "identify_by": "user_id",
            "destinations": [{"use": "crm"}],
            "schedule": {"at": "08:00", "days": ["mon"], "timezone": "Europe/Berlin"},
        }  # fmt: skip
        assert len(told["outline"]["times"]) == 5
        assert ">plans</a>" in reader.get("/syncs").text


def test_what_is_wrong_is_told_at_its_step_and_kept(api: Api) -> None:
    with Reader(api, Role.EDITOR) as reader:
        path = begun(reader)
        reader.post(path, version="1", **(WHOLE | {"when": "every", "every_count": "soon"}))
        page = reader.get(path).text
        said = page[page.index('id="said-schedule"') :]
        assert "schedule.every must be a duration" in said[: said.index("</ul>")]
        refused = reader.post(f"{path}/start", version="2", **(WHOLE | {"name": ""}))
        assert refused.status_code == 422
        assert 'id="summary"' in refused.text
        assert "The sync has no name yet." in refused.text


def test_another_window_does_not_undo_what_the_first_wrote(api: Api) -> None:
    with Reader(api, Role.EDITOR) as reader:
        path = begun(reader)
        reader.post(path, version="1", **WHOLE)
        late = reader.post(path, version="1", **(WHOLE | {"name": "late"}))
        assert late.status_code == 412
        assert "another window of yours changed it meanwhile" in late.text
        assert 'value="plans"' in late.text


def test_what_one_window_wrote_last_is_kept_in_whatever_order_it_arrives(api: Api) -> None:
    """The last words leave with the page, while what was kept before them is not answered yet."""
    with Reader(api, Role.EDITOR) as reader:
        path = begun(reader)
        stale = WHOLE | {"version": "1", "window": "w1"}
        reader.post(path, written_at="1764000000001", **stale)
        left = reader.post(f"{path}/left", written_at="1764000000003", **(stale | {"name": "last"}))
        assert left.status_code == 204
        reader.post(path, written_at="1764000000002", **(stale | {"name": "late"}))
        assert reader.get(path, "application/json").json()["draft"]["name"] == "last"
        given = {"version": version(reader, path), **WHOLE}
        assert reader.post(path, **(given | {"name": "other", "window": "w2"})).status_code == 303
        again = reader.post(path, written_at="1764000000004", **stale)
        assert again.status_code == 412

        with api.as_user(Role.EDITOR) as program:  # who reads a draft does not become its window
            address = f"/drafts/{path.rpartition('/')[2]}"
            draft = program.get(address)
            assert draft.json()["view"]["window"] == "w2"
            body = {"name": "program", "document": {}, "view": draft.json()["view"]}
            program.put(address, json=body, headers={"if-match": draft.headers["etag"]})
        behind = reader.post(path, **(given | {"name": "other", "window": "w2"}))
        assert behind.status_code == 412


@pytest.mark.door("api")
def test_A5_a_sync_whose_preview_stops_is_not_started(api: Api) -> None:
    with Reader(api, Role.EDITOR) as reader:
        path = begun(reader)
        bad = WHOLE | {"sql": "SELECT user_id, plan FROM people"}
        refused = reader.post(f"{path}/start", version="1", **bad)
        assert refused.status_code == 409
        assert "PREVIEW_STOPS" in refused.text
        assert "plans" not in {one.name for one in api.project.ls()}
        started = reader.post(f"{path}/start", version=version(reader, path), **WHOLE)
        assert started.headers["location"] == "/syncs/plans?said=kept"
        assert reader.get(path).status_code == 404


def test_a_picked_table_becomes_a_query(api: Api, shop: World) -> None:
    with Reader(api, Role.EDITOR) as reader:
        path = begun(reader)
        picks = WHOLE | {"way": "table", "table": "main.people", "picking": "1", "pick": "plan"}
        reader.post(path, version="1", **picks, key="user_id")
        told = reader.get(f"{path}?look=query", "application/json").json()
        assert told["draft"]["document"]["sql"].split() == [
            "SELECT", '"user_id",', '"plan"', "FROM", '"main"."people"', "WHERE", '"user_id"',
            "IS", "NOT", "NULL",
        ]  # fmt: skip
        assert [one["name"] for one in told["draft"]["view"]["columns"]] == ["user_id", "plan"]
        assert told["examples"]["email"] == ["ann@example.com", "bob@example.com"]
        shop.rows(("zoe", "zoe@example.com", "free"))
        again = reader.get(path, "application/json").json()
        assert again["examples"] == told["examples"]  # the source is not asked with each save
        with api.by_token(Role.EDITOR, [Right.READ, Right.EDIT]) as program:
            page = {"accept": "application/json"}
            blind = program.get(f"{api.url}{path}", headers=page).json()
            assert (blind["draft"]["name"], blind["examples"]) == ("plans", {})


def test_a_form_says_what_a_document_does() -> None:
    document = {
        "description": "For the team", "preset": "import", "kind": "object",
        "object_type": "course", "source": "shop", "sql": SQL, "identify_by": "object_id",
        "guards": {"removals": "off"},
        "workspace": "none", "removed": "clear",
        "relationships": {"sql": "SELECT 1", "identify_by": "email", "replace_for": "person"},
        "destinations": [
            {"use": "crm", "match": "object_id", "exclude": ["b"], "fields": {"a": "A", "x": "y"}},
        ],
        "schedule": {"every": "2d", "start_at": "2027-01-31T08:00", "timezone": "Europe/Berlin"},
    }  # fmt: skip
    values = shown(document)
    sent: list[tuple[str, str]] = [("name", "courses"), ("to", "crm"), ("goes:crm", "a")]
    sent += [
        ("column:crm", "a"),
        ("column:crm", "b"),
        ("as:crm:a", "A"),
        ("match:crm", "object_id"),
    ]
    sent += [(key, value) for key, value in values.items() if isinstance(value, str)]
    second = {f"second_{key}": value for key, value in values["second"].items()}
    name, again, _ = read(FormData([*sent, *second.items()]), document, {})
    assert (name, again) == ("courses", document)


def started(reader: Reader, **fields: str) -> None:
    path = begun(reader)
    answer = reader.post(f"{path}/start", version="1", **(WHOLE | fields))
    assert answer.headers["location"].startswith("/syncs/plans"), answer.text


def edited(reader: Reader) -> str:
    return reader.post("/syncs/plans/edit").headers["location"]


def test_two_people_who_edit_one_sync_see_both_and_lose_nothing(api: Api) -> None:
    with Reader(api, Role.EDITOR) as ann, Reader(api, Role.ADMIN) as bob:
        started(ann)
        hers, his = edited(ann), edited(bob)
        assert edited(ann) == hers != his
        ann.post(hers, version="1", **WHOLE, description="Hers")
        saved = bob.post(f"{his}/start", version="1", **WHOLE, removed="clear", description="His")
        assert saved.headers["location"] == "/syncs/plans?said=edited"
        refused = ann.post(f"{hers}/start", version="2", **WHOLE, description="Hers")
        assert refused.status_code == 412
        assert "+removed: clear" in refused.text
        assert 'value="Hers"' in refused.text
        merged = ann.post(f"{hers}/merge").text
        assert "Their changes are taken in: removed." in merged
        assert 'theirs was <code>"His"</code>' in merged
        mine = {"removed": "clear", "description": "Hers", "version": version(ann, hers)}
        ann.post(f"{hers}/start", **WHOLE, **mine)
        kept = api.project.definitions.get("sync", "plans").document
        assert (kept["removed"], kept["description"]) == ("clear", "Hers")


@pytest.mark.door("api")
def test_B18_a_sync_is_edited_and_a_version_brought_back(api: Api) -> None:
    with Reader(api, Role.EDITOR) as reader:
        started(reader)
        reader.post(f"{edited(reader)}/start", version="1", **WHOLE, suppressed="fail")
        page = reader.get("/syncs/plans/history").text
        assert "+suppressed: fail" in page
        assert "editor@example.com, here" in page
        assert "Restore version 1" in reader.get("/syncs/plans/history?version=1").text
        late = reader.post("/syncs/plans/restore", version="1", expected="1")
        assert (late.status_code, "EDIT_CONFLICT" in late.text) == (412, True)
        reader.post("/syncs/plans/restore", version="1", expected="2")
        kept = api.project.definitions.get("sync", "plans")
        assert (kept.version, "suppressed" in kept.document) == (3, False)


@pytest.mark.door("api")
def test_B19_deleting_says_what_stays_and_wants_the_name(api: Api) -> None:
    with Reader(api, Role.EDITOR) as reader:
        started(reader)
        assert "everything that it imported" in reader.get("/syncs/plans/delete").text
        refused = reader.post("/syncs/plans/delete", typed="plan", expected="1")
        assert (refused.status_code, "another one" in refused.text) == (422, True)
        reader.post("/syncs/plans/delete", typed="plans", expected="1")
        assert "plans" not in {one.name for one in api.project.ls()}


def test_what_files_manage_is_read_only_and_says_where(api: Api) -> None:
    with Reader(api, Role.EDITOR) as reader:
        page = reader.get("/syncs/people").text
        assert "Managed in files" in page
        assert "/syncs/people/edit" not in page
        refused = reader.post("/syncs/people/edit")
        assert (refused.status_code, "MANAGED_IN_FILES" in refused.text) == (422, True)
        copy = reader.post("/syncs/people/duplicate").headers["location"]
        assert 'value="people_2"' in reader.get(copy).text


def test_people_who_are_all_new_are_let_in_without_a_terminal(api: Api) -> None:
    with Reader(api, Role.EDITOR) as reader:
        path = begun(reader)
        reader.post(path, version="1", **WHOLE, unknown="off")
        told = reader.get(path, "application/json").json()
        assert told["draft"]["document"]["guards"] == {"unknown": "off"}
        assert "they may all be new" in reader.get(path).text
    mend = here("Look at rowlift preview NAME", "MOSTLY_UNKNOWN")
    assert "rowlift" not in mend
    assert here("x", "PREVIEW_STOPS", "It stops: nobody is known. (MOSTLY_UNKNOWN)") == mend
    assert here("Leave these rows out", "ID_NULL") == "Leave these rows out"
