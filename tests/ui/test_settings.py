"""Settings in a real browser: forms by mouse and keys, two people, a guest, hostile names."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser

from doors.api import PASSWORD, Api, served_by
from rowlift import Project
from rowlift.core.rights import Role
from rowlift.operations.callers import CONSOLE, Caller
from rowlift.operations.opening import found
from rowlift.state.definitions import Author
from ui.conftest import HOSTILE, Reader
from ui.looks import broken, too_wide

Readers = Callable[..., Reader]

PATHS = (
    "/settings/members",
    "/settings/keys",
    "/settings/alerts",
    "/settings/alerts/desk/edit",
    "/settings/audit?prove=true",
)  # test_empty.py sees the others


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A workspace that no file declares, with nobody in it yet."""
    folder = tmp_path_factory.mktemp("settings")
    found(folder, {}, "acme", Author("console", "cli"))

    def make() -> Project:
        return Project(folder, env={})

    with make() as project, served_by(make) as url:
        access = project.access
        password = PASSWORD.format("admin")
        access.accounts.create_user("admin@example.com", Role.ADMIN, password, by=CONSOLE)
        access.audit.note(Caller(HOSTILE, HOSTILE, frozenset()), HOSTILE, HOSTILE)
        project.ingest.create_key(HOSTILE)
        hook = {"type": "webhook", "url": "https://127.0.0.1/x", "secret": "whsec_" + "A" * 32}
        project.definitions.create("channel", "desk", hook)
        yield Api(url, project)


def test_no_page_of_settings_breaks_a_rule_of_accessibility_or_is_wider_than_its_window(
    readers: Readers,
) -> None:
    reader, wrong = readers(), []
    for path in PATHS:
        page = reader.see(path)
        wrong += [*broken(page), *too_wide(page)]
    assert wrong == []


@pytest.mark.door("ui")
def test_S18_hostile_names_in_settings_are_text(readers: Readers) -> None:
    reader = readers()
    for path in ("/settings/audit", "/settings/keys"):
        page = reader.see(path)
        page.get_by_text(HOSTILE).first.wait_for()
        assert page.locator("img").count() == 0


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def reader(request: pytest.FixtureRequest, readers: Readers) -> Iterator[Reader]:
    return readers(java_script_enabled=request.param)


@pytest.mark.door("ui")
def test_C11_a_guest_joins_by_a_link(reader: Reader, browser: Browser, served: Api) -> None:
    page = reader.see("/settings/members")
    email = f"guest{len(served.project.access.accounts.users())}@example.com"
    page.get_by_label("E-mail address").fill(email)
    page.locator("form", has_text="Invite somebody").get_by_label("Role").select_option("editor")
    page.get_by_role("button", name="Make a link").click()
    link = page.locator("pre.secret").inner_text()
    with closing(browser.new_context(base_url=served.url)) as context:
        guest = context.new_page()
        guest.goto(link)
        guest.get_by_label("A password").fill("a sentence of the guest's own")
        guest.get_by_role("button", name="Come in").click()
        guest.get_by_role("heading", name="Overview", exact=True).wait_for()
        assert guest.get_by_role("link", name="Settings").is_visible()
        guest.goto("/settings")
        assert guest.get_by_role("link", name="Members").count() == 0
    row = reader.see("/settings/members").get_by_role("row").filter(has_text=email)
    row.get_by_role("button", name="Keep out").click()
    page.get_by_text("The change is kept.").wait_for()
    assert row.get_by_text("Kept out").is_visible()


@pytest.mark.door("ui")
def test_C11_a_token_is_made_used_and_revoked(reader: Reader, served: Api) -> None:
    page = reader.see("/settings/tokens")
    page.get_by_label("Name").fill("nightly")
    page.get_by_label("run, cancel").check()
    page.get_by_role("button", name="Make it").click()
    secret = page.locator("pre.secret").inner_text()
    with served.anybody(headers={"authorization": f"Bearer {secret}"}) as program:
        assert program.get("/syncs").status_code == 200
    page.goto("/settings/tokens")
    assert secret not in page.content()
    page.get_by_role("button", name="Revoke").first.click()
    page.get_by_text("It lets nobody in any more.").wait_for()


