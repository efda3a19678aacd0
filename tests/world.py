"""A tiny project on CSV files and the sandbox destination, for tests of promises."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import rowlift
from rowlift.operations.reports import RunReport
from rowlift.testing.clock import QuickClock
from rowlift.testing.fake import applied, deliveries, requests

Row = tuple[object, ...]


class World:
    """Write rows, edit settings, run, and look at what arrived."""

    def __init__(self, folder: Path, columns: Sequence[str] = ("user_id", "plan")) -> None:
        self.folder = folder
        self.columns = columns
        self.crm: dict[str, Any] = {"batch_rows": 3, "in_flight": 2}
        self.shop: dict[str, Any] = {"type": "files", "root": str(folder / "data")}
        self.others: dict[str, dict[str, Any]] = {}
        self.use: dict[str, Any] = {"use": "crm", "match": "user_id"}
        self.uses: list[dict[str, Any]] = []
        self.channels: dict[str, dict[str, Any]] = {}
        self.alerts: dict[str, Any] = {}
        self.workspace: dict[str, Any] = {"name": "acme", "identifiers": ["id", "email"]}
        self.sync: dict[str, Any] = {
            "sync": "people",
            "preset": "import",
            "kind": "person",
            "source": "shop",
            "sql": f"SELECT {', '.join(columns)} FROM people",
            "identify_by": "user_id",
            "workspace": "none",
        }
        self.env: dict[str, str] = {}
        (folder / "syncs").mkdir(parents=True)
        (folder / "data").mkdir()

    def rows(self, *rows: Row) -> None:
        lines = [",".join(self.columns)]
        lines += [",".join("" if cell is None else str(cell) for cell in row) for row in rows]
        (self.folder / "data" / "people.csv").write_text("\n".join(lines) + "\n")

    def save(self) -> None:
        settings = {"version": 1, "workspace": self.workspace, "alerts": self.alerts}
        self.write("rowlift.yml", settings)
        destinations = {"crm": {"type": "sandbox", "path": str(self.log()), **self.crm}}
        for name, settings in self.others.items():
            sandbox = {"type": "sandbox", "path": str(self.log(name))}
            destinations[name] = settings if "type" in settings else sandbox | settings
        profile = {
            "sources": {"shop": self.shop},
            "destinations": destinations,
            "channels": self.channels,
        }
        self.write("connections.yml", {"default": "dev", "profiles": {"dev": profile}})
        self.write("syncs/people.yml", {**self.sync, "destinations": [self.use, *self.uses]})

    def write(self, name: str, document: Mapping[str, Any]) -> None:
        (self.folder / name).write_text(json.dumps(document, indent=1))  # JSON is YAML

    def project(self) -> "rowlift.Project":
        self.save()
        return rowlift.Project(self.folder, clock=QuickClock(), env=self.env)

    def run(self, **how: Any) -> RunReport:
        with self.project() as project:
            return project.run(["people"], **how)[0]

    def log(self, name: str = "crm") -> Path:
        return self.folder / f"{name}.jsonl"

    def applied(self, name: str = "crm") -> dict[str, dict[str, Any]]:
        """What the destination holds: attributes by key, without keys it was told to delete."""
        return {
            key: message["attributes"]
            for key, message in applied(self.log(name)).items()
            if message["op"] == "upsert"
        }

    def sent(self, name: str = "crm") -> list[dict[str, Any]]:
        return deliveries(self.log(name))

    def requests(self, name: str = "crm") -> list[dict[str, Any]]:
        return list(requests(self.log(name)))
