"""Every page of the web UI in each of its states: of 100,000 people, of nothing, wrong, running.

The pictures of `tools/screenshots.py` and the walk of tests/ui/test_states.py look at this table.
"""

import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Page
from starlette.datastructures import State

from rowlift.core.errors import RowliftError
from rowlift.core.nouns import Status
from rowlift.core.progress import Silent
from rowlift.operations.callers import Caller
from rowlift.operations.demo import Demo
from rowlift.operations.project import Project
from rowlift.scheduler.service import ServiceLoop
from rowlift.web.pages.app import pages

PEOPLE = 100_000
PATIENCE = 100  # seconds
ENV = {"ROWLIFT_SHARED_NETWORKS": "127.0.0.0/8"}
WHO = "/people/id:c000198"
TABLE = "/queries/new/table?source=warehouse&schema=shop&table=customers"
FULL, EMPTY, WRONG, RUNNING = "full", "empty", "wrong", "running"
ENTRANCES = ("/setup", "/join", "/login")  # for who has not signed in

# By route, the address of each state that it has. What is not there shows on the full page, too;
# an empty list is that of a workspace with nothing in it.
PAGES: Mapping[str, Mapping[str, str]] = {
    "/": {FULL: "/", EMPTY: "/", RUNNING: "/"},
    "/drafts": {FULL: "/drafts", EMPTY: "/drafts"},
    "/drafts/{number}": {
        FULL: "/drafts/{draft}?look=query", EMPTY: "/drafts/{begun}",
        WRONG: "/drafts/{wrong}?look=query",
    },
    "/syncs": {
        FULL: "/syncs", EMPTY: "/syncs", WRONG: "/syncs?state=failed",
        RUNNING: "/syncs?state=running",
    },
    "/syncs/{name}": {
        FULL: "/syncs/customers", EMPTY: "/syncs/newsletter", WRONG: "/syncs/churn",
        RUNNING: "/syncs/welcome",
    },
    "/plans/{plan_id}": {FULL: "/plans/{first}", EMPTY: "/plans/{nothing}", WRONG: "/syncs/churn"},
    "/syncs/{name}/history": {FULL: "/syncs/newsletter/history"},
    "/syncs/{name}/delete": {FULL: "/syncs/newsletter/delete", WRONG: "/syncs/newsletter/delete"},
    "/runs": {
        FULL: "/runs", EMPTY: "/runs", WRONG: "/runs?failed=true", RUNNING: "/runs?sync=welcome",
    },
    "/runs/{run_id}": {FULL: "/runs/1", WRONG: "/runs/{failed}", RUNNING: "/runs/{live}"},
    "/people": {FULL: "/people", EMPTY: "/people"},
    "/people/{who}": {FULL: WHO, EMPTY: "/people/id:nobody", WRONG: "/people/id:c90002"},
    "/people/{who}/erase": {FULL: f"{WHO}/erase", WRONG: f"{WHO}/erase"},
    "/people/{who}/identifiers": {FULL: f"{WHO}/identifiers", WRONG: f"{WHO}/identifiers"},
    "/find": {FULL: "/find?q=c000198", EMPTY: "/find?q=nobody", WRONG: "/find?q=c90002"},
    "/objects": {FULL: "/objects", EMPTY: "/objects"},
    "/objects/{object_type}": {FULL: "/objects/1", EMPTY: "/objects/1?q=nothing"},
    "/objects/{object_type}/{object_id}": {FULL: "/objects/1/pro", EMPTY: "/objects/1/free"},
    "/segments": {FULL: "/segments", EMPTY: "/segments", WRONG: "/segments"},
    "/segments/{name}": {
        FULL: "/segments/Pilot", EMPTY: "/segments/Nobody", WRONG: "/segments/Pilot",
    },
    "/audiences": {FULL: "/audiences", EMPTY: "/audiences"},
    "/audiences/{name}": {FULL: "/audiences/loyal", EMPTY: "/audiences/giants"},
    "/new/audience": {FULL: "/new/audience"},
    "/audiences/{name}/edit": {FULL: "/audiences/loyal/edit"},
    "/suppressed": {FULL: "/suppressed", EMPTY: "/suppressed"},
    "/queries/new": {
        FULL: "/queries/new?source=warehouse", EMPTY: "/queries/new",
        WRONG: "/queries/new?source=crm",
    },
    "/queries/new/tables": {
        FULL: "/queries/new/tables?source=warehouse",
        EMPTY: "/queries/new/tables?source=warehouse&q=nothing",
        WRONG: "/queries/new/tables?source=crm",
    },
    "/queries/new/table": {FULL: TABLE},
    "/codes/{code}": {FULL: "/codes/EMAIL_TAKEN"},
    "/destinations": {FULL: "/destinations", EMPTY: "/destinations"},
    "/sources": {FULL: "/sources", EMPTY: "/sources"},
    "/destinations/{name}": {
        FULL: "/destinations/helpdesk", EMPTY: "/destinations/archive",
        WRONG: "/destinations/partner", RUNNING: "/destinations/mailer",
    },
    "/sources/{name}": {
        FULL: "/sources/warehouse", EMPTY: "/sources/archive", WRONG: "/sources/crm",
    },
    "/destinations/{name}/delete": {FULL: "/destinations/archive/delete"},
    "/sources/{name}/delete": {FULL: "/sources/archive/delete", WRONG: "/sources/archive/delete"},
    "/sources/{name}/tables": {
        FULL: "/sources/warehouse/tables", EMPTY: "/sources/warehouse/tables?q=nothing",
        WRONG: "/sources/crm/tables",
    },
    "/destinations/{name}/requests": {
        FULL: "/destinations/helpdesk/requests", EMPTY: "/destinations/archive/requests",
        RUNNING: "/destinations/mailer/requests",
    },
    "/destinations/{name}/verify": {
        FULL: "/destinations/lake/verify", EMPTY: "/destinations/archive/verify",
        WRONG: "/destinations/helpdesk/verify",
    },
    "/destinations/{name}/message": {
        FULL: "/destinations/mailer/message", WRONG: "/destinations/tracker/message",
    },
    "/new/destination": {
        FULL: "/new/destination?type=segment", EMPTY: "/new/destination?q=nothing",
    },
    "/new/source": {
        FULL: "/new/source?type=postgres", EMPTY: "/new/source?q=nothing",
        WRONG: "/new/source?type=files",
    },
    "/destinations/{name}/edit": {FULL: "/destinations/mailer/edit"},
    "/sources/{name}/edit": {FULL: "/sources/crm/edit"},
    "/welcome": {FULL: "/welcome", EMPTY: "/welcome"},
    "/settings": {FULL: "/settings"},
    "/settings/audit": {FULL: "/settings/audit?prove=true", EMPTY: "/settings/audit?actor=nobody"},
    "/settings/members": {FULL: "/settings/members", WRONG: "/settings/members"},
    "/settings/tokens": {FULL: "/settings/tokens", EMPTY: "/settings/tokens"},
    "/settings/keys": {FULL: "/settings/keys", EMPTY: "/settings/keys", WRONG: "/settings/keys"},
    "/settings/alerts": {FULL: "/settings/alerts", EMPTY: "/settings/alerts"},
    "/settings/alerts/{name}/edit": {
        FULL: "/settings/alerts/desk/edit", WRONG: "/settings/alerts/desk/edit",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Act:
    """What makes a page tell of something wrong: fields by label, and a button."""

    button: str
    fields: Mapping[str, str] = field(default_factory=dict)

    def on(self, page: Page) -> None:
        """Fill in, press, and wait for what is told."""
        main = page.locator("main")
        for label, value in self.fields.items():
            main.get_by_label(label, exact=False).first.fill(value)
        main.get_by_role("button", name=self.button, exact=True).first.click()
        page.locator(".message").first.wait_for()


ACTS: Mapping[str, Act] = {
    "/plans/{plan_id}": Act("Try 10 rows"),
    "/syncs/{name}/delete": Act("Delete sync", {"to delete it": "another"}),
    "/people/{who}/erase": Act("Erase for good", {"to erase": "another"}),
    "/people/{who}/identifiers": Act("Change identifiers", {"E-mail address": "nobody at all"}),
    "/segments": Act("Make it", {"Name": "Pilot " * 30}),
    "/segments/{name}": Act("Put in", {"Ids or e-mail addresses": "nobody@example.com"}),
    "/sources/{name}/delete": Act("Delete source", {"to delete it": "another"}),
    "/new/source": Act("Save and test", {"Name": "Two Words", "Root": "data"}),
    "/settings/members": Act("Make a link", {"E-mail address": "ann@example.com"}),
    "/settings/keys": Act("Make it", {"Name": "site"}),
    "/settings/alerts/{name}/edit": Act("Keep the change", {"url": "no address"}),
}

ACCOUNTS = """\
sync: plans
description: The plans that customers pay for
preset: import
kind: object
source: warehouse
sql: SELECT DISTINCT plan AS object_id, upper(plan) AS title FROM billing.subscriptions
identify_by: object_id
relationships:
  sql: SELECT customer_id AS id, plan AS object_id FROM billing.subscriptions WHERE plan <> 'free'
    LIMIT 2000
  identify_by: id
schedule: {every: 12h}
"""
QUERY = """\
SELECT customer_id AS user_id, round(sum(total), 2) AS lifetime_value
FROM shop.orders GROUP BY ALL ORDER BY user_id"""
SPENT = {
    "description": "What each customer has spent so far", "preset": "traits",
    "source": "warehouse", "sql": " ".join(QUERY.split()), "identify_by": "user_id",
    "destinations": [{"use": "lake"}],
}  # fmt: skip
FEW = "SELECT customer_id AS user_id, plan FROM billing.subscriptions ORDER BY 1 LIMIT 60"
USUAL: Mapping[str, Any] = {
    "preset": "import", "source": "warehouse", "identify_by": "user_id", "destinations": [],
}  # fmt: skip
SYNCS: Mapping[str, Mapping[str, Any]] = {
    "lifetime_value": SPENT,
    "churn": {**USUAL, "sql": "SELECT customer_id AS user_id, churn_risk FROM shop.customers"},
    "newsletter": {**USUAL, "sql": FEW},
    "welcome": {**USUAL, "sql": FEW, "destinations": [{"use": "mailer", "match": "user_id"}]},
}
LOYAL = {
    "description": "Who pays for more than the least, and has bought three times",
    "where": {"all": [
        {"attribute": "plan", "one_of": ["plus", "pro", "pro plus"]},
        {"attribute": "orders", "at_least": 3},
    ]},
    "split": {"control": 10, "treated": 90},
}  # fmt: skip
GIANTS = {"where": {"attribute": "orders", "at_least": 1_000}}
LOOPBACK = {"type": "webhook", "allow_networks": ["127.0.0.1/32"]}
SOURCES: Mapping[str, Mapping[str, Any]] = {
    "archive": {"type": "duckdb", "path": "warehouse.duckdb"},
    "crm": {
        "type": "postgres", "host": "127.0.0.1", "port": 1, "database": "crm", "user": "rowlift",
        "password": "nobody's",
    },
}  # fmt: skip
DESTINATIONS: Mapping[str, Mapping[str, Any]] = {
    "archive": {"type": "files", "path": "archive", "format": "csv"},
    "partner": {**LOOPBACK, "url": "http://127.0.0.1:1/"},
    "tracker": {"type": "segment", "write_key": "nobody's"},
}
TESTED = (
    ("source", "warehouse"), ("source", "crm"), ("destination", "lake"), ("destination", "partner"),
)  # fmt: skip
DESK = {"type": "webhook", "url": "https://desk.example.com/", "secret": "whsec_" + "A" * 32}


def routes() -> list[str]:
    """Return the address of every page, as its route declares it."""
    declared = pages(State()).openapi()["paths"]
    return [path for path, methods in declared.items() if "get" in methods]


def walk(states: Sequence[str] = (FULL, EMPTY, WRONG)) -> Iterator[tuple[str, str, str]]:
    """Yield route, state and address of every page, but for the lists of an empty workspace."""
    for state in states:
        for route, known in PAGES.items():
            if state in known and not of_nothing(route, state):
                yield route, state, known[state]


def of_nothing(route: str, state: str) -> bool:
    """Tell whether a state is that of a workspace with nothing in it: that of a list."""
    return state == EMPTY and PAGES[route].get(EMPTY) == route


def played(folder: Path) -> None:
    """Play the demo with 100,000 people, and give it a sync of objects."""
    for _ in Demo(folder, Silent(), PEOPLE).play():
        pass
    (folder / "syncs" / "plans.yml").write_text(ACCOUNTS, encoding="utf-8")


def furnished(project: Project, caller: Caller, gate: str) -> dict[str, str]:
    """Add what the demo has no page of otherwise; return what stands in addresses.

    `gate` is the address of a webhook that does not answer as long as pages shall show a run.
    """
    ours = project.definitions.by(caller.name, "ui")
    furniture: Sequence[tuple[str, Mapping[str, Mapping[str, Any]]]] = (
        ("source", SOURCES),
        ("destination", {**DESTINATIONS, "mailer": {**LOOPBACK, "url": gate}}),
        ("channel", {"desk": DESK}),
        ("audience", {"loyal": LOYAL, "giants": GIANTS}),
        ("sync", SYNCS),
    )
    for kind, some in furniture:
        for name, one in some.items():
            ours.create(kind, name, one)
    project.refresh()
    for name in ("plans", "churn"):
        with suppress(RowliftError):
            project.run([name])
    project.create_segment("Pilot")
    project.add_to_segment("Pilot", ["c000198", "c000312", "c000313"])
    project.create_segment("Nobody")
    project.suppress(["former@example.com"], note="asked by mail")
    project.audiences.compute(["loyal", "giants"])
    for kind, name in TESTED:
        project.connections.test(kind, name)
    project.verifications.verify("lake", by=caller.name)
    project.ingest.create_key("site")
    plans = {
        "first": project.plans.make("lifetime_value", by=caller.name, first_rows=10).id,
        "nothing": project.plans.make("plans", by=caller.name).id,
    }
    return {**_begun(project, caller), **plans, "failed": str(project.runs("churn", 1)[0].id)}


def _begun(project: Project, caller: Caller) -> dict[str, str]:
    usual = {"source": "warehouse", "identify_by": "user_id"}
    full = {**usual, "sql": QUERY, "removed": "clear", "destinations": [{"use": "lake"}]}
    drafts: Sequence[tuple[str, str, Mapping[str, Any]]] = (
        ("draft", "spent", {**full, "schedule": {"every": "6h"}}),
        ("begun", "birthdays", {}),
        ("wrong", "churn_risk", {**usual, "sql": "SELECT nope FROM shop.customers"}),
    )
    return {
        at: str(project.drafts.new(name, one, {"way": "sql"}, by=caller).id)
        for at, name, one in drafts
    }


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


def began(project: Project) -> str:
    """Begin the run whose delivery waits at the gate; return its number once it does."""
    project.service.trigger(["welcome"])
    until = time.monotonic() + PATIENCE
    while not is_going_on(project):
        if time.monotonic() > until:
            raise SystemExit("The run that pages shall show did not come to the gate.")
        time.sleep(0.05)
    return str(project.runs("welcome", 1)[0].id)


def is_going_on(project: Project) -> bool:
    """Tell whether the delivery is under way that waits at the gate."""
    sent = [one for run in project.runs("welcome", 1) for one in run.deliveries]
    return any(one.status is Status.RUNNING for one in sent)


def file_name(route: str, state: str) -> str:
    """Return what the picture of a page is called, without its theme."""
    name = re.sub(r"[^a-z_]+", "-", route).strip("-") or "overview"
    return name if state == FULL else f"{name}-{state}"
