"""What guards stop, mended by a button of the run's page."""

from typing import Any

import pytest

from doors.api import Api
from rowlift.core.errors import GuardStop
from rowlift.core.rights import Role
from web.test_pages import Reader
from world import World

SYNC: dict[str, Any] = {
    "preset": "traits", "source": "shop", "sql": "SELECT user_id, email, plan FROM people",
    "identify_by": "user_id",
}  # fmt: skip
GOOD = ("ann", "ann@example.com", "pro")


def stopped(api: Api, name: str) -> str:
    """Run a sync that a guard stops; returns the code, and sees that it is told."""
    with pytest.raises(GuardStop) as error:
        api.project.run([name])
    return error.value.code


@pytest.mark.door("api")
def test_C4_bad_rows_are_left_out_from_now_on_by_one_button(api: Api, shop: World) -> None:
    shop.rows(GOOD)
    api.project.definitions.create("sync", "strict", SYNC)
    shop.rows(GOOD, ("", "bob@example.com", "free"))
    assert stopped(api, "strict") == "BAD_ROWS"
    with Reader(api, Role.EDITOR) as editor, Reader(api, Role.VIEWER) as viewer:
        shown = editor.get("/runs/1").text
        assert "Mend the query, or let the good rows pass." in shown
        assert "Of an identifier that stands in several rows" in shown
        assert "Leave bad rows out from now on" not in viewer.get("/runs/1").text
        answer = editor.post("/syncs/strict/mend", code="BAD_ROWS")
        assert answer.headers["location"] == "/syncs/strict?said=mended"
        assert editor.post("/syncs/strict/mend", code="EMPTIED").status_code == 422
        api.project.refresh()
        assert api.project.run(["strict"])[0].counts["rejected"] == 1
        log = [one.action for one in api.project.access.audit.page(2)]
        assert "sync.edit" in log
    kept = api.project.definitions.get("sync", "strict").document
    assert (kept["on_bad_rows"], kept["sql"]) == ("reject", SYNC["sql"])


@pytest.mark.door("api")
def test_C4_a_sync_begins_anew_with_another_identifier_by_one_button(api: Api, shop: World) -> None:
    shop.rows(GOOD)
    api.project.definitions.create("sync", "strict", SYNC)
    api.project.run(["strict"])
    by_email = SYNC | {"identify_by": "email"}
    api.project.definitions.edit("sync", "strict", by_email, expected=1)
    assert stopped(api, "strict") == "KEY_CHANGED"
    with Reader(api, Role.EDITOR) as editor:
        assert "Begin anew with this identifier" in editor.get("/runs/2").text
        answer = editor.post("/syncs/strict/reset")
        assert answer.headers["location"] == "/syncs/strict?said=forgotten"
        assert "The next run sends everything." in editor.get(answer.headers["location"]).text
    assert api.project.run(["strict"])[0].counts["added"] == 1


@pytest.mark.door("api")
def test_C4_more_rows_are_let_through_by_one_button(api: Api, shop: World) -> None:
    shop.rows(GOOD)
    api.project.definitions.create("sync", "strict", SYNC | {"limits": {"rows": 1}})
    shop.rows(GOOD, ("bob", "bob@example.com", "free"))
    assert stopped(api, "strict") == "TOO_MANY_ROWS"
    with Reader(api, Role.EDITOR) as editor:
        page = editor.get("/runs/1").text
        assert "Narrow the query, or let more rows through." in page
        assert '<a class="code" href="/codes/TOO_MANY_ROWS">' in page
        assert "Let 10 rows through" in page
        editor.post("/syncs/strict/mend", code="TOO_MANY_ROWS")
    assert api.project.definitions.get("sync", "strict").document["limits"] == {"rows": 10}
    api.project.refresh()
    assert api.project.run(["strict"])[0].counts["added"] == 2


@pytest.mark.door("api")
def test_C4_another_account_is_begun_anew_with_by_one_button(api: Api, shop: World) -> None:
    shop.rows(GOOD)
    assert shop.run().counts["added"] == 1
    shop.crm["account"] = "somebody else's"
    shop.rows((*GOOD[:2], "free"))
    assert shop.run().deliveries[0].reason_code == "ACCOUNT_CHANGED"
    with Reader(api, Role.EDITOR) as editor:
        page = editor.get("/runs/2").text
        assert "or begin anew with it." in page
        assert "rowlift state" not in page
        editor.post("/syncs/people/reset", target="crm")
    assert shop.run().deliveries[0].reason_code == ""
    assert shop.applied()["ann"]["plan"] == "free"


@pytest.mark.door("api")
def test_what_files_say_is_mended_there(api: Api, shop: World) -> None:
    shop.rows(GOOD, ("", "bob@example.com", "free"))
    shop.write("syncs/people.yml", shop.sync | {"on_bad_rows": "stop", "destinations": []})
    api.project.refresh()
    assert stopped(api, "people") == "BAD_ROWS"
    with Reader(api, Role.EDITOR) as editor:
        assert "Leave bad rows out from now on" not in editor.get("/runs/1").text
        assert "MANAGED_IN_FILES" in editor.post("/syncs/people/mend", code="BAD_ROWS").text
