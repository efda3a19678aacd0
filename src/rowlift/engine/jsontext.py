"""Canonical JSON texts: members sorted, no spaces, numbers by value; what SQL cannot do itself."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rowlift.kit.arrow import batches

BROKEN = ""  # no canonical text is empty
MAX_DEPTH = 100
EXACT_DIGITS = 15
MOST_DIGITS = 300  # of a number written out: what is smaller would be read as 0
BATCH_ROWS = 20_000

_NUMBER = re.compile(r"(-?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?")
_MAX_POWER = 999


def canonical_json(text: str, numbers: Callable[[str], str] | None = None) -> str:
    """Return the canonical form of a JSON text, or BROKEN; `numbers` gives each number's form.

    Broken is also what repeats a key, nests deeper than MAX_DEPTH or holds half a surrogate pair.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=Digits,
            parse_float=Digits,
            parse_constant=refuse,
        )
    except (ValueError, RecursionError):
        return BROKEN
    return canonical_value(value, numbers)


def canonical_value(value: Any, numbers: Callable[[str], str] | None = None) -> str:
    """Return the canonical form of a value that was read with `Digits` for numbers, or BROKEN."""
    try:
        canonical = _encoded(value, MAX_DEPTH, numbers or canonical_number)
        canonical.encode()
    except ValueError:
        return BROKEN
    return canonical


def canonical_number(text: str) -> str:
    """Return a JSON number in its shortest digits; a string when it has more than 15 of them.

    One that is longer than MOST_DIGITS when it is written out stays the text it was.
    """
    found = _NUMBER.fullmatch(text)
    if not found or abs(int(found[4] or 0)) > _MAX_POWER:
        return f'"{text}"'
    plain = _plain(found[2] + (found[3] or ""), len(found[2]) + int(found[4] or 0))
    if len(plain.lstrip("0").replace(".", "")) > MOST_DIGITS:
        return f'"{text}"'
    signed = plain if plain == "0" else found[1] + plain
    exact = len(plain.replace(".", "").lstrip("0")) <= EXACT_DIGITS
    return signed if exact else f'"{signed}"'


def prepared(staged: Path, positions: Sequence[int], copy: Path) -> Path:
    """Copy a staged file with the json columns at some positions made canonical; return the copy.

    JSON null counts as NULL. One batch of rows is in memory at a time.
    """
    schema = pq.read_schema(staged)
    with pq.ParquetWriter(copy, schema, compression="zstd", compression_level=1) as out:
        for batch in batches(staged, BATCH_ROWS):
            out.write_batch(_with_canonical(batch, positions, schema))
    return copy


class Digits(str):
    """The digits of a number as they stood in the text."""

    __slots__ = ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a key is repeated")
    return members


def refuse(name: str) -> Any:
    """Refuse NaN and Infinity, which are no JSON."""
    raise ValueError(name)


def _encoded(value: Any, depth: int, numbers: Callable[[str], str]) -> str:
    if isinstance(value, Digits):
        return numbers(value)
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if depth == 0:
        raise ValueError("nested too deep")
    if isinstance(value, list):
        return "[" + ",".join([_encoded(one, depth - 1, numbers) for one in value]) + "]"
    members = [
        f"{encode_basestring(k)}:{_encoded(value[k], depth - 1, numbers)}" for k in sorted(value)
    ]
    return "{" + ",".join(members) + "}"


def _plain(digits: str, point: int) -> str:
    if point <= 0:
        digits, point = "0" * (1 - point) + digits, 1
    digits = digits.ljust(point, "0")
    whole, part = digits[:point].lstrip("0") or "0", digits[point:].rstrip("0")
    return f"{whole}.{part}" if part else whole


def _with_canonical(
    batch: pa.RecordBatch, positions: Iterable[int], schema: pa.Schema
) -> pa.RecordBatch:
    columns = list(batch.columns)
    for at in positions:
        columns[at] = _canonical_column(columns[at]).cast(schema.field(at).type)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def recanonicalised(texts: pa.Array) -> pa.Array:
    """Return stored attributes in this release's form; what cannot be read stays as it is.

    So do numbers: their text does not tell a float, whose form is another, from a decimal.
    """
    forms = [canonical_json(text, str) or text for text in texts.to_pylist()]
    return pa.array(forms, pa.string())


def _canonical_column(texts: pa.Array) -> pa.Array:
    encoded = texts.dictionary_encode()
    forms = [canonical_json(text) for text in encoded.dictionary.to_pylist()]
    dictionary = pa.array([None if form == "null" else form for form in forms], pa.string())
    return dictionary.take(encoded.indices)
