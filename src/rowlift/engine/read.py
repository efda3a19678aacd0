"""Read: a source's Arrow batches go to one staged Parquet file, nothing is judged on the way."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rowlift.core.counting import counted
from rowlift.core.errors import GuardStop
from rowlift.core.nouns import Column
from rowlift.core.ports import Source
from rowlift.core.progress import Progress
from rowlift.core.rules import rule
from rowlift.core.values import META
from rowlift.kit.arrow import give_back

ROW_NUMBER = "__row_number"
MAX_ROW_BYTES = 16 * 1024 * 1024
_JSON = {META: b"json"}


def stage(
    source: Source, sql: str, path: Path, *, most_rows: int, progress: Progress, task: str,
    first_rows: int | None = None,
) -> int:  # fmt: skip
    """Write the whole result with its row numbers, counted from 1, and return how many rows it has.

    Only its `first_rows` are asked for where that is given. Raises GuardStop TOO_MANY_ROWS without
    reading on; never truncates.
    """
    reader = source.query(sql, limit=first_rows)
    schema = reader.schema.append(pa.field(ROW_NUMBER, pa.int64(), nullable=False))
    rows = 0
    with _writer(path, schema) as write:
        for batch in reader:
            numbers = row_numbers(rows, len(batch))
            columns = [*shortened(batch), numbers]
            write(pa.RecordBatch.from_arrays(columns, schema=schema))
            rows += len(batch)
            progress.advance(task, len(batch))
            if rows > most_rows:
                source.cancel()
                raise too_many_rows(most_rows)
    give_back()
    return rows


@contextmanager
def _writer(path: Path, schema: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], None]]:
    """Write each batch in another thread while the next one is read."""
    with (
        pq.ParquetWriter(path, schema, compression="lz4", use_dictionary=False) as file,
        ThreadPoolExecutor(1, "staging") as other,
    ):
        under_way = other.submit(lambda: None)

        def write(batch: pa.RecordBatch) -> None:
            nonlocal under_way
            under_way.result()
            under_way = other.submit(file.write_batch, batch)

        yield write
        under_way.result()


def shortened(batch: pa.RecordBatch) -> list[pa.Array]:
    """Return the columns, values that are too large for a row cut to just above what it may hold.

    Such a row is rejected, and nothing after this has to hold a gigabyte for it.
    """
    if batch.nbytes <= MAX_ROW_BYTES:
        return [*batch.columns]
    return [_cut(*one) for one in zip(batch.columns, batch.schema, strict=True)]


def _cut(column: pa.Array, field: pa.Field) -> pa.Array:
    kind = pa.types
    is_binary = kind.is_binary(field.type) or kind.is_large_binary(field.type)
    is_text = kind.is_string(field.type) or kind.is_large_string(field.type)
    if column.nbytes <= MAX_ROW_BYTES or not (is_text or is_binary):
        return column
    sizes = pc.binary_length(column)
    if (pc.max(sizes).as_py() or 0) <= MAX_ROW_BYTES:
        return column
    if field.metadata == _JSON:
        whole = pa.scalar(f'"{"x" * MAX_ROW_BYTES}"', field.type)
        return pc.if_else(pc.greater(sizes, MAX_ROW_BYTES), whole, column)
    part = pc.binary_slice if is_binary else pc.utf8_slice_codeunits
    return part(column, 0, MAX_ROW_BYTES + 1)


def row_numbers(before: int, count: int) -> pa.Array:
    """Return the numbers of so many rows after those before."""
    ones = pa.repeat(pa.scalar(1, pa.int64()), count)
    return pc.cumulative_sum(ones, start=before)


def staged_columns(path: Path) -> tuple[Column, ...]:
    """Return the columns of a staged file with their value types."""
    fields = [field for field in pq.read_schema(path) if field.name != ROW_NUMBER]
    return tuple(
        Column(field.name, str(field.type), (field.metadata or {}).get(META, b"text").decode())
        for field in fields
    )


def filled_columns(staged: Path) -> frozenset[int]:
    """Return the positions of a staged file's columns that have a value in every row."""
    metadata = pq.read_metadata(staged)
    groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
    found = enumerate(parts(metadata))
    return frozenset(at for at, held in found if all(_is_filled(one, held) for one in groups))


def parts(metadata: pq.FileMetaData) -> list[range]:
    """Return which columns of a staged file hold each column: of a split count, its two members."""
    counts = [max(field.type.num_fields, 1) for field in metadata.schema.to_arrow_schema()]
    ends = accumulate(counts)
    return [range(end - count, end) for end, count in zip(ends, counts, strict=True)]


def _is_filled(group: pq.RowGroupMetaData, held: range) -> bool:
    """Tell whether every row has a value in one of the columns of the file."""
    found = [group.column(at).statistics for at in held]
    if not all(one and one.has_null_count for one in found):
        return False
    nulls: int = sum(one.null_count for one in found)
    return nulls == int(group.num_rows) * (len(held) - 1)


def row_bytes(staged: Path) -> int:
    """Return the mean size of a staged file's rows before compression."""
    metadata = pq.read_metadata(staged)
    groups = range(metadata.num_row_groups)
    whole: int = sum(metadata.row_group(at).total_byte_size for at in groups)
    return whole // max(1, int(metadata.num_rows))


def row_count(staged: Path) -> int:
    """Return the number of a staged file's rows."""
    return int(pq.read_metadata(staged).num_rows)


def too_many_rows(most_rows: int) -> GuardStop:
    """Return the refusal of a result that is over the limit."""
    return GuardStop(
        "TOO_MANY_ROWS",
        f"The query returns more than {counted(most_rows, 'row')}; nothing was sent or removed.",
        mend=rule("TOO_MANY_ROWS").mend,
    )
