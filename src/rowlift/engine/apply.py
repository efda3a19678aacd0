"""Due rows into the workspace: one durable plan, then slices of plain writes.

    decide(duck, workspace, spec, Due("due"), writer)   # relation PLAN; nothing written but numbers
    plan = files.write("apply", owner, lambda path: write_plan(duck, path))
    for number, rows in slices(plan.path, done=applied(connection, writer)):
        with database.transaction("apply.slice") as connection:
            apply_slice(connection, workspace, writer, number, rows, hold=lease.hold)

PLAN and the plan file have the columns: kind, slice (-1: nothing to write), action, pid (of the
record), its identifiers as they will be (of a person id, email, email_key, and anonymous_id if it
is new; of an object object_type, object_id; of a relationship person_pid, object_pid), merged
(pid and revision of the strangers who are merged into the person), attributes
and origins (the whole of them after the slice), revision (the one that was decided on), takes
(identifiers change), release (another row takes the address), attached, key, version, op, fp,
present, row_number, code, reason. The order of slices: newcomers as they came, deletions, those who
pass addresses on, all others by key, familiar people by pid. Rows that pass addresses to each other
share a slice, which may grow longer so: after each commit everybody has an address of their own.

Actions: create, update, clear, delete; none (nothing to do, counts as written), skip (the sync's
mode does not want the row), suppress (the person must not be processed), reject (code and reason
say why).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import sqlalchemy as sa

from rowlift.core.nouns import Kind, Reject
from rowlift.core.specs import SyncSpec
from rowlift.db import mapped_errors
from rowlift.engine.decisions import (
    decide_removals,
    match_objects,
    match_relationships,
    number_rows,
    reason,
)
from rowlift.engine.duck import Duck, parquet, text
from rowlift.engine.early import Early, ask_early
from rowlift.engine.familiar import decide_familiar
from rowlift.engine.identity import decide_people, match_people, rules
from rowlift.engine.known import (
    know_kept,
    know_objects,
    know_people,
    know_records,
    know_relationships,
)
from rowlift.engine.laying import PLACED, combine, lay, take_apart
from rowlift.engine.merging import lay_strangers
from rowlift.engine.newcomers import find_newcomers
from rowlift.engine.read import row_bytes
from rowlift.kit.arrow import batches, give_back, runs
from rowlift.workspace import slices as checkpoints
from rowlift.workspace.numbers import reserve
from rowlift.workspace.slices import Slice
from rowlift.workspace.workspace import Workspace, Writer

PLAN = "apply_plan"
SLICE_ROWS = 20_000
SLICE_BYTES = 16_000_000  # in memory as Python objects, beside the next one as it is read
LEAST_SLICE_ROWS = 1000
READ_ROWS = 4096
READ_BYTES = 4_000_000
PART_SLICES = 5  # whose stored attributes are in memory at once
TABLES = {
    Kind.PERSON: "people",
    Kind.ACCOUNT: "objects",
    Kind.OBJECT: "objects",
    Kind.RELATIONSHIP: "relationships",
}


@dataclass(frozen=True, slots=True)
class Applied:
    """What one slice did; `late` are rows whose record changed after the decision."""

    rows: int
    late: tuple[Reject, ...] = ()


@dataclass(frozen=True, slots=True)
class Due:
    """The relation of the rows that are due, and that of those left out as suppressed.

    The latter are passed over, or rejected where the sync says so. Whose the rows are may have been
    asked for `early`. Rows of the relation `undone` take back what it says that they were: nothing
    that others wrote since.
    """

    rows: str
    suppressed: str = ""
    early: Early | None = None
    undone: str = ""


def decide(
    duck: Duck,
    workspace: Workspace,
    spec: SyncSpec,
    given: Due,
    writer: Writer,
    *,
    slice_rows: int = SLICE_ROWS,
    ahead: bool = False,
) -> None:
    """Create the view PLAN over what is due; only numbers for new people are taken.

    Clear removes what this sync wrote last; delete removes the whole record, but clears it where
    another sync or a hand has something of it. With `ahead` what `look_ahead` keeps counts as
    written.
    """
    due, early = given.rows, given.early
    with _snapshot(workspace, early) as connection:
        newcomers = None
        if not early:
            newcomers = find_newcomers(duck, connection, workspace.id, spec, due)
        rest = "apply_rest" if newcomers else due
        part_rows = PART_SLICES * slice_rows
        asked = Asked(
            ahead=ahead, sync_uid=writer.sync_uid, most_early=part_rows, early=early,
            undone=given.undone,
        )  # fmt: skip
        begun = identify(duck, connection, workspace, spec, rest, asked)
        shared = spec.identify_by == "anonymous_id"
        new = number_rows(duck, slice_rows, spec.kind, shared=shared)
        if spec.kind is Kind.PERSON:
            decide_familiar(duck, slice_rows)
        duck.give_back()
        first = reserve(workspace.database, TABLES[spec.kind], new) if new else 0
        kept = tuple(name for name, rule in spec.attributes.items() if rule == "set_if_empty")
        plan = _Planning(
            duck, connection, workspace.id, spec.kind, writer, first, kept, part_rows, begun,
            given.undone,
        ).query()  # fmt: skip
    if newcomers and newcomers.count:
        first = reserve(workspace.database, TABLES[spec.kind], newcomers.count)
        plan = newcomers.plan(first, slice_rows, others=plan)
    if given.suppressed and duck.count(given.suppressed):
        plan = _with_suppressed(plan, spec, given.suppressed)
    duck.run(f"CREATE OR REPLACE TEMP VIEW {PLAN} AS {plan}")


@contextmanager
def _snapshot(workspace: Workspace, early: Early | None) -> Iterator[sa.Connection]:
    if early is None:
        with workspace.database.read() as connection:
            yield connection
        return
    with mapped_errors():
        yield early.connection


_SUPPRESSED = """
SELECT * FROM ({plan})
UNION ALL BY NAME
SELECT {kind} AS kind, -1 AS slice, {action} AS action, key, version, op, fp, present, row_number,
    {code} AS code, {reason} AS reason
