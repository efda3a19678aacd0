"""Apply: the due rows of the image into the workspace, slice by slice, exactly once."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from rowlift.core.nouns import Reject, Removed
from rowlift.core.progress import Progress
from rowlift.core.specs import SyncSpec
from rowlift.db import Database
from rowlift.engine import apply
from rowlift.engine.apply import Applied
from rowlift.engine.duck import Duck, parquet
from rowlift.engine.early import LookAhead
from rowlift.engine.layers import (
    Added,
    Layers,
    add_to_ledger,
    image_width,
    open_image,
    open_ledger,
)
from rowlift.engine.ledger import Mapping as RowMapping
from rowlift.engine.ledger import Target, find_due
from rowlift.engine.namesakes import LEAVES, find_namesakes
from rowlift.engine.parts import Part
from rowlift.engine.spread import spread
from rowlift.engine.suppress import Look, find_suppressed, suppressed_since, watch
from rowlift.engine.undo import DELTA, as_left
from rowlift.engine.writing import Slices, Written, write_one_by_one, write_side_by_side
from rowlift.state.files import Owner, StoredFile
from rowlift.state.images import WORKSPACE, Ledger
from rowlift.state.leases import Lease
from rowlift.state.runs import Run
from rowlift.state.store import Store
from rowlift.workspace import segments, suppression
from rowlift.workspace.workspace import Workspace, Writer

TARGET = WORKSPACE
REJECTS = "apply_rejects"
DUE = apply.Due("workspace_due", "suppressed_rows")
WRITES = ("create", "update", "clear", "delete", "enter", "leave")
COUNTED = (*WRITES, "due", "written", "skipped", "suppressed", "rejected")

_SETTLED = """
SELECT key, version, op = 'upsert' AS present, fp, {epoch}::INTEGER AS epoch,
    NULL::BIGINT AS doubt, {seq}::BIGINT AS seq
FROM {plan}
WHERE action NOT IN ('reject', 'skip', 'suppress') AND op <> 'enter'
UNION ALL
SELECT key, version, had, coalesce(had_fp, 0), {epoch}, NULL, {seq} FROM due WHERE NOT is_due
"""

_BUT_LATE = "(FROM {settled} settled ANTI JOIN late ON late.identifier = settled.key)"

# Whom the workspace has as they are; what else is due enters with what it writes.
_ENTERING = """
UNION ALL BY NAME
SELECT i.key, i.version, i.present, i.row_number, FALSE AS doubt, l.fp, 'enter' AS op, TRUE AS had,
    l.fp AS had_fp, i.attributes, TRUE AS is_due
