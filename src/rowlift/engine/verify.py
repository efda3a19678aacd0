"""Verify: what a target holds against what its ledger says that it acknowledged.

Only what stands still is compared: a row that is due, in doubt, or moved while the target was read
is not comparable, and no drift. Keys and hashes are met first; values are fetched for those that
differ.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from rowlift.engine.duck import Duck, parquet, text
from rowlift.engine.jsontext import canonical_json
from rowlift.engine.ledger import Mapping, mapped_sql, pointer
from rowlift.engine.owned import KNOWN, Owned

VERIFICATION = "verification"  # the kind of file that has what differs

Form = Literal["json", "text", "csv"]

HELD = pa.schema([("key", pa.string()), ("attributes", pa.string()), ("wrote", pa.string())])
_AT_ONCE = 5_000

_STANDS = """
SELECT i.key AS key, i.version AS version, l.seq AS seq,
    CASE WHEN NOT {still} THEN 'moving' WHEN l.present THEN 'kept' ELSE 'gone' END AS state
FROM image i LEFT JOIN ledger l ON l.key = i.key
WHERE l.key IS NOT NULL OR i.present
"""
_STILL = """coalesce(i.version = l.version AND l.doubt IS NULL
    AND l.epoch = {epoch} AND l.epoch >= {restored}, false)"""

_CHOSEN = """
CREATE OR REPLACE TEMP TABLE chosen AS
SELECT key FROM before WHERE state = 'kept' ORDER BY hash(key || {seed}) LIMIT {most}
"""

_MET = """
WITH newest AS (SELECT key, max(number) AS number FROM {held} {among} GROUP BY key),
stands AS (
    SELECT n.key AS key, {shown} AS shown, n.version, n.seq,
        CASE WHEN b.version = n.version AND b.seq IS NOT DISTINCT FROM n.seq AND b.state = n.state
            THEN n.state ELSE 'moving' END AS state
    FROM now n LEFT JOIN before b ON b.key = n.key {only}
)
SELECT coalesce(s.key, h.key) AS key, s.version, s.seq, coalesce(s.state, 'unknown') AS state,
    h.number
FROM stands s FULL JOIN newest h ON h.key = s.shown
"""

_SUSPECTS = """
CREATE OR REPLACE TEMP TABLE suspects AS
SELECT m.key, m.version, m.seq, m.number FROM met m
JOIN (
    SELECT key, {ours} AS print, {our_anonymous} AS anonymous
    FROM (SELECT key, {wanted} AS x FROM image)
) i ON i.key = m.key
JOIN (
    SELECT number, {theirs} AS print, {their_anonymous} AS anonymous
    FROM (SELECT number, attributes AS x, wrote AS w FROM {held})
) h ON h.number = m.number
WHERE m.state = 'kept' AND (i.print IS DISTINCT FROM h.print
    OR (i.anonymous IS NOT NULL AND NOT list_contains(h.anonymous, i.anonymous)))
"""
_PAIRS = """
SELECT s.key, s.version, s.seq, i.wanted AS ours, h.attributes AS theirs, h.wrote FROM suspects s
JOIN (
    SELECT key, {wanted} AS wanted FROM image WHERE key IN (SELECT key FROM suspects)
) i ON i.key = s.key
JOIN (FROM {held} WHERE number IN (SELECT number FROM suspects)) h ON h.number = s.number
"""
_PAIR = pa.schema(
    [("key", pa.string()), ("version", pa.int64()), ("seq", pa.int64()), ("ours", pa.string()),
     ("theirs", pa.string()), ("wrote", pa.string())]
)  # fmt: skip

# A table of its own, as a few rows are known to be few: else a join would hold all that is held.
_OTHERS = """
CREATE OR REPLACE TEMP TABLE others AS
SELECT * FROM met WHERE state IN ('gone', 'unknown') AND number IS NOT NULL
"""
_FINDINGS = """
WITH orphans AS MATERIALIZED (
    SELECT o.key, o.version, o.seq, o.state, h.attributes, {wrote} AS wrote
    FROM {held} h JOIN others o ON h.number = o.number
), looked AS (
    SELECT *, list_filter(list_sort(list_distinct({names})),
        n -> {ours} IS DISTINCT FROM {theirs}) AS names
    FROM {pairs} WHERE theirs IS NOT NULL
)
SELECT 'drifted' AS kind, key, version, seq, names, {told_ours} AS ours, {told_theirs} AS theirs,
    wrote
