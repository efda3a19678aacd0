"""Suppress: which rows are of people who must not be processed, by keyed hashes alone.

`watch` brings the hashes in; where nobody is suppressed nothing else costs anything.
"""

from collections.abc import Collection
from dataclasses import dataclass

import pyarrow as pa
import sqlalchemy as sa

from rowlift.core.nouns import Kind, Op, Reject, Removed
from rowlift.core.ports import Destination, SuppressingDestination
from rowlift.core.specs import SyncSpec
from rowlift.db import Database
from rowlift.engine.duck import Duck, parquet, text
from rowlift.engine.known import fill
from rowlift.engine.naming import IDENTIFIER_KINDS, Values, glance, tell, values
from rowlift.workspace import conflicts, suppression
from rowlift.workspace.workspace import Workspace

_BLOCK = 64  # bytes of a block of SHA-256
_PADS = (0x36, 0x5C)  # of HMAC

_LISTED = """
CREATE OR REPLACE TEMP TABLE suppressed AS
SELECT ('0x' || quick)::UBIGINT AS quick, hash FROM listed
"""
_QUICK_HASH = """
CREATE OR REPLACE TEMP MACRO quick_hash(x) AS (md5_number({salt} || x) >> 64)::UBIGINT
"""
_KEYED_HASH = """
CREATE OR REPLACE TEMP MACRO keyed_hash(x) AS sha256({outer} || unhex(sha256({inner} || encode(x))))
"""
_LEARNED = """
CREATE OR REPLACE TEMP TABLE learned AS
SELECT quick_hash(told) AS quick, keyed_hash(told) AS hash FROM learned_texts
"""

_NOBODY = "CREATE OR REPLACE TEMP TABLE suppressed_rows AS SELECT * FROM ({rows}) LIMIT 0"
_KEYS = "CREATE OR REPLACE TEMP VIEW suppressed_keys AS SELECT key FROM suppressed_rows"
_LIKELY = """
CREATE OR REPLACE TEMP TABLE likely AS
SELECT hashed_key FROM {glance} WHERE is_odd OR {is_sought}
EXCEPT SELECT hash(key) FROM suppressed_rows
"""
_LIKELY_ROWS = """
CREATE OR REPLACE TEMP TABLE likely_rows AS
SELECT * FROM ({rows}) WHERE hash(key) IN (FROM likely)
"""
_SUPPRESSED = """
INSERT INTO suppressed_rows FROM likely_rows WHERE key IN (
    SELECT key FROM told WHERE keyed_hash(told) IN (SELECT hash FROM suppressed)
)
"""


def watch(duck: Duck, database: Database, workspace_id: int, learned: Collection[str] = ()) -> bool:
    """Create the table `suppressed`; tell whether anybody is.

    The identifiers that were `learned` count as suppressed too.
    """
    with database.read() as connection:
        key = suppression.key_of(connection, workspace_id)
        listed = suppression.hashes(connection, workspace_id)
        fill(duck, "listed", listed, suppression.HASHES)
    duck.run(_LISTED)
    duck.run("DROP TABLE listed")
    if key is None or not duck.count("suppressed"):
        return False
    _define_hashes(duck, key)
    if learned:
        _learn(duck, learned)
    return True


def _define_hashes(duck: Duck, key: bytes) -> None:
    padded = key.ljust(_BLOCK, b"\0")
    inner, outer = (f"unhex('{bytes(one ^ pad for one in padded).hex()}')" for pad in _PADS)
    duck.run(_QUICK_HASH.format(salt=text(suppression.salt(key))))
    duck.run(_KEYED_HASH.format(inner=inner, outer=outer))


def _learn(duck: Duck, texts: Collection[str]) -> None:
    """Create the table `learned` and add it to `suppressed`."""
    duck.register("learned_texts", pa.table({"told": pa.array(sorted(texts), pa.string())}))
    duck.run(_LEARNED)
    duck.run("INSERT INTO suppressed FROM learned")


def op_for(destination: Destination) -> str:
    """Return what a destination is told of somebody suppressed whom it has; empty if it cannot."""
    if isinstance(destination, SuppressingDestination) and destination.suppresses:
        return Op.SUPPRESS
    for removed in (Removed.DELETE, Removed.CLEAR):
        if removed in destination.accepts.removed:
            return removed.value
    return ""


@dataclass(frozen=True, slots=True)
class Look:
    """A look at rows for who is suppressed; what they name stays as hashes, for another look."""

    duck: Duck
    rows: str
    named_by: Values
    glance: str

    def find(self, sought: str = "suppressed") -> None:
        """Add to `suppressed_rows` those that name somebody of the table `sought`."""
        columns = (f"hash_{at}" for at, _ in enumerate(self.named_by))
        is_sought = " OR ".join(f"{one} IN (SELECT quick FROM {sought})" for one in columns)
        self.duck.run(_LIKELY.format(glance=self.glance, is_sought=is_sought))
        if not self.duck.count("likely"):
            return
        self.duck.run(_LIKELY_ROWS.format(rows=self.rows))
        tell(self.duck, "FROM likely_rows", self.named_by)
        self.duck.run(_SUPPRESSED)
        self.duck.run("DROP TABLE likely_rows")

    def again(self, learned: Collection[str]) -> None:
        """Add rows that name who was learned to be suppressed too."""
        _learn(self.duck, learned)
        self.find("learned")


def find_suppressed(duck: Duck, rows: str, kind: Kind, identify_by: str) -> Look:
    """Create `suppressed_rows`, rows of a query that name somebody suppressed, and their keys.

    The query has a key and attributes; `watch` must have been called.
    """
    duck.run(_NOBODY.format(rows=rows))
    duck.run(_KEYS)
    path = duck.scratch_file("glance")
    look = Look(duck, rows, values(kind, identify_by), parquet([path]))
    if look.named_by and duck.count("suppressed"):
        duck.write(glance(rows, look.named_by), path)
        look.find()
    return look


def suppressed_since(
    connection: sa.Connection,
    workspace: Workspace,
    spec: SyncSpec,
    rows: pa.Table,
    listed: int | None,
) -> dict[str, Reject]:
    """Return the rows of a slice whose people were suppressed after they were planned.

    `listed` is the revision of suppressions that the plan goes by; None if another process made it.
    """
    if suppression.revision(connection, workspace.id) in (0, listed):
        return {}
    own = IDENTIFIER_KINDS.get(spec.identify_by, "")
    return conflicts.find_suppressed(connection, workspace.id, rows, own)
