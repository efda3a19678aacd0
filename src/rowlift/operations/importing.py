"""Run a sync's import, and finish first what a killed process left."""

from collections.abc import Mapping
from dataclasses import dataclass

from rowlift.core.errors import ConfigError, GuardStop, SourceError
from rowlift.core.progress import Progress
from rowlift.core.specs import SyncSpec
from rowlift.engine.run import Import, ImportRun, Planned
from rowlift.operations.home import Home
from rowlift.state.runs import Run


@dataclass(frozen=True, slots=True)
class Importer:
    """Opens and carries runs of one project."""

    home: Home
    progress: Progress

    def run(self, name: str, *, allow_removals: bool = False) -> Run:
        """Import one sync now.

        Raises Busy, ConfigError, GuardStop, SourceError or StateError, each recorded as a run.
        """
        spec, uid = self.home.sync(name), self.home.syncs[name]
        run = self.home.store.runs.open(self.home.workspace_id, uid, spec.to_json())
        return self.carry(run, spec, allow_removals=allow_removals)

    def resume(self) -> Run | None:
        """Finish the run that a killed process left active; None when there is none."""
        left = self.home.store.runs.take_over(self.home.workspace_id)
        if left is None:
            return None
        spec = SyncSpec.from_json(left.spec)
        self.progress.note(spec.name, f"Run {left.id} was interrupted and goes on.")
        try:
            return self.carry(left, spec, allow_removals=False)
        except (ConfigError, GuardStop, SourceError):
            return None

    def carry(
        self, run: Run, spec: SyncSpec, *, allow_removals: bool, planned: Planned | None = None
    ) -> Run:
        """Carry a run that is ours to its end."""
        work = Import(
            spec,
            lambda: self.home.source(spec.source),
            self.home.workspace,
            self.home.project.workspace.identifiers,
            self._destination_uids(),
            allow_removals=allow_removals,
            planned=planned,
        )
        return ImportRun(self.home.store, run, work, self.progress).carry()

    def _destination_uids(self) -> Mapping[str, str]:
        """Return uids by name, also by the names that a frozen sync may still use."""
        home = self.home
        known = home.store.definitions.names(home.workspace_id, "destination")
        renamed = {
            one.renamed_from: home.destinations[name]
            for name, one in home.project.destinations.items()
            if one.renamed_from
        }
        return renamed | {name: uid for uid, name in known.items()} | dict(home.destinations)
