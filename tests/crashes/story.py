"""A small project and what happens to it, in steps that a child process can be killed in."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import rowlift
from rowlift.core.errors import RowliftError
from rowlift.testing.clock import QuickClock

ROWLIFT = "version: 1\nworkspace: {name: acme, identifiers: [id, email]}\n"

CONNECTIONS = """\
default: dev
profiles:
  dev:
    sources:
      shop: {type: sqlite, path: shop.db}
    destinations:
      crm:
        type: sandbox
        path: crm.jsonl
        batch_rows: 3
        in_flight: 2
        lost_replies: 0.2
        poison: [p5]
"""

SYNC = """\
sync: people
preset: import
kind: person
source: shop
sql: SELECT user_id, email, plan, orders FROM people
identify_by: user_id
removed: delete
destinations:
  - {use: crm, match: user_id, removed: delete}
"""

FIRST = [(f"p{n}", f"p{n}@example.com", "free", n) for n in range(1, 9)]


def write_project(folder: Path) -> None:
    (folder / "syncs").mkdir(parents=True)
    (folder / "rowlift.yml").write_text(ROWLIFT)
    place = CONNECTIONS.replace("shop.db", str(folder / "shop.db"))
    (folder / "connections.yml").write_text(place.replace("crm.jsonl", str(folder / "crm.jsonl")))
    (folder / "syncs" / "people.yml").write_text(SYNC)
    with sqlite3.connect(folder / "shop.db") as shop:
        shop.execute("CREATE TABLE people (user_id TEXT, email TEXT, plan TEXT, orders INTEGER)")
        shop.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", FIRST)
        shop.execute("INSERT INTO people VALUES (NULL, 'nobody@example.com', 'free', 0)")


def source_rows(folder: Path) -> dict[str, dict[str, object]]:
    query = "SELECT user_id, email, plan, orders FROM people WHERE user_id IS NOT NULL"
    with sqlite3.connect(folder / "shop.db") as shop:
        return {
            key: {"email": email, "plan": plan, "orders": orders}
            for key, email, plan, orders in shop.execute(query)
        }


def change_shop(folder: Path) -> None:
    with sqlite3.connect(folder / "shop.db") as shop:
        shop.execute("UPDATE people SET plan = 'pro' WHERE user_id IN ('p1', 'p2', 'p5')")
        shop.execute("DELETE FROM people WHERE user_id IN ('p3', 'p4')")
        shop.execute("INSERT INTO people VALUES ('p9', 'p9@example.com', 'free', 9)")


def open_project(folder: Path, url: str | None) -> "rowlift.Project":
    env = {"ROWLIFT_STATE_URL": url} if url else {}
    return rowlift.Project(folder, clock=QuickClock(), env=env)


def prepare(folder: Path, url: str | None) -> None:
    with open_project(folder, url) as project:
        project.ls()


def run(folder: Path, url: str | None) -> None:
    with open_project(folder, url) as project:
        project.run(["people"])


def run_guarded(folder: Path, url: str | None) -> None:
    """Empty the shop, be stopped by the guard, put the rows back."""
    with sqlite3.connect(folder / "shop.db") as shop:
        kept = shop.execute("SELECT * FROM people").fetchall()
        shop.execute("DELETE FROM people")
    try:
        run(folder, url)
    except RowliftError as error:
        if error.code != "EMPTIED":
            raise
    finally:
        with sqlite3.connect(folder / "shop.db") as shop:
            shop.execute("DELETE FROM people")
            shop.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", kept)


def retry(folder: Path, url: str | None) -> None:
    with open_project(folder, url) as project:
        project.retry(project.runs("people", limit=1)[0].id)


def reset(folder: Path, url: str | None) -> None:
    with open_project(folder, url) as project:
        project.reset("people")


def plan_and_apply(folder: Path, url: str | None) -> None:
    with open_project(folder, url) as project:
        project.plan("people", folder / "people.plan")
        project.run(plan=folder / "people.plan")


def interrupted(folder: Path, url: str | None) -> None:
    """Find the run that a dead process left, and finish it."""
    run(folder, url)


STEPS: dict[str, Callable[[Path, str | None], None]] = {
    "open": prepare,
    "first run": run,
    "second run": run,
    "stopped by a guard": run_guarded,
    "retry": retry,
    "reset": reset,
    "plan and apply": plan_and_apply,
    "resumed run": interrupted,
}
