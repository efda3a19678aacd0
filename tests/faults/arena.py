"""One project, its shop, its state and the real program."""

import json
import random
import signal
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import doors.cli
import rowlift
from crashes.story import BATCH_ROWS, IN_FLIGHT
from doors.cli import CliResult, Running, begin_cli, clean_environment, run_cli, standing_cli
from faults.shops import PASSWORD, PASSWORD_VARIABLE, Row, Shop
from rowlift.core.errors import RowliftError
from rowlift.testing.clock import QuickClock

POISONED = "p5"
NOBODY: Row = (None, "nobody@example.com", "free", 0)
SECONDS = 180
QUERY = "SELECT user_id, email, plan, orders FROM people"
SANDBOX = {
    "type": "sandbox", "batch_rows": BATCH_ROWS, "in_flight": IN_FLIGHT,
    "lost_replies": 0.02, "poison": [POISONED],
}  # fmt: skip


@dataclass(slots=True)
class Arena:
    """A project folder and the databases beside it; `rows` are what the shop holds."""

    folder: Path
    shop: Shop
    state_url: str | None = None
    destinations: dict[str, dict[str, Any]] = field(default_factory=dict)
    sql: str = QUERY
    rows: list[Row] = field(default_factory=list)

    @property
    def data(self) -> Path:
        """Return the data directory."""
        return self.folder / ".rowlift"

    @property
    def log(self) -> Path:
        """Return the file with every request the destination got."""
        return self.folder / "crm.jsonl"

    def write(self) -> None:
        """Write the project's files."""
        (self.folder / "syncs").mkdir(parents=True, exist_ok=True)
        crm = {"crm": {**SANDBOX, "path": str(self.log)}}
        profile = {
            "sources": {"shop": self.shop.connection}, "destinations": crm | self.destinations
        }  # fmt: skip
        uses = [{"use": "crm", "match": "user_id", "removed": "delete"}]
        uses += [{"use": name, "match": "user_id"} for name in self.destinations]
        sync = {
            "sync": "people", "preset": "import", "kind": "person", "source": "shop",
            "sql": self.sql, "identify_by": "user_id", "removed": "delete", "destinations": uses,
            "segment": {"name": "Customers", "create": True},
        }  # fmt: skip
        documents = {
            "rowlift.yml": {
                "version": 1, "workspace": {"name": "acme", "identifiers": ["id", "email"]},
            },
            "connections.yml": {"default": "dev", "profiles": {"dev": profile}},
            "syncs/people.yml": sync,
        }  # fmt: skip
        for name, document in documents.items():
            (self.folder / name).write_text(json.dumps(document))  # JSON is YAML

    def replace(self, rows: Sequence[Row]) -> None:
        """Make these the rows of the shop."""
        self.rows = list(rows)
        self.shop.replace(self.rows)

    # the program

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return what every process of this project knows."""
        state = {"ROWLIFT_STATE_URL": self.state_url} if self.state_url else {}
        given = {PASSWORD_VARIABLE: PASSWORD, **state, **(extra or {})}
        return clean_environment(self.folder, given)

    def start(self, *words: str, **env: str) -> Running:
        """Start the program."""
        return begin_cli(*words, cwd=self.folder, env=self.environment(env))

    def cli(self, *words: str, before: Sequence[str] = (), **env: str) -> CliResult:
        """Run the program to its end."""
        done = run_cli(
            *words, before=before, cwd=self.folder, env=self.environment(env), timeout=SECONDS
        )
        return sound(done)

    def standing(self, point: str) -> AbstractContextManager[Running]:
        """Hand out a run that stopped itself, alive, at a named point (name:occurrence)."""
        return standing_cli("run", "people", point=point, cwd=self.folder, env=self.environment())

    def points(self) -> list[str]:
        """Run once, undisturbed, and return every point it passed as name:occurrence."""
        recorded = self.folder / "points"
        recorded.unlink(missing_ok=True)
        done = self.cli("run", "people", ROWLIFT_FAULTS_RECORD=str(recorded))
        assert done.code in {0, 1}, done
        seen: dict[str, int] = {}
        found = []
        for name in recorded.read_text().splitlines():
            seen[name] = seen.get(name, 0) + 1
            found.append(f"{name}:{seen[name]}")
        return found

    # the same operations in this process, which is quicker

    def project(self) -> "rowlift.Project":
        """Open the project here, with waits that take no time."""
        return rowlift.Project(self.folder, clock=QuickClock(), env=self.environment())

    def run(self) -> dict[str, Any]:
        """Run the sync here and return its report as the program prints it."""
        with self.project() as project:
            return dict(json.loads(json.dumps(asdict(project.run(["people"])[0]))))

    def refused(self) -> str:
        """Run the sync here and return the code with which it was refused, or nothing."""
        try:
            self.run()
        except RowliftError as error:
            return error.code
        return ""


def ended(running: Running, *sent: signal.Signals) -> CliResult:
    """Send signals and wait for the end."""
    return sound(doors.cli.ended(running, *sent, seconds=SECONDS))


def sound(done: CliResult) -> CliResult:
    """Assert that whatever happened neither a traceback nor the password is shown."""
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    return done


def some_rows(count: int = 12) -> list[Row]:
    """Return so many people, one of whom the destination refuses, and one without a key."""
    return [*((f"p{n}", f"p{n}@example.com", "free", n) for n in range(1, count + 1)), NOBODY]


def changed(rows: Sequence[Row], chance: random.Random, keys: int = 60) -> list[Row]:
    """Return what the shop holds next: rows come, go, change and change back."""
    there: dict[str, Row] = {row[0]: row for row in rows if row[0] is not None}
    there.setdefault(POISONED, (POISONED, f"{POISONED}@example.com", "free", 0))
    for number in chance.sample(range(keys), chance.randint(1, 20)):
        key = f"p{number}"
        if key in there and key != POISONED and chance.random() < 0.3:
            del there[key]
        else:
            plan = chance.choice(("free", "pro", "team"))
            there[key] = (key, f"{key}@example.com", plan, chance.randint(0, 2))
    return [*there.values(), NOBODY]
