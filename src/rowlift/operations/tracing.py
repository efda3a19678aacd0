"""Why a person has a value, and why a destination has it or has it not: read from what is kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from rowlift.core.errors import ConfigError, StateError
from rowlift.core.identifiers import IDENTIFIERS
from rowlift.core.nouns import Mode, Removed, Status
from rowlift.engine.duck import Duck
from rowlift.engine.history import Acknowledged, Refused, acknowledged, refused
from rowlift.engine.populate import REJECTS, TARGET
from rowlift.operations.histories import (
    SyncRow,
    changes_of,
    names_of,
    query_version,
    sync_rows,
    with_changes,
)
from rowlift.operations.home import Home, sync_names
from rowlift.operations.merging import MergeRecord, merges_of
from rowlift.operations.records import (
    AttributeRecord,
    attributes,
    find_person,
    unknown,
)
from rowlift.state.deliveries import Delivery
from rowlift.workspace.records import Person

_TOOK_NOTHING = frozenset({Status.STOPPED, Status.FAILED, Status.CANCELLED})
_QUEUED = "It is queued; the next run delivers it."


class Standing(StrEnum):
    """Where the newest values of a row are on their way to one target."""

    DELIVERED = "delivered"
    UNCHANGED = "unchanged"  # acknowledged before; the last run brought nothing new
    REJECTED = "rejected"
    IN_DOUBT = "in_doubt"
    PENDING = "pending"
    SKIPPED = "skipped"  # the sync's mode does not want the row
    PAUSED = "paused"
    STOPPED = "stopped"  # the last run ended before it took anything over
    NEVER = "never_delivered"
    LEFT = "left"  # not in the query any more, kept as it was
    SUPPRESSED = "suppressed"
    REMOVED = "removed"  # not in the query any more, and taken back


@dataclass(frozen=True, slots=True)
class TargetTrace:
    """What a target has of a row: the version it acknowledged, of which run, by which delivery.

    `standing` is where the newest version is; code and reason say why it is not there. Times are
    Unix seconds.
    """

    target: str
    standing: Standing
    version: int | None
    run: int | None
    delivery: int | None
    at: float | None
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class SyncTrace:
    """A person's row in one sync, and its way to each target.

    `present` tells whether the query still returns it, `run` which run brought its newest version;
    version is null where no row was ever good. `query` is as in changes of attributes.
    """

    sync: str
    key: str
    present: bool
    version: int | None
    run: int | None
    row_number: int | None
    query: str | None
    targets: Sequence[TargetTrace]


@dataclass(frozen=True, slots=True)
class Why:
    """Where a person's attributes come from, by syncs and merges, and what became of them."""

    id: str | None
    email: str | None
    anonymous_ids: Sequence[str]
    attributes: Sequence[AttributeRecord]
    syncs: Sequence[SyncTrace]
    merges: Sequence[MergeRecord] = ()


def why(home: Home, who: str, attribute: str | None = None, destination: str | None = None) -> Why:
    """Explain a person's attributes, one or all, and what destinations have of them.

    Somebody whom the workspace does not know is looked for in what the syncs keep. Raises
    StateError NOT_FOUND and ConfigError WHO_AMBIGUOUS or NAME_UNKNOWN.
    """
    if destination is not None and destination not in home.destinations:
        known = ", ".join(home.destinations) or "none"
        text = f"There is no destination {destination}."
        raise ConfigError("NAME_UNKNOWN", text, mend=f"Known: {known}.")
    person = find_person(home, who)
    names = names_of(person, who)
    with Duck(home.store.files.scratch) as duck:
        rows = sync_rows(home, duck, names)
        if not (rows or person):
            raise unknown(who)
        suppressed = names.are_suppressed(home)
        syncs = [_Tracer(home, duck, row, suppressed, person).sync(destination) for row in rows]
    listed = _attributes(home, person, rows)
    chosen = [one for one in listed if attribute in (None, one.name)]
    if attribute is not None and not chosen:
        text = f"Nothing is known of {attribute} of {who}."
        raise StateError("NOT_FOUND", text, mend=f"See rowlift people show {who}.")
    merged = merges_of(home, person.record.pid) if person else ()
    return Why(names.id, names.email, names.anonymous_ids, chosen, syncs, merged)


