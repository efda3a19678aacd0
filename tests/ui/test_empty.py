"""Every list while there is nothing in it, and the doors to a workspace, in both themes."""

from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import Browser, Page

from doors.api import Api, served_by
from rowlift import Project
from rowlift.operations.opening import found
from rowlift.state.definitions import Author
from ui.conftest import Reader
from ui.looks import broken, too_wide

ENDS = (390, 1440)  # pixels
LISTS = (
    "/", "/drafts", "/syncs", "/runs", "/people", "/objects", "/segments", "/audiences",
    "/suppressed", "/queries/new", "/destinations", "/sources", "/welcome", "/settings",
    "/settings/tokens", "/settings/keys", "/settings/alerts", "/settings/audit?actor=nobody",
)  # fmt: skip
DOORS = (
    ("/login", {"E-mail": "a@example.com", "Password": "x"}, "Sign in", "LOGIN_WRONG"),
    ("/join", {"Code": "1-2", "password": "a long sentence"}, "Come in", "INVITATION_WRONG"),
)


def test_no_page_of_an_empty_workspace_breaks_a_rule_of_accessibility(
    browser: Browser, tmp_path: Path
) -> None:
    folder = tmp_path / "acme"
    folder.mkdir()
    found(folder, {}, "acme", Author("console", "cli"))

    def make() -> Project:
        return Project(folder, env={})

    with make() as project, served_by(make) as url, browser.new_context(base_url=url) as context:
        reader, api = Reader(context), Api(url, project)
        wrong = [*_looked(reader.see("/setup"))]
        sign_up = {"One-time code": "1-2", "E-mail": "a@example.com", "password": "a sentence"}
        wrong += _refused(reader.page, sign_up, "Make me the admin", "SETUP_CODE_WRONG")
        reader.becomes("admin@example.com", api)
        for path in LISTS:
            page = reader.see(path)
            twin = page.request.get(path, headers={"accept": "application/json"}).json()
            assert not twin.get("items"), path
            wrong += _looked(page)
        context.clear_cookies()
        for path, fields, button, code in DOORS:
            wrong += _looked(reader.see(path))
            wrong += _refused(reader.page, fields, button, code)
        complaints = [one for one in reader.complaints if "Failed to load" not in one]
    assert (wrong, complaints) == ([], [])


def _looked(page: Page, state: str = "") -> list[tuple[str, ...]]:
    return [*broken(page, state), *too_wide(page, state, ENDS)]


def _refused(
    page: Page, fields: Mapping[str, str], button: str, code: str
) -> list[tuple[str, ...]]:
    """Send a form that is refused with a code; returns what is wrong with how that is told."""
    for label, value in fields.items():
        page.get_by_label(label).fill(value)
    page.get_by_role("button", name=button).click()
    page.get_by_text(code).wait_for()
    return _looked(page, code)
