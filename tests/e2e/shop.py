"""A project folder around a small DuckDB warehouse, as a user would have it."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

LOOPBACK = ["127.0.0.1/32"]
PEOPLE = """
CREATE OR REPLACE TABLE people (user_id VARCHAR, email VARCHAR, plan VARCHAR, seats INTEGER);
INSERT INTO people VALUES
    ('u1', 'ada@example.com', 'pro', 3), ('u2', 'ben@example.com', 'free', 1),
    ('u3', 'cleo@example.com', 'pro', 7);
"""


class Shop:
    """Writes files; JSON is YAML."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: dict[str, Any] = {"name": "shop"}
        self.sources: dict[str, Any] = {"warehouse": {"type": "duckdb", "path": "warehouse.duckdb"}}
        self.destinations: dict[str, Any] = {}
        self.sql(PEOPLE)
        self.save()

    def sql(self, *statements: str) -> None:
        """Change the warehouse."""
        with duckdb.connect(self.folder / "warehouse.duckdb") as warehouse:
            for statement in statements:
                warehouse.execute(statement)

    def save(self) -> None:
        """Write rowlift.yml and connections.yml."""
        connections = {"sources": self.sources, "destinations": self.destinations}
        self.write("rowlift.yml", {"version": 1, "workspace": self.settings})
        self.write("connections.yml", {"profiles": {"dev": connections}, "default": "dev"})

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Write one file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1), encoding="utf-8")

    def sync(
        self,
        name: str = "traits",
        sql: str = "SELECT user_id, plan, seats FROM people",
        *to: str | Mapping[str, Any],
        **keys: Any,
    ) -> str:
        """Write a sync and return its name; `to` names destinations, or says how to use them."""
        uses = [one if isinstance(one, Mapping) else {"use": one} for one in to]
        model = {"sync": name, "source": "warehouse", "sql": sql, "identify_by": "user_id"}
        self.write(f"syncs/{name}.yml", model | {"destinations": uses} | keys)
        return name

    def webhook(self, url: str, name: str = "hook", **keys: Any) -> str:
        """Declare a webhook and return its name."""
        self.destinations[name] = {
            "type": "webhook", "url": url, "allow_networks": LOOPBACK, **keys
        }  # fmt: skip
        self.save()
        return name

    def segment(self, url: str, name: str = "segment") -> str:
        """Declare a Segment source and return its name."""
        self.destinations[name] = {
            "type": "segment", "write_key": "${WRITE_KEY:-key}", "endpoint": f"{url}/v1",
            "allow_networks": LOOPBACK,
        }  # fmt: skip
        self.save()
        return name

    def customerio(self, url: str, name: str = "mail", **keys: Any) -> str:
        """Declare a Customer.io workspace and return its name."""
        self.destinations[name] = {
            "type": "customerio", "site_id": "site", "api_key": "${API_KEY:-key}", "endpoint": url,
            "allow_networks": LOOPBACK, **keys,
        }  # fmt: skip
        self.save()
        return name

    def files(self, name: str = "lake", **keys: Any) -> str:
        """Declare JSON Lines files in the folder out and return the destination's name."""
        self.destinations[name] = {"type": "files", "path": "out", **keys}
        self.save()
        return name

    def lines(self, sync: str = "traits") -> list[dict[str, Any]]:
        """Return the records that were written for a sync."""
        paths = sorted((self.folder / "out" / sync).glob("*.jsonl"))
        return [json.loads(line) for path in paths for line in path.read_text().splitlines()]

    def people(self) -> dict[str, dict[str, Any]]:
        """Return the workspace's people by id, or by e-mail address without one."""
        query = "SELECT id, email, attributes FROM people"
        with closing(sqlite3.connect(self.folder / ".rowlift" / "state.db")) as state:
            rows = state.execute(query).fetchall()
        return {
            ident or email: json.loads(attributes) | ({"email": email} if email else {})
            for ident, email, attributes in rows
        }
