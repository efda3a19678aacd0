"""The pages of a plan: a sync tried with ten rows, looked at first, and a whole run foreseen."""

import re
import time

from doors.api import Api
from rowlift.core.rights import Right, Role
from served import served, until
from web.test_draft_pages import WHOLE, begun
from web.test_pages import Reader
from world import World


def test_ten_rows_are_shown_before_they_are_sent_and_all_others_wait(api: Api, shop: World) -> None:
    shop.rows(*[(f"u{one}", f"u{one}@example.com", "pro") for one in range(12)])
    with served(shop.project()), Reader(api, Role.EDITOR) as reader:
        until(api.project.service.status)
        assert "Try 10 rows" in reader.get("/syncs/people").text
        at = reader.post("/syncs/people/plan", rows="10").headers["location"]
        page = reader.get(at).text
        assert "<h1>Try 10 rows</h1>" in page
        assert "Nothing was changed or sent yet." in page
        assert "u9@example.com" in page
        assert api.project.runs() == []
        answer = reader.post(f"{at}/approve")
        assert answer.headers["location"] == "/syncs/people?said=asked"
        until(lambda: len(shop.applied()) == 10)
        until(lambda: api.project.runs() and api.project.runs()[0].is_over)
        run = api.project.runs()[0]
        assert (run.first_rows, run.last_sync_time) == (10, 0)
        assert f'By <a href="/runs/{run.id}">' in reader.get(at).text
        assert "tried the first rows only" in reader.get(f"/runs/{run.id}").text


def test_a_whole_run_is_foreseen_and_a_plan_forgotten(api: Api) -> None:
    with Reader(api, Role.EDITOR) as reader:
        at = reader.post("/syncs/people/plan").headers["location"]
        assert "<h1>What a run would do</h1>" in reader.get(at).text
        answer = reader.post(f"{at}/discard")
        assert answer.headers["location"] == "/syncs/people?said=discarded"
        assert reader.get(at).status_code == 404
        assert api.project.runs() == []


def test_what_stops_a_plan_is_told_with_what_mends_it(api: Api, shop: World) -> None:
    bad = {
        "preset": "traits", "source": "shop", "sql": "SELECT user_id, plan FROM people",
        "identify_by": "user_id",
    }  # fmt: skip
    shop.rows(("ann", "ann@example.com", "pro"))
    api.project.definitions.create("sync", "strict", bad)
    shop.rows(("ann", "ann@example.com", "pro"), ("", "bob@example.com", "free"))
    with served(shop.project()), Reader(api, Role.EDITOR) as reader:
        until(api.project.service.status)
        stopped = reader.post("/syncs/strict/plan", rows="10")
        assert stopped.status_code == 409
        for told in (
            "<h1>Try 10 rows</h1>", "Leave bad rows out from now on", "/codes/BAD_ROWS",
            "Nothing was changed or sent.", 'name="rows" value="10"',
        ):  # fmt: skip
            assert told in stopped.text
        reader.post("/syncs/strict/mend", code="BAD_ROWS")
        at = reader.post("/syncs/strict/plan", rows="10").headers["location"]
        shop.rows(("ann", "ann@example.com", "free"))
        api.project.run(["strict"])
        late = reader.post(f"{at}/approve")
        assert (late.status_code, "/codes/PLAN_STALE" in late.text) == (409, True)
        assert "Look again: what a run would do now is another thing." in late.text


def test_S16_a_plan_shows_its_rows_to_who_may_see_values_only(api: Api) -> None:
    with Reader(api, Role.EDITOR) as reader, Reader(api, Role.VIEWER) as viewer:
        at = reader.post("/syncs/people/plan", rows="10").headers["location"]
        assert "ann@example.com" in reader.get(at).text
        shown = viewer.get(at)
        assert "ann@example.com" not in shown.text
        assert not re.search("Discard|Send 1 row", shown.text)
        with api.by_token(Role.EDITOR, [Right.READ]) as program:
            assert "ann@example.com" not in program.get(at).text


def test_a_new_sync_is_tried_before_its_schedule_begins(api: Api, shop: World) -> None:
    often = WHOLE | {"when": "every", "every_count": "6", "every_unit": "h"}
    with served(shop.project()), Reader(api, Role.EDITOR) as reader:
        until(api.project.service.status)
        answer = reader.post(f"{begun(reader)}/start", version="1", **often, do="try")
        at = answer.headers["location"]
        assert "<h1>Try 10 rows</h1>" in reader.get(at).text
        reader.post(f"{at}/approve")

        def runs() -> list[int | None]:
            told = reader.get("/runs?sync=plans", "application/json").json()["items"]
            return [one["first_rows"] for one in told]

        assert until(runs) == [10]
        told = reader.get("/syncs/plans", "application/json").json()["sync"]
        assert told["schedule"] == {"every": "6h"}
        assert told["next_slot"] > time.time() + 5 * 3600
