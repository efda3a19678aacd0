"""Everything a person can do with one project folder; every door calls these methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowlift import operations
from rowlift.operations import reporting
from rowlift.operations.kinds import ACCEPTS, KINDS, guarded
from rowlift.operations.known import Known
from rowlift.operations.notebook import Runs
from rowlift.operations.pausing import pause, paused
from rowlift.project.check import check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rowlift.core.errors import RowliftError
    from rowlift.core.nouns import Finding
    from rowlift.engine.preview import Preview
    from rowlift.operations.addresses import Addresses
    from rowlift.operations.erasing import ErasureReport
    from rowlift.operations.pruning import PruneReport
    from rowlift.operations.reports import PlanReport, RetryReport, RunReport, SyncReport
    from rowlift.operations.running import Runner
    from rowlift.operations.sampling import SampleReport
    from rowlift.operations.serving import Serving
    from rowlift.operations.suppressing import SuppressionReport
    from rowlift.state.catalogues import Catalogue
    from rowlift.workspace.suppression import Suppression


class Project(Known):
    """One project folder: check, preview, plan and run its syncs, and ask what happened.

    Methods raise RowliftError with a stable code and a way to mend it, nothing else.
    """

    @property
    def definitions(self) -> operations.definitions.Definitions:
        """Sources, destinations, syncs and settings: made, edited, and what they were before."""
        folder = operations.applying.Folder(self.folder, self._env, self._profile)
        return operations.definitions.Definitions(folder, lambda: self._home, self.refresh)

    @property
    def drafts(self) -> operations.drafting.Drafts:
        """Return syncs that somebody is still writing."""
        return operations.drafting.Drafts(
            lambda: self._home, self.definitions, lambda: self.access.audit
        )

    # without the network

    def check(self) -> list[RowliftError]:
        """Validate every file and every query's text; warnings have a code of scope warning."""
        found = check(self.folder, KINDS, profile=self._profile, accepts=ACCEPTS, guard=guarded)
        return list(found)

    def ls(self) -> list[SyncReport]:
        """Return the syncs with their last runs."""
        return reporting.report_syncs(self._home, self._clock)

    def sync(self, name: str) -> SyncReport:
        """Return one sync with its last run; raises ConfigError NAME_UNKNOWN."""
        return reporting.report_sync(self._home, name, self._clock)

    # with the network, nothing changed

    def debug(self, *, discreet: bool = False) -> dict[str, list[Finding]]:
        """Test every source and destination, step by step.

        With `discreet` nothing tells why a server cannot be reached: nobody scans ports with it.
        """
        return operations.testing.tested(self._home, discreet=discreet)

    def addresses(self) -> Addresses:
        """Return from which addresses connections come, for the allow lists of firewalls."""
        return operations.addresses.addresses(self._home)

    def certify(self, source: str) -> list[Finding]:
        """Test a source, then prove values, limits, errors, cancel and timeout on the service."""
        return operations.certifying.certify(self._home, source)

    @property
    def connections(self) -> operations.connecting.Connections:
        """Return sources and destinations one by one: what uses them, and whether they work."""
        return operations.connecting.Connections(self._home, self._clock)

    def catalog(self, source: str, *, refresh: bool = False) -> Catalogue:
        """Return a source's tables and columns, as they were within a day unless refreshed.

        Raises ConfigError NAME_UNKNOWN and SourceError.
        """
        return operations.cataloguing.catalogue(self._home, self._clock, source, refresh=refresh)

    def preview(
        self,
        sync: str,
        *,
        sample: bool = False,
        relationships: bool = False,
        last_sync_time: int = 0,
        on_sample: Callable[[Preview], None] | None = None,
    ) -> Preview:
        """Run the query, show up to 100 rows, then meet the workspace and prove the rules.

        Both are over the whole result, of which only identifiers are read. With `relationships` it
        is the sync's second query; its rows have no marks.
        """
        return operations.previewing.preview_sync(
            self._home, sync, sample=sample, relationships=relationships,
            last_sync_time=last_sync_time, on_sample=on_sample,
        )  # fmt: skip

    @property
    def queries(self) -> operations.querying.Queries:
        """Return what helps to a query: templates, a table's first rows, SQL written for you."""
        return operations.querying.Queries(self._home, self._clock)

    def plan(self, sync: str, out: Path, *, first_rows: int | None = None) -> PlanReport:
        """Write a plan file that says exactly what a run would do, or one of the first rows."""
        planner = operations.planning.Planner(self._home, self._clock, self._progress)
        return planner.make(sync, out, first_rows=first_rows)

    def plan_undo(self, run_id: int, out: Path) -> PlanReport:
        """Write a plan file that says exactly what the undo of a run would do.

        Raises Busy, StateError NOT_FOUND, ConfigError UNDO_TOO_OLD and GuardStop NOTHING_LEFT.
        """
        planner = operations.planning.Planner(self._home, self._clock, self._progress)
        return planner.make_undo(run_id, out)

    @property
    def undone(self) -> operations.undoing.Undone:
        """Return which runs can be undone, and what stays undone."""
        return operations.undoing.Undone(self._home, self._clock, self._progress)

    @property
    def plans(self) -> operations.plans.Plans:
        """Return plans that are kept, for somebody to approve."""
        return operations.plans.Plans(self._home, self._clock, self._progress)

    # what changes something

    def run(
        self,
        syncs: Sequence[str] = (),
        *,
        wait: bool = True,
        allow_removals: bool = False,
        plan: Path | None = None,
        first_rows: int | None = None,
    ) -> list[RunReport]:
        """Run syncs one after the other, all of them if none is named, and drain deliveries.

        Those that are paused are left out, and a plan of one is refused. With one sync its refusal
        or failure is raised; with several it is a report of its own. With `first_rows` these alone
        are tried: nothing counts as gone, last_sync_time stays, a second query waits.
        """
        runner = self._runner(wait=wait)
        if plan is not None:
            return Runs([runner.apply(plan)])
        return Runs(runner.run(syncs, allow_removals=allow_removals, first_rows=first_rows))

    def _runner(self, *, wait: bool = True) -> Runner:
        return operations.running.Runner(self._home, self._clock, self._progress, wait)

    def look_around(
        self,
        *,
        by: str = "",
        origin: str = "python",
        hear: Callable[[Finding], object] = lambda _: None,
    ) -> SampleReport:
        """Make a demo warehouse, a destination of files and two syncs, and ask for their runs.

        What is there already stays; `hear` is told of each thing as it is made. Raises ConfigError
        where the folder cannot be written to.
        """
        return operations.sampling.look_around(self, self.folder, by=by, origin=origin, hear=hear)

    def pause(self, sync: str) -> None:
        """Let no run and no delivery of a sync begin until it is resumed."""
        pause(self._home, sync, self._clock, paused=True)

    def resume(self, sync: str) -> None:
        """Let a sync that was paused run again."""
        pause(self._home, sync, self._clock, paused=False)

    def paused(self, syncs: Sequence[str] = ()) -> list[str]:
        """Return which of some syncs, of all if none is named, are paused."""
        return paused(self._home, syncs)

    @property
    def verifications(self) -> operations.verifying.Verifications:
        """Return what reads back what destinations hold, and compares it."""
        return operations.verifying.Verifications(self._home, self._clock, self._progress)

    @property
    def service(self) -> operations.servicing.ServiceDesk:
        """Return what one asks of a service that runs this project's schedules."""
        return operations.servicing.ServiceDesk(self._home)

    @property
    def watch(self) -> operations.watching.Watch:
        """Return what one may look at while Rowlift works."""
        return operations.watching.Watch(self._home)

    @property
    def repeats(self) -> operations.repeating.Repeats:
        """Return what keeps requests that come again from beginning anything again."""
        return operations.repeating.Repeats(self._home)

    def serving(self) -> Serving:
        """Return what a process does that serves this project; see `rowlift serve`."""
        return operations.serving.Serving(self._home, self._profile, self._clock, self._progress)

    def retry(self, run_id: int) -> RetryReport:
        """Try again what a run left, each row in its newest version, without asking the source.

        What the workspace rejected is applied by a run of its own; then destinations are sent again
        what they did not take. Raises GuardStop PAUSED.
        """
        return self._runner().retry(run_id)

    def undo(self, run_id: int) -> RunReport:
        """Take back what a run did, where nobody changed it since, and pause its sync.

        Raises what `plan_undo` does.
        """
        return self._runner().undo(run_id)

    def reset(self, sync: str, *, target: str | None = None) -> None:
        """Forget what was sent, so that the next run sends everything with new message ids."""
        operations.resetting.reset(self._home, sync, target)

    def prune(self) -> PruneReport:
        """Forget runs, rejects, events and former values that are older than the retention."""
        return operations.pruning.prune(self._home)

    def suppress(
        self, named: Iterable[str], *, note: str = "", wait: bool = True
    ) -> SuppressionReport:
        """Never process some people again, and take them out of where they were delivered to.

        Each is written id:VALUE, email:VALUE, anonymous_id:VALUE, or plainly an address or an id.
        """
        report = operations.suppressing.suppress(self._home, named, note)
        if wait and report.identifiers:
            self._runner().drain()
        return report

    def unsuppress(self, named: Iterable[str], *, wait: bool = True) -> SuppressionReport:
        """Process some people again; the next deliveries bring them back."""
        report = operations.suppressing.unsuppress(self._home, named)
        if wait and report.identifiers:
            self._runner().drain()
        return report

    def suppressions(self, limit: int = 20, *, before: int | None = None) -> list[Suppression]:
        """Return who is suppressed, by hash, the newest first, from the one before a number."""
        return operations.suppressing.suppressions(self._home, limit, before)

    def erase(self, who: str) -> ErasureReport:
        """Erase a person from everything that is kept here; sources and destinations stay.

        Raises Busy while a run or delivery is active, and StateError NOT_FOUND.
        """
        return operations.erasing.erase(self._home, who)

    # who works here

    @property
    def access(self) -> operations.access.Access:
        """Users, sessions, API tokens and the audit log."""
        return operations.access.Access.of(self._home, self._clock)

    # what happened

    @property
    def glance(self) -> operations.glance.Glance:
        """How everything stands, in few words."""
        return operations.glance.Glance(self._home, self._clock)

    @property
    def alerts(self) -> operations.alerting.Alerts:
        """What is wrong, who is told of it, and how fresh everything is."""
        return operations.alerting.Alerts(self._home, self._clock)

    def runs(
        self,
        sync: str | None = None,
        limit: int = 20,
        *,
        before: int | None = None,
        failed: bool = False,
    ) -> list[RunReport]:
        """Return the newest runs first, from the one before an id; `failed` leaves good ones out.

        A run has failed where any row or destination did.
        """
        return Runs(reporting.latest(self._home, sync, limit, before, failed=failed))

    def run_report(self, run_id: int) -> RunReport:
        """Return one run; raises StateError NOT_FOUND."""
        return reporting.report_run(self._home, self._home.run(run_id))

    def rejects(self, run_id: int, *, rows: bool = False) -> Iterator[Mapping[str, Any]]:
        """Yield the rows that did not go: by rules, by the workspace, by each destination.

        With `rows` each has its values too.
        """
        return operations.rejects.rejects(self._home, self._home.run(run_id), rows=rows)

    def state(self, sync: str) -> Mapping[str, Any]:
        """Return what is remembered of a sync: image, ledgers, last_sync_time."""
        return reporting.describe_state(self._home, self._home.sync(sync).name)

    @property
    def ingest(self) -> operations.ingesting.Ingest:
        """Return the ingest API without HTTP: write keys, messages, and what became of them."""
        return operations.ingesting.Ingest(self._home, self._clock, self._progress)

    # who is known

    @property
    def audiences(self) -> operations.audiences.Audiences:
        """Return the door to audiences: who is in them, how many, and in common with whom."""
        computing = operations.audiences.Computing(self._home, self._clock, self._progress)
        return operations.audiences.Audiences(self._home, computing)