FROM {rows}
"""


def _with_suppressed(plan: str, spec: SyncSpec, rows: str) -> str:
    action, code, reason = map(text, told_of_suppressed(spec))
    kind = text(spec.kind.value)
    return _SUPPRESSED.format(
        plan=plan, kind=kind, action=action, code=code, reason=reason, rows=rows
    )


def told_of_suppressed(spec: SyncSpec) -> tuple[str, str, str]:
    """Return the action for rows of people who are suppressed, its code and reason."""
    if spec.suppressed == "fail":
        return "reject", "PERSON_SUPPRESSED", "The person is suppressed."
    return "suppress", "", ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for besides who each row is.

    With `ahead` what `look_ahead` keeps counts as written. Where rows may have left, `sync_uid` is
    whose they were. What is stored of the people whom at most `most_early` rows find by their own
    identifier comes with them, as `apply_records`; they may have been asked for `early` already.
    """

    ahead: bool = False
    sync_uid: str = ""
    most_early: int = 0
    early: Early | None = None
    undone: str = ""


def identify(
    duck: Duck,
    connection: sa.Connection,
    workspace: Workspace,
    spec: SyncSpec,
    due: str,
    asked: Asked,
) -> bool:
    """Create `apply_decided` and `apply_known`: who each row of `due` is, by the rules of its kind.

    The columns of `apply_decided` are those of identity.py and decisions.py; rows of familiar
    people stand in `apply_familiar` instead. Returns whether `apply_records` has been begun.
    """
    keep = partial(
        know_kept, duck, connection, TABLES[spec.kind], sync_uid=asked.sync_uid, undone=asked.undone
    )
    if spec.kind is Kind.PERSON:
        early = _meet_people(duck, connection, workspace, spec, due, asked)
        by = rules(spec, allow_email_change_by_id=workspace.allow_email_change_by_id)
        match_people(duck, by)
        keep("apply_match")
        decide_people(duck, by)
        return early
    take_apart(duck, "", due)
    if spec.kind is Kind.RELATIONSHIP:
        know_relationships(duck, connection, workspace, spec, ahead=asked.ahead)
        match_relationships(duck, "email_key" if spec.identify_by == "email" else "id")
    else:
        know_objects(duck, connection, workspace, spec)
        match_objects(duck, spec.mode)
    keep("apply_decided")
    decide_removals(duck)
    return False


