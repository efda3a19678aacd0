"""Writes pictures of every page to docs/screenshots: full in both themes, other states in light."""

import socket
import sys
import tempfile
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright
from tools.chromium import ARGUMENTS, program
from tools.pagestates import (
    ACTS,
    EMPTY,
    ENTRANCES,
    ENV,
    FULL,
    PAGES,
    RUNNING,
    WRONG,
    began,
    file_name,
    furnished,
    of_nothing,
    played,
    routes,
    scheduled,
    walk,
)

from rowlift.core.rights import Role
from rowlift.operations.callers import CONSOLE
from rowlift.operations.opening import found
from rowlift.operations.project import Project
from rowlift.state.definitions import Author
from rowlift.web.app import application
from rowlift.web.office import Office
from rowlift.web.rights import COOKIE
from rowlift.web.server import HttpServer

FOLDER = Path(__file__).parents[1] / "docs" / "screenshots"
THEMES = ("light", "dark")
SIZE: ViewportSize = {"width": 1280, "height": 900}
MOST_HIGH = 1300  # pixels of a long page
QUALITY = 50
INTERNAL = 500  # what a server answers that failed


def files() -> Iterator[tuple[str, str, str]]:
    """Yield route, state and theme of every picture."""
    for route in ENTRANCES:
        yield from ((route, FULL, theme) for theme in THEMES)
    for route, states in PAGES.items():
        for state in states:
            yield from ((route, state, theme) for theme in THEMES[: 1 + (state == FULL)])


def file_of(route: str, state: str, theme: str) -> Path:
    """Return where a picture is kept."""
    return FOLDER / f"{file_name(route, state)}-{theme}.webp"


def main(only: Sequence[str]) -> int:
    """Take all pictures anew, or those of some routes; raises SystemExit where there is none."""
    if unknown := {*only} - {*routes()}:
        raise SystemExit(f"No page is at {', '.join(sorted(unknown))}: try {', '.join(routes())}.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in () if only else FOLDER.glob("*.webp"):
        old.unlink()
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=ARGUMENTS)
        for route, state, page in _seen(browser, Path(scratch)):
            for one, at, theme in files():
                if (one, at) == (route, state) and (not only or route in only):
                    take(page, theme, file_of(route, state, theme))
        browser.close()
    taken = [path.stat().st_size for path in FOLDER.iterdir()]
    print(f"{len(taken)} pictures, {sum(taken) / 1e6:.1f} MB, in {FOLDER}")
    return 0


def _seen(browser: Browser, scratch: Path) -> Iterator[tuple[str, str, Page]]:
    """Yield each page as it is open, with its route and state."""
    with ExitStack() as stack:
        gate = stack.enter_context(socket.create_server(("127.0.0.1", 0)))  # it never answers
        played(scratch / "acme")
        full = stack.enter_context(_visited(browser, scratch / "acme"))
        yield from full.strangers()
        full.comes_in()
        made = full.furnished(f"http://127.0.0.1:{gate.getsockname()[1]}/")
        with scheduled(full.project):
            made["live"] = began(full.project)
            yield from full.walks((RUNNING,), made)
            full.project.service.cancel(int(made["live"]))
            yield from full.walks((FULL, EMPTY, WRONG), made)
    (scratch / "empty").mkdir()
    found(scratch / "empty", ENV, "acme", Author("console", "cli"))
    with _visited(browser, scratch / "empty") as empty:
        empty.comes_in()
        for route in PAGES:
            if of_nothing(route, EMPTY):
                yield route, EMPTY, opened(empty.context, route)


@dataclass(slots=True)
class _Visit:
    """A browser at the pages of a project."""

    project: Project
    context: BrowserContext
    url: str
    session: str = ""

    def strangers(self) -> Iterator[tuple[str, str, Page]]:
        """Yield the pages of who has not signed in, and make the first admin on the way."""
        accounts = self.project.access.accounts
        code = accounts.setup_code()
        yield "/setup", FULL, opened(self.context, f"/setup?code={code}")
        self.comes_in()
        self.context.clear_cookies()
        invited = accounts.invite("bob@example.com", Role.EDITOR, by=CONSOLE)
        yield "/join", FULL, opened(self.context, f"/join?code={invited.code}")
        yield "/login", FULL, opened(self.context, "/login")

    def comes_in(self) -> None:
        """Go on as an admin."""
        if not self.session:
            access = self.project.access
            admin = access.accounts.admit("ann@example.com", Role.ADMIN, by=CONSOLE)
            self.session = access.sessions.sign_in(admin, address="127.0.0.1")
        self.context.add_cookies([{"name": COOKIE, "value": self.session, "url": self.url}])

    def furnished(self, gate: str) -> dict[str, str]:
        """Fill the workspace; return what stands in addresses."""
        caller = self.project.access.sessions.caller(self.session)
        return furnished(self.project, caller, gate)

    def walks(self, states: Sequence[str], made: dict[str, str]) -> Iterator[tuple[str, str, Page]]:
        """Yield the pages in some of their states."""
        for route, state, path in walk(states):
            page = opened(self.context, path.format(**made))
            if state == WRONG and (act := ACTS.get(route)):
                act.on(page)
            yield route, state, page


@contextmanager
def _visited(browser: Browser, folder: Path) -> Iterator[_Visit]:
    """Serve the project of a folder, and open a browser at it."""

    def make() -> Project:
        return Project(folder, env=ENV)

    with (
        make() as project,
        HttpServer(application(Office(make))) as server,
        browser.new_context(base_url=server.url, viewport=SIZE) as context,
    ):
        yield _Visit(project, context, server.url)


def opened(context: BrowserContext, path: str) -> Page:
    """Open a page alone; raises SystemExit where the server could not answer."""
    for before in context.pages:
        before.close()
    page = context.new_page()
    answer = page.goto(path)
    if answer is None or answer.status == INTERNAL:
        raise SystemExit(f"{path} could not be answered.")
    return page


def take(page: Page, theme: str, path: Path) -> None:
    """Take the picture of a page as it is open."""
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
    high = int(page.evaluate("document.documentElement.scrollHeight"))
    height = min(max(SIZE["height"], high), MOST_HIGH)
    page.set_viewport_size({"width": SIZE["width"], "height": height})
    page.evaluate("document.fonts.ready")
    taken = page.context.new_cdp_session(page).send(
        "Page.captureScreenshot", {"format": "webp", "quality": QUALITY}
    )
    path.write_bytes(b64decode(taken["data"]))
    page.set_viewport_size(SIZE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