FROM looked WHERE len(names) > 0
UNION ALL
SELECT 'missing', key, version, seq, []::VARCHAR[], NULL, NULL, NULL FROM met
WHERE state = 'kept' AND number IS NULL
UNION ALL
SELECT 'missing', key, version, seq, []::VARCHAR[], NULL, NULL, wrote FROM {pairs}
WHERE theirs IS NULL
UNION ALL
SELECT CASE state WHEN 'gone' THEN 'returned' ELSE 'stranger' END, key, version, seq,
    []::VARCHAR[], NULL, NULL, wrote
FROM orphans WHERE {has_values} {brought}
"""
_HAS_VALUES = """len(list_filter(json_keys(attributes),
    n -> nullif(json_extract(attributes, {at})::VARCHAR, 'null') IS NOT NULL)) > 0"""
# What others wrote into the workspace is no business of this sync.
_BROUGHT = "AND json_extract_string(wrote, '$.ours') = 'true'"
_WHO = f"""json_merge_patch(h.wrote, '{{"{KNOWN}":null}}')::VARCHAR"""  # without identifiers
_MEMBERS = """'{{' || array_to_string(list_transform(names, n -> to_json(n)::VARCHAR || ':'
    || coalesce(json_extract({object}, {at})::VARCHAR, 'null')), ',') || '}}'"""
_AT = "'/' || replace(replace(n, '~', '~0'), '/', '~1')"
_UNGUARDED = (
    r"CASE WHEN regexp_matches({0}, '^''[=+\-@\t\r\n\x{{FF1D}}\x{{FF0B}}\x{{FF0D}}\x{{FF20}}]')"
    " THEN substr({0}, 2) ELSE {0} END"
)

_STATES = "SELECT state, count(*) FROM met GROUP BY state"
_KINDS = "SELECT kind, count(*) FROM {findings} GROUP BY kind"
_ATTRIBUTES = """
SELECT name, count(*) FROM (SELECT unnest(names) AS name FROM {findings} WHERE kind = 'drifted')
GROUP BY name ORDER BY count(*) DESC, name
"""


@dataclass(frozen=True, slots=True)
class Said:
    """What a ledger's words mean: how rows look to its target, of which epoch they must be.

    Without a mapping nothing can be compared, as the settings were edited since. `names` are the
    attributes as they are called there. In the workspace, others may stand beside those `owned`.
    """

    mapping: Mapping | None
    epoch: int
    restored: int
    names: Sequence[str]
    owned: Owned | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found: counts by state and by kind of finding, drift by attribute, and the file."""

    kept: int
    moving: int
    kinds: dict[str, int]
    attributes: dict[str, int]
    findings: Path


def stand(duck: Duck, table: str, said: Said) -> int:
    """Write down how each row of the views `image` and `ledger` stands to the target.

    Return how many the target should hold as they were delivered.
    """
    still = "false"
    if said.mapping is not None:
        still = _STILL.format(epoch=said.epoch, restored=said.restored)
    _write_view(duck, table, _STANDS.format(still=still))
    return int(duck.one(f"SELECT count(*) FROM {table} WHERE state = 'kept'")[0])


def _write_view(duck: Duck, name: str, sql: str) -> None:
    """Keep a result of many rows in a file, so that no memory holds it, under a name."""
    path = duck.scratch_file(name)
    duck.write(sql, path)
    duck.run(f"CREATE OR REPLACE TEMP VIEW {name} AS FROM {parquet([path])}")


def choose(duck: Duck, most: int, seed: str) -> pa.StringArray:
    """Choose some of the keys that the target should hold, at random; return them."""
    duck.run(_CHOSEN.format(seed=text(seed), most=most))
    return duck.table("SELECT key FROM chosen").column(0).combine_chunks()


def write_held(path: Path, batches: Iterable[pa.RecordBatch]) -> Iterator[int]:
    """Write what a target holds, numbered as it comes; yield how many rows each batch has."""
    schema = HELD.append(pa.field("number", pa.int64()))
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as out:
        for batch in batches:
            at = pa.array(range(count, count + len(batch)), pa.int64())
            out.write_batch(pa.RecordBatch.from_arrays([*batch.columns, at], schema=schema))
            count += len(batch)
            yield len(batch)


