"""Due rows into the workspace: one durable plan, then slices of plain upserts.

    decide(duck, workspace, spec, "due", writer)            # relation PLAN, nothing written but pids
    plan = files.write("apply", owner, lambda path: write_plan(duck, path))
    for number, rows in slices(plan.path, done=applied(connection, run_id)):
        with database.transaction("apply.slice") as connection:
            ... renew the lease ...
            apply_slice(connection, workspace, writer, number, rows)

PLAN and the plan file have the columns: slice INTEGER (-1: nothing to write), action VARCHAR, pid
BIGINT (person or object), id, email, email_key, anonymous_id, attributes (the person's whole
attributes after the slice), origins, revision, other_writers, release BOOLEAN, attached BOOLEAN,
key, version, op, patch (the row's attributes without identifiers), fp, present, row_number, code,
reason.

Actions: create, update, clear, delete; none (nothing to do, counts as written), skip (the sync's
mode does not want the row), reject (code and reason say why).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import sqlalchemy as sa

from rowlift.core.nouns import Reject
from rowlift.core.specs import SyncSpec
from rowlift.engine.duck import Duck
from rowlift.workspace.workspace import Workspace, Writer

PLAN = "apply_plan"
SLICE_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Applied:
    """What one slice did; `late` are rows whose person changed after the decision."""

    rows: int
    late: tuple[Reject, ...] = ()


def decide(
    duck: Duck,
    workspace: Workspace,
    spec: SyncSpec,
    due: str,
    writer: Writer,
    *,
    slice_rows: int = SLICE_ROWS,
) -> None:
    """Create the relation PLAN from the relation `due`; only numbers for new people are taken."""
    raise NotImplementedError


def counts(duck: Duck) -> dict[str, int]:
    """Return the number of rows of PLAN by action, and of those attached."""
    raise NotImplementedError


def write_plan(duck: Duck, path: Path) -> int:
    """Write PLAN as Parquet, sorted by slice, and return its number of rows."""
    raise NotImplementedError


def slices(plan: Path, done: Collection[int] = ()) -> Iterator[tuple[int, pa.Table]]:
    """Read the slices that are not done, one at a time, in their order."""
    raise NotImplementedError


def applied(connection: sa.Connection, run_id: int) -> dict[int, tuple[Reject, ...]]:
    """Return the slices a run has committed, each with its late rejects."""
    raise NotImplementedError


def apply_slice(
    connection: sa.Connection, workspace: Workspace, writer: Writer, number: int, rows: pa.Table
) -> Applied:
    """Write one slice and its checkpoint in the caller's transaction; no unique key can fail."""
    raise NotImplementedError