FROM image i JOIN ledger l ON l.key = i.key
WHERE i.present AND l.present AND i.key NOT IN (SELECT key FROM due WHERE is_due)
"""

_STAYING = f"""
SELECT * REPLACE (
    CASE WHEN {LEAVES} AND key IN (FROM named_still) THEN 'stay' ELSE op END AS op
) FROM ({{lacks}})
"""
_COMERS = "SELECT * FROM workspace_lacks WHERE op IN ('upsert', 'enter')"
_DUE = f"""
CREATE OR REPLACE TEMP VIEW {DUE.rows} AS FROM workspace_lacks ANTI JOIN suppressed_keys USING (key)
"""
_AMONG = "AND key IN (SELECT identifier FROM {rejects})"

_REJECTED = """
SELECT row_number, key AS identifier, code, reason FROM {plan} WHERE action = 'reject'
UNION ALL SELECT row_number, identifier, code, reason FROM late ORDER BY row_number
"""

_UPDATED = """
SELECT DISTINCT unnest(json_keys(attributes)) FROM {plan} WHERE action = 'update'
"""

_LATE = pa.schema(
    [("row_number", pa.int64()), ("identifier", pa.string()), ("code", pa.string()),
     ("reason", pa.string())]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settled:
    """A scratch file of so many rows for the ledger, as they are unless some came too late.

    Beside it stands how many rows of the plan have each action, and each code, which attributes of
    those who were known are written, and whether people may be merged.
    """

    path: Path
    rows: int
    actions: Mapping[str, int]
    codes: Mapping[str, int]
    attributes: frozenset[str]
    merges: bool


@dataclass(frozen=True, slots=True)
class Populated:
    """What the workspace took: counts by outcome, rejects by code."""

    counts: Mapping[str, int] = field(default_factory=dict)
    codes: Mapping[str, int] = field(default_factory=dict)
    plan: StoredFile | None = None  # None where nothing was due
    settled: Settled | None = None
    late: tuple[Reject, ...] = ()


@dataclass(frozen=True, slots=True)
class LedgerChange:
    """New ledger files and the pointer that goes with them."""

    ledger: Ledger
    stored: tuple[StoredFile, ...]
    replaced: tuple[StoredFile, ...]


def look_ahead(duck: Duck, people: LookAhead, rows: str) -> None:
    """Begin to look up whose rows arrived anew: those that will be due, unless more are due."""
    people.ask(duck, rows, apply.most_early(image_width(duck)))


def populate(
    duck: Duck,
    store: Store,
    lease: Lease,
    run: Run,
    part: Part,
    people: LookAhead,
    progress: Progress,
) -> Populated:
    """Decide once, then write slice by slice; a slice that was committed is never repeated."""
    before, workspace = _standing(store, run, part), people.workspace
    if before.ledger.settled == _revision(store, part) or before.among == ():
        return _with_settled(Populated(dict.fromkeys(COUNTED, 0)), before)
    writer = Writer(run.sync_uid, run.id, run.source_time or 0, part.name)
    open_image(duck, store, part.uid)
    duck.make_room(image_width(duck))
    open_ledger(duck, store, part.uid, TARGET)
    found_by = _find_due(duck, store, lease, part, workspace, before)
    is_planned = bool(store.files.of_run("apply", run.id, part.uid))
    listed = None if is_planned else found_by
    plan = _plan(duck, store, lease, run, part, people, writer)
    writer = replace(writer, segment_id=_segment_id(workspace, part.spec))
    with store.database.read() as connection:
        late = apply.applied(connection, writer)
    progress.phase(part.title, "write", plan.rows)
    writing = _Writing(store, lease, workspace, part.spec, writer, listed)
    named = store.audiences.are_there(run.workspace_id)
    with _meanwhile(duck, partial(_settle, duck, plan, before.ledger, named=named)) as settling:
        for number, applied in writing.all(apply.slices(plan.path, done=frozenset(late))):
            late[number] = applied.late
            progress.advance(part.title, applied.rows)
    every = tuple(one for of_slice in late.values() for one in of_slice)
    return _with_settled(_counted(plan, settling.result(), every), before)


@contextmanager
def _meanwhile(duck: Duck, work: Callable[[], Settled]) -> Iterator[Future[Settled]]:
    """Let DuckDB work beside the block, which must not use it; a failure stops both."""
    with ThreadPoolExecutor(1, "settling") as other:
        coming = other.submit(work)
        try:
            yield coming
        except BaseException:
            duck.interrupt()
            raise


def _settle(duck: Duck, plan: StoredFile, ledger: Ledger, *, named: bool) -> Settled:
    """Write what the ledger will have of a plan, and of rows that need no writing."""
    path, planned = duck.scratch_file("settled"), parquet([plan.path])
    rows = _SETTLED.format(plan=planned, epoch=ledger.epoch, seq=ledger.revision + 1)
    with duck.one_thread():
        actions, codes = (
            dict(duck.rows(f"SELECT {one}, count(*) FROM {planned} WHERE {one} <> '' GROUP BY ALL"))
            for one in ("action", "code")
        )
        names, merges = frozenset[str](), True
        if named:
            names = frozenset(str(one) for (one,) in duck.rows(_UPDATED.format(plan=planned)))
            merges = duck.count(f"(FROM {planned} WHERE merged IS NOT NULL)") > 0
        return Settled(path, duck.write(rows, path), actions, codes, names, merges)


@dataclass(frozen=True, slots=True)
class _Writing:
    """Writes slices of a plan that goes by the revision `listed` of suppressions."""

    store: Store
    lease: Lease
    workspace: Workspace
    spec: SyncSpec
    writer: Writer
    listed: int | None

    def all(self, slices: Slices) -> Written:
        if self.store.database.is_sqlite:
            return write_one_by_one(slices, self.one)
        return write_side_by_side(slices, self.one)

    def one(self, number: int, rows: pa.Table) -> Applied:
        with self.store.database.transaction("apply.slice") as connection:
            hidden = suppressed_since(connection, self.workspace, self.spec, rows, self.listed)
            return apply.apply_slice(
                connection, self.workspace, self.writer, number, rows, hidden, hold=self.lease.hold
            )


def _segment_id(workspace: Workspace, spec: SyncSpec) -> int | None:
    return segments.segment(workspace, spec.segment.name).id if spec.segment else None


@dataclass(frozen=True, slots=True)
class Standing:
    """The workspace's ledger as a run has it; whether all whom it holds enter the segment.

    `among` are the rejects that a retry confines itself to; None is for everything that is due.
    """

    ledger: Ledger
    is_entering: bool
    among: tuple[StoredFile, ...] | None = None


def standing(store: Store, workspace_id: int, part: Part) -> Standing:
    """Return how the workspace stands to a sync whose settings may have been edited.

    Once a trait is no longer set only where there is none, what was withheld of it is due.
    """
    known = store.images.ledger(part.uid, TARGET, workspace_id)
    kept = [name for name, rule in part.spec.attributes.items() if rule == "set_if_empty"]
    now = {"kept": sorted(kept), "segment": part.spec.segment and part.spec.segment.name}
    before = json.loads(known.mapping or '{"kept": [], "segment": null}')
    is_entering = now["segment"] not in (None, before["segment"])
    is_written_again = not set(before["kept"]) <= set(kept)
    ledger = replace(
        known,
        mapping=json.dumps(now),
        epoch=known.epoch + is_written_again,
        settled=0 if is_entering or is_written_again else known.settled,
    )
    return Standing(ledger, is_entering)


def _standing(store: Store, run: Run, part: Part) -> Standing:
    """Return how the workspace stands to a run; a retry leaves to the next run what was edited."""
    if run.retry_of is None:
        return standing(store, run.workspace_id, part)
    ledger = store.images.ledger(part.uid, TARGET, run.workspace_id)
    rejects = store.files.of_run(REJECTS, run.retry_of, part.uid)
    return Standing(ledger, is_entering=False, among=tuple(rejects))


def _with_settled(done: Populated, before: Standing) -> Populated:
    """Count the rejects of a retry, and those of them that are not due any more."""
    if before.among is None:
        return done
    retried = sum(one.rows for one in before.among)
    settled = retried - done.counts["due"]
    return replace(done, counts={**done.counts, "retried": retried, "settled": settled})


def find_workspace_due(
    duck: Duck,
    before: Standing,
    spec: SyncSpec,
    database: Database,
    learned: Collection[str] = (),
) -> Look:
    """Create the relations of DUE: what the workspace lacks, and who of that is suppressed.

    The identifiers that were `learned` count as suppressed too, as do those learned by the look.
    """
    mapping = RowMapping(spec.identify_by, spec.removed)
    epoch, settled = before.ledger.epoch, before.ledger.settled
    find_due(duck, Target(mapping, spec.kind, spec.identify_by, epoch, again=True, settled=settled))
    entering = _ENTERING if before.is_entering else ""
    rejects = [one.path for one in before.among or ()]
    among = _AMONG.format(rejects=parquet(rejects)) if rejects else ""
    lacks = f"SELECT * EXCLUDE (message_id) FROM due WHERE is_due {among} {entering}"
    if spec.identify_by == "anonymous_id" and spec.removed is not Removed.KEEP:
        lacks = _without_namesakes(duck, database, before.ledger.workspace_id, lacks)
    duck.run(f"CREATE OR REPLACE TEMP VIEW workspace_lacks AS {lacks}")
    watch(duck, database, before.ledger.workspace_id, learned)
    look = find_suppressed(duck, _COMERS, spec.kind, spec.identify_by)
    duck.run(_DUE)
    return look


def _without_namesakes(duck: Duck, database: Database, workspace_id: int, lacks: str) -> str:
    """Return the query of what the workspace lacks, where who is named by another row stays."""
    with database.read() as connection:
        if not find_namesakes(duck, connection, workspace_id, f"({lacks})"):
            return lacks
    return _STAYING.format(lacks=lacks)


def _find_due(
    duck: Duck, store: Store, lease: Lease, part: Part, workspace: Workspace, before: Standing
) -> int:
    """Create the relations of DUE and return the revision of suppressions they were found by."""
    with store.database.read() as connection:
        listed = suppression.revision(connection, workspace.id)
    look = find_workspace_due(duck, before, part.spec, store.database)
    while learned := spread(duck, store, lease, workspace, part.spec, DUE.suppressed):
        look.again(learned)
        listed += 1
    return listed


def _revision(store: Store, part: Part) -> int:
    image = store.images.image(part.uid)
    return image.revision if image else 0


def fold(duck: Duck, store: Store, run: Run, part: Part, done: Populated) -> LedgerChange:
    """Fold what `populate` just wrote into the workspace's ledger; the caller commits it."""
    before = _standing(store, run, part)
    ledger = before.ledger
    if done.plan is None or done.settled is None:
        return LedgerChange(ledger, (), ())
    late = [{"row_number": one.row_number, "identifier": one.identifier, "code": one.code,
             "reason": one.reason} for one in done.late]  # fmt: skip
    duck.register("late", pa.Table.from_pylist(late, _LATE))
    found = open_ledger(duck, store, part.uid, TARGET)
    seq = ledger.revision + 1
    owner = Owner(run.workspace_id, part.uid, TARGET, run_id=run.id)
    added = _add_settled(duck, store, owner, found, done.settled, late=bool(late))
    stored = added.stored
    if done.counts.get("rejected"):
        fill = partial(duck.write, _REJECTED.format(plan=parquet([done.plan.path])))
        stored = (*stored, store.files.write(REJECTS, owner, fill))
    revision = seq if added.stored else ledger.revision
    held = any(done.counts[name] for name in ("rejected", "skipped", "suppressed"))
    settled = 0 if held or before.among else _revision(store, part)
    after = replace(ledger, revision=revision, settled=settled)
    return LedgerChange(after, stored, (*added.replaced, done.plan))


