"""Small Arrow operations that work on whole columns."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def joined(messages: pa.Array, separator: bytes = b",") -> memoryview:
    """Return all texts as one run of bytes, without a Python object per row."""
    # Arrow looks for pandas whenever it is given a plain text.
    end, nothing = (pa.scalar(text, messages.type) for text in (separator.decode(), ""))
    whole = memoryview(
        pc.binary_join_element_wise(messages, end, nothing).buffers()[2] or separator
    )
    return whole[: -len(separator)]


def batches(
    path: Path, rows: int, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Parquet file, all columns or some, at most so many at once.

    Each row group is asked for by itself: of several, pyarrow keeps all that it has read.
    """
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield from file.iter_batches(rows, [group], columns, use_threads=False)


def runs(column: pa.Array) -> Iterator[tuple[Any, int, int]]:
    """Yield each run of equal values: the value, where it starts and where it ends."""
    found = pc.run_end_encode(column)
    start = 0
    for value, end in zip(found.values.to_pylist(), found.run_ends.to_pylist(), strict=True):
        yield value, start, end
        start = end


def give_back() -> None:
    """Return to the system what Arrow's allocator keeps of freed memory for later."""
    pa.default_memory_pool().release_unused()


def digest(texts: pa.StringArray) -> str:
    """Return a name of 64 characters that only the same texts in the same order have."""
    whole = hashlib.sha256(pc.binary_length(texts).buffers()[1])
    whole.update(run_of(texts))
    return whole.hexdigest()


def run_of(texts: pa.StringArray) -> memoryview:
    """Return the bytes of all texts as they lie one after the other, without a copy."""
    _, offsets, data = texts.buffers()
    bounds = memoryview(offsets or bytes(4)).cast("i")[texts.offset :][: len(texts) + 1]
    return memoryview(data or b"")[bounds[0] : bounds[-1]]
