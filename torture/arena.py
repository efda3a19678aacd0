"""One project, its source, its state and the real program."""

import json
import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from crashes.story import BATCH_ROWS, IN_FLIGHT
from servers import PostgresServer

PROGRAM = Path(sys.executable).with_name("rowlift")
KEYS = 60
LEAVING = 0.3  # the share of drawn people who go
POISONED = "p5"
NOBODY = (None, "nobody@example.com", "free", 0)
SECONDS = 180

TABLE = "CREATE TABLE people (user_id text, email text, plan text, orders integer)"
QUERY = "SELECT user_id, email, plan, orders FROM people"

Row = tuple[str | None, str, str, int]


@dataclass(frozen=True, slots=True)
class Combination:
    """Where the rows come from and where the state lives."""

    source: str
    state: str

    @property
    def name(self) -> str:
        """Return what the table and --only call it."""
        return f"{self.source}-{self.state}"


COMBINATIONS = tuple(
    Combination(source, state)
    for source in ("postgresql", "sqlite")
    for state in ("sqlite", "postgresql")
)


@dataclass(frozen=True, slots=True)
class Arena:
    """A project folder and the databases beside it."""

    what: Combination
    folder: Path
    source_dsn: str
    state_url: str | None

    @classmethod
    def make(cls, root: Path, server: PostgresServer, what: Combination) -> "Arena":
        """Write the project and make its databases."""
        folder = root / what.name
        (folder / "syncs").mkdir(parents=True)
        name = what.name.replace("-", "_")
        dsn, url, source = "", None, {"type": "sqlite", "path": "shop.db"}
        if what.source == "postgresql":
            database = server.create_database(f"{name}_shop")
            dsn, reader = database.dsn(), f"{name}_reader"
            database.execute(f"{TABLE}; CREATE ROLE {reader} LOGIN PASSWORD 'reader';")
            database.execute(f"GRANT SELECT ON people TO {reader};")
            source = {
                "type": "postgres", "host": server.host, "port": server.port, "user": reader,
                "database": database.name, "password": "reader", "sslmode": "disable",
            }  # fmt: skip
        else:
            with closing(sqlite3.connect(folder / "shop.db")) as shop:
                shop.execute(TABLE)
        if what.state == "postgresql":
            url = server.create_database(f"{name}_state").url
        arena = cls(what, folder, dsn, url)
        arena._write(source)
        return arena

    def _write(self, source: dict[str, Any]) -> None:
        crm = {
            "type": "sandbox", "path": "crm.jsonl", "batch_rows": BATCH_ROWS,
            "in_flight": IN_FLIGHT, "lost_replies": 0.02, "poison": [POISONED],
        }  # fmt: skip
        profile = {"sources": {"shop": source}, "destinations": {"crm": crm}}
        sync = {
            "sync": "people", "preset": "import", "kind": "person", "source": "shop",
            "sql": QUERY, "identify_by": "user_id", "removed": "delete",
            "destinations": [{"use": "crm", "match": "user_id", "removed": "delete"}],
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

    # the source

    def replace(self, rows: list[Row]) -> None:
        """Make these the rows of the source, in one transaction."""
        if self.source_dsn:
            with psycopg.connect(self.source_dsn) as shop, shop.cursor() as cursor:
                cursor.execute("DELETE FROM people")
                cursor.executemany("INSERT INTO people VALUES (%s, %s, %s, %s)", rows)
            return
        with closing(sqlite3.connect(self.folder / "shop.db")) as shop, shop:
            shop.execute("DELETE FROM people")
            shop.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", rows)

    # the program

    def start(self, *words: str, **env: str) -> "subprocess.Popen[str]":
        """Start the program in a session of its own."""
        clean = {"PATH": os.defpath, "HOME": str(self.folder), "LANG": "C.UTF-8"}
        state = {"ROWLIFT_STATE_URL": self.state_url} if self.state_url else {}
        return subprocess.Popen(
            [PROGRAM, *words], cwd=self.folder, env=clean | state | env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, **env: str) -> dict[str, Any]:
        """Run the sync to its end and return its report."""
        started = self.start("run", "people", "-o", "json", **env)
        out, errors = started.communicate(timeout=SECONDS)
        if started.returncode not in (0, 1) or "Traceback" in errors or not out:
            message = f"the program ended with {started.returncode}: {errors}"
            raise AssertionError(message)
        return dict(json.loads(out)["runs"][0])


def changed(rows: list[Row], chance: random.Random) -> list[Row]:
    """Return what the shop holds next: rows come, go, change and change back."""
    there: dict[str, Row] = {row[0]: row for row in rows if row[0] is not None}
    there.setdefault(POISONED, (POISONED, f"{POISONED}@example.com", "free", 0))
    for number in chance.sample(range(KEYS), chance.randint(1, 20)):
        key = f"p{number}"
        if key in there and key != POISONED and chance.random() < LEAVING:
            del there[key]
        else:
            plan = chance.choice(("free", "pro", "team"))
            there[key] = (key, f"{key}@example.com", plan, chance.randint(0, 2))
    return [*there.values(), NOBODY]
