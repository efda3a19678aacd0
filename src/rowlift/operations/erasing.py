"""Erase a person from everything that is kept; docs/internals/state.md has the order of writing.

An erasure is a run of its own kind, so that it excludes imports, is fenced, and is taken over when
its process dies. Its spec holds the identifiers until the commit that erases them.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, groupby

from rowlift.core.errors import Busy, Fenced, RowliftError, StateError, unexpected
from rowlift.core.identifiers import email_key
from rowlift.core.nouns import Kind, Status
from rowlift.core.specs import SyncSpec
from rowlift.engine.duck import Duck
from rowlift.engine.erase import ERASED, Erased, Identifiers, Keyed, erase_part, pattern
from rowlift.engine.parts import RELATIONSHIPS, uids
from rowlift.operations.histories import names_of
from rowlift.operations.home import Home
from rowlift.operations.ingesting import write_waiting
from rowlift.operations.records import find_person, unknown
from rowlift.state.deliveries import refuse_open
from rowlift.state.erasure import blank, bury, forget_messages, shrink
from rowlift.state.exchanges import forget_exchanges
from rowlift.state.forwards import interrupt
from rowlift.state.leases import Lease
from rowlift.state.runs import ERASURE, Run
from rowlift.state.shelf import Shelf
from rowlift.workspace.erasure import forget_late, pids
from rowlift.workspace.slices import delete

_ERASE, _SWEEP = "erase", "sweep"


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """What was erased: people of the workspace, and rows of files that named them."""

    people: int
    rows: int
    files: int


def erase(home: Home, who: str) -> ErasureReport:
    """Erase a person from the workspace, images, ledgers, rejects and everything else kept.

    Raises Busy while a run or delivery is active, and StateError NOT_FOUND.
    """
    write_waiting(home)
    identifiers = _identifiers(home, who)
    if not any(identifiers.values()):
        raise unknown(who)
    runs = home.store.runs
    active = runs.active(home.workspace_id)
    left = runs.take_over(home.workspace_id) if active and active.sync_uid == ERASURE else None
    if left:
        report = finish(home, left)
        if report and json.loads(left.spec) == identifiers:
            return report
    elif active:
        mend = "Wait for it, or finish what was interrupted: rowlift run. Then delete."
        raise Busy("BUSY", "A run is active or was interrupted.", mend=mend)
    run = runs.open(home.workspace_id, ERASURE, "{}", phase=_ERASE)
    return _Eraser(home, run, who).carry(identifiers)


def finish(home: Home, left: Run) -> ErasureReport | None:
    """Carry an erasure that was taken over to its end; None if it had to be given up.

    Raises StateError where the state was away, and it goes on.
    """
    try:
        return _Eraser(home, left).carry(json.loads(left.spec))
    except (Busy, StateError) as error:
        if left.goes_on_after(error):
            raise
        return None  # recorded so


def _identifiers(home: Home, who: str) -> Identifiers:
    names = names_of(find_person(home, who), who)
    spelled = [names.email] if names.email else []
    return {
        "id": [names.id] if names.id else [],
        "email": sorted({form(one) for one in spelled for form in (email_key, str.lower)}),
        "anonymous_id": [one for one in names.anonymous_ids if one],
    }


@dataclass(frozen=True, slots=True)
class _Eraser:
    """Carries one erasure through its phases."""

    home: Home
    run: Run
    who: str = ""

    def carry(self, identifiers: Identifiers) -> ErasureReport:
        """Erase and sweep; whatever fails before the commit leaves everything as it was.

        Where the state was away the erasure stays active, and who takes it over goes on.
        This is the boundary where a fault of ours is caught: or else the run would stay active and
        block its workspace.
        """
        lease = self.home.store.runs.lease(self.run)
        with lease:
            try:
                report = self._erase(lease, identifiers)
            except Fenced:
                raise
            except RowliftError as error:
                if not self.run.goes_on_after(error):
                    self._give_up(lease, error)
                raise
            except Exception as error:
                self._give_up(lease, unexpected(error))
                raise
            self._sweep()
            self._end(lease, Status.COMPLETED, asdict(report))
        return report

    def _erase(self, lease: Lease, identifiers: Identifiers) -> ErasureReport:
        if self.run.phase == _SWEEP:
            return ErasureReport(**self.run.counts)
        if not identifiers:  # it died before they were written down
            raise unknown(self.who)
        self._write_down(lease, identifiers)
        with Duck(self.home.store.files.scratch) as duck:
            while True:
                before = self._live()
                erased = list(self._parts(duck, identifiers))
                report = self._commit(lease, identifiers, erased, before)
                if report:
                    return report

    def _write_down(self, lease: Lease, identifiers: Identifiers) -> None:
        with self.home.store.database.transaction("erase.begin") as connection:
            lease.hold(connection)
            spec = json.dumps(dict(identifiers))
            self.home.store.runs.advance(connection, self.run.id, _ERASE, spec=spec)

    def _live(self) -> frozenset[int]:
        found = self.home.store.files.everything(self.home.workspace_id)
        return frozenset(one.stored.id for one in found if one.state == "live")

    def _parts(self, duck: Duck, identifiers: Identifiers) -> Iterator[Erased]:
        found = self.home.store.files.everything(self.home.workspace_id)
        keyed = {one.uid: one for one in _keyed(self.home)}
        by_part = sorted(found, key=lambda one: one.owner.sync_uid)
        for uid, files in groupby(by_part, key=lambda one: one.owner.sync_uid):
            if uid in keyed:
                yield erase_part(duck, self.home.store, keyed[uid], list(files), identifiers)

    def _commit(
        self,
        lease: Lease,
        identifiers: Identifiers,
        erased: Sequence[Erased],
        before: frozenset[int],
    ) -> ErasureReport | None:
        """Let the new files count and delete the rest at once; None if a file came meanwhile."""
        home = self.home
        with home.store.database.transaction("erase.commit") as connection:
            lease.hold(connection)
            refuse_open(home.store.database, connection, home.workspace_id)
            if self._live() != before:
                return None
            people = pids(connection, home.workspace_id, identifiers)
            replaced = [one for part in erased for one in part.replacements]
            report = ErasureReport(len(people), sum(one.rows for one in replaced), len(replaced))
            if not (people or replaced):
                raise unknown(self.who)
            for one in replaced:
                home.store.files.replace(connection, one.old, one.new)
            for part in erased:
                shrink(connection, part.uid, part.rows, part.present)
            delete(connection, "people", people)
            forget_late(connection)
            named = re.compile(pattern(identifiers), re.IGNORECASE)
            blank(connection, home.workspace_id, named, ERASED)
            interrupt(connection, home.workspace_id)
            forget_messages(connection, home.workspace_id, chain(*identifiers.values()), named)
            forget_exchanges(connection, home.workspace_id, before=math.inf)
            bury(connection, home.workspace_id, but="image_delta")
            home.store.runs.advance(
                connection, self.run.id, _SWEEP, spec="{}", counts=asdict(report)
            )
        return report

    def _sweep(self) -> None:
        """Delete the files that are of no use now, old copies of the database among them."""
        store = self.home.store
        store.collect(self.home.project.retention)
        Shelf(store.folder, self.home.workspace_id).clear()
        for copy in store.folder.glob("state-*.db*"):
            copy.unlink(missing_ok=True)
        store.database.checkpoint()

    def _give_up(self, lease: Lease, error: RowliftError) -> None:
        self._end(lease, Status.CANCELLED, {}, error.code, f"The erasure: {error.code}.")

    def _end(
        self,
        lease: Lease,
        status: Status,
        counts: Mapping[str, int],
        code: str = "",
        reason: str = "",
    ) -> None:
        runs = self.home.store.runs
        with self.home.store.database.transaction("erase.end") as connection:
            lease.hold(connection)
            runs.advance(connection, self.run.id, _SWEEP, spec="{}")
            runs.finish(connection, self.run.id, status, counts, code, reason)


def _keyed(home: Home) -> Iterator[Keyed]:
    """Yield every part with people in it, of syncs that are gone too."""
    for uid, body in home.store.definitions.bodies(home.workspace_id, "sync").items():
        spec, named = SyncSpec.from_json(body), uids(uid)
        if spec.kind is Kind.PERSON:
            yield Keyed(named[""], spec.identify_by.replace("user_id", "id"))
        yield Keyed(named[RELATIONSHIPS], "")
