"""Whole columns of Arrow, and what stays in memory of a file."""

import random

import pyarrow as pa
import pyarrow.parquet as pq

from rowlift.kit.arrow import batches, give_back, runs

GROUPS, VALUES, VALUE_BYTES = 20, 10, 100_000


def test_a_file_is_read_without_keeping_what_was_read(tmp_path):
    path = tmp_path / "file.parquet"
    noise = random.Random(7)
    table = pa.table({"value": [noise.randbytes(VALUE_BYTES) for _ in range(GROUPS * VALUES)]})
    pq.write_table(table, path, row_group_size=VALUES, compression="lz4", use_dictionary=False)
    give_back()
    before = pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() - before for _ in batches(path, 3)]
    assert len(held) == GROUPS * 4  # 3, 3, 3 and 1 of each group
    assert max(held) < 5 * VALUES * VALUE_BYTES


def test_some_columns_of_a_file_are_read(tmp_path):
    path = tmp_path / "file.parquet"
    pq.write_table(pa.table({"a": [1, 2, 3], "b": [4, 5, 6]}), path)
    assert [batch.to_pydict() for batch in batches(path, 2, ["b"])] == [{"b": [4, 5]}, {"b": [6]}]


def test_runs_of_equal_values_are_told_by_where_they_start_and_end():
    column = pa.array([5, 5, -1, 5, 7, 7, 7])[1:]
    assert list(runs(column)) == [(5, 0, 1), (-1, 1, 2), (5, 2, 3), (7, 3, 6)]
    assert list(runs(column[:0])) == []
