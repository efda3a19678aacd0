"""A whole project with one sync in it, run through the Python door under a quick clock."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rowlift
from rowlift.testing.clock import QuickClock

if TYPE_CHECKING:
    from rowlift.operations.reports import RunReport

SYNC = "people"


class Folder:
    """A project folder; source and destination are what stands in connections.yml.

    More keys of the sync are given by name; `use` says how it uses its destination. The clock is
    the same for all runs, and nobody really waits for it.
    """

    def __init__(
        self,
        path: Path,
        source: Mapping[str, Any],
        destination: Mapping[str, Any],
        *,
        use: Mapping[str, Any] | None = None,
        **sync: Any,
    ) -> None:
        self.path = path
        self.clock = QuickClock()
        (path / "syncs").mkdir(parents=True)
        self._destination = destination
        uses = [{"use": "there", "match": "user_id", **(use or {})}]
        self._given: dict[str, Any] = {"sync": SYNC, "preset": "import", "kind": "person"}
        self._given |= {"source": "shop", "identify_by": "user_id", "destinations": uses}
        self._write("rowlift.yml", {"version": 1, "workspace": {"name": "acme"}})
        self.connect(source)
        self.edit(**sync)

    def connect(self, source: Mapping[str, Any]) -> None:
        """Read from another source."""
        profile = {"sources": {"shop": source}, "destinations": {"there": self._destination}}
        self._write("connections.yml", {"default": "dev", "profiles": {"dev": profile}})

    def edit(self, **sync: Any) -> None:
        """Set keys of the sync."""
        self._given |= sync
        self._write(f"syncs/{SYNC}.yml", self._given)

    def run(self, **how: Any) -> "RunReport":
        """Run the sync and drain its deliveries; raises what `rowlift.Project.run` raises."""
        with self.project() as project:
            return project.run([SYNC], **how)[0]

    def project(self) -> "rowlift.Project":
        """Open the project; the state is in the folder."""
        return project_in(self.path, self.clock)

    def _write(self, name: str, document: Mapping[str, Any]) -> None:
        text = json.dumps(document, indent=1, default=str)  # JSON is YAML
        (self.path / name).write_text(text)


def project_in(path: Path | str, clock: QuickClock, **env: str) -> "rowlift.Project":
    """Open the project of a folder with an environment of its own."""
    return rowlift.Project(path, clock=clock, env=env)
