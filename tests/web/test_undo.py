"""A run is undone over the API and on its page: a plan, somebody's word, and what the sync says."""

import pytest

from doors.api import Api
from rowlift.core.rights import Role
from served import served, until
from web.test_pages import Reader
from world import World


@pytest.mark.door("api")
def test_C6_an_undo_is_planned_approved_and_done_by_the_service(api: Api, shop: World) -> None:
    shop.run()
    shop.rows(("ann", "ann@example.com", "BAD"))
    run = shop.run().id
    with (
        served(shop.project()), api.as_user(Role.ADMIN) as admin,
        Reader(api, Role.EDITOR) as reader,
    ):  # fmt: skip
        until(api.project.service.status)
        told, ran = admin.get(f"/runs/{run}/undo").json(), admin.get(f"/runs/{run}").json()
        assert (told["reason_code"], told["undone_by"]) == ("", None)
        assert told["until"] == ran["created_at"] + 30 * 86_400
        page = reader.get(f"/runs/{run}").text
        assert "Undo this run …" in page
        assert "It can be undone until" in page
        at = reader.post(f"/runs/{run}/undo").headers["location"]
        page = reader.get(at).text
        for words in (f"<h1>Undo run {run}</h1>", "Undo exactly this", "BAD", "is then paused"):
            assert words in page

        made = admin.post(f"/runs/{run}/undo")
        assert (made.status_code, made.json()["undo_of"]) == (201, run)
        assert admin.post(f"/plans/{made.json()['id']}/approve").status_code == 202
        until(lambda: shop.applied()["ann"]["plan"] == "pro")
        until(lambda: api.project.runs()[0].undo_of and api.project.runs()[0].is_over)
        undone = admin.get(f"/runs/{run}/undo").json()["undone_by"]
        assert admin.get(f"/runs/{undone}").json()["undo_of"] == run
        assert f'By <a href="/runs/{undone}">run {undone}</a>' in reader.get(f"/runs/{run}").text
        sync = admin.get("/syncs/people").json()
        assert (sync["paused"], sync["paused_by_undo"], sync["undone"]) == (True, undone, 1)
        assert "1 row of this sync stays as an undo left it" in reader.get("/syncs/people").text
        again = reader.post(f"/runs/{run}/undo")
        assert (again.status_code, "/codes/NOTHING_LEFT" in again.text) == (409, True)
        assert admin.post("/syncs/people/unpin").json() == {"rows": 1}
        assert reader.post("/syncs/people/unpin").headers["location"].endswith("?said=unpinned")
        actions = {one["action"] for one in admin.get("/audit").json()["items"]}
    assert {"plan.make", "plan.approve", "sync.unpin"} <= actions
