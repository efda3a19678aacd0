"""Run a sync's import, and finish first what a killed process left."""

from collections.abc import Callable
from dataclasses import dataclass

from rowlift import operations
from rowlift.core.errors import ConfigError, GuardStop, SourceError
from rowlift.core.progress import Progress
from rowlift.core.specs import SyncSpec
from rowlift.engine.run import Import, ImportRun, Planned
from rowlift.operations.home import Home
from rowlift.state.runs import ADOPT, ERASURE, Run

BEFORE_CHANGES = frozenset({"read", "validate"})


@dataclass(frozen=True, slots=True)
class Importer:
    """Opens and carries runs of one project; `leave` raises where they go on in another process."""

    home: Home
    progress: Progress
    leave: Callable[[], None] = lambda: None

    def run(self, name: str, *, allow_removals: bool = False, first_rows: int | None = None) -> Run:
        """Import one sync now, or the first rows of its query alone.

        Raises Busy, ConfigError, GuardStop, SourceError or StateError, each recorded as a run.
        """
        spec, uid = self.home.sync(name), self.home.syncs[name]
        run = self.home.store.runs.open(
            self.home.workspace_id, uid, spec.to_json(), first_rows=first_rows
        )
        return self.carry(run, spec, allow_removals=allow_removals)

    def resume(self) -> Run | None:
        """Finish the run that a killed process left active; None when there is none.

        A run that changed nothing yet is given up when its sync was edited since.
        """
        left = self.home.store.runs.take_over(self.home.workspace_id)
        if left is None:
            return None
        if left.sync_uid == ERASURE:
            if operations.erasing.finish(self.home, left) is None:
                self.progress.note("erasure", f"Run {left.id} was interrupted: delete again.")
            return None
        spec = SyncSpec.from_json(left.spec)
        if left.phase in BEFORE_CHANGES and self.is_edited(left):
            self.progress.note(spec.name, f"Run {left.id} was interrupted; its sync was edited.")
            self.cancel(left, spec, _edited(left, spec))
            return None
        self.progress.note(spec.name, f"Run {left.id} was interrupted and goes on.")
        allowed = self.home.store.triggers.allows_removals(left.id)
        try:
            planned = self._planned(left)
            return self.carry(left, spec, allow_removals=allowed, planned=planned)
        except (ConfigError, GuardStop, SourceError):
            return None

    def _planned(self, left: Run) -> Planned | None:
        """Return the rows of a plan that a run did not take over yet, if we keep that plan.

        Raises GuardStop PLAN_STALE where anything moved; then the run is cancelled.
        """
        if left.phase != ADOPT:
            return None
        try:
            return operations.planning.kept(self.home, left.plan, self.progress)
        except GuardStop as error:
            self.cancel(left, SyncSpec.from_json(left.spec), error)
            raise

    def cancel(self, run: Run, spec: SyncSpec, reason: GuardStop) -> None:
        """End a run that is ours and goes on no further."""
        self._import_run(run, spec).cancel(reason)

    def carry(
        self, run: Run, spec: SyncSpec, *, allow_removals: bool, planned: Planned | None = None
    ) -> Run:
        """Carry a run that is ours to its end."""
        return self._import_run(
            run, spec, allow_removals=allow_removals, planned=planned
        ).carry()  # fmt: skip

    def is_edited(self, run: Run) -> bool:
        """Tell whether a run's sync is no longer the one that the run froze."""
        home = self.home
        present = [
            home.project.syncs[name] for name, uid in home.syncs.items() if uid == run.sync_uid
        ]
        return [one.to_json() for one in present] != [run.spec]

    def _import_run(
        self,
        run: Run,
        spec: SyncSpec,
        *,
        allow_removals: bool = False,
        planned: Planned | None = None,
    ) -> ImportRun:
        work = Import(
            spec,
            lambda: self.home.source(spec.source),
            self.home.workspace,
            self.home.project.workspace.identifiers,
            self.home.destinations,
            self.home.relate(spec),
            allow_removals=allow_removals,
            planned=planned,
            leave=self.leave,
        )
        return ImportRun(self.home.store, run, work, self.progress)


def _edited(run: Run, spec: SyncSpec) -> GuardStop:
    return GuardStop(
        "INTERRUPTED",
        f"Run {run.id} of {spec.name} was interrupted before it changed anything, "
        "and the sync was edited since.",
        mend="Nothing to do: the next run goes by the new settings.",
    )
