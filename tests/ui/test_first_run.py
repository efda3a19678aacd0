"""From a fresh start to a first successful sync by mouse, counted in clicks."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

import rowlift
from doors.api import Api, served_by
from rowlift.operations.opening import found_if_empty
from rowlift.scheduler.service import ServiceLoop
from rowlift.state.definitions import Author
from ui.conftest import Reader
from ui.looks import broken, too_wide

MOST_CLICKS = 15


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Api]:
    """An empty folder, as `rowlift serve` begins with it."""
    folder = tmp_path / "acme"
    folder.mkdir()
    assert found_if_empty(folder, {}, Author("console", "cli")) == "acme"

    def make() -> rowlift.Project:
        return rowlift.Project(folder, env={})

    with make() as project, served_by(make) as url:
        loop = ServiceLoop(project.serving())
        thread = threading.Thread(target=loop.run, name="service")
        thread.start()
        try:
            yield Api(url, project)
        finally:
            loop.end()
            thread.join(60)


def stands(page: Page) -> None:
    """See that a page is the same after a reload, and after going back and forth."""
    heading = page.locator("h1").inner_text()
    for move in (page.reload, page.go_back, page.go_forward):
        move()
    expect(page.locator("h1")).to_have_text(heading)


class Hand:
    """A mouse that counts; what is typed is not counted."""

    def __init__(self) -> None:
        self.clicks = 0

    def click(self, there: Locator) -> None:
        there.click()
        self.clicks += 1


@contextmanager
def signed_up(browser: Browser, fresh: Api, hand: Hand, **how: object) -> Iterator[Reader]:
    """The first admin, who followed the link of the console."""
    with browser.new_context(base_url=fresh.url, **how) as context:
        reader = Reader(context)
        page = reader.see(f"/setup?code={fresh.project.access.accounts.setup_code()}")
        page.get_by_label("Your e-mail address").fill("ann@example.com")
        page.get_by_label("A password").fill("a long sentence of ann's")
        hand.click(page.get_by_role("button", name="Make me the admin"))
        page.get_by_text("Nothing is synced yet").wait_for()
        yield reader
        assert reader.complaints == []


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_one_click_makes_demo_data_and_its_first_runs(
    browser: Browser, fresh: Api, *, scripts: bool
) -> None:
    hand = Hand()
    with signed_up(browser, fresh, hand, java_script_enabled=scripts) as reader:
        page = reader.page
        hand.click(page.get_by_role("button", name="Look around with demo data"))
        if scripts:
            page.get_by_text("Making the demo data…").wait_for()
        first, second = (page.locator("#samples li").nth(at) for at in (0, 1))
        first.get_by_text("Completed").wait_for(timeout=60_000)
        second.get_by_text("Some rows failed").wait_for(timeout=60_000)
        stands(page)
        assert hand.clicks == 2
        hand.click(first.get_by_role("link", name="See the run"))
        assert page.locator("dl.counts dd").first.inner_text() == "5,048"
        fresh.project.refresh()
        again = fresh.project.look_around()
        assert (again.asked, len(fresh.project.ls())) == (False, 2)
        assert (fresh.project.folder / "demo" / "out").is_dir()


@pytest.mark.door("ui")
def test_B3_a_database_of_ones_own_is_synced_within_fifteen_clicks(
    browser: Browser, fresh: Api, postgres_database: Any
) -> None:
    server, user = postgres_database.server, f"r_{postgres_database.name}"
    postgres_database.execute(
        "CREATE TABLE customers (user_id text, plan text);"
        "INSERT INTO customers VALUES ('ann', 'pro'), ('bob', 'free');"
        f"CREATE ROLE {user} LOGIN PASSWORD 'horse-battery'; GRANT SELECT ON customers TO {user}"
    )
    fields = {
        "name": "shop", "host": server.host, "port": str(server.port), "user": user,
        "database": postgres_database.name, "password": "horse-battery",
    }  # fmt: skip
    hand = Hand()
    with signed_up(browser, fresh, hand) as reader:
        page = reader.page
        stands(page)
        hand.click(page.get_by_role("link", name="Connect a warehouse"))
        stands(page)
        hand.click(page.get_by_role("link", name="PostgreSQL"))
        stands(page)
        for key, value in fields.items():
            page.locator(f"#{key}").fill(value)
        hand.click(page.get_by_role("button", name="Save and test"))
        page.get_by_text("was tested").wait_for()
        stands(page)
        hand.click(page.get_by_role("button", name="Make a sync"))
        page.get_by_label("Name", exact=True).fill("customers")
        page.get_by_label("Table", exact=True).select_option("public.customers")
        hand.clicks += 2  # to open it, and to choose
        hand.click(page.get_by_label("user_id identifies the row"))
        page.get_by_text("Draft kept just now").wait_for()
        hand.click(page.get_by_role("button", name="Start", exact=True))
        page.wait_for_url("**/syncs/customers?said=started")
        stands(page)
        fresh.project.refresh()
        while not (runs := fresh.project.runs("customers", 1)) or not runs[0].is_over:
            page.wait_for_timeout(100)
        page.goto(f"/runs/{runs[0].id}")
        page.get_by_role("status").get_by_text("Completed").wait_for()
    assert hand.clicks <= MOST_CLICKS
    told = {one.name: one.value for one in fresh.project.person("bob").attributes}
    assert told == {"plan": "free"}
    postgres_database.execute(f"DROP OWNED BY {user}; DROP ROLE {user}")


def test_the_first_steps_break_no_rule_of_accessibility(browser: Browser, fresh: Api) -> None:
    wrong = []
    small = {"viewport": {"width": 390, "height": 844}}
    with signed_up(browser, fresh, Hand(), **small) as reader:
        page = reader.page
        for path in ("/", "/welcome", "/sources", "/destinations"):
            wrong += [*broken(reader.see(path)), *too_wide(page)]
        page.goto("/welcome")
        page.get_by_role("button", name="Look around with demo data").click()
        page.get_by_text("What to try").wait_for()
        wrong += [*broken(page), *too_wide(page)]
    assert wrong == []
