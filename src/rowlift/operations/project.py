"""Everything a person can do with one project folder; every door calls these methods."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rowlift import operations
from rowlift.core.clock import Clock, SystemClock
from rowlift.core.errors import ConfigError
from rowlift.core.progress import Progress, Silent
from rowlift.operations import reporting
from rowlift.operations.kinds import ACCEPTS, KINDS, guarded
from rowlift.operations.notebook import People, Runs
from rowlift.operations.opening import kept, open_folder, refreshed
from rowlift.operations.pausing import pause, paused
from rowlift.project.check import check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rowlift.core.errors import RowliftError
    from rowlift.core.nouns import Finding
    from rowlift.engine.preview import Preview
    from rowlift.operations.addresses import Addresses
    from rowlift.operations.erasing import ErasureReport
    from rowlift.operations.exporting import PersonExport
    from rowlift.operations.home import Home
    from rowlift.operations.identifying import Identifiers
    from rowlift.operations.merging import MergeRecord
    from rowlift.operations.pruning import PruneReport
    from rowlift.operations.records import ObjectRecord, ObjectType, PersonRecord
    from rowlift.operations.reports import PlanReport, RetryReport, RunReport, SyncReport
    from rowlift.operations.running import Runner
    from rowlift.operations.sampling import SampleReport
    from rowlift.operations.segments import (
        EventRecord,
        MemberRecord,
        MembersChanged,
        SegmentRecord,
    )
    from rowlift.operations.serving import Serving
    from rowlift.operations.suppressing import SuppressionReport
    from rowlift.operations.traces import SyncTrace, Why
    from rowlift.state.catalogues import Catalogue
    from rowlift.workspace.suppression import Suppression


class Project:
    """One project folder: check, preview, plan and run its syncs, and ask what happened.

    Methods raise RowliftError with a stable code and a way to mend it, nothing else.
    """

    def __init__(
        self,
        folder: str | Path = ".",
        *,
        profile: str | None = None,
        progress: Progress | None = None,
        clock: Clock | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self._profile = profile
        self._progress = progress or Silent()
        self._clock = clock or SystemClock()
        self._env = os.environ if env is None else env

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Read the files and open the state now, not at the first question."""
        _ = self._home

    def close(self) -> None:
        """Close the state, if it was opened."""
        if "_home" in self.__dict__:
            self._home.store.close()
            del self.__dict__["_home"]

    @cached_property
    def _home(self) -> Home:
        return open_folder(self.folder, self._env, profile=self._profile)

    def refresh(self) -> None:
        """Take in what was changed in files and definitions since the project was opened.

        Files that are wrong, or name another workspace, leave those of before in force.
        """
        if "_home" not in self.__dict__:
            return
        try:
            self.__dict__["_home"] = refreshed(self._home, profile=self._profile)
        except ConfigError as error:
            self.__dict__["_home"] = kept(self._home, error)

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

    # segments: those that name one raise ConfigError NAME_UNKNOWN

    def segments(
        self, limit: int | None = None, *, after: str | None = None
    ) -> list[SegmentRecord]:
        """Return segments by name, all or so many, from the one after a name."""
        return operations.segments.list_segments(self._home, limit, after=after)

    def segment(self, name: str) -> SegmentRecord:
        """Return one segment."""
        return operations.segments.show_segment(self._home, name)

    def create_segment(self, name: str) -> SegmentRecord:
        """Make a segment, unless there is one of that name."""
        return operations.segments.create_segment(self._home, name)

    def segment_members(self, name: str, limit: int = 20, *, after: int = 0) -> list[MemberRecord]:
        """Return people of a segment, from the one after a number."""
        return operations.segments.members_page(self._home, name, limit, after)

    def segment_events(
        self, name: str, limit: int = 20, *, after: int = 0, newest: bool = False
    ) -> list[EventRecord]:
        """Return who entered a segment, was changed in it or left, from the one after a number.

        With `newest` it is the newest first.
        """
        return operations.segments.events_page(self._home, name, limit, after, newest=newest)

    def export_segment(self, name: str) -> Iterator[MemberRecord]:
        """Yield all people of a segment."""
        return operations.segments.all_members(self._home, name)

    def add_to_segment(self, name: str, people: Iterable[str]) -> MembersChanged:
        """Put people into a segment, each named by an id or an e-mail address."""
        return operations.segments.add_to_segment(self._home, name, people)

    def remove_from_segment(self, name: str, people: Iterable[str]) -> MembersChanged:
        """Take people out of a segment; a sync that changes them later puts them back."""
        return operations.segments.remove_from_segment(self._home, name, people)

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

    def person(self, who: str, *, history: bool = False) -> PersonRecord:
        """Return one person by `id:…`, `email:…`, `anonymous_id:…` or a bare value of any of them.

        Raises StateError NOT_FOUND and ConfigError WHO_AMBIGUOUS.
        """
        record = operations.dating.dated(
            self._home, operations.records.show_person(self._home, who)
        )
        return operations.histories.remember(self._home, record) if history else record

    def people(self, limit: int = 20, *, after: int = 0) -> list[PersonRecord]:
        """Return people without their relationships, from the one after a number."""
        return People(operations.records.people_page(self._home, limit, after))

    def search_people(self, text: str, limit: int = 20) -> list[PersonRecord]:
        """Return people one of whose identifiers begins with a text, ids before addresses."""
        return People(operations.records.search_people(self._home, text, limit))

    def export_person(self, who: str) -> PersonExport:
        """Return everything that is kept of one person; raises StateError NOT_FOUND."""
        return operations.exporting.export_person(self._home, who)

    def export_people(self, *, suppressed: bool = False) -> Iterator[PersonRecord]:
        """Yield people without their relationships, those who are suppressed only if asked for."""
        return operations.exporting.export_people(self._home, suppressed=suppressed)

    def merges(self, limit: int = 20, *, after: int = 0) -> list[MergeRecord]:
        """Return merges of people, from the one after a number."""
        return operations.merging.merges_page(self._home, limit, after)

    def undo_merge(self, number: int) -> MergeRecord:
        """Part two people again who were merged; raises StateError NOT_FOUND."""
        return operations.merging.undo_merge(self._home, number)

    def change_identifiers(
        self, who: str, wanted: Identifiers, *, was: Identifiers | None = None
    ) -> PersonRecord:
        """Give a person another id or address by hand; what syncs remember stays as it is.

        With `was` only if nobody changed them meanwhile. Raises StateError NOT_FOUND, ConfigError,
        and GuardStop ID_TAKEN, EMAIL_TAKEN, PERSON_SUPPRESSED and EDIT_CONFLICT.
        """
        return operations.identifying.identify(self._home, self._clock, who, wanted, was)

    def object(self, object_type: str, object_id: str, *, history: bool = False) -> ObjectRecord:
        """Return one object; raises StateError NOT_FOUND."""
        record = operations.records.show_object(self._home, object_type, object_id)
        return operations.histories.remember_object(self._home, record) if history else record

    def objects(self, limit: int = 20, *, after: int = 0) -> list[ObjectRecord]:
        """Return objects without their relationships, from the one after a number."""
        return operations.records.objects_page(self._home, limit, after)

    def object_types(self) -> list[ObjectType]:
        """Return the types of objects that there are; accounts are of type 1."""
        return operations.records.types_of_objects(self._home)

    def objects_of_type(
        self, object_type: str, limit: int = 20, *, after: str = "", beginning: str = ""
    ) -> list[ObjectRecord]:
        """Return objects of one type by id, those that begin with a text, from one after an id."""
        return operations.records.objects_of_type(self._home, object_type, limit, after, beginning)

    def why(self, who: str, attribute: str | None = None, *, destination: str | None = None) -> Why:
        """Explain where a person's attributes come from and what destinations have of them."""
        return operations.tracing.why(self._home, who, attribute, destination)

    def why_object(self, object_type: str, object_id: str) -> list[SyncTrace]:
        """Return an account's or object's row in each sync, and what destinations have of it."""
        return operations.tracing.why_object(self._home, object_type, object_id)

    def find(self, who: str) -> operations.finding.Found:
        """Look for somebody in the workspace, in what was sent, and in rows that did not go."""
        return operations.finding.find(self._home, who)
