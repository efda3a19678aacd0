"""What is promised of syncs, made and looked after in a browser without scripts."""

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from doors.api import Api
from rowlift.operations.reports import RunReport
from ui.conftest import Reader
from ui.test_new_sync import begin
from world import World

Readers = Callable[..., Reader]

FILES = {
    "people.csv": "user_id,plan,seen\nann,pro,2026-11-01 10:00:00\nbob,free,2026-11-02 10:00:00\n",
    "accounts.csv": "object_id,title\nacme,Acme\nzeta,Zeta\n",
    "members.csv": "id,object_id,role,deleted\nann,acme,owner,\nann,zeta,guest,true\n",
}
ALL = "SELECT user_id, plan FROM people"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Ann and two accounts are in the workspace; Bob is suppressed."""
    world = World(tmp_path_factory.mktemp("promises") / "acme", ("user_id", "plan"))
    for name, text in FILES.items():
        (world.folder / "data" / name).write_text(text)
    world.sync |= {"workspace": "write", "sql": f"{ALL} WHERE user_id = 'ann'"}
    accounts = {"kind": "object", "identify_by": "object_id", "sql": "SELECT * FROM accounts"}
    said = {"sync": "accounts", "preset": "import", "source": "shop", **accounts}
    world.save()
    world.write("syncs/accounts.yml", said)
    with world.project() as project:
        project.run(["people", "accounts"])
        project.suppress(["bob"], wait=False)
    return world


@pytest.fixture
def page(readers: Readers) -> Page:
    return readers(java_script_enabled=False).see("/")


def compose(page: Page, name: str, sql: str = ALL) -> None:
    begin(page, "People from a query", name)
    page.get_by_label("Leave them out, take all others").check()
    page.get_by_label("Source", exact=True).select_option("shop")
    page.locator("textarea[name=sql]").fill(sql)
    page.locator('input[name="identify_by"][value="user_id"]').check()


def started(page: Page, served: Api, name: str) -> RunReport:
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_text("first run was asked for").wait_for()
    served.project.refresh()
    return after(served, name, 0)


def after(served: Api, name: str, known: int) -> RunReport:
    """Wait until a run newer than a known one is over."""
    deadline = time.monotonic() + 60
    while (
        not (found := served.project.runs(name, 1)) or found[0].id == known or not found[0].is_over
    ):
        assert time.monotonic() < deadline, "it never ended"
        time.sleep(0.1)
    return found[0]


@pytest.mark.door("ui")
def test_B13_suppressed_people_are_passed_over_and_fail_the_run_if_that_is_said(
    page: Page, served: Api
) -> None:
    compose(page, "careful")
    page.get_by_label("Suppressed people").select_option(
        label="Are passed over and count as failed"
    )
    run = started(page, served, "careful")
    page.goto(f"/runs/{run.id}")
    page.get_by_role("status").get_by_text("Some rows failed").wait_for()
    page.get_by_text("person is suppressed").first.wait_for()
    assert served.project.sync("careful").last_sync_time == 0
    page.goto("/syncs/careful")
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_label("Suppressed people").select_option(label="Are passed over")
    page.get_by_role("button", name="Save changes").click()
    page.get_by_text("takes effect at the next run").wait_for()
    page.get_by_role("button", name="Run now").click()
    run = after(served, "careful", run.id)
    page.goto(f"/runs/{run.id}")
    page.get_by_role("status").get_by_text("Completed").wait_for()
    assert served.project.sync("careful").last_sync_time > 0


@pytest.mark.door("ui")
def test_B14_a_second_query_relates_people_and_accounts(page: Page, served: Api) -> None:
    compose(page, "related", f"{ALL} WHERE user_id = 'ann'")
    page.get_by_text("A second query that relates people and objects").click()
    page.get_by_label("Query of the relationships").fill("SELECT * FROM members")
    page.get_by_role("button", name="Preview relationships").click()
    table = page.get_by_role("region", name="First rows of the relationships, table")
    table.get_by_text("owner").wait_for()
    run = started(page, served, "related")
    page.goto(f"/runs/{run.id}")
    page.get_by_role("status").get_by_text("Completed").wait_for()
    (link,) = served.project.person("ann").relationships
    page.goto("/objects/1/acme")
    page.get_by_text("ann").first.wait_for()
    assert {one.name: one.value for one in link.attributes} == {"role": "owner"}


@pytest.mark.door("ui")
def test_A17_B15_a_preview_tells_what_a_run_takes_and_renders_last_sync_time(
    page: Page, served: Api
) -> None:
    compose(page, "fresh", f"{ALL} WHERE seen > {{{{last_sync_time}}}}")
    page.get_by_role("button", name="Preview rows").first.click()
    page.get_by_text("to_timestamp({{last_sync_time}})").first.wait_for()
    right = "SELECT user_id, {{last_sync_time}} AS since FROM people"
    page.locator("textarea[name=sql]").fill(right)
    page.locator('input[name="to"][value="crm"]').check()
    page.get_by_role("button", name="Preview rows").first.click()
    table = page.get_by_role("region", name="First rows of the query, table")
    assert table.get_by_role("row").nth(1).inner_text().split()[-2:] == ["ann", "0"]
    takes = page.locator("dl.sums").inner_text()
    assert "crm" in takes
    assert "At most 2 messages" in takes
    run = started(page, served, "fresh")
    told = {one.name: one.value for one in served.project.person("ann").attributes}
    assert told["since"] == 0
    page.goto("/syncs/fresh")
    page.get_by_role("button", name="Run now").click()
    after(served, "fresh", run.id)
    told = {one.name: one.value for one in served.project.person("ann").attributes}
    assert told["since"] > 1_700_000_000


@pytest.mark.door("ui")
def test_B17_B19_a_sync_is_paused_resumed_and_deleted_and_its_people_stay(
    page: Page, served: Api
) -> None:
    compose(page, "leaving")
    started(page, served, "leaving")
    page.goto("/syncs/leaving")
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_text("The sync is paused").wait_for()
    assert page.get_by_role("button", name="Run now").count() == 0
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("from its next slot on").wait_for()
    page.get_by_text("More", exact=True).click()
    page.get_by_role("link", name="Delete …").click()
    page.get_by_label("to delete it").fill("leaving")
    page.get_by_role("button", name="Delete sync").click()
    page.get_by_text("What it imported stays.").wait_for()
    served.project.refresh()
    assert "leaving" not in {one.name for one in served.project.ls()}
    kept = {one.name: one.sync for one in served.project.person("ann").attributes}
    assert "plan" in kept
