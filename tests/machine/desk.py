"""One project under the state machine: doors, targets and what is compared."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from crashes.checker import check_active, check_counts, check_files, check_order
from crashes.child import KILLED, failure, in_child
from machine.model import WORKSPACE, Model
from rowlift.core.errors import GuardStop
from rowlift.operations.reports import RunReport
from world import World

HEALTHY: dict[str, Any] = {"lost_replies": 0, "unavailable": 0, "reject": [], "poison": []}
REFUSALS = frozenset({"EMPTIED", "PLAN_STALE", "INTERRUPTED"})
MOST_RUNS = 4  # until nothing that was interrupted is left


class Desk:
    """Does things to a real project and knows what must have come of them."""

    def __init__(self, folder: Path) -> None:
        self.model = Model()
        self.world = World(folder)
        self.world.sync |= {"workspace": "write", "removed": "delete"}
        self.world.use["removed"] = "delete"
        self.world.others["mail"] = {"batch_rows": 2, "in_flight": 2}
        self.plan: Path | None = None
        self.crashes = 0
        self.resets = 0

    # what is there

    def arrange(self) -> None:
        """Write the shop's rows and the project's files."""
        columns = self.model.columns
        self.world.columns = ("user_id", *columns)
        self.world.sync["sql"] = f"SELECT {', '.join(('user_id', *columns))} FROM people"
        self.world.use["fields"] = {"plan": "tier"} if self.model.renamed else {}
        self.world.rows(
            *((key, *(row.get(name) for name in columns)) for key, row in self.model.rows.items())
        )
        self.world.save()

    def held(self, target: str) -> dict[str, dict[str, str]]:
        """Return what a target holds, by key, without empty values."""
        found = self._people() if target == WORKSPACE else self.world.applied(target)
        return {
            key: {name: value for name, value in row.items() if value is not None}
            for key, row in found.items()
        }

    def _people(self) -> dict[str, dict[str, Any]]:
        path = self.world.folder / ".rowlift" / "state.db"
        with closing(sqlite3.connect(path)) as state:
            found = state.execute("SELECT id, attributes FROM people").fetchall()
        return {key: json.loads(attributes) for key, attributes in found}

    def targets(self) -> list[str]:
        """Return the targets that the sync writes to now."""
        return [WORKSPACE, "crm", *(use["use"] for use in self.world.uses)]

    # what is done

    def run(self, **how: Any) -> RunReport | None:
        """Run; None when it was refused, which only an empty shop or a stale plan may be."""
        self.arrange()
        try:
            report = self.world.run(**how)
        except GuardStop as stopped:
            self._expect(stopped)
            return None
        if not report.resumed:
            self.model.remember()
        return report

    def _expect(self, stopped: GuardStop) -> None:
        assert stopped.code in REFUSALS, stopped
        assert stopped.code != "EMPTIED" or not self.model.rows

    def crash(self, point: str) -> None:
        """Run in a child that is killed at a point, if it passes it."""
        self.arrange()
        folder = self.world.folder
        code = in_child("run", folder, None, spec=f"{point}:kill")
        assert code in {0, KILLED} or "GuardStop" in failure(folder, code), failure(folder, code)
        self.crashes += code == KILLED

    def make_plan(self) -> None:
        """Write a plan file to be applied later, or never."""
        self.arrange()
        self.plan = self.world.folder / "people.plan"
        with self.world.project() as project:
            project.plan("people", self.plan)

    def apply_plan(self) -> None:
        """Apply the plan; it is refused if anything moved."""
        assert self.plan is not None
        self.arrange()
        with self.world.project() as project:
            try:
                project.run(plan=self.plan)
            except GuardStop as stopped:
                self._expect(stopped)
        self.plan = None

    def retry(self) -> None:
        """Send again what the last run left undelivered."""
        self.arrange()
        with self.world.project() as project:
            latest = project.runs("people", limit=1)
            if latest:
                project.retry(latest[0].id)

    def reset(self, target: str | None) -> None:
        """Forget everything, or one target; what a crash left is finished first."""
        self.settle()
        self.resets += 1
        for one in [target] if target else [WORKSPACE, "crm", "mail"]:
            self.model.forget(one, {*self.held(one)})
        with self.world.project() as project:
            project.reset("people", target=target)

    def suppress(self, key: str) -> None:
        """Suppress somebody; what a crash left is finished first."""
        self.settle()
        with self.world.project() as project:
            project.suppress([f"id:{key}"])
        self.model.suppressed.add(key)

    def process_again(self) -> None:
        """Lift every suppression there is; what a crash left is finished first."""
        self.settle()
        if self.model.suppressed:
            with self.world.project() as project:
                project.unsuppress(f"id:{key}" for key in sorted(self.model.suppressed))
        self.model.suppressed.clear()

    def pause_for_a_while(self) -> None:
        """Run while the sync is paused: nothing begins, and nothing is sent."""
        self.settle()
        sent = len(self.world.requests())
        with self.world.project() as project:
            project.pause("people")
            assert list(project.run(["people"])) == []
            project.resume("people")
        assert len(self.world.requests()) == sent

    def settle(self) -> None:
        """Run until nothing is left that was interrupted, and a run of its own has ended."""
        for _ in range(MOST_RUNS):
            report = self.run(allow_removals=True)
            if report is not None and not report.resumed:
                return
        message = f"{MOST_RUNS} runs and there is still something interrupted"
        raise AssertionError(message)

    def heal(self) -> None:
        """Make every destination well, run, and compare everything."""
        self.world.crm |= HEALTHY
        self.world.others["mail"] |= HEALTHY
        self.settle()
        self.settle()
        self.compare()

    # what must hold

    def compare(self) -> None:
        """Assert that the shop, the workspace and the destinations are one, and say nothing new."""
        for target in self.targets():
            self._compare(target)
        sent = {name: len(self.world.requests(name)) for name in ("crm", "mail")}
        silent = self.run(allow_removals=True)
        assert silent is not None
        assert {name: len(self.world.requests(name)) for name in sent} == sent
        assert silent.counts["unchanged"] == silent.counts["read"] == len(self.model.rows)
        for name in sent:
            check_order(self.world.log(name))
        self._compare_state()

    def _compare(self, target: str) -> None:
        expected, there = self.model.expected(target), self.held(target)
        if target == WORKSPACE:
            there = {key: row for key, row in there.items() if key not in self.model.suppressed}
        strangers = there.keys() - expected.keys()
        assert strangers <= self.model.forgotten.get(target, set()), (target, strangers)
        if target == WORKSPACE:  # an empty value leaves what was there
            there = {
                key: {name: there.get(key, {}).get(name, "") for name in row}
                for key, row in expected.items()
            }
        assert {key: there.get(key) for key in expected} == expected, target

    def _compare_state(self) -> None:
        folder = self.world.folder
        engine = sa.create_engine(f"sqlite:///{folder / '.rowlift' / 'state.db'}")
        try:
            with engine.connect() as state:
                check_active(state)
                check_counts(state)
                check_files(state, folder)
                assert state.scalar(sa.text("PRAGMA integrity_check")) == "ok"
        finally:
            engine.dispose()