def _attributes(
    home: Home, person: Person | None, rows: Sequence[SyncRow]
) -> list[AttributeRecord]:
    """Return what the workspace says, or without it what the rows do, and what is gone from it."""
    if person is None:
        return list(_told(rows, frozenset()))
    stored = attributes(person.record, sync_names(home))
    mine = [row for row in rows if row.spec.workspace]
    gone = _told(mine, IDENTIFIERS | {one.name for one in stored})
    return [*with_changes(stored, rows), *(replace(one, value=None) for one in gone)]


def _told(rows: Sequence[SyncRow], besides: frozenset[str]) -> Iterator[AttributeRecord]:
    for name, changes in sorted(changes_of(rows).items()):
        if name not in besides:
            last = changes[0]
            yield AttributeRecord(name, last.after, last.sync, last.run, None, changes)


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
            query_version(run),
            list(self._targets(destination)),
        )

    def _targets(self, destination: str | None) -> Iterator[TargetTrace]:
        if self.row.spec.workspace and destination is None:
            yield self._target(TARGET, TARGET, None)
        newest = self.home.store.deliveries.newest(self.row.uid)
        for use in self.row.spec.destinations:
            if destination in (None, use.use):
                uid = self.home.destinations.get(use.use, "")
                yield self._target(use.use, uid, newest.get(uid))

    def _target(self, name: str, uid: str, delivery: Delivery | None) -> TargetTrace:
        has = acknowledged(self.duck, self.home.store, self.row.uid, uid, self.row.key)
        standing, code, reason = self._standing(uid, has, delivery)
        version = has.version if has and has.version else None
        wrote = self._wrote(uid, has) if version else None
        runs = self.home.store.runs
        run = version and runs.of_revisions(self.row.uid, [version]).get(version)
        return TargetTrace(
            name, standing, version, run.id if run else None, wrote.id if wrote else None,
            wrote.finished_at if wrote else None, code, reason,
        )  # fmt: skip

    def _wrote(self, uid: str, has: Acknowledged | None) -> Delivery | None:
        deliveries = self.home.store.deliveries
        return deliveries.that_wrote(self.row.uid, uid, has.revision) if has else None

    def _standing(
        self, uid: str, has: Acknowledged | None, delivery: Delivery | None
    ) -> tuple[Standing, str, str]:
        row, last, newest = self.row, self.row.last, self.row.newest
        if self.suppressed:
            return Standing.SUPPRESSED, "PERSON_SUPPRESSED", "The person is suppressed."
        if row.bad:
            return Standing.REJECTED, row.bad.code, _at_row(row.bad)
        if last and last.status in _TOOK_NOTHING and last.image_revision is None:
            return Standing.STOPPED, last.reason_code, f"Run {last.id}: {last.reason}"
        if newest and not newest.present and not (has and self._is_behind(uid, has)):
            is_kept = has is None or has.present
            standing = Standing.LEFT if is_kept else Standing.REMOVED
            return standing, "", "" if is_kept or uid != TARGET else self._why_there()
        if has and has.doubt is None and not self._is_behind(uid, has):
            fresh = last and newest and last.image_revision == newest.version
            return (Standing.DELIVERED if fresh else Standing.UNCHANGED), "", ""
        if self.home.store.runs.is_paused(row.uid):
            return Standing.PAUSED, "", "The sync is paused."
        if uid == TARGET:
            return self._not_applied()
        return self._not_delivered(has, delivery)

    def _why_there(self) -> str:
        """What keeps a person whom the sync would have deleted."""
        if self.person is None or self.row.spec.removed is not Removed.DELETE:
            return ""
        names = sync_names(self.home)
        others = [names.get(one, one) for one in self.person.record.contributors]
        return f"The person stays for {_brought(sorted(others))}."

    def _is_behind(self, uid: str, has: Acknowledged) -> bool:
        ledger = self.home.store.images.ledger(self.row.uid, uid, self.home.workspace_id)
        newest = self.row.newest
        return has.epoch != ledger.epoch or (newest is not None and newest.version != has.version)

    def _not_applied(self) -> tuple[Standing, str, str]:
        row, files = self.row, self.home.store.files
        rejects = (files.of_run(REJECTS, one.id, row.uid) for one in row.tries)
        bad = next(filter(None, (refused(self.duck, one, row.key) for one in rejects)), None)
        if bad:
            return Standing.REJECTED, bad.code, _at_row(bad)
        if row.spec.mode is not Mode.UPSERT:
            return Standing.SKIPPED, "", f"The sync's mode is {row.spec.mode.value}."
        return Standing.PENDING, "", "No run has written it yet."

    def _not_delivered(
        self, has: Acknowledged | None, delivery: Delivery | None
    ) -> tuple[Standing, str, str]:
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