def _meet_people(
    duck: Duck,
    connection: sa.Connection,
    workspace: Workspace,
    spec: SyncSpec,
    due: str,
    asked: Asked,
) -> bool:
    with ThreadPoolExecutor(1, "people") as other:
        early = asked.early or ask_early(
            duck, connection, workspace, spec, due, other, asked.most_early
        )
        take_apart(duck, spec.identify_by, due)
        know_people(duck, connection, workspace, spec, early)
    return early is not None


_AHEAD = """
CREATE OR REPLACE TEMP TABLE ahead_{table} AS SELECT pid, action, {columns}, 1 AS revision
FROM apply_plan WHERE action IN ('create', 'update', 'delete')
"""


def look_ahead(duck: Duck, kind: Kind) -> None:
    """Keep who would be written by PLAN, for relationships that are decided before they are."""
    empty = _AHEAD + " LIMIT 0"
    for table, columns in (("people", "id, email_key"), ("objects", "object_type, object_id")):
        mine = TABLES[kind] == table
        given = columns if mine else ", ".join(f"'' AS {one}" for one in columns.split(", "))
        duck.run((_AHEAD if mine else empty).format(table=table, columns=given))


def slice_rows(width: int) -> int:
    """Return how many rows of a mean width in bytes go into one slice."""
    return max(LEAST_SLICE_ROWS, min(SLICE_ROWS, SLICE_BYTES // max(1, width)))


def most_early(width: int) -> int:
    """Return for how many rows of a mean width in bytes what is stored fits into memory."""
    return PART_SLICES * slice_rows(width)


# A changed spelling of the same address is written with the identifiers too.
_PLAN = """
SELECT {kind} AS kind, d.slice, d.action,
    CASE d.action WHEN 'create' THEN {first} + d.position ELSE d.target END AS pid, {own},
    CASE WHEN d.action IN ('create', 'update', 'clear') THEN d.attributes END AS attributes,
    d.origins_after AS origins, k.revision,
    CASE WHEN d.action = 'update' THEN m.strangers END AS merged,
    d.takes OR (d.action = 'update' AND coalesce(d.email <> d.current_email, FALSE)) AS takes,
    d.release, d.attached, d.key, d.version, d.op, d.fp, d.present, d.row_number, d.code,
    {reason} AS reason, d.position
FROM ({rows}) d LEFT JOIN apply_known k ON k.pid = coalesce(d.other, d.target)
LEFT JOIN apply_merged m ON m.into_pid = d.target
"""
_ORDERED = "SELECT * EXCLUDE (position) FROM ({rows}) ORDER BY position"


_PERSON = """coalesce(d.id, d.target_id) AS id, coalesce(d.email, d.current_email) AS email,
    coalesce(d.email_key, d.target_email_key) AS email_key, d.anonymous_id"""
_OWN = {
    Kind.PERSON: _PERSON,
    Kind.ACCOUNT: "d.object_type, d.object_id",
    Kind.OBJECT: "d.object_type, d.object_id",
    Kind.RELATIONSHIP: "d.person_pid, d.object_pid",
}


@dataclass(frozen=True, slots=True)
class _Planning:
    """Lays rows over records: at once where nothing is stored of them, else part by part."""

    duck: Duck
    connection: sa.Connection
    workspace_id: int
    kind: Kind
    writer: Writer
    first: int
    kept: tuple[str, ...]  # attributes that are set only where there is none
    part_rows: int
    early: bool  # whether `apply_records` has been begun
    undone: str = ""

    def query(self) -> str:
        combine(self.duck)
        rows = self.duck.count("apply_decisions")
        updates = self.duck.count("(FROM apply_decisions WHERE action IN ('update', 'clear'))")
        if updates and rows > self.part_rows:
            return self._parts()
        return _ORDERED.format(rows=self._lay(PLACED, "apply_decisions"))

    def _parts(self) -> str:
        whole = self.duck.scratch_file("placed")
        rows = self.duck.write(f"{PLACED} ORDER BY position", whole)
        paths = []
        for start in range(0, rows, self.part_rows):
            paths.append(self.duck.scratch_file("part"))
            part = f"""SELECT * FROM {parquet([whole])}
WHERE position >= {start} AND position < {start + self.part_rows}"""
            self.duck.write(_ORDERED.format(rows=self._lay(part, f"({part})")), paths[-1])
        return f"SELECT * FROM {parquet(paths)}"

    def _lay(self, placed: str, decided: str) -> str:
        table = TABLES[self.kind]
        know_records(
            self.duck, self.connection, self.workspace_id, table, decided, early=self.early
        )
        lay_strangers(self.duck, self.connection, self.workspace_id)
        rows = lay(self.duck, placed, self.writer.sync_uid, self.kept, self.undone)
        kind = text(self.kind.value)
        return _PLAN.format(
            kind=kind, first=self.first, own=_OWN[self.kind], reason=reason(self.kind), rows=rows
        )


def counts(duck: Duck) -> dict[str, int]:
    """Return the number of rows of PLAN by action, of those attached, and of people merged."""
    found = dict(duck.rows(f"SELECT action, count(*) FROM {PLAN} GROUP BY action"))
    attached = duck.count(f"(FROM {PLAN} WHERE attached AND action = 'update')")
    (merged,) = duck.one(f"SELECT coalesce(sum(len(merged)), 0)::BIGINT FROM {PLAN}")
    return found | {"attached": attached, "people_merged": merged}


def write_plan(duck: Duck, path: Path) -> int:
    """Write PLAN as Parquet, slice after slice, and return its number of rows."""
    with duck.one_thread():
        return duck.write(f"SELECT * FROM {PLAN}", path)


def slices(plan: Path, done: Collection[int] = ()) -> Iterator[tuple[int, pa.Table]]:
    """Read the slices that are not done in their order, each while the one before it is written."""
    wanted = (one for one in _grouped(plan) if one[0] >= 0 and one[0] not in done)
    with ThreadPoolExecutor(1, "slices") as reader:
        coming = reader.submit(next, wanted, None)
        while found := coming.result():
            coming = reader.submit(next, wanted, None)
            yield found
            give_back()
    give_back()  # what the reader's thread had, which it alone could while it lived


def _grouped(plan: Path) -> Iterator[tuple[int, pa.Table]]:
    held: list[pa.RecordBatch] = []
    at = -1
    rows = max(1, min(READ_ROWS, READ_BYTES // max(1, row_bytes(plan))))
    for batch in batches(plan, rows):
        for number, start, end in runs(batch.column("slice")):
            if held and number != at:
                yield at, pa.Table.from_batches(held)
                held = []
            at = number
            held.append(batch.slice(start, end - start))
    if held:
        yield at, pa.Table.from_batches(held)


def applied(connection: sa.Connection, writer: Writer) -> dict[int, tuple[Reject, ...]]:
    """Return the slices a run has committed, each with its late rejects."""
    return checkpoints.written(connection, writer)


def apply_slice(
    connection: sa.Connection,
    workspace: Workspace,
    writer: Writer,
    number: int,
    rows: pa.Table,
    refused: Mapping[str, Reject] = MappingProxyType({}),
    *,
    hold: Callable[[sa.Connection], None],
) -> Applied:
    """Write one slice and its checkpoint in the caller's transaction; no unique key can fail.

    Rows that were `refused` since the decision, by key, are not written. The right to write is
    held late: from then on no other slice can be.
    """
    table = TABLES[Kind(rows.column("kind")[0].as_py())]
    late = checkpoints.write(connection, Slice(workspace, writer, table, rows), refused)
    hold(connection)
    checkpoints.checkpoint(connection, writer, number, len(rows), late)
    return Applied(len(rows), late)