def compare(
    duck: Duck, held: Path, form: Form, said: Said, findings: Path, *, sampled: bool
) -> Compared:
    """Compare what is held with the view `image`, by `before` and `now` of `stand`.

    What differs is written into a new file of findings. What somebody else put there, or put back,
    is looked for unless it is a sample of ours.
    """
    speech, source = _Speech(form, said.names, said.owned), parquet([held])
    among = f"WHERE key IN (SELECT {speech.shown('key')} FROM chosen)" if sampled else ""
    only = "WHERE n.key IN (FROM chosen)" if sampled else ""
    met = _MET.format(held=source, among=among, shown=speech.shown("n.key"), only=only)
    _write_view(duck, "met", met)
    duck.run(_OTHERS)
    wanted = mapped_sql(said.mapping) if said.mapping else "attributes"
    prints = {side: speech.printed(side) for side in ("ours", "theirs")}
    prints |= {f"{_WHOSE[side]}_anonymous": speech.anonymous(side) for side in prints}
    duck.run(_SUSPECTS.format(held=source, wanted=wanted, **prints))
    duck.give_back()
    pairs = _write_pairs(duck, _PAIRS.format(held=source, wanted=wanted), speech)
    duck.write(
        _FINDINGS.format(
            brought=_BROUGHT if said.owned else "", wrote=_WHO if said.owned else "h.wrote",
            pairs=parquet([pairs]), held=source, has_values=_HAS_VALUES.format(at=_AT),
            names=speech.names("ours", "theirs"),
            ours=speech.value("ours"), theirs=speech.value("theirs"),
            told_ours=_MEMBERS.format(object="ours", at=_AT),
            told_theirs=_MEMBERS.format(object="theirs", at=_AT),
        ),
        findings,
    )  # fmt: skip
    states = dict(duck.rows(_STATES))
    found = parquet([findings])
    return Compared(
        states.get("kept", 0), states.get("moving", 0),
        dict(duck.rows(_KINDS.format(findings=found))),
        dict(duck.rows(_ATTRIBUTES.format(findings=found))), findings,
    )  # fmt: skip


def _write_pairs(duck: Duck, sql: str, speech: "_Speech") -> Path:
    """Write ours and theirs of the rows that differ; JSON in one form, numbers by value."""
    path = duck.scratch_file("pairs")
    with pq.ParquetWriter(path, _PAIR, compression="zstd", compression_level=1) as out:
        for batch in duck.reader(sql, _AT_ONCE):
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            columns |= speech.met(columns)
            out.write_batch(pa.RecordBatch.from_arrays([*columns.values()], schema=_PAIR))
    return path


def _canonical(texts: pa.Array) -> pa.Array:
    told = (one and (canonical_json(one) or one) for one in texts.to_pylist())
    return pa.array(told, pa.string())


@dataclass(frozen=True, slots=True)
class _Speech:
    """Expressions for values as a target shows them; `owned` are those of the workspace."""

    form: Form
    columns: Sequence[str]
    owned: Owned | None

    def shown(self, key: str) -> str:
        """Return a key as it can be read back."""
        return _UNGUARDED.format(key) if self.form == "csv" else key

    def printed(self, side: str) -> str:
        """Return what is the same for objects x of the same values, and compared at first."""
        if self.owned:
            return self.owned.printed(side)
        if self.form == "json":
            return "hash(x)"
        if not self.columns:
            return "0"
        paths = "[" + ", ".join(text(pointer(name)) for name in self.columns) + "]"
        texts = f"json_extract_string(x, {paths})"
        if self.form == "csv":
            texts = f"list_transform({texts}, v -> {_UNGUARDED.format(_FILLED)})"
        return f"hash({texts})"

    def anonymous(self, side: str) -> str:
        """Return what of ours must be among theirs."""
        return (self.owned or Owned(())).anonymous(side)

    def met(self, columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
        """Return ours and theirs such that what is the same is so to the letter."""
        if self.owned:
            names = ("ours", "theirs", "wrote")
            rows = [columns[one].to_pylist() for one in names]
            found = zip(*starmap(self.owned.met, zip(*rows, strict=True)), strict=True)
            return dict(zip(names, (pa.array(one, pa.string()) for one in found), strict=True))
        if self.form == "json":
            return {one: _canonical(columns[one]) for one in ("ours", "theirs")}
        return {}

    def names(self, ours: str, theirs: str) -> str:
        """Return the names of the attributes to compare."""
        if self.owned:
            return f"json_keys({ours})"
        if self.form == "json":
            return f"list_concat(json_keys({ours}), json_keys({theirs}))"
        return "[" + ", ".join(map(text, self.columns)) + "]::VARCHAR[]"

    def value(self, of: str) -> str:
        """Return the value of the attribute n."""
        if self.form == "json":
            return f"nullif(json_extract({of}, {_AT})::VARCHAR, 'null')"
        found = f"json_extract_string({of}, {_AT})"
        return _UNGUARDED.format(f"nullif({found}, '')") if self.form == "csv" else found


_FILLED = "nullif(v, '')"
_WHOSE = {"ours": "our", "theirs": "their"}
