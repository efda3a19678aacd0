"""Pages in a real browser: accessible in both themes, wide and narrow, by keys, without scripts."""

import threading
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe

from doors.api import Api
from ui.conftest import HOSTILE, Reader

Readers = Callable[..., Reader]

PATHS = ("/", "/syncs", "/syncs/people", "/syncs/idle", "/runs", "/runs/2", "/people", "/settings")
PERSON = "/people/id:ann"
EMPTY = ("/syncs?q=nothing", "/runs?sync=idle", "/people?q=nobody", "/syncs/idle?failed=true")
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_breaks_a_rule_of_accessibility(readers: Readers, theme: str) -> None:
    reader, axe = readers(color_scheme=theme), Axe()
    broken = []
    for path in (*PATHS, PERSON, *EMPTY):
        found = axe.run(reader.see(path), options=RULES).response["violations"]
        broken += [(path, one["id"], one["nodes"][0]["html"]) for one in found]
    assert broken == []


@pytest.mark.parametrize("width", [390, 820, 1440])
def test_no_page_is_wider_than_its_window(readers: Readers, width: int) -> None:
    reader = readers(viewport={"width": width, "height": 844})
    for path in (*PATHS, PERSON):
        page = reader.see(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_nothing_moves_while_a_page_loads(readers: Readers) -> None:
    shifts = """() => new Promise(tell => new PerformanceObserver(list => tell(
        list.getEntries().reduce((sum, one) => sum + one.value, 0))
    ).observe({type: "layout-shift", buffered: true}) || setTimeout(() => tell(0), 300))"""
    reader = readers()
    for path in PATHS:
        assert reader.see(path).evaluate(shifts) < 0.01, path


def test_S20_what_rows_hold_is_shown_and_never_run(readers: Readers) -> None:
    reader = readers()
    reader.see("/people").get_by_text(HOSTILE).first.wait_for()
    reader.see(PERSON).get_by_text(HOSTILE).first.wait_for()
    for path in ("/runs/2", "/", "/syncs/people", f"/people?q={HOSTILE}", f"/syncs?q={HOSTILE}"):
        page = reader.see(path)
        assert page.locator("img").count() == 0
        assert "49" not in page.title()


def test_pages_are_reached_by_keys(readers: Readers) -> None:
    page = readers().see("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/syncs")
    page.keyboard.press("/")
    page.keyboard.type("idl")
    page.keyboard.press("Enter")
    page.wait_for_url("**/syncs?q=idl&state=")
    assert page.locator("tbody tr").count() == 1
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible() or page.get_by_label("Find a sync").is_visible()


def test_the_theme_is_kept(readers: Readers) -> None:
    page = readers(color_scheme="light").see("/syncs")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Dark").click()
    page.wait_for_selector("html[data-theme=dark]")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    assert page.url.endswith("/syncs")


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def reader(request: pytest.FixtureRequest, readers: Readers) -> Iterator[Reader]:
    return readers(java_script_enabled=request.param)


@pytest.mark.door("ui")
def test_B16_a_run_is_begun_watched_and_tried_again(reader: Reader, served: Api) -> None:
    page = reader.see("/syncs/people")
    known = served.project.runs("people", 1)[0].id
    page.get_by_role("button", name="Run now").click()
    page.get_by_text("The run was asked for.").wait_for()
    new = _until_there(served, known)
    page.goto(f"/runs/{new}")
    page.get_by_role("status").get_by_text("Some rows failed").wait_for()
    page.reload()
    row = page.get_by_role("row").filter(has_text="ID_NULL")
    assert "1" in row.get_by_role("cell").last.inner_text()
    page.get_by_role("button", name="Retry rejected").click()
    page.get_by_text("are tried again").wait_for()


@pytest.mark.door("ui")
def test_B16_a_run_is_watched_while_it_goes_on(
    readers: Readers, served: Api, gate: tuple[str, threading.Event]
) -> None:
    (asked,) = served.project.service.trigger(["watched"])
    page = readers().see("/syncs/watched")
    while not (found := served.project.runs("watched", 1)) or not found[0].deliveries:
        page.wait_for_timeout(50)
    page.goto(f"/runs/{found[0].id}")
    status = page.get_by_role("status")
    status.get_by_text("Running").wait_for()
    assert page.get_by_role("button", name="Cancel run").is_visible()
    assert asked.sync == "watched"
    gate[1].set()
    status.get_by_text("Some rows failed").wait_for()
    assert page.locator("[hx-trigger]").count() == 0


def _until_there(served: Api, known: int) -> int:
    while (newest := served.project.runs("people", 1)[0]).id == known or not newest.is_over:
        pass
    return newest.id
