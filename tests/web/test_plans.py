"""Plans over the API: made, looked at, approved, and done by the service."""

import os
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from doors.api import Api
from doors.forks import forked
from rowlift.core.rights import Right, Role
from rowlift.state.shelf import GOOD_FOR_SECONDS
from served import SECONDS, serve_and_die, served, until
from world import World


def planned(client: httpx.Client) -> str:
    made = client.post("/syncs/people/plans").raise_for_status()
    assert made.json()["samples"] == []
    return str(made.json()["id"])


def request_of(client: httpx.Client) -> dict[str, object]:
    return dict(client.get("/requests").json()["items"][0])


@pytest.mark.door("api")
def test_C11_a_plan_is_approved_and_done_exactly(api: Api, shop: World) -> None:
    with served(shop.project()), api.as_user(Role.EDITOR) as editor:
        until(api.project.service.status)
        plan = planned(editor)
        told = editor.get(f"/plans/{plan}").json()
        assert (told["sync"], told["by"], told["run"]) == ("people", "editor@example.com", None)
        assert "ann@example.com" in str(told["samples"])
        shop.rows(("eve", "eve@example.com", "free"))  # the source moves on, the plan does not
        asked = editor.post(f"/plans/{plan}/approve")
        assert (asked.status_code, asked.json()["plan"]) == (202, plan)
        until(lambda: request_of(editor)["status"] not in {None, "Running"})
        until(shop.applied)
        run = request_of(editor)["run"]
        assert shop.applied().keys() == {"ann"}
        assert editor.get(f"/plans/{plan}").json()["run"] == run
        again = editor.post(f"/plans/{plan}/approve")
        assert (again.status_code, again.json()["code"]) == (409, "PLAN_STALE")
    with api.as_user(Role.ADMIN) as admin:
        actions = [one["action"] for one in admin.get("/audit").json()["items"]]
    assert {"plan.make", "plan.approve"} <= {*actions}


@pytest.mark.door("api")
def test_C2_another_person_approves_where_the_workspace_wants_it(api: Api, shop: World) -> None:
    shop.workspace["approval"] = "another"
    with served(shop.project()), api.as_user(Role.EDITOR) as editor:
        until(api.project.service.status)
        plan = planned(editor)
        assert editor.get(f"/plans/{plan}").json()["needs_another"] is True
        past_the_guard = editor.post("/syncs/people/runs", json={"allow_removals": True})
        for alone in (editor.post(f"/plans/{plan}/approve"), past_the_guard):
            assert (alone.status_code, alone.json()["code"]) == (409, "APPROVAL_NEEDED")
        with api.as_user(Role.ADMIN) as admin:
            admin.post(f"/plans/{plan}/approve").raise_for_status()
        until(lambda: request_of(editor)["status"] not in {None, "Running"})
        until(shop.applied)
        told = editor.get(f"/plans/{plan}/markdown", params={"values": True})
    assert told.headers["content-type"].startswith("text/markdown")
    assert "`ann`" in told.text


@pytest.mark.door("api")
def test_B28_a_sync_is_named_and_described_and_reviewed_before_its_first_run(
    api: Api, shop: World
) -> None:
    shop.sync["description"] = "Who pays, for the newsletter."
    shop.save()
    with api.as_user(Role.EDITOR) as editor:
        told = editor.get("/definitions/sync/people").raise_for_status().json()
        assert (told["name"], told["document"]["description"]) == (
            "people", "Who pays, for the newsletter.",
        )  # fmt: skip
        plan = editor.get(f"/plans/{planned(editor)}").json()
        assert plan["counts"]["added"] == 1
        assert editor.get("/runs").json()["items"] == []


def test_S16_a_plan_shows_rows_to_who_may_see_them_only(api: Api) -> None:
    with api.by_token(Role.EDITOR, [Right.READ, Right.RUN]) as program:
        plan = planned(program)
        for path in ("/plans", f"/plans/{plan}"):
            assert "ann@example.com" not in program.get(path).raise_for_status().text


