"""Rows that messages were folded into, written by the rules of apply.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from rowlift.core.nouns import Kind, Preset, Reject
from rowlift.core.specs import LimitSpec, SyncSpec
from rowlift.engine import apply
from rowlift.engine.duck import Duck, parquet
from rowlift.engine.folding import Row, due
from rowlift.engine.spread import spread
from rowlift.engine.suppress import find_suppressed, suppressed_since, watch
from rowlift.state.intake import Chunk
from rowlift.state.store import Store
from rowlift.workspace import slices as checkpoints
from rowlift.workspace import suppression
from rowlift.workspace.slices import Slice
from rowlift.workspace.workspace import Workspace, Writer

INGEST = "ingest"  # stands for a sync where it is told who wrote

_MOST_TRIES = 5
_ROWS, _DUE, _HIDDEN = "ingest_rows", "ingest_due", "suppressed_rows"
_CHOSEN = f"""
CREATE OR REPLACE TEMP VIEW {_DUE} AS SELECT * EXCLUDE (is_news) FROM {_ROWS}
WHERE is_news AND key NOT IN (FROM suppressed_keys)
"""
_REFUSED = "SELECT key, code, reason FROM {plan} WHERE action = 'reject'"


def _spec(kind: Kind, identify_by: str) -> SyncSpec:
    limits = LimitSpec(columns=0, rows=0, record_bytes=None)  # messages have limits of their own
    return SyncSpec(INGEST, Preset.IMPORT, kind, "", "", identify_by, limits)  # type: ignore[arg-type]


STRANGERS = _spec(Kind.PERSON, "anonymous_id")
PEOPLE = _spec(Kind.PERSON, "user_id")
ACCOUNTS = _spec(Kind.ACCOUNT, "group_id")
MEMBERSHIPS = _spec(Kind.RELATIONSHIP, "user_id")


@dataclass(slots=True)
class Refused:
    """Rows that did not go: by key, code and reason; and those of people who are suppressed."""

    rules: dict[str, tuple[str, str]] = field(default_factory=dict)
    suppressed: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Fence:
    """The right to write for a chunk: nobody else did, and no run is writing."""

    store: Store
    chunk: Chunk

    def hold(self, connection: sa.Connection) -> None:
        """Begin a transaction; raises Busy and Fenced."""
        self.store.intake.hold(connection, self.chunk)


@dataclass(frozen=True, slots=True)
class RowWriter:
    """Writes rows of one chunk; `as_of` of the writer is when it was received."""

    store: Store
    workspace: Workspace
    fence: Fence
    duck: Duck
    writer: Writer

    def write(self, spec: SyncSpec, rows: Mapping[str, Row]) -> Refused:
        """Write rows, those again whose records were changed meanwhile, and tell which did not go.

        Raises Busy while a run writes, and Fenced if somebody else wrote the chunk.
        """
        refused, late = Refused(), dict.fromkeys(rows, None)
        for _ in range(_MOST_TRIES):
            if not late:
                break
            left = {key: rows[key] for key in late}
            late = dict(self._write(spec, left, refused))
        refused.rules |= {key: (one.code, one.reason) for key, one in late.items() if one}
        return refused

    def _write(
        self, spec: SyncSpec, rows: Mapping[str, Row], refused: Refused
    ) -> dict[str, Reject]:
        """Write rows once; return those that came too late."""
        self.duck.register(_ROWS, due(rows))
        listed = self._find_suppressed(spec)
        refused.suppressed |= {key for (key,) in self.duck.rows(f"SELECT key FROM {_HIDDEN}")}
        late: dict[str, Reject] = {}
        if not self.duck.count(_DUE):
            return late
        apply.decide(self.duck, self.workspace, spec, apply.Due(_DUE), self.writer)
        plan = self.duck.scratch_file("ingest")
        apply.write_plan(self.duck, plan)
        found = self.duck.rows(_REFUSED.format(plan=parquet([plan])))
        refused.rules |= {key: (code, reason) for key, code, reason in found}
        for _, planned in apply.slices(plan):
            with self.store.database.transaction("ingest.slice") as connection:
                self.fence.hold(connection)
                hidden = suppressed_since(connection, self.workspace, spec, planned, listed)
                table = apply.TABLES[spec.kind]
                part = Slice(self.workspace, self.writer, table, planned)
                written = checkpoints.write(connection, part, hidden)
                late |= {str(one.identifier): one for one in written}
        return late

    def _find_suppressed(self, spec: SyncSpec) -> int:
        """Part the rows by whether they may be written; return the revision of suppressions."""
        database = self.store.database
        with database.read() as connection:
            listed = suppression.revision(connection, self.workspace.id)
        watch(self.duck, database, self.workspace.id)
        look = find_suppressed(self.duck, f"FROM {_ROWS}", spec.kind, spec.identify_by)
        self.duck.run(_CHOSEN)
        while learned := spread(self.duck, self.store, self.fence, self.workspace, spec, _HIDDEN):
            look.again(learned)
            listed += 1
        return listed
