"""Rows of a DB-API cursor become Arrow record batches, a column at a time."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import pyarrow as pa

from rowlift.core.nouns import Column
from rowlift.core.values import META

Convert = Callable[[Sequence[Any]], pa.Array]
Finish = Callable[[pa.Array], pa.Array]

FIRST_ROWS = 64
MAX_ROWS = 20_000
BATCH_BYTES = 8_000_000


class Cursor(Protocol):
    """What is needed of a cursor that has executed its query."""

    def fetchmany(self, size: int, /) -> Sequence[Sequence[Any]]:
        """Return at most `size` rows; none at the end."""


def field(column: Column, arrow: pa.DataType) -> pa.Field:
    """Return a column's Arrow field with our value type in its metadata."""
    return pa.field(column.name, arrow, metadata={META: column.value_type.encode()})


def batches(
    cursor: Cursor, schema: pa.Schema, converts: Sequence[Convert], *, limit: int | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield what is left of a cursor in batches of about BATCH_BYTES, at most `limit` rows."""
    size, left = FIRST_ROWS, limit
    while left != 0:
        rows = cursor.fetchmany(size if left is None else min(size, left))
        if not rows:
            return
        values = zip(*rows, strict=True)
        columns = [convert(column) for convert, column in zip(converts, values, strict=True)]
        batch = pa.RecordBatch.from_arrays(columns, schema=schema)
        left = None if left is None else left - len(rows)
        size = next_size(size, batch)
        yield batch


def next_size(size: int, batch: pa.RecordBatch) -> int:
    """Return how many rows to ask for next: twice as many, as far as the bytes allow."""
    fitting: int = batch.num_rows * BATCH_BYTES // max(batch.nbytes, 1)
    return max(1, min(MAX_ROWS, 2 * size, fitting))


def raw(arrow: pa.DataType, finish: Finish) -> Convert:
    """Return a converter for values that the driver gives in one Python type."""
    return lambda values: finish(pa.array(values, arrow))


def to(arrow: pa.DataType) -> Finish:
    """Return a cast; text of digits may come as bytes."""

    def finish(values: pa.Array) -> pa.Array:
        if values.type == arrow:
            return values
        if values.type in (pa.binary(), pa.large_binary()) and arrow != pa.binary():
            values = values.cast(pa.string())
        return values.cast(arrow)

    return finish


def text(values: pa.Array) -> pa.StringArray:
    r"""Return bytes as text; what is not UTF-8 becomes \x and lower-case hexadecimal."""
    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid:
        found = [None if value is None else _readable(value) for value in values.to_pylist()]
        return pa.array(found, pa.string())


def _readable(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return rf"\x{value.hex()}"


def single(values: pa.Array) -> pa.DoubleArray:
    """Return single-precision numbers as the doubles of their shortest texts: 0.1 stays 0.1."""
    return to(pa.float64())(values).cast(pa.float32()).cast(pa.string()).cast(pa.float64())


def zoned(values: pa.Array) -> pa.StringArray:
    """Return times of a session in UTC with that zone written out."""
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(to(pa.string())(values), "+00", "")