def test_a_plan_is_no_longer_done_when_what_it_stands_on_moved(api: Api, shop: World) -> None:
    with api.as_user(Role.EDITOR) as editor:
        with shop.project() as project:
            project.serving().start()
            editor.post(f"/plans/{planned(editor)}/approve").raise_for_status()
        shop.run()
        with served(shop.project()):
            until(lambda: request_of(editor)["reason_code"])
        assert request_of(editor)["reason_code"] == "PLAN_STALE"
        assert request_of(editor)["run"] is None
        assert len(editor.get("/runs").json()["items"]) == 1


@pytest.mark.parametrize("moved", [False, True])
def test_an_approved_plan_whose_process_dies_before_it_began_is_done_by_the_next(
    api: Api, shop: World, moved: bool
) -> None:
    with api.as_user(Role.EDITOR) as editor:
        with shop.project() as project:
            project.serving().start()
            editor.post(f"/plans/{planned(editor)}/approve").raise_for_status()
        shop.rows(("eve", "eve@example.com", "free"))
        point = "plan.adopt.before_commit:1:kill"
        assert forked(serve_and_die, str(shop.folder), {}, point, seconds=SECONDS) == -9
        if moved:
            editor.post("/suppressions", json={"people": ["id:ann"]}).raise_for_status()
        with served(shop.project()):
            until(lambda: editor.get("/runs/1").json()["phase"] == "over")
            run = editor.get("/runs/1").json()
            until(lambda: moved or shop.applied())
    assert run["reason_code"] == ("PLAN_STALE" if moved else "ID_NULL")
    assert shop.applied().keys() == (set() if moved else {"ann"})


def test_a_plan_that_was_discarded_meanwhile_is_not_done(api: Api, shop: World) -> None:
    with api.as_user(Role.EDITOR) as editor:
        with shop.project() as project:
            project.serving().start()
            plan = planned(editor)
            editor.post(f"/plans/{plan}/approve").raise_for_status()
            editor.delete(f"/plans/{plan}").raise_for_status()
        with served(shop.project()):
            until(lambda: request_of(editor)["reason_code"])
        told = editor.get("/requests").text
    assert "PLAN_STALE" in told
    assert str(shop.folder) not in told


def test_a_newer_plan_of_a_sync_takes_the_place_of_the_older_one(api: Api) -> None:
    with api.as_user(Role.EDITOR) as editor:
        older, newer = planned(editor), planned(editor)
        assert [one["id"] for one in editor.get("/plans").json()["items"]] == [newer]
        assert editor.post(f"/plans/{older}/approve").status_code == 404
        assert editor.delete(f"/plans/{newer}").status_code == 204
        assert editor.get("/plans").json()["items"] == []


@pytest.mark.parametrize("plan", ["..%2F..%2Frowlift.yml", "0" * 32, "a" * 31, "%2e%2e"])
def test_S31_a_plan_is_named_by_its_id_and_nothing_else(api: Api, plan: str) -> None:
    with api.as_user(Role.EDITOR) as editor:
        planned(editor)
        assert editor.get(f"/plans/{plan}").status_code in {404, 422}


def test_S34_no_plan_keeps_whom_somebody_erased(
    api: Api, shop: World, everything: Callable[[Path], bytes]
) -> None:
    shop.run()
    shop.rows(("ann", "ann@example.com", "changed"))
    with api.as_user(Role.ADMIN) as admin:
        planned(admin)
        assert b"ann@example.com" in everything(shop.folder / ".rowlift" / "plans")
        admin.delete("/people/ann").raise_for_status()
        assert admin.get("/plans").json()["items"] == []
    assert everything(shop.folder / ".rowlift" / "plans") == b""


def test_a_plan_of_yesterday_is_gone(shop: World) -> None:
    with shop.project() as project:
        project.plans.make("people", by="ann")
        assert [one.by for one in project.plans.list()] == ["ann"]
        (file,) = (shop.folder / ".rowlift" / "plans").glob("*/*.plan")
        yesterday = file.stat().st_mtime - GOOD_FOR_SECONDS - 1
        os.utime(file, (yesterday, yesterday))
        assert project.plans.list() == []
        assert not file.exists()
