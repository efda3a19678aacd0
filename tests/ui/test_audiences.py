"""An audience built by mouse and keys, with and without scripts, and sent to a destination."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import pytest
from playwright.sync_api import Locator, Page, expect

from doors.api import Api
from rowlift.core.errors import Throttled
from rowlift.web.queries import AT_ONCE_EACH, Seats
from rowlift.web.rights import COOKIE
from served import until
from ui.conftest import HOSTILE, Reader
from ui.looks import broken, too_wide

Readers = Callable[..., Reader]


def row(page: Page, at: int) -> Locator:
    """The names that rows ask for, from the first."""
    return page.locator(f'[name="where-{at}:name"]')


def names(page: Page) -> list[str]:
    fields = page.locator('#builder [name$=":name"]').all()
    return [one.input_value() for one in fields]


def look_at_yaml_and_back(page: Page) -> None:
    """Nothing is lost on the way, a comment neither."""
    before = names(page)
    page.get_by_role("button", name="As YAML").click()
    text = page.locator("textarea[name=document]")
    text.fill("# kept\n" + text.input_value())
    page.get_by_role("button", name="As rows").click()
    assert names(page) == before
    page.get_by_role("button", name="As YAML").click()
    assert text.input_value().startswith("# kept\n")


def get_it_wrong_and_right(test: Locator, value: Locator) -> None:
    """What is wrong is told at its field, as long as it is."""
    test.evaluate("one => { for (const option of one.options) option.hidden = false; }")
    test.select_option("at_least")
    expect(value).to_have_attribute("aria-invalid", "true")
    expect(value).to_have_accessible_description(re.compile("^Must be a number .* VALUE_WRONG$"))
    test.select_option("is")
    expect(value).not_to_have_attribute("aria-invalid", "true")
    expect(value.page.locator("#size")).to_have_text("1 person now")


@pytest.mark.door("ui")
@pytest.mark.usefixtures("shop")
def test_A21_an_audience_is_built_of_rows(readers: Readers) -> None:
    page = readers().see("/audiences")
    page.get_by_role("link", name="New audience").click()
    page.get_by_label("Name", exact=True).fill("pros")
    size, words = page.locator("#size"), page.locator("#words")
    row(page, 0).fill("plan")
    value = page.locator('[name="where-0:value-0"]')
    listed = value.get_attribute("list")
    assert listed
    options = page.locator(f"#{listed} option")
    assert HOSTILE in [one.get_attribute("value") for one in options.all()]
    value.fill("pro")
    expect(size).to_have_text("1 person now")
    expect(words).to_have_text("People whose plan is “pro”.")

    get_it_wrong_and_right(page.locator('[name="where-0:test-0"]'), value)

    page.locator("#where-add-segment").click()
    expect(row(page, 1)).to_be_focused()
    row(page, 1).fill("Beta")
    expect(words).to_contain_text("and who are in “Beta”")
    page.locator('[name="where:join"]').select_option("any")
    expect(size).to_have_text("2 people now")
    row(page, 1).press("Alt+ArrowUp")
    expect(page.locator("#where-0-up")).to_be_focused()
    assert names(page) == ["Beta", "plan"]
    page.locator("#where-add-group").click()
    expect(page.locator('[name="where-2-0:name"]')).to_be_focused()
    assert names(page) == ["Beta", "plan", ""]
    page.locator("#where-2-0-remove").click()
    expect(page.locator("#where-add")).to_be_focused()
    assert names(page) == ["Beta", "plan"]

    page.locator('[name="where-1:test-0"]').select_option("one_of")
    page.locator("#where-1-more-0").click()
    expect(page.locator("#where-1-value-0-1")).to_be_focused()
    page.locator("#where-1-value-0-1").fill(HOSTILE)
    expect(words).to_contain_text(HOSTILE)
    expect(size).to_have_text("2 people now")
    assert page.locator("img").count() == 0
    assert [*broken(page, "builder"), *too_wide(page, "builder")] == []

    look_at_yaml_and_back(page)
    page.get_by_role("button", name="Keep it").click()
    page.get_by_role("heading", name="pros").wait_for()


@pytest.mark.door("ui")
@pytest.mark.usefixtures("shop")
def test_A21_an_audience_is_compared_and_sent_from_its_page(readers: Readers, served: Api) -> None:
    project = served.project
    project.definitions.create("audience", "called", {"where": {"segment": "Beta"}})
    project.audiences.compute(["called"])
    page = readers().see("/audiences/called")
    page.get_by_role("img", name="Size over time").wait_for()
    page.get_by_label("Segment or audience").select_option("Beta")
    page.get_by_role("button", name="Compare").click()
    page.get_by_text("2 people of 2 here and 2 in Beta: 100.0 % of these.").wait_for()
    assert [*broken(page, "audience"), *too_wide(page, "audience")] == []

    page.get_by_role("button", name="Send to a destination").click()
    page.wait_for_url("**/drafts/*")
    page.get_by_label("Name", exact=True).fill("called_to_crm")
    expect(page.get_by_label("Whose people")).to_have_value("called")
    page.get_by_label("Attributes that go along").fill("plan\n")
    page.locator('input[name="identify_by"][value="user_id"]').check()
    page.locator('input[name="to"][value="crm"]').check()
    page.get_by_role("button", name="Preview rows").first.click()
    page.wait_for_url("**look=query*")
    page.get_by_role("region", name="First rows of the query, table").get_by_text("ann").wait_for()
    assert [*broken(page, "draft"), *too_wide(page, "draft")] == []
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("heading", name="called_to_crm").wait_for()
    made = project.definitions.get("sync", "called_to_crm").document
    assert made["audience"] == {"name": "called", "attributes": ["plan"]}
    assert made["schedule"] == {"every": "1h"}


@pytest.mark.door("ui")
@pytest.mark.usefixtures("shop")
def test_A21_an_audience_is_built_without_scripts(readers: Readers, served: Api) -> None:
    page = readers(java_script_enabled=False).see("/new/audience")
    page.get_by_label("Name", exact=True).fill("plain")
    row(page, 0).fill("plan")
    page.locator('[name="where-0:value-0"]').fill("pro")
    page.locator("#where-add-segment").click()
    row(page, 1).fill(HOSTILE)
    page.locator('[name="where:join"]').select_option("none")
    row(page, 1).press("Enter")
    expect(page.locator("#words")).to_contain_text("People neither whose plan is “pro” nor")
    page.locator("#where-1-up").click()
    assert names(page) == [HOSTILE, "plan"]
    page.get_by_text("Limit, priority and split").click()
    page.locator('[name="part"]').first.fill("control")
    page.locator('[name="percent"]').first.fill("10")
    page.get_by_role("button", name="Keep it").click()
    page.get_by_role("heading", name="plain").wait_for()
    made = served.project.definitions.get("audience", "plain").document
    assert made["where"] == {"none": [{"segment": HOSTILE}, {"attribute": "plan", "is": "pro"}]}
    assert made["split"] == {"control": 10}
    page.get_by_role("link", name="Edit").click()
    assert names(page) == [HOSTILE, "plan"]
    assert page.locator('[name="part"]').first.input_value() == "control"

    there = readers().becomes("bob@example.com", served).see("/audiences/plain/edit")
    there.locator('[name="percent"]').first.fill("20")
    there.get_by_role("button", name="Keep it").click()
    there.get_by_role("heading", name="plain").wait_for()
    page.locator('[name="percent"]').first.fill("30")
    page.get_by_role("button", name="Keep it").click()
    page.get_by_text("bob@example.com changed it meanwhile").wait_for()
    assert page.locator('[name="percent"]').first.input_value() == "30"


@pytest.mark.door("ui")
@pytest.mark.usefixtures("shop")
def test_A21_leaving_the_builder_loses_nothing(readers: Readers, served: Api) -> None:
    reader = readers()
    page = reader.see("/new/audience")
    page.get_by_label("Name", exact=True).fill("left")
    row(page, 0).fill("plan")
    page.locator("#where-add-segment").click()
    expect(row(page, 1)).to_be_focused()
    row(page, 1).fill("Beta")
    row(page, 1).press("Tab")
    page.get_by_text("Draft kept just now").wait_for()
    page.wait_for_url("**/new/audience?draft=*")
    at = page.url
    value = page.locator('[name="where-0:value-0"]')
    value.fill("half typ")
    reader.see("/audiences")  # without leaving the field
    page.get_by_role("link", name="left").click()
    page.wait_for_url(at)
    expect(value_of(page)).to_have_value("half typ")
    assert names(page) == ["plan", "Beta"]

    reader.context.clear_cookies()
    page.locator('[name="where-0:value-0"]').fill("typed while signed out")
    page.locator('[name="where-0:value-0"]').press("Tab")
    page.get_by_text("you are signed out").wait_for()
    access = served.project.access
    (user,) = (one for one in access.accounts.users() if one.email == "admin@example.com")
    session = access.sessions.sign_in(user, address="127.0.0.1")
    reader.context.add_cookies([{"name": COOKIE, "value": session, "url": served.url}])
    page.get_by_label("Name", exact=True).fill("left_once")
    page.get_by_label("Name", exact=True).press("Tab")
    page.get_by_text("Draft kept just now").wait_for()
    expect(page.locator("#words")).to_contain_text("typed while signed out")
    page.reload()
    expect(value_of(page)).to_have_value("typed while signed out")
    page.get_by_role("button", name="Keep it").click()
    page.get_by_role("heading", name="left_once").wait_for()
    page = reader.see("/audiences")
    page.get_by_role("link", name="left_once").wait_for()
    assert page.locator('a[href^="/new/audience?draft="]', has_text="left").count() == 0
    reader.complaints[:] = [one for one in reader.complaints if "(Unauthorized)" not in one]


@pytest.mark.door("ui")
@pytest.mark.usefixtures("shop")
def test_A21_who_types_quickly_is_told_that_it_is_still_counted(
    readers: Readers, served: Api, seats: Seats
) -> None:
    page = readers().see("/new/audience")
    counting, size = page.locator("#counting"), page.locator("#size")
    users = served.project.access.accounts.users()
    (admin,) = (str(one.id) for one in users if one.email == "admin@example.com")
    with ExitStack() as counts:
        for _ in range(AT_ONCE_EACH):
            until(partial(_begins, counts, seats, admin))
        row(page, 0).fill("plan")
        value_of(page).press_sequentially("nothing like it")
        expect(counting).to_be_visible()
        value_of(page).fill("pro")
        expect(counting).to_be_visible()
        assert size.count() == 0
    expect(size).to_have_text("1 person now")
    expect(counting).to_be_hidden()


def _begins(counts: ExitStack, seats: Seats, whose: str) -> bool:
    """Take a seat, unless the request of the page before has it still."""
    try:
        counts.enter_context(seats.taken(whose))
    except Throttled:
        return False
    return True


def value_of(page: Page) -> Locator:
    """The first value of the first row."""
    return page.locator('[name="where-0:value-0"]')
