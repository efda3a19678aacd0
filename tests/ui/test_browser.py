"""Pages in a real browser: accessible in both themes, wide and narrow, by keys, without scripts."""

import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Route

from doors.api import Api
from served import until
from ui.conftest import HOSTILE, Reader
from ui.looks import broken, too_wide
from world import World

Readers = Callable[..., Reader]

PATHS = ("/", "/syncs", "/syncs/people", "/syncs/idle", "/runs", "/runs/2", "/people", "/segments",
         "/segments/Beta", "/audiences", "/new/audience", "/suppressed", "/objects/1",
         "/settings")  # fmt: skip
PERSON = "/people/id:ann"
EMPTY = (
    "/people?q=an", f"{PERSON}/erase", "/people/id:zoe", "/objects/1/acme", "/objects/1?q=nothing",
    "/syncs?q=nothing", "/runs?sync=idle", "/people?q=nobody", "/syncs/idle?failed=true",
    "/syncs/people?tab=query", "/syncs/people?tab=settings", "/syncs/people?tab=freshness",
    "/find?q=ann", "/find?q=nobody",
)  # fmt: skip


@pytest.fixture(scope="module")
def shop(shop: World) -> World:
    """A sync is added whose query fails."""
    plain = {name: value for name, value in shop.sync.items() if name != "schedule"}
    failing = {"sync": "broken", "sql": "SELECT nope FROM people", "destinations": []}
    shop.write("syncs/broken.yml", plain | failing)
    return shop


@pytest.fixture(scope="module")
def plan(served: Api) -> str:
    """The page of a plan of hostile rows."""
    return f"/plans/{served.project.plans.make('idle', first_rows=10).id}"


def test_no_page_of_hostile_rows_breaks_a_rule_of_accessibility_or_is_wider_than_its_window(
    readers: Readers, plan: str
) -> None:
    reader, wrong = readers(), []
    for path in ("/people", "/segments", PERSON, *EMPTY, plan):
        page = reader.see(path)
        wrong += [*broken(page), *too_wide(page)]
    assert wrong == []


def test_nothing_moves_while_a_page_loads(readers: Readers) -> None:
    shifts = """() => new Promise(tell => new PerformanceObserver(list => tell(
        list.getEntries().reduce((sum, one) => sum + one.value, 0))
    ).observe({type: "layout-shift", buffered: true}) || setTimeout(() => tell(0), 300))"""
    reader = readers()
    for path in PATHS:
        assert reader.see(path).evaluate(shifts) < 0.01, path


def test_S18_what_rows_hold_is_shown_and_never_run(readers: Readers, plan: str) -> None:
    reader = readers()
    reader.see(plan).get_by_text(HOSTILE[:20]).first.wait_for()
    reader.see("/people").get_by_text(HOSTILE).first.wait_for()
    reader.see(PERSON).get_by_text(HOSTILE).first.wait_for()
    reader.see("/objects/1").get_by_text(HOSTILE[:20]).first.wait_for()
    for path in (
        "/runs/2", "/", "/syncs/people", f"/people?q={HOSTILE}", f"/syncs?q={HOSTILE}",
        f"/people/{quote(HOSTILE, safe='')}", f"/people/{quote(HOSTILE, safe='')}/erase",
        "/objects/1/acme", f"/objects/{quote(HOSTILE, safe='')}", "/segments",
        f"/segments/{quote(HOSTILE, safe='')}", "/suppressed", plan,
        f"/find?q={quote(HOSTILE, safe='')}", f"/syncs/people?tab={quote(HOSTILE, safe='')}",
        "/syncs/people?tab=query", "/syncs/people?tab=settings",
    ):  # fmt: skip
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


def test_a_button_that_is_pressed_twice_sends_once_while_the_server_is_slow(
    readers: Readers,
) -> None:
    page, held = readers().see("/syncs/idle"), list[Route]()

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/syncs/idle/pause", hold)
    button = page.get_by_role("button", name="Pause")
    form = page.locator("form").filter(has=button)
    twice = """form => { form.requestSubmit(); form.requestSubmit();
        return form.getAttribute("aria-busy") }"""
    assert form.evaluate(twice) == "true"
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    page.get_by_text("The sync is paused").wait_for()
    assert len(held) == 1
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("The sync runs again").wait_for()


def test_a_run_prints_on_paper_without_what_is_for_the_screen(readers: Readers) -> None:
    page = readers(viewport={"width": 794, "height": 1123}).see("/runs/2")
    page.get_by_role("button", name="Dark").click()
    page.wait_for_selector("html[data-theme=dark]")
    page.emulate_media(media="print")
    assert page.get_by_role("heading", name="Run 2").is_visible()
    assert page.locator(".side").is_hidden()
    assert page.locator("#actions").is_hidden()
    reasons = page.get_by_role("region", name="Why rows were rejected, table")
    assert "ID_NULL" in reasons.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 794
    clipped = """() => [...document.querySelectorAll(".scroll")].filter(
        (it) => getComputedStyle(it).overflowX !== "visible").length"""
    assert page.evaluate(clipped) == 0
    ink = "getComputedStyle(document.querySelector('h1')).color"
    assert page.evaluate(ink) == "rgb(26, 28, 27)"  # dark, though the screen is


def _held(served: Api) -> int:
    """Begin a run that waits for the gate; returns its number."""
    known = [one.id for one in served.project.runs("watched", 1)]
    served.project.service.trigger(["watched"])

    def sends() -> list[int]:
        newest = served.project.runs("watched", 1)
        return [one.id for one in newest if one.id not in known and one.deliveries]

    (found,) = until(sends)
    return found