def _add_settled(
    duck: Duck, store: Store, owner: Owner, found: Layers, settled: Settled, *, late: bool
) -> Added:
    rows = parquet([settled.path])
    if not late:
        return add_to_ledger(duck, store, owner, found, rows, settled.rows, settled.path)
    rows = _BUT_LATE.format(settled=rows)
    return add_to_ledger(duck, store, owner, found, rows, duck.count(rows))


def _plan(
    duck: Duck,
    store: Store,
    lease: Lease,
    run: Run,
    part: Part,
    people: LookAhead,
    writer: Writer,
) -> StoredFile:
    known = store.files.of_run("apply", run.id, part.uid)
    if known:
        return known[0]
    workspace, slice_rows = people.workspace, apply.slice_rows(duck.width)
    undone = _undone(duck, store, run, part) if run.undo_of else ""
    due = replace(DUE, early=people.of(duck, DUE.rows), undone=undone)
    apply.decide(duck, workspace, part.spec, due, writer, slice_rows=slice_rows)
    people.close()
    owner = Owner(run.workspace_id, part.uid, run_id=run.id)
    plan = store.files.write("apply", owner, lambda path: apply.write_plan(duck, path))
    with store.database.transaction("apply.plan") as connection:
        lease.hold(connection)
        store.files.publish(connection, plan)
        if part.spec.segment and part.spec.segment.create:
            segments.make(connection, workspace, part.spec.segment.name)
    return plan


def _undone(duck: Duck, store: Store, run: Run, part: Part) -> str:
    """Return the relation of the rows that a run takes back, as they were; empty if of none."""
    deltas = store.files.of_run(DELTA, run.id, part.uid, replaced=True)
    if not deltas:
        return ""
    return as_left(duck, f"SELECT key, had, before FROM {parquet(one.path for one in deltas)}")


def _counted(plan: StoredFile, settled: Settled, late: tuple[Reject, ...]) -> Populated:
    actions, codes = Counter(settled.actions), Counter(settled.codes)
    codes.update(one.code for one in late)
    rejected = actions.pop("reject", 0) + len(late)
    counts = {name: actions.get(name, 0) for name in WRITES}
    due = actions.total() + rejected - len(late)
    counts |= {"due": due, "skipped": actions["skip"], "suppressed": actions["suppress"]}
    written = due - rejected - counts["skipped"] - counts["suppressed"]
    counts |= {"written": written, "rejected": rejected}
    return Populated(counts, dict(codes.most_common()), plan, settled, late)
