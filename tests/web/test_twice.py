"""A form that one page sends twice is done once, and answered twice; without any script."""

import re
from concurrent.futures import ThreadPoolExecutor

import httpx

from doors.api import Api
from rowlift.core.rights import Role
from rowlift.operations.callers import CONSOLE
from web.test_draft_pages import WHOLE, begun
from web.test_pages import Reader

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def token_of(page: httpx.Response) -> str:
    """Return the token that the forms of a page hold."""
    (found,) = {*re.findall(r'name="csrf" value="([^"]+)"', page.text)}
    return found


def twice(reader: Reader, path: str, **fields: str) -> list[httpx.Response]:
    """Send a form twice at once, as a browser does whose button is pressed twice."""
    with ThreadPoolExecutor(2) as pool:
        sent = [
            pool.submit(reader.client.post, path, data=fields, headers=BROWSER) for _ in range(2)
        ]
        return [one.result() for one in sent]


def test_a_form_that_is_sent_twice_acts_once_and_is_answered_twice(api: Api) -> None:
    with Reader(api, Role.ADMIN) as admin:
        form = {
            "csrf": token_of(admin.get("/settings/tokens")),
            "name": "nightly",
            "rights": "read",
        }
        one, other = twice(admin, "/settings/tokens", **form)
        assert one.text == other.text
        assert "nightly" in one.text
        assert len(api.project.access.tokens.all(by=CONSOLE)) == 1
        again = {**form, "csrf": token_of(admin.get("/settings/tokens"))}
        twice(admin, "/settings/tokens", **again)  # from another page, so somebody means it
        assert len(api.project.access.tokens.all(by=CONSOLE)) == 2

        at = begun(admin)
        whole = {"version": "1", **WHOLE, "do": "start", "csrf": token_of(admin.get(at))}
        one, other = twice(admin, f"{at}/start", **whole)
        assert one.headers["location"] == other.headers["location"]
        assert other.headers["location"].startswith("/syncs/plans?said=")


def test_nobody_gets_the_answer_of_somebody_else(api: Api) -> None:
    with Reader(api, Role.ADMIN) as admin, Reader(api, Role.VIEWER) as viewer:
        form = {
            "csrf": token_of(admin.get("/settings/tokens")),
            "name": "nightly",
            "rights": "read",
        }
        answer = admin.client.post("/settings/tokens", data=form, headers=BROWSER)
        assert answer.status_code == 200
        stolen = viewer.client.post("/settings/tokens", data=form, headers=BROWSER)
        assert (stolen.status_code, "CSRF_WRONG" in stolen.text) == (403, True)
