"""A browser for the worker, and for each module a project with something in it, served."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tools.chromium import ARGUMENTS, program

import rowlift
from doors.api import PASSWORD, Api, served_by
from rowlift.core.rights import Role
from rowlift.operations.callers import CONSOLE
from rowlift.scheduler.service import ServiceLoop
from rowlift.web import app
from rowlift.web.queries import Seats
from rowlift.web.rights import COOKIE
from world import World

REFUSED = re.compile(r"the server responded with a status of (404|409|412|422|429|502)")  # a form
PATIENCE = 60_000  # milliseconds until what must come counts as missing
HOSTILE = "<img src=x onerror=alert(1)>\"'{{7*7}}"


expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")  # its loop keeps others of the thread from running
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def gate() -> Iterator[tuple[str, threading.Event]]:
    """A webhook that answers when it is let to; its address, and what lets it."""
    opened = threading.Event()

    class Gate(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            opened.wait(600)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Gate) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", opened
        opened.set()
        server.shutdown()
        thread.join(60)


@pytest.fixture(scope="module")
def shop(
    tmp_path_factory: pytest.TempPathFactory, gate: tuple[str, threading.Event]
) -> World:  # fmt: skip
    """Syncs with good, bad and hostile rows: one ran twice, one never, one waits for the gate."""
    world = World(tmp_path_factory.mktemp("ui") / "acme", ("user_id", "email", "plan"))
    world.sync |= {"workspace": "write", "schedule": {"every": "12h"}}
    world.rows(("ann", "ann@example.com", "pro"), ("bob", "bob@example.com", "free"))
    world.others["gate"] = {"type": "webhook", "url": gate[0], "allow_networks": ["127.0.0.1/32"]}
    world.save()
    plain = {name: value for name, value in world.sync.items() if name != "schedule"}
    to_gate = [{"use": "gate", "match": "user_id"}]
    world.write("syncs/watched.yml", {**plain, "sync": "watched", "destinations": to_gate})
    world.write("syncs/idle.yml", {**plain, "sync": "idle", "destinations": []})
    world.run()
    world.rows(
        ("ann", "ann@example.com", HOSTILE), (HOSTILE, "eve@example.com", "pro"),
        ("", "nobody@example.com", "pro"), ("zoe", HOSTILE, "pro"),
    )  # fmt: skip
    world.run()
    _peopled(world)
    return world


def _peopled(world: World) -> None:
    """Add accounts, a segment and somebody who is suppressed; some of them hostile."""
    rows = ("object_id,title", f'acme,"{HOSTILE.replace(chr(34), 2 * chr(34))}"')
    (world.folder / "data" / "accounts.csv").write_text("\n".join(rows) + "\n")
    accounts = {"kind": "object", "identify_by": "object_id", "sql": "SELECT * FROM accounts"}
    said = {"sync": "accounts", "preset": "import", "source": "shop", **accounts}
    world.write("syncs/accounts.yml", said)
    with world.project() as project:
        project.run(["accounts"])
        for name in ("Beta", HOSTILE):
            project.create_segment(name)
            project.add_to_segment(name, ["ann", HOSTILE])
        project.suppress(["bob"], note=HOSTILE, wait=False)


@pytest.fixture(scope="module")
def env() -> dict[str, str]:
    """The variables that the project's files refer to."""
    return {}


@pytest.fixture(scope="module")
def seats() -> Iterator[Seats]:
    """The places of those who ask something that takes long, as whoever serves has them."""
    with pytest.MonkeyPatch.context() as patch:
        seats = Seats()
        patch.setattr(app, "Seats", lambda: seats)
        yield seats


@pytest.fixture(scope="module")
def served(shop: World, env: dict[str, str], seats: Seats) -> Iterator[Api]:  # noqa: ARG001
    """The project with its service, as `rowlift serve` runs both."""

    def make() -> rowlift.Project:
        return rowlift.Project(shop.folder, env=env)

    with make() as project, served_by(make) as url:
        access = project.access.accounts
        access.create_user("admin@example.com", Role.ADMIN, PASSWORD.format("admin"), by=CONSOLE)
        loop = ServiceLoop(project.serving())
        thread = threading.Thread(target=loop.run, name="service")
        thread.start()
        try:
            yield Api(url, project)
        finally:
            loop.end()
            thread.join(60)


@pytest.fixture(scope="module")
def signed_in(browser: Browser, served: Api, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the cookies of somebody lie who has signed in once."""
    kept = tmp_path_factory.mktemp("cookies") / "admin.json"
    with browser.new_context(base_url=served.url) as context:
        page = context.new_page()
        page.goto("/")
        page.get_by_label("E-mail address").fill("admin@example.com")
        page.get_by_label("Password").fill(PASSWORD.format("admin"))
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Overview", exact=True).wait_for()
        context.storage_state(path=kept)
    return kept


class Reader:
    """Somebody's browser, and what it complained of."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.complaints: list[str] = []
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.on("console", lambda said: self._heard(said.type, said.text))

    def _heard(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not REFUSED.search(text):
            self.complaints.append(text)

    def see(self, path: str) -> Page:
        self.page.goto(path)
        return self.page

    def becomes(self, email: str, served: Api) -> "Reader":
        """Go on as another admin, who signed in elsewhere."""
        access = served.project.access
        user = access.accounts.admit(email, Role.ADMIN, by=CONSOLE)
        session = access.sessions.sign_in(user, address="127.0.0.1")
        self.context.clear_cookies()
        self.context.add_cookies([{"name": COOKIE, "value": session, "url": served.url}])
        return self


@pytest.fixture
def readers(browser: Browser, served: Api, signed_in: Path) -> Iterator[object]:
    """Make a signed-in reader with a theme and a width; at the end nothing was complained of."""
    made: list[Reader] = []

    def reader(**how: object) -> Reader:
        given = {"viewport": {"width": 1360, "height": 880}} | how
        context = browser.new_context(base_url=served.url, storage_state=signed_in, **given)
        made.append(Reader(context))
        return made[-1]

    yield reader
    complaints = [one for each in made for one in each.complaints]
    for each in made:
        each.context.close()
    assert complaints == []