@pytest.mark.door("ui")
def test_B16_B17_a_run_is_cancelled_and_its_sync_paused(
    readers: Readers, served: Api, gate: tuple[str, threading.Event]
) -> None:
    number = _held(served)
    page = readers().see(f"/runs/{number}")
    page.get_by_role("button", name="Cancel run").click()
    page.get_by_text("The run was asked to end.").wait_for()
    progress = page.locator("section[aria-label=Progress]")
    progress.get_by_text(": Cancelled").wait_for()  # after ten seconds: nothing answers
    gate[1].set()  # for the request that nobody waits for any more
    gate[1].clear()
    page.get_by_role("button", name="Pause sync").click()
    page.get_by_text("The sync is paused").wait_for()
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("The sync runs again").wait_for()


@pytest.mark.door("ui")
def test_B18_a_sync_is_duplicated_tried_and_the_plan_forgotten(readers: Readers) -> None:
    page = readers().see("/syncs/idle")
    page.get_by_text("More", exact=True).click()
    page.get_by_role("button", name="Duplicate").click()
    page.wait_for_url("**/drafts/*")
    page.get_by_label("Name", exact=True).fill("twin")
    page.get_by_role("button", name="Save and try 10 rows").click()
    page.get_by_role("heading", name="Try 10 rows").wait_for()
    page.get_by_role("button", name="Discard").click()
    page.get_by_text("The plan is forgotten.").wait_for()
    assert page.get_by_role("heading", name="twin").is_visible()


@pytest.mark.door("ui")
def test_B16_a_run_is_watched_while_it_goes_on(
    readers: Readers, served: Api, gate: tuple[str, threading.Event]
) -> None:
    page = readers().see(f"/runs/{_held(served)}")
    status = page.get_by_role("status")
    status.get_by_text("Running").wait_for()
    assert page.get_by_role("button", name="Cancel run").is_visible()
    assert broken(page) == []
    assert page.locator("img").count() == 0
    gate[1].set()
    page.locator("[hx-trigger]").wait_for(state="detached")
    status.get_by_text("Some rows failed").wait_for()


@pytest.mark.door("ui")
def test_C4_first_rows_are_tried_or_it_is_said_what_stops_them(
    readers: Readers, served: Api
) -> None:
    page = readers().see("/syncs/people")
    known = served.project.runs("people", 1)[0].id
    page.get_by_role("button", name="Try 10 rows").click()
    page.get_by_role("heading", name="Try 10 rows").wait_for()
    page.get_by_text("Nothing was changed or sent yet.").wait_for()
    page.get_by_role("button", name="Send 4 rows").click()
    page.get_by_text("The run was asked for.").wait_for()
    assert served.project.run_report(_until_there(served, known)).first_rows == 10
    page.goto("/syncs/broken")
    page.get_by_role("button", name="Try 10 rows").click()
    page.get_by_role("alert").get_by_text("nope").first.wait_for()
    page.get_by_role("button", name="Look again").click()
    page.get_by_text("Nothing was changed or sent.").wait_for()
    assert [*broken(page), *too_wide(page)] == []


def _until_there(served: Api, known: int) -> int:
    while (newest := served.project.runs("people", 1)[0]).id == known or not newest.is_over:
        time.sleep(0.05)
    return newest.id


@pytest.mark.door("ui")
def test_B11_people_are_put_into_a_segment_and_taken_out(reader: Reader, served: Api) -> None:
    page = reader.see("/segments")
    page.get_by_label("Name").fill(name := f"Pilot {time.monotonic_ns()}")
    page.get_by_role("button", name="Make it").click()
    page.get_by_role("heading", name=name).wait_for()
    page.get_by_label("Ids or e-mail addresses").fill("ann\nnobody@example.com")
    page.get_by_role("button", name="Put in").click()
    page.get_by_text("1 person entered").wait_for()
    page.get_by_text("Nobody is known as").wait_for()
    page.get_by_role("row").filter(has_text="ann@example.com").wait_for()
    page.get_by_label("Ids or e-mail addresses").fill("ann")
    page.get_by_role("button", name="Take out").click()
    page.get_by_text("1 person left").wait_for()
    assert served.project.segment(name).members == 0


@pytest.mark.door("ui")
def test_C5_why_a_row_of_somebody_was_rejected_is_found_by_their_id(reader: Reader) -> None:
    page = reader.see("/people")
    page.get_by_label("Find a person").fill("zoe")
    page.get_by_role("button", name="Find").click()
    page.get_by_text("The workspace does not know this person.").wait_for()
    row = page.get_by_role("row").filter(has_text="workspace").first
    row.get_by_text("Rejected").wait_for()
    assert "EMAIL_INVALID" in row.inner_text()


@pytest.mark.door("ui")
def test_C9_a_person_is_suppressed_and_erased_by_nobody_who_types_wrong(
    reader: Reader, served: Api
) -> None:
    page = reader.see("/people/id:ann")
    page.get_by_text("Suppress…").click()
    page.get_by_label("Why, for the list").fill("asked")
    page.get_by_role("button", name="Suppress this person").click()
    page.get_by_text("Destinations that have them are told").wait_for()
    page.get_by_role("button", name="Process again").click()
    page.get_by_text("is processed again").wait_for()
    page.get_by_role("link", name="Erase…").click()
    page.get_by_label("Type ann to erase").fill("bob")
    page.get_by_role("button", name="Erase for good").click()
    alert = page.get_by_role("alert")
    alert.get_by_text("nothing was done").wait_for()
    assert alert.evaluate("it => it === document.activeElement")
    assert page.get_by_label("Type ann to erase").input_value() == "bob"
    assert served.project.person("ann")
