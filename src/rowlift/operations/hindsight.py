"""What one asks of a run afterwards: did last_sync_time move, and what changed since a good one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rowlift.core.nouns import Status
from rowlift.core.specs import SyncSpec
from rowlift.engine.parts import parts
from rowlift.engine.populate import TARGET
from rowlift.engine.run import is_all_kept
from rowlift.kit.sqlguard import uses_last_sync_time
from rowlift.operations.covering import covered_version
from rowlift.operations.defining import difference, secrets_set
from rowlift.operations.home import Home
from rowlift.state.definitions import Definition, Version
from rowlift.state.runs import ERASURE, Run

_ENDED = {
    Status.FAILED: "The run failed before everything was taken over.",
    Status.STOPPED: "A guard stopped the run before anything was changed.",
    Status.CANCELLED: "The run was cancelled before everything was taken over.",
    Status.SKIPPED: "The run was skipped: it read nothing.",
    Status.QUEUED: "The run has not begun.",
    Status.RUNNING: "The run goes on.",
}


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run was to do, and what it did to last_sync_time.

    `targets` are those of its time, the workspace first. `moved_to` is in Unix seconds of the
    source's clock, or null, and `why_not` says why; `is_read_since` tells whether the query asks
    for what changed since then.
    """

    run: int
    targets: Sequence[str]
    moved_to: int | None
    why_not: str
    is_read_since: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a definition; `diff` compares it with the version before, without secrets."""

    kind: str
    name: str
    version: int
    actor: str
    origin: str
    at: float
    diff: str


@dataclass(frozen=True, slots=True)
class Renewal:
    """A secret of a source or destination that was set anew; times are Unix seconds."""

    kind: str
    name: str
    path: str
    at: float


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """A column that came, went (`after` is null) or changed its type."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class RunChanges:
    """What changed between the last good run of a sync and a later one.

    `good` is that run's number, null where there is none that is known. Secrets that files refer
    to are not watched.
    """

    run: int
    good: int | None
    good_at: float | None
    edits: Sequence[Edit] = ()
    secrets: Sequence[Renewal] = ()
    columns: Sequence[ColumnChange] = ()
    rows_before: int | None = None
    rows_now: int | None = None


def facts(run: Run) -> RunFacts:
    """Return what a run was to do, and what it did to last_sync_time."""
    if run.sync_uid == ERASURE:
        return RunFacts(run.id, (), None, "An erasure reads no source.", is_read_since=False)
    spec = SyncSpec.from_json(run.spec)
    why = _why_not(run, spec)
    return RunFacts(
        run.id,
        (*((TARGET,) if spec.workspace else ()), *(use.use for use in spec.destinations)),
        None if why else run.source_time,
        why,
        uses_last_sync_time(spec.sql),
    )


def changes(home: Home, run: Run, *, whole: bool) -> RunChanges:
    """Return what changed since the last good run of the same sync.

    What is less than `whole` leaves out the paths of addresses.
    """
    good = home.store.runs.last_good(run.sync_uid, run.id)
    if good is None or run.sync_uid == ERASURE:
        return RunChanges(run.id, None, None, rows_now=run.counts.get("read"))
    watched = list(_watched(home, run))
    return RunChanges(
        run.id,
        good.id,
        good.created_at,
        sorted(_edits(home, watched, good, run, whole=whole), key=lambda one: one.at),
        sorted(_renewals(home, watched, good, run), key=lambda one: one.at),
        list(_columns(good.columns, run.columns)),
        good.counts.get("read"),
        run.counts.get("read"),
    )


def _why_not(run: Run, spec: SyncSpec) -> str:
    if run.retry_of is not None:
        return "A retry reads nothing from the source."
    if run.undo_of is not None:
        return "An undo reads nothing from the source."
    if run.first_rows is not None:
        return "The run tried the first rows of the query only."
    if run.status in _ENDED:
        return _ENDED[run.status]
    names = [one.name for one in parts(spec, run.sync_uid)]
    if not is_all_kept(spec, names, run.counts):
        return "Rows were rejected that only the query can bring again, so it is asked for them."
    return ""


def _watched(home: Home, run: Run) -> Iterator[Definition]:
    """Yield the definitions that a run depends on."""
    spec = SyncSpec.from_json(run.spec)
    wanted = {("source", spec.source), *(("destination", use.use) for use in spec.destinations)}
    for one in home.store.definitions.all(home.workspace_id):
        is_used = one.kind == "workspace" or (one.kind, one.name) in wanted
        if is_used or one.uid == run.sync_uid:
            yield one


def _edits(
    home: Home, watched: Sequence[Definition], good: Run, run: Run, *, whole: bool
) -> Iterator[Edit]:
    for one in watched:
        found = home.store.definitions.versions(one.uid)
        newest_first = found if whole else [covered_version(one.kind, each) for each in found]
        before: Version | None = None
        for version in reversed(newest_first):
            if good.created_at < version.created_at <= run.created_at:
                yield Edit(
                    one.kind, version.name, version.version, version.actor, version.origin,
                    version.created_at, difference(before, version),
                )  # fmt: skip
            before = version


def _renewals(home: Home, watched: Sequence[Definition], good: Run, run: Run) -> Iterator[Renewal]:
    for one in watched:
        for path, at in secrets_set(home, one).items():
            if good.created_at < at <= run.created_at:
                yield Renewal(one.kind, one.name, path, at)


def _columns(
    before: Mapping[str, str] | None, after: Mapping[str, str] | None
) -> Iterator[ColumnChange]:
    """Yield how the columns differ, where both runs know theirs."""
    if before is None or after is None:
        return
    for name in {**before, **after}:
        if before.get(name) != after.get(name):
            yield ColumnChange(name, before.get(name), after.get(name))
