"""Writes a picture of every page, in both themes, of the demo project to docs/screenshots."""

import re
import sys
import tempfile
import threading
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright
from starlette.datastructures import State

from rowlift.core.progress import Silent
from rowlift.core.rights import Role
from rowlift.operations.callers import CONSOLE, Caller
from rowlift.operations.demo import Demo
from rowlift.operations.project import Project
from rowlift.scheduler.service import ServiceLoop
from rowlift.web.app import application
from rowlift.web.office import Office
from rowlift.web.pages.app import pages
from rowlift.web.rights import COOKIE
from rowlift.web.server import HttpServer

FOLDER = Path(__file__).parents[1] / "docs" / "screenshots"
CHROMIUM = "/usr/bin/chromium"
THEMES = ("light", "dark")
SIZE: ViewportSize = {"width": 1280, "height": 900}
MOST_HIGH = 1300  # pixels of a long page
QUALITY = 50

ACCOUNTS = """\
sync: plans
description: The plans that customers pay for
preset: import
kind: object
source: warehouse
sql: SELECT DISTINCT plan AS object_id, upper(plan) AS title FROM billing.subscriptions
identify_by: object_id
schedule: {every: 12h}
"""
QUERY = """\
SELECT customer_id AS user_id, round(sum(total), 2) AS lifetime_value
FROM shop.orders GROUP BY ALL ORDER BY user_id"""
VALUES = f"""\
sync: lifetime_value
description: What each customer has spent so far
preset: traits
kind: person
source: warehouse
sql: {" ".join(QUERY.split())}
identify_by: user_id
destinations: [{{use: lake}}]
"""
DRAFT = {
    "source": "warehouse", "sql": QUERY, "identify_by": "user_id", "removed": "clear",
    "destinations": [{"use": "lake"}], "schedule": {"every": "6h"},
}  # fmt: skip

LOYAL = {
    "description": "Who pays for more than the least, and has bought three times",
    "where": {"all": [
        {"attribute": "plan", "one_of": ["plus", "pro", "pro plus"]},
        {"attribute": "orders", "at_least": 3},
    ]},
    "split": {"control": 10, "treated": 90},
}  # fmt: skip

# What stands in for a part of an address: by its page, by its area, or wherever it appears.
_PARTS: Mapping[str, str] = {
    "/syncs name": "customers", "/destinations name": "helpdesk", "/sources name": "warehouse",
    "/destinations/{name}/verify name": "lake", "/segments name": "Pilot",
    "/audiences name": "loyal", "/settings name": "desk",
    "object_type": "1", "object_id": "pro",
    "who": "id:c00198", "code": "EMAIL_TAKEN", "run_id": "1",
    **{f"/{kind}/{{name}}/{act} name": "archive"
       for kind in ("sources", "destinations") for act in ("edit", "delete")},
}  # fmt: skip
_QUERIES: Mapping[str, str] = {
    "/find": "?q=c00198",
    "/drafts/{number}": "?look=query",
    "/new/source": "?type=postgres",
    "/new/destination": "?type=segment",
    "/queries/new": "?source=warehouse",
    "/queries/new/tables": "?source=warehouse",
    "/queries/new/table": "?source=warehouse&schema=shop&table=customers",
}
ENTRANCES = ("/setup", "/join", "/login")  # for who has not signed in


def routes() -> list[str]:
    """Return the address of every page, as its route declares it."""
    declared = pages(State()).openapi()["paths"]
    return [path for path, methods in declared.items() if "get" in methods]


def address(route: str, made: Mapping[str, str]) -> str:
    """Return the address of a page of the demo; `made` names what was made for it."""
    whole = {**_PARTS, **made}
    area = "/" + route.split("/")[1]

    def part(found: re.Match[str]) -> str:
        at = (f"{route} {found[1]}", f"{area} {found[1]}", found[1])
        if known := next((whole[one] for one in at if one in whole), ""):
            return known
        raise SystemExit(f"Say in _PARTS what stands for {found[1]} in {route}.")

    return re.sub(r"\{(\w+)\}", part, route) + _QUERIES.get(route, "")


