"""A small project and what happens to it, in steps that a child process can be killed in.

Files are named relative to the project, so that a prepared folder can be copied.
"""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import rowlift
from rowlift.core.errors import Busy, GuardStop
from rowlift.operations.kinds import KINDS
from rowlift.operations.opening import open_home
from rowlift.operations.reports import RunReport
from rowlift.project.files import load
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
        seed: 2
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
suppressed: fail
segment: {name: Customers, create: true}
destinations:
  - {use: crm, match: user_id, removed: delete}
"""

IN_FLIGHT = 2
BATCH_ROWS = 3

FIRST = [(f"p{n}", f"p{n}@example.com", "free", n) for n in range(1, 9)]
NOBODY = (None, "nobody@example.com", "free", 0)


def write_project(folder: Path) -> None:
    (folder / "syncs").mkdir(parents=True)
    (folder / "rowlift.yml").write_text(ROWLIFT)
    (folder / "connections.yml").write_text(CONNECTIONS)
    (folder / "syncs" / "people.yml").write_text(SYNC)
    with sqlite3.connect(folder / "shop.db") as shop:
        shop.execute("CREATE TABLE people (user_id TEXT, email TEXT, plan TEXT, orders INTEGER)")
        shop.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", [*FIRST, NOBODY])


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


def add_to_shop(folder: Path) -> None:
    with sqlite3.connect(folder / "shop.db") as shop:
        shop.execute("UPDATE people SET plan = 'pro' WHERE user_id IN ('p1', 'p2')")
        shop.execute("INSERT INTO people VALUES ('p9', 'p9@example.com', 'free', 9)")


def empty_shop(folder: Path) -> None:
    with sqlite3.connect(folder / "shop.db") as shop:
        shop.execute("DELETE FROM people")


def restore_shop(folder: Path) -> None:
    empty_shop(folder)
    refill_shop(folder)


def refill_shop(folder: Path) -> None:
    with sqlite3.connect(folder / "shop.db") as shop:
        shop.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", [*FIRST, NOBODY])


def heal_poison(folder: Path) -> None:
    _edit(folder, "poison: [p5]", "poison: []")


def move_account(folder: Path) -> None:
    change_shop(folder)
    _edit(folder, "lost_replies: 0.2", "account: another")


def lose_secret(folder: Path) -> None:
    change_shop(folder)
    _edit(folder, "lost_replies: 0.2", 'account: "${ROWLIFT_TEST_NOT_SET}"')


def mend_connections(folder: Path) -> None:
    (folder / "connections.yml").write_text(CONNECTIONS)


def _edit(folder: Path, old: str, new: str) -> None:
    (folder / "connections.yml").write_text(CONNECTIONS.replace(old, new))


def nothing(folder: Path) -> None:
    """Leave the shop as it is."""


# what a child does


def environment(url: str | None) -> dict[str, str]:
    return {"ROWLIFT_STATE_URL": url} if url else {}


def open_project(folder: Path, url: str | None) -> "rowlift.Project":
    return rowlift.Project(folder, clock=QuickClock(), env=environment(url))


def look(folder: Path, url: str | None) -> None:
    with open_project(folder, url) as project:
        project.ls()


def run(folder: Path, url: str | None) -> None:
    with open_project(folder, url) as project:
        keep_report(folder, project.run(["people"])[0])


def run_twice(folder: Path, url: str | None) -> None:
    """Finish what is left, then show that nothing is left; remember the log in between."""
    with open_project(folder, url) as project:
        project.run(["people"])
        for name in project.paused():  # by an undo
            project.resume(name)
        log = folder / "crm.jsonl"
        (folder / "log.size").write_text(str(log.stat().st_size))
        keep_report(folder, project.run(["people"])[0])


def keep_report(folder: Path, report: RunReport) -> None:
    (folder / "report.json").write_text(json.dumps(asdict(report)))


def run_guarded(folder: Path, url: str | None) -> None:
    try:
        run(folder, url)
    except GuardStop as stopped:
        if stopped.code != "EMPTIED":
            raise


def run_while_busy(folder: Path, url: str | None) -> None:
    """Be skipped because another process, played by this one, is in the middle of a run."""
    home = open_home(load(folder, KINDS), environment(url))
    sync = home.project.syncs["people"]
    other = home.store.runs.open(home.workspace_id, home.syncs["people"], sync.to_json())
    try:
        with home.store.runs.lease(other):
            run(folder, url)
    except Busy:
        return
    finally:
        home.store.close()


def retry(folder: Path, url: str | None) -> None:
    with open_project(folder, url) as project:
        project.retry(project.runs("people", limit=1)[0].id)


def run_changed(folder: Path, url: str | None) -> None:
    change_shop(folder)
    run(folder, url)


def run_first_rows(folder: Path, url: str | None) -> None:
    """Take the first rows of the result alone; whom the rest names stays as it was."""
    with open_project(folder, url) as project:
        keep_report(folder, project.run(["people"], first_rows=3)[0])


def undo(folder: Path, url: str | None) -> None:
    """Take back what the last run did; who it removed and made, too."""
    with open_project(folder, url) as project:
        keep_report(folder, project.undo(project.runs("people", limit=1)[0].id))
        project.resume("people")


def suppress(folder: Path, url: str | None) -> None:
    with open_project(folder, url) as project:
        project.suppress(["p6"])


def unsuppress(folder: Path, url: str | None) -> None:
    with open_project(folder, url) as project:
        project.unsuppress(["p6"])


def reset(folder: Path, url: str | None) -> None:
    with open_project(folder, url) as project:
        project.reset("people")


def plan_and_apply(folder: Path, url: str | None) -> None:
    with open_project(folder, url) as project:
        project.plan("people", folder / "people.plan")
        keep_report(folder, project.run(plan=folder / "people.plan")[0])


Step = Callable[[Path, str | None], None]

STEPS: dict[str, Step] = {
    step.__name__: step
    for step in (
        look, run, run_changed, run_twice, run_guarded, run_while_busy, retry, reset,
        plan_and_apply, suppress, unsuppress, undo, run_first_rows,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scenario:
    """One step that is killed, what came before it, and what the shop does around it.

    `first_kill` names a point at which the step before was killed already; `only` names the
    points that are walked and `until` the point at which the walk ends, where those of an
    ordinary run were walked before.
    """

    name: str
    act: str
    before: tuple[str, ...] = ()
    shop_before: Callable[[Path], None] = nothing
    shop_after_kill: Callable[[Path], None] = nothing
    first_kill: str = ""
    until: str = ""
    poisoned: frozenset[str] = frozenset({"p5"})
    only: frozenset[str] = frozenset()


RESUMED_AT = (
    "run.read.before_commit:1",
    "run.merge.after_commit:1",
    "apply.slice.after_commit:1",
    "delivery.batch.before_commit:1",
    "delivery.record.before_commit:1",
)

KILLED_AGAIN_AT = frozenset(
    {
        "run.take_over.after_commit",
        "file.after_rename",
        "run.merge.before_commit",
        "apply.slice.before_commit",
        "run.record.before_commit",
        "delivery.claim.after_commit",
        "deliver.after_send",
        "delivery.record.before_commit",
    }
)

SCENARIOS = (
    Scenario("second run", "run", before=("run",), shop_before=change_shop),
    Scenario("first open", "look"),
    Scenario("first run", "run", before=("look",)),
    Scenario(
        "stopped by a guard", "run_guarded", before=("run",), shop_before=empty_shop,
        shop_after_kill=refill_shop,
    ),
    Scenario("skipped", "run_while_busy", before=("run",), shop_before=change_shop),
    Scenario(
        "retry", "retry", before=("run",), shop_before=heal_poison, poisoned=frozenset()
    ),
    Scenario("retry in the workspace", "retry", before=("suppress", "run", "unsuppress")),
    Scenario(
        "undo", "undo", before=("run", "run_changed"), shop_before=restore_shop,
        only=frozenset({
            "run.open.after_commit", "run.merge.before_commit", "run.merge.after_commit",
            "apply.slice.after_commit", "run.record.before_commit", "delivery.record.after_commit",
        }),
    ),
    Scenario(
        "first rows", "run_first_rows", before=("run",), shop_before=change_shop,
        only=frozenset({
            "run.open.after_commit", "run.read.before_commit", "run.read.after_commit",
            "run.merge.before_commit", "run.merge.after_commit", "apply.slice.after_commit",
            "run.record.before_commit", "delivery.record.before_commit",
        }),
    ),
    Scenario("reset", "reset", before=("run",)),
    Scenario(
        "reset after a kill", "reset", before=("run",), shop_before=add_to_shop,
        first_kill="delivery.start.after_commit:1",
        only=frozenset({"reset.give_up.before_commit", "reset.give_up.after_commit"}),
    ),
    Scenario(
        "plan and apply", "plan_and_apply", before=("run",), shop_before=change_shop,
        until="run.merge.before_commit",
    ),
    Scenario(
        "account changed", "run", before=("run",), shop_before=move_account,
        shop_after_kill=mend_connections,
        only=frozenset({"delivery.refuse.before_commit", "delivery.refuse.after_commit"}),
    ),
    Scenario(
        "secret lost", "run", before=("run",), shop_before=lose_secret,
        shop_after_kill=mend_connections,
        only=frozenset({"delivery.refuse.before_commit", "delivery.refuse.after_commit"}),
    ),
    *(
        Scenario(
            f"resumed after {at}", "run", before=("run",), shop_before=change_shop, first_kill=at,
            only=KILLED_AGAIN_AT,
        )
        for at in RESUMED_AT
    ),
)  # fmt: skip
