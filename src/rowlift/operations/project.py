"""Everything a person can do with one project folder; every door calls these methods."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from rowlift.core.clock import Clock, SystemClock
from rowlift.core.errors import Busy, ConfigError, GuardStop, RowliftError, SourceError
from rowlift.core.nouns import Finding
from rowlift.core.progress import Progress, Silent
from rowlift.engine.preview import Preview
from rowlift.operations import reporting
from rowlift.operations.access import Access
from rowlift.operations.addresses import Addresses, addresses
from rowlift.operations.alerting import Alerts, telling
from rowlift.operations.applying import Folder
from rowlift.operations.cataloguing import catalogue
from rowlift.operations.certifying import certify
from rowlift.operations.definitions import Definitions
from rowlift.operations.delivering import Drain
from rowlift.operations.erasing import ErasureReport, erase
from rowlift.operations.exporting import export_people
from rowlift.operations.freshness import dated
from rowlift.operations.glance import Glance
from rowlift.operations.histories import remember
from rowlift.operations.home import Home
from rowlift.operations.importing import Importer
from rowlift.operations.ingesting import Ingest
from rowlift.operations.kinds import ACCEPTS, KINDS, guarded
from rowlift.operations.merging import MergeRecord, merges_page, undo_merge
from rowlift.operations.notebook import People, Runs
from rowlift.operations.opening import open_folder, refreshed
from rowlift.operations.pausing import chosen, is_paused, pause, refuse_paused
from rowlift.operations.planning import Planner
from rowlift.operations.plans import Plans
from rowlift.operations.previewing import preview_sync
from rowlift.operations.pruning import PruneReport, prune, tidy
from rowlift.operations.records import (
    ObjectRecord,
    PersonRecord,
    objects_page,
    people_page,
    show_object,
    show_person,
)
from rowlift.operations.rejects import rejects
from rowlift.operations.repeating import Repeats
from rowlift.operations.reports import PlanReport, RetryReport, RunReport, SyncReport
from rowlift.operations.resetting import reset
from rowlift.operations.retrying import apply_again, report_retry, send_again
from rowlift.operations.segments import (
    EventRecord,
    MemberRecord,
    MembersChanged,
    SegmentRecord,
    add_to_segment,
    all_members,
    create_segment,
    events_page,
    list_segments,
    members_page,
    remove_from_segment,
    show_segment,
)
from rowlift.operations.servicing import ServiceDesk
from rowlift.operations.serving import Serving
from rowlift.operations.suppressing import (
    SuppressionReport,
    revision,
    suppress,
    suppressions,
    unsuppress,
)
from rowlift.operations.testing import tested
from rowlift.operations.tracing import Why, why
from rowlift.operations.watching import Watch
from rowlift.project.check import check
from rowlift.state.catalogues import Catalogue
from rowlift.state.runs import Run
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
        """Take in what was changed in files and definitions since the project was opened."""
        if "_home" in self.__dict__:
            self.__dict__["_home"] = refreshed(self._home, profile=self._profile)

    @property
    def definitions(self) -> Definitions:
        """Sources, destinations, syncs and settings: made, edited, and what they were before."""
        folder = Folder(self.folder, self._env, self._profile)
        return Definitions(folder, lambda: self._home, self.refresh)

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
        return tested(self._home, discreet=discreet)

    def addresses(self) -> Addresses:
        """Return from which addresses connections come, for the allow lists of firewalls."""
        return addresses(self._home)

    def certify(self, source: str) -> list[Finding]:
        """Test a source, then prove values, limits, errors, cancel and timeout on the service."""
        return certify(self._home, source)

    def catalog(self, source: str, *, refresh: bool = False) -> Catalogue:
        """Return a source's tables and columns, as they were within a day unless refreshed.

        Raises ConfigError NAME_UNKNOWN and SourceError.
        """
        return catalogue(self._home, self._clock, source, refresh=refresh)

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
        return preview_sync(
            self._home, sync, sample=sample, relationships=relationships,
            last_sync_time=last_sync_time, on_sample=on_sample,
        )  # fmt: skip

    def plan(self, sync: str, out: Path) -> PlanReport:
        """Write a plan file that says exactly what a run would do."""
        return Planner(self._home, self._clock, self._progress).make(sync, out)

    @property
    def plans(self) -> Plans:
        """Return plans that are kept, for somebody to approve."""
        return Plans(self._home, self._clock, self._progress)

    # what changes something

    def run(
        self,
        syncs: Sequence[str] = (),
        *,
        wait: bool = True,
        allow_removals: bool = False,
        plan: Path | None = None,
    ) -> list[RunReport]:
        """Run syncs one after the other, all of them if none is named, and drain deliveries.

        Those that are paused are left out, and a plan of one is refused. With one sync its refusal
        or failure is raised; with several it is a report of its own.
        """
        with telling(self._home, self._clock), self._telling_all(wait=wait):
            finished = self._finish_interrupted(wait=wait)
            if plan is not None:
                return Runs([self._apply(plan, finished, wait=wait)])
            names = chosen(self._home, syncs)
            idle = set(self.paused(names)) - finished.keys()
            one = len(names) == 1
            return Runs(
                finished.get(name)
                or self._run_one(name, wait=wait, allow_removals=allow_removals, raising=one)
                for name in names
                if name not in idle
            )

    @contextmanager
    def _telling_all(self, *, wait: bool) -> Iterator[None]:
        """Drain what every sync has to say of whom a run learns to be suppressed."""
        before = revision(self._home)
        yield
        if wait and revision(self._home) != before:
            self._drain_all()

    def pause(self, sync: str) -> None:
        """Let no run and no delivery of a sync begin until it is resumed."""
        pause(self._home, sync, self._clock, paused=True)

    def resume(self, sync: str) -> None:
        """Let a sync that was paused run again."""
        pause(self._home, sync, self._clock, paused=False)

    def paused(self, syncs: Sequence[str] = ()) -> list[str]:
        """Return which of some syncs, of all if none is named, are paused."""
        return [name for name in chosen(self._home, syncs) if is_paused(self._home, name)]

    @property
    def service(self) -> ServiceDesk:
        """Return what one asks of a service that runs this project's schedules."""
        return ServiceDesk(self._home)

    @property
    def watch(self) -> Watch:
        """Return what one may look at while Rowlift works."""
        return Watch(self._home)

    @property
    def repeats(self) -> Repeats:
        """Return what keeps requests that come again from beginning anything again."""
        return Repeats(self._home)

    def serving(self) -> Serving:
        """Return what a process does that serves this project; see `rowlift serve`."""
        return Serving(self._home, self._profile, self._clock, self._progress)

    def _apply(self, plan: Path, finished: Mapping[str, RunReport], *, wait: bool) -> RunReport:
        """Apply a plan, or go on with the run that began to."""
        planner = Planner(self._home, self._clock, self._progress)
        begun = planner.applied(plan)
        if begun:
            open_ = self._home.store.deliveries.open(begun.sync_uid)
            resumed = [*(one.id for one in finished.values()), *(one.run_id for one in open_)]
            if begun.id in resumed:
                return self._delivered(begun, wait=wait, resumed=True)
        return self._delivered(planner.apply(plan), wait=wait)

    def _finish_interrupted(self, *, wait: bool) -> dict[str, RunReport]:
        """Finish what a killed process left; a sync finished so needs no run of its own.

        Unless it was edited since: then the new settings want theirs.
        """
        left = self._resumed(wait=wait)
        if left is None or left.retry_of is not None or self._importer.is_edited(left):
            return {}
        report = reporting.report_run(self._home, left, resumed=True)
        return {report.sync: report}

    @property
    def _importer(self) -> Importer:
        return Importer(self._home, self._progress)

    def _resumed(self, *, wait: bool) -> Run | None:
        left = self._importer.resume()
        if left and wait:
            self._drain(left.sync_uid)
        return left

    def _run_one(self, name: str, *, wait: bool, allow_removals: bool, raising: bool) -> RunReport:
        try:
            run = self._importer.run(name, allow_removals=allow_removals)
        except (Busy, ConfigError, GuardStop, SourceError):
            if wait:
                self._drain(self._home.syncs[name])
            if raising:
                raise
            return self.runs(name, limit=1)[0]
        return self._delivered(run, wait=wait)

    def _delivered(self, run: Run, *, wait: bool, resumed: bool = False) -> RunReport:
        if wait:
            self._drain(run.sync_uid)
        ended = self._home.store.runs.get(run.id)
        return reporting.report_run(self._home, ended, resumed=resumed)

    def _drain(self, sync_uid: str) -> None:
        cancelled = threading.Event()
        Drain(self._home, self._clock, self._progress, cancelled).sync(sync_uid)
        tidy(self._home)

    def retry(self, run_id: int) -> RetryReport:
        """Try again what a run left, each row in its newest version, without asking the source.

        What the workspace rejected is applied by a run of its own; then destinations are sent again
        what they did not take. Raises GuardStop PAUSED.
        """
        run = self._home.run(run_id)
        refuse_paused(self._home, run.sync_uid)
        with telling(self._home, self._clock), self._telling_all(wait=True):
            left = self._resumed(wait=True)
            try:
                is_done = left is not None and left.retry_of == run_id
                again = left if is_done else apply_again(self._importer, run)
            finally:
                send_again(self._home, run)
                self._drain(run.sync_uid)
        return report_retry(self._home, run, again)

    def reset(self, sync: str, *, target: str | None = None) -> None:
        """Forget what was sent, so that the next run sends everything with new message ids."""
        reset(self._home, sync, target)

    def prune(self) -> PruneReport:
        """Forget runs, rejects, events and former values that are older than the retention."""
        return prune(self._home)

    def suppress(
        self, named: Iterable[str], *, note: str = "", wait: bool = True
    ) -> SuppressionReport:
        """Never process some people again, and take them out of where they were delivered to.

        Each is written id:VALUE, email:VALUE, anonymous_id:VALUE, or plainly an address or an id.
        """
        report = suppress(self._home, named, note)
        if wait and report.identifiers:
            self._drain_all()
        return report

    def unsuppress(self, named: Iterable[str], *, wait: bool = True) -> SuppressionReport:
        """Process some people again; the next deliveries bring them back."""
        report = unsuppress(self._home, named)
        if wait and report.identifiers:
            self._drain_all()
        return report

    def _drain_all(self) -> None:
        for uid in self._home.syncs.values():
            self._drain(uid)

    def suppressions(self, limit: int = 20, *, before: int | None = None) -> list[Suppression]:
        """Return who is suppressed, by hash, the newest first, from the one before a number."""
        return suppressions(self._home, limit, before)

    def erase(self, who: str) -> ErasureReport:
        """Erase a person from everything that is kept here; sources and destinations stay.

        Raises Busy while a run or delivery is active, and StateError NOT_FOUND.
        """
        return erase(self._home, who)

    # segments: those that name one raise ConfigError NAME_UNKNOWN

    def segments(self) -> list[SegmentRecord]:
        """Return the manual segments by name."""
        return list_segments(self._home)

    def segment(self, name: str) -> SegmentRecord:
        """Return one segment."""
        return show_segment(self._home, name)

    def create_segment(self, name: str) -> SegmentRecord:
        """Make a segment, unless there is one of that name."""
        return create_segment(self._home, name)

    def segment_members(self, name: str, limit: int = 20, *, after: int = 0) -> list[MemberRecord]:
        """Return people of a segment, from the one after a number."""
        return members_page(self._home, name, limit, after)

    def segment_events(self, name: str, limit: int = 20, *, after: int = 0) -> list[EventRecord]:
        """Return who entered a segment and who was changed in it, from the one after a number."""
        return events_page(self._home, name, limit, after)

    def export_segment(self, name: str) -> Iterator[MemberRecord]:
        """Yield all people of a segment."""
        return all_members(self._home, name)

    def add_to_segment(self, name: str, people: Iterable[str]) -> MembersChanged:
        """Put people into a segment, each named by an id or an e-mail address."""
        return add_to_segment(self._home, name, people)

    def remove_from_segment(self, name: str, people: Iterable[str]) -> MembersChanged:
        """Take people out of a segment; a sync that changes them later puts them back."""
        return remove_from_segment(self._home, name, people)

    # who works here

    @property
    def access(self) -> Access:
        """Users, sessions, API tokens and the audit log."""
        return Access.of(self._home, self._clock)

    # what happened

    @property
    def glance(self) -> Glance:
        """How everything stands, in few words."""
        return Glance(self._home, self._clock)

    @property
    def alerts(self) -> Alerts:
        """What is wrong, who is told of it, and how fresh everything is."""
        return Alerts(self._home, self._clock)

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
        return rejects(self._home, self._home.run(run_id), rows=rows)

    def state(self, sync: str) -> Mapping[str, Any]:
        """Return what is remembered of a sync: image, ledgers, last_sync_time."""
        return reporting.describe_state(self._home, self._home.sync(sync).name)

    @property
    def ingest(self) -> Ingest:
        """Return the ingest API without HTTP: write keys, messages, and what became of them."""
        return Ingest(self._home, self._clock, self._progress)

    # who is known

    def person(self, who: str, *, history: bool = False) -> PersonRecord:
        """Return one person by `id:…`, `email:…`, `anonymous_id:…` or a bare value of any of them.

        Raises StateError NOT_FOUND and ConfigError WHO_AMBIGUOUS.
        """
        record = dated(self._home, show_person(self._home, who))
        return remember(self._home, record) if history else record

    def people(self, limit: int = 20, *, after: int = 0) -> list[PersonRecord]:
        """Return people without their relationships, from the one after a number."""
        return People(people_page(self._home, limit, after))

    def export_people(self, *, suppressed: bool = False) -> Iterator[PersonRecord]:
        """Yield people without their relationships, those who are suppressed only if asked for."""
        return export_people(self._home, suppressed=suppressed)

    def merges(self, limit: int = 20, *, after: int = 0) -> list[MergeRecord]:
        """Return merges of people, from the one after a number."""
        return merges_page(self._home, limit, after)

    def undo_merge(self, number: int) -> MergeRecord:
        """Part two people again who were merged; raises StateError NOT_FOUND."""
        return undo_merge(self._home, number)

    def object(self, object_type: str, object_id: str) -> ObjectRecord:
        """Return one object; raises StateError NOT_FOUND."""
        return show_object(self._home, object_type, object_id)

    def objects(self, limit: int = 20, *, after: int = 0) -> list[ObjectRecord]:
        """Return objects without their relationships, from the one after a number."""
        return objects_page(self._home, limit, after)

    def why(self, who: str, attribute: str | None = None, *, destination: str | None = None) -> Why:
        """Explain where a person's attributes come from and what destinations have of them."""
        return why(self._home, who, attribute, destination)