@pytest.mark.door("ui")
def test_C11_of_two_people_who_edit_settings_the_second_is_told(
    readers: Readers, served: Api
) -> None:
    first, second = readers(), readers()
    one, page = first.see("/settings"), second.see("/settings")
    one.get_by_label("The audit log").fill("900d")
    one.get_by_role("button", name="Keep these settings").click()
    one.get_by_text("The settings are kept.").wait_for()
    page.get_by_label("The audit log").fill("800d")
    page.get_by_role("button", name="Keep these settings").click()
    alert = page.get_by_role("alert")
    alert.get_by_text("EDIT_CONFLICT").wait_for()
    assert "admin@example.com changed it meanwhile" in alert.inner_text()
    assert page.get_by_label("The audit log").input_value() == "800d"
    kept = served.project.definitions.get("workspace", "acme").document
    assert kept["retention"]["audit"] == "900d"
    page.goto("/settings")
    page.get_by_label("The audit log").fill("soon")
    page.keyboard.press("Enter")
    alert = page.get_by_role("alert")
    assert alert.evaluate("it => it === document.activeElement")
    alert.get_by_role("link").first.click()
    assert page.evaluate("document.activeElement.id") == "audit"


@pytest.mark.door("ui")
def test_C11_every_button_of_the_settings_does_what_it_says(readers: Readers, served: Api) -> None:
    access = served.project.access.accounts
    access.admit("eve@example.com", Role.EDITOR, by=CONSOLE)
    page = readers().see("/settings/keys")
    page.get_by_label("Name").fill("site")
    page.get_by_role("button", name="Make it").click()
    page.locator("pre.secret").wait_for()
    page.goto("/settings/keys")
    page.get_by_role("row", name="site").get_by_role("button", name="Revoke").click()
    page.get_by_text("It lets nobody in any more.").wait_for()
    page.goto("/settings/alerts")
    page.locator("#name").fill("pager")
    page.locator("#type").select_option("webhook")
    page.locator("#url").fill("https://127.0.0.1/pager")
    page.locator("#secret").fill("whsec_" + "C" * 32)
    page.get_by_role("button", name="Make it").click()
    page.get_by_text("The channel is made.").wait_for()
    row = page.get_by_role("row", name="pager")
    row.get_by_role("button", name="Test").click()
    page.get_by_role("alert").get_by_text("ADDRESS_REFUSED").wait_for()
    row.get_by_role("button", name="Remove").click()
    page.get_by_text("The channel is out of use.").wait_for()
    page.get_by_label("Slots passed while no service ran").uncheck()
    page.get_by_role("button", name="Keep these rules").click()
    page.get_by_text("The settings are kept.").wait_for()
    told = served.project.definitions.get("workspace", "acme").document
    assert told["alerts"]["missed_slot"] is False
    page.goto("/settings")
    page.get_by_role("button", name="Forget what is too old now").click()
    page.get_by_text("What was older than the retention is forgotten.").wait_for()
    eve = page.get_by_role("row", name="eve@example.com")
    page.goto("/settings/members")
    for button, said in (
        ("Sign out everywhere", "They are signed out everywhere."),
        ("Keep out", "The change is kept."), ("Let in again", "The change is kept."),
    ):  # fmt: skip
        eve.get_by_role("button", name=button).click()
        page.wait_for_load_state()
        page.get_by_text(said).wait_for()
    assert eve.get_by_text("Active").is_visible()


@pytest.mark.door("ui")
def test_B16_a_channel_is_edited_on_a_page_of_its_own(reader: Reader, served: Api) -> None:
    page = reader.see("/settings/alerts")
    page.get_by_role("link", name="Edit desk").click()
    page.locator("#url").fill("no address")
    page.get_by_role("button", name="Keep the change").click()
    page.get_by_role("alert").wait_for()
    version = served.project.definitions.get("channel", "desk").version
    page.locator("#url").fill(url := f"https://127.0.0.1/{version}")
    page.locator("#secret").fill("whsec_" + "B" * 32)
    page.get_by_role("button", name="Keep the change").click()
    page.get_by_text("The change is kept. Send a test").wait_for()
    kept = served.project.definitions.get("channel", "desk")
    assert (kept.version, kept.document["url"]) == (version + 1, url)
    assert list(kept.secrets) == ["secret"]
