"""Arrivals: which staged rows must be judged, and which stand in the image just as they came.

A row's `raw` is a hash of its values as the source gave them. Where the image holds the same key
with the same raw, the row was judged and canonicalised before: it is unchanged. The hash is
DuckDB's, 64 bits and not the same in every release, so all that a judgement depends on is hashed
with it; with any of that changed no raw matches, and every row is judged again.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rowlift.core.specs import SyncSpec
from rowlift.core.version import VERSION
from rowlift.engine import canon, emails
from rowlift.engine.canon import Staged
from rowlift.engine.duck import DUCKDB_VERSION, Duck
from rowlift.engine.jsontext import prepared
from rowlift.engine.read import ROW_NUMBER

RAW = Staged("__raw", "raw", "int", is_text=False)

# Some columns are asked for at a time, and from the file they come as fast as from a table.
_ARRIVED = """
CREATE OR REPLACE TEMP VIEW arrived AS
SELECT {row_number} AS row_number, hash({key}) AS hashed_key, {raw} AS raw, {key} IS NULL AS no_key
FROM {staged} {join}
"""

# Numbers first: grouping ten million texts would cost five times the memory.
_TWICE = """
CREATE OR REPLACE TEMP TABLE twice AS
SELECT hashed_key FROM arrived WHERE NOT no_key GROUP BY hashed_key HAVING count(*) > 1
"""

_DUPLICATE = """
CREATE OR REPLACE TEMP TABLE duplicate AS
SELECT {key} AS key FROM {staged} {join} WHERE hash({key}) IN (SELECT hashed_key FROM twice)
GROUP BY ALL HAVING count(*) > 1
"""

_FRESH = """
CREATE OR REPLACE TEMP TABLE fresh AS
SELECT row_number, raw FROM arrived ANTI JOIN (
    SELECT hash(key) AS hashed_key, raw FROM image WHERE present {once}
) known USING (hashed_key, raw)
"""
_ONCE = "AND hash(key) NOT IN (SELECT hashed_key FROM twice)"

_COPY = """
SELECT staged.*, fresh.raw AS raw
FROM {staged} JOIN {fresh} AS fresh ON fresh.row_number = {row_number}
"""


@dataclass(frozen=True, slots=True)
class Arrived:
    """The staged rows that must be judged; `known` others stand in the image already.

    The view `arrived` has hashed_key and raw of every row; where a key appears more than once,
    `duplicate` names it and `duplicates` is not 0. `raw` is the expression of a row's raw.
    """

    path: Path
    columns: Sequence[Staged]
    raw: str
    known: int
    duplicates: int


def arrive(
    duck: Duck, staged: Path, columns: Sequence[Staged], key: Staged, spec: SyncSpec, *, first: bool
) -> Arrived:
    """Look at every row once; unless `first`, leave out those that the view `image` knows."""
    if key.value_type == "json":
        staged = with_canonical_json(duck, staged, columns)
    has_json = key.value_type != "json" and any(one.value_type == "json" for one in columns)
    raw = _raw(columns, spec)
    duplicates = _take_in(duck, canon.staged_sql(staged, columns), columns, key, raw)
    fresh, known = "arrived", 0
    if not first:
        fresh = "fresh"
        duck.run(_FRESH.format(once=_ONCE if duck.count("twice") else ""))
        known = duck.count("arrived") - duck.count(fresh)
    if known or has_json:
        copy = duck.scratch_file("fresh")
        relation = canon.staged_sql(staged, columns)
        duck.write(_COPY.format(staged=relation, fresh=fresh, row_number=_number(columns)), copy)
        staged, columns, raw = copy, [*columns, RAW], RAW.alias
    if has_json:
        staged = with_canonical_json(duck, staged, columns)
    return Arrived(staged, columns, raw, known, duplicates)


def forget(duck: Duck) -> None:
    """Give back the memory that the arrivals take, once they are merged."""
    duck.run("DROP TABLE IF EXISTS fresh")


def with_canonical_json(duck: Duck, staged: Path, columns: Sequence[Staged]) -> Path:
    """Return the staged file, or a copy whose json columns are canonical when it has any."""
    positions = [at for at, one in enumerate(columns) if one.value_type == "json"]
    return prepared(staged, positions, duck.scratch_file("json")) if positions else staged


def key_relation(
    duck: Duck, key: Staged, others: Sequence[Staged], staged: str
) -> tuple[str, str, bool]:
    """Return the key's expression, the join it needs, and whether there are odd addresses."""
    odd = emails.look_at(duck, [one for one in (key, *others) if one.name == "email"], staged)
    if key.name != "email":
        return canon.key_sql(key), "", odd
    return *emails.folded_sql(key, odd=odd), odd


def _take_in(duck: Duck, staged: str, columns: Sequence[Staged], key: Staged, raw: str) -> int:
    expression, join, _ = key_relation(duck, key, (), staged)
    parts = {"staged": staged, "key": expression, "join": join}
    duck.run(_ARRIVED.format(**parts, raw=raw, row_number=_number(columns)))
    duck.run(_TWICE)
    if not duck.count("twice"):
        return 0
    duck.run(_DUPLICATE.format(**parts))
    return duck.count("duplicate")


def _raw(columns: Sequence[Staged], spec: SyncSpec) -> str:
    depends = (
        DUCKDB_VERSION, VERSION, canon.CANON_VERSION,
        spec.kind.value, spec.identify_by, spec.empty_values, spec.empty_strings,
        spec.object_type, dict(spec.attributes),
        [
            (one.name, one.value_type, one.is_text, one.is_counted, one.is_split)
            for one in columns
        ],
    )  # fmt: skip
    digest = hashlib.sha256(json.dumps(depends).encode()).hexdigest()
    values = ", ".join(one.alias for one in columns if one.name != ROW_NUMBER)
    return f"hash('{digest}', {values})"


def _number(columns: Sequence[Staged]) -> str:
    return next(one.alias for one in columns if one.name == ROW_NUMBER)
