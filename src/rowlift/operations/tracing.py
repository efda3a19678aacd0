"""Why a person has a value, and why a destination has it or has it not: read from what is kept."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rowlift.core.errors import ConfigError, StateError
from rowlift.core.identifiers import IDENTIFIERS
from rowlift.core.nouns import Mode, Removed
from rowlift.engine.canon import ENDED
from rowlift.engine.duck import Duck
from rowlift.engine.history import Acknowledged, Refused, acknowledged, is_held, is_pinned, refused
from rowlift.engine.populate import REJECTS, TARGET
from rowlift.operations.absences import PAUSED, SUPPRESSED, Reason, absent, stopped, unreached
from rowlift.operations.belonging import memberships
from rowlift.operations.freshness import takes
from rowlift.operations.histories import (
    SyncRow,
    changes_of,
    names_of,
    object_links,
    object_rows,
    person_links,
    query_version,
    sync_rows,
    with_changes,
)
from rowlift.operations.home import Home, sync_names
from rowlift.operations.merging import merges_of
from rowlift.operations.records import (
    AttributeRecord,
    attributes,
    find_person,
    show_object,
    unknown,
)
from rowlift.operations.traces import Standing, SyncTrace, TargetTrace, Why
from rowlift.state.deliveries import Delivery
from rowlift.workspace.records import Person

_ENDED = json.loads(ENDED)
_QUEUED = "It is queued; the next run delivers it."


def why(home: Home, who: str, attribute: str | None = None, destination: str | None = None) -> Why:
    """Explain a person's attributes, one or all, and what destinations have of them.

    Somebody whom the workspace does not know is looked for in what the syncs keep, and among the
    suppressed. Raises StateError NOT_FOUND and ConfigError WHO_AMBIGUOUS or NAME_UNKNOWN.
    """
    if destination is not None and destination not in home.destinations:
        known = ", ".join(home.destinations) or "none"
        text = f"There is no destination {destination}."
        raise ConfigError("NAME_UNKNOWN", text, mend=f"Known: {known}.")
    person = find_person(home, who)
    names = names_of(person, who)
    suppressed = names.suppressed_since(home)
    is_suppressed = suppressed is not None
    with Duck(home.store.files.scratch) as duck:
        rows = sync_rows(home, duck, names)
        links = person_links(home, duck, names) if attribute is None else []
        if not (rows or links or person or is_suppressed):
            raise unknown(who)
        syncs, relationships = (
            [_Tracer(home, duck, row, is_suppressed, person).sync(destination) for row in of_kind]
            for of_kind in (rows, links)
        )
    listed = _attributes(home, person, rows)
    chosen = [one for one in listed if attribute in (None, one.name)]
    if attribute is not None and not chosen:
        text = f"Nothing is known of {attribute} of {who}."
        raise StateError("NOT_FOUND", text, mend=f"See rowlift people show {who}.")
    pid = person.record.pid if person else None
    inside = memberships(home, pid) if pid else []
    without = absent(home, names, rows, inside, destination, suppressed=is_suppressed)
    return Why(
        names.id, names.email, names.anonymous_ids, chosen, syncs,
        merges_of(home, pid) if pid else (), list(without), inside, suppressed,
        unreached(home, destination), relationships,
    )  # fmt: skip


def why_object(home: Home, object_type: str, object_id: str) -> list[SyncTrace]:
    """Return the rows of an account or object in every sync, and their way to each target.

    Its relationships come last.
    Raises StateError NOT_FOUND where neither the workspace nor a sync knows it.
    """
    with Duck(home.store.files.scratch) as duck:
        rows = object_rows(home, duck, object_type, object_id)
        if not rows:
            show_object(home, object_type, object_id)
        rows += object_links(home, duck, object_type, object_id)
        return [_Tracer(home, duck, row, suppressed=False, person=None).sync(None) for row in rows]


def _attributes(
    home: Home, person: Person | None, rows: Sequence[SyncRow]
) -> list[AttributeRecord]:
    """Return what the workspace says, or without it what the rows do, and what is gone from it."""
    if person is None:
        return list(_told(rows, frozenset()))
    stored = [_with_row(home, one, rows) for one in _stored(home, person)]
    mine = [row for row in rows if row.spec.workspace]
    gone = _told(mine, IDENTIFIERS | {one.name for one in stored})
    return [*with_changes(stored, rows), *(replace(one, value=None) for one in gone if one.changes)]


def _stored(home: Home, person: Person) -> list[AttributeRecord]:
    return attributes(person.record, sync_names(home))


def _with_row(home: Home, one: AttributeRecord, rows: Sequence[SyncRow]) -> AttributeRecord:
    """Return an attribute with the row and the query of the run that wrote it."""
    if one.run is None:
        return one
    numbers = (
        edition.row_number
        for row in rows
        if row.sync == one.sync
        for edition in row.editions
        if edition.version in row.runs and row.runs[edition.version].id == one.run
    )
    query = query_version(home.store.runs.find(one.run))
    return replace(one, row_number=next(numbers, None), query=query)


def _told(rows: Sequence[SyncRow], besides: Collection[str]) -> Iterator[AttributeRecord]:
    changed = changes_of(rows)
    known = [row for row in rows if row.newest]
    newest_last = sorted(known, key=lambda row: row.newest.version if row.newest else 0)
    had = {name: (row, value) for row in newest_last for name, value in _values(row).items()}
    for name in sorted({*changed, *had} - {*besides}):
        if changes := changed.get(name):
            last = changes[0]
            yield AttributeRecord(
                name, last.after, last.sync, last.run, None, last.row_number, last.query, changes
            )
        else:  # who wrote it is forgotten
            row, value = had[name]
            yield AttributeRecord(name, value, row.sync, None, None)


def _values(row: SyncRow) -> Mapping[str, Any]:
    return row.newest.attributes if row.newest else {}


@dataclass(frozen=True, slots=True)
class _Tracer:
    """Follows one row to its targets."""

    home: Home
    duck: Duck
    row: SyncRow
    suppressed: bool
    person: Person | None

    def sync(self, destination: str | None) -> SyncTrace:
        row, newest, run = self.row, self.row.newest, self.row.made_by
        return SyncTrace(
            row.sync,
            row.key,
            bool(newest and newest.present),
            newest.version if newest else None,
            run.id if run else None,
            newest.row_number if newest else None,
            query_version(run, row.part),
            list(self._targets(destination)),
            json.loads(row.key) if row.part else (),
        )

    def _targets(self, destination: str | None) -> Iterator[TargetTrace]:
        if self.row.spec.workspace and destination is None:
            yield self._target(TARGET, TARGET, None)
        has = _values(self.row)
        newest = self.home.store.deliveries.newest(self.row.uid)
        for use in self.row.spec.destinations:
            if destination in (None, use.use) and self._is_taken_by(use.use):
                uid = self.home.destinations.get(use.use, "")
                left_out = tuple(one for one in sorted(has) if not takes(use, one))
                found = self._target(use.use, uid, newest.get(uid))
                yield replace(found, left_out=left_out)

    def _is_taken_by(self, destination: str) -> bool:
        """Tell whether rows of this part go to a destination that the sync uses."""
        spec = self.home.project.syncs.get(self.row.sync)
        return not self.row.part or (spec is not None and destination in self.home.relate(spec))

    def _target(self, name: str, uid: str, delivery: Delivery | None) -> TargetTrace:
        has = acknowledged(self.duck, self.home.store, self.row.uid, uid, self.row.key)
        standing, code, reason = self._standing(uid, has, delivery)
        version = has.version if has and has.version else None
        wrote = self._wrote(uid, has) if version else None
        runs = self.home.store.runs
        run = version and (
            self.row.runs.get(version) or runs.of_revisions(self.row.uid, [version]).get(version)
        )
        return TargetTrace(
            name, standing, version, run.id if run else None, wrote.id if wrote else None,
            wrote.finished_at if wrote else None, code, reason,
        )  # fmt: skip

    def _wrote(self, uid: str, has: Acknowledged | None) -> Delivery | None:
        deliveries = self.home.store.deliveries
        return deliveries.that_wrote(self.row.uid, uid, has.revision) if has else None

    def _standing(self, uid: str, has: Acknowledged | None, delivery: Delivery | None) -> Reason:
        row, newest = self.row, self.row.newest
        if found := self._hindered():
            return found
        if has and has.doubt is None and not self._is_behind(uid, has) and self._is_pinned():
            return Standing.UNDONE, "", "An undo left it so, until the source says something else."
        if newest and not newest.present and not (has and self._is_behind(uid, has)):
            is_kept = has is None or has.present
            standing = Standing.LEFT if is_kept else Standing.REMOVED
            if has is None:
                return standing, "", "It never went there."
            return standing, "", "" if is_kept or uid != TARGET else self._why_there()
        if has and has.doubt is None and not self._is_behind(uid, has):
            return self._stands()
        if self.home.store.runs.is_paused(row.sync_uid):
            return PAUSED
        if uid == TARGET:
            return self._not_applied()
        return self._not_delivered(has, delivery)

    def _stands(self) -> Reason:
        """How the newest version stands where it was acknowledged."""
        row = self.row
        if row.part and row.newest and row.newest.attributes == _ENDED:
            return Standing.REMOVED, "", "The source says that it is over."
        fresh = row.last and row.made_by and row.last.id == row.made_by.id
        return (Standing.DELIVERED if fresh else Standing.UNCHANGED), "", ""

    def _is_pinned(self) -> bool:
        return is_pinned(self.duck, self.home.store, self.row.uid, self.row.key)

    def _hindered(self) -> Reason | None:
        """What keeps the newest values of the source from every target."""
        if self.suppressed:
            return SUPPRESSED
        if self.row.bad:
            return self._refused(self.row.bad)
        last = self.row.last
        return stopped(self.home, self.row.sync, last) if last else None

    def _refused(self, bad: Refused) -> Reason:
        row = self.row
        held = is_held(self.duck, self.home.store, row.uid, row.spec.identify_by, row.key)
        return Standing.HELD if held else Standing.REJECTED, bad.code, _at_row(bad)

    def _why_there(self) -> str:
        """What keeps a person whom the sync would have deleted."""
        if self.row.part or self.person is None or self.row.spec.removed is not Removed.DELETE:
            return ""
        names = sync_names(self.home)
        others = [names.get(one, one) for one in self.person.record.contributors]
        return f"The person stays for {_brought(sorted(others))}."

    def _is_behind(self, uid: str, has: Acknowledged) -> bool:
        ledger = self.home.store.images.ledger(self.row.uid, uid, self.home.workspace_id)
        newest = self.row.newest
        return has.epoch != ledger.epoch or (newest is not None and newest.version != has.version)

    def _not_applied(self) -> Reason:
        row, files = self.row, self.home.store.files
        rejects = (files.of_run(REJECTS, one.id, row.uid) for one in row.tries)
        bad = next(filter(None, (refused(self.duck, one, row.key) for one in rejects)), None)
        if bad:
            return Standing.REJECTED, bad.code, _at_row(bad)
        if row.spec.mode is not Mode.UPSERT:
            return Standing.SKIPPED, "", f"The sync's mode is {row.spec.mode.value}."
        return Standing.PENDING, "", "No run has written it yet."

    def _not_delivered(self, has: Acknowledged | None, delivery: Delivery | None) -> Reason:
        if delivery is None:
            return Standing.NEVER, "", "Nothing was ever delivered there; the next run does."
        in_doubt = has is not None and has.doubt is not None
        if delivery.active:
            return (Standing.IN_DOUBT if in_doubt else Standing.PENDING), "", _QUEUED
        files = self.home.store.files.of_delivery("delivery_rejects", delivery.id)
        found = refused(self.duck, files, self.row.key, verdict="verdict")
        if found is None:
            return Standing.PENDING, delivery.reason_code, delivery.reason
        standing = Standing.IN_DOUBT if in_doubt else Standing(found.verdict)
        if standing is Standing.PENDING and delivery.reason_code == "CIRCUIT_OPEN":
            return standing, delivery.reason_code, delivery.reason
        return standing, found.code or delivery.reason_code, found.reason or delivery.reason


def _brought(syncs: Sequence[str]) -> str:
    return f"what {' and '.join(syncs)} wrote" if syncs else "its relationships or segments"


def _at_row(bad: Refused) -> str:
    return bad.reason if bad.row_number is None else f"Row {bad.row_number}: {bad.reason}"