def file_of(route: str, theme: str) -> Path:
    """Return where the picture of a page is kept."""
    name = re.sub(r"[^a-z_]+", "-", route).strip("-") or "overview"
    return FOLDER / f"{name}-{theme}.webp"


def main(only: Sequence[str]) -> int:
    """Take all pictures anew, or those of some routes; raises SystemExit where there is none."""
    if unknown := {*only} - {*routes()}:
        raise SystemExit(f"No page is at {', '.join(sorted(unknown))}: try {', '.join(routes())}.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in () if only else FOLDER.glob("*.webp"):
        old.unlink()
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch) / "acme"
        for _ in Demo(folder, Silent()).play():
            pass
        for name, text in (("plans", ACCOUNTS), ("lifetime_value", VALUES)):
            (folder / "syncs" / f"{name}.yml").write_text(text, encoding="utf-8")
        project = stack.enter_context(Project(folder))
        url = stack.enter_context(HttpServer(application(Office(lambda: Project(folder))))).url
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for route, page in _seen(browser, project, url):
            for theme in THEMES if not only or route in only else ():
                take(page, theme, file_of(route, theme))
        browser.close()
    taken = [path.stat().st_size for path in FOLDER.iterdir()]
    print(f"{len(taken)} pictures, {sum(taken) / 1e6:.1f} MB, in {FOLDER}")
    return 0


def _seen(browser: Browser, project: Project, url: str) -> Iterator[tuple[str, Page]]:
    """Yield each page as it is open: those for strangers first, as the first admin is made."""
    access = project.access
    stranger = browser.new_context(base_url=url, viewport=SIZE)
    yield "/setup", opened(stranger, f"/setup?code={access.accounts.setup_code()}")
    admin = access.accounts.create_user(
        "ann@example.com", Role.ADMIN, "a long sentence of ann's", by=CONSOLE
    )
    invited = access.accounts.invite("bob@example.com", Role.EDITOR, by=CONSOLE)
    yield "/join", opened(stranger, f"/join?code={invited.code}")
    yield "/login", opened(stranger, "/login")
    stranger.close()
    context = browser.new_context(base_url=url, viewport=SIZE)
    session = access.sessions.sign_in(admin, address="127.0.0.1")
    context.add_cookies([{"name": COOKIE, "value": session, "url": url}])
    made = _furnished(project, access.sessions.caller(session))
    with scheduled(project):
        for route in routes():
            if route not in ENTRANCES:
                yield route, opened(context, address(route, made))
    context.close()


@contextmanager
def scheduled(project: Project) -> Iterator[None]:
    """Run the schedules of a project beside a block."""
    loop = ServiceLoop(project.serving())
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield
    finally:
        loop.end()
        thread.join()


def _furnished(project: Project, caller: Caller) -> Mapping[str, str]:
    """Add to the demo what it has no page of otherwise; return the numbers of what was made."""
    project.run(["plans"])
    project.create_segment("Pilot")
    project.add_to_segment("Pilot", ["c00198", "c00312", "c00313"])
    project.suppress(["former@example.com"], note="asked by mail")
    project.debug()
    project.verifications.verify("lake", by=caller.name)
    ours = project.definitions.by(caller.name, "ui")
    ours.create("source", "archive", {"type": "duckdb", "path": "warehouse.duckdb"})
    ours.create("destination", "archive", {"type": "files", "path": "archive", "format": "csv"})
    hook = {"type": "webhook", "url": "https://desk.example.com/", "secret": "whsec_" + "A" * 32}
    ours.create("channel", "desk", hook)
    ours.create("audience", "loyal", LOYAL)
    project.refresh()
    project.audiences.compute(["loyal"])
    draft = project.drafts.new("orders", DRAFT, {"way": "sql"}, by=caller)
    plan = project.plans.make("lifetime_value", by=caller.name, first_rows=10)
    return {"number": str(draft.id), "plan_id": plan.id}


def opened(context: BrowserContext, path: str) -> Page:
    """Open a page alone; raises SystemExit where it answers with something wrong."""
    for before in context.pages:
        before.close()
    page = context.new_page()
    answer = page.goto(path)
    if answer is None or not answer.ok:
        raise SystemExit(f"{path} answered {answer.status if answer else 'nothing'}.")
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
