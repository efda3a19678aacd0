"""Changes in CSV and Parquet are read back as they were written, in sets."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rowlift.kit.cells import read_csv_changes, read_parquet_changes
from rowlift.kit.texts import csv_cell, key_parts
from rowlift.testing.texts import HOSTILE_TEXTS

NAMES = ["Name", "name", "it's", "op"]
LONG = "y,\r\n" * 1_000_000
TEXTS = [*HOSTILE_TEXTS, LONG, None]
KEYS = [
    "1", "=1+1", "-5", '["a"]', '["a","b"]', '["a", "b"]', '["a",1]', '["a","b",1]', '["a"x"]',
    '["a","b","c"]', "['", "[]",
]  # fmt: skip


def written(folder: Path, form: str, rows: list[list[str | None]]) -> Path:
    columns = [pa.array(one, pa.string()) for one in zip(*rows, strict=True)]
    path = folder / f"it.{form}"
    if form == "parquet":
        names = [f"_{at}" for at in range(len(columns))]
        pq.write_table(pa.table(columns, names=names), path)
        return path
    cells = [csv_cell(one).to_pylist() for one in columns]
    lines = [",".join(one) for one in zip(*cells, strict=True)]
    head = ",".join(f"h{at}" for at in range(len(columns)))
    path.write_bytes(b"".join(f"{one}\r\n".encode() for one in (head, *lines)))
    return path


READERS = {"csv": read_csv_changes, "parquet": read_parquet_changes}


@pytest.mark.parametrize("form", READERS)
def test_values_keys_and_removals_are_what_was_written(tmp_path: Path, form: str) -> None:
    rows = [["upsert", f"k{at}", "m", text, "x", None, "z"] for at, text in enumerate(TEXTS)]
    rows += [["delete", "gone", "m", "left", None, None, None]]
    batches = [*READERS[form](written(tmp_path, form, rows), NAMES, 1)]
    keys = [one for batch, _ in batches for one in batch.to_pylist()]
    values = pa.concat_arrays([one for _, one in batches])
    assert keys == [row[1] for row in rows]
    assert values[len(values) - 1].as_py() is None
    parsed = [json.loads(one) for one in values.to_pylist()[: len(TEXTS)]]
    told = [(one["Name"] or "").removeprefix("'" if form == "csv" else "") for one in parsed]
    assert told == [(text or "").removeprefix("'" if form == "csv" else "") for text in TEXTS]
    assert {(one["name"], one["it's"], one["op"]) for one in parsed} == {("x", None, "z")}


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_keys_have_as_many_parts_as_their_text_says(tmp_path: Path, form: str, parts: int) -> None:
    path = written(tmp_path, form, [["upsert", key, "m", "x", "x", "x", "x"] for key in KEYS])
    found = [one for batch, _ in READERS[form](path, NAMES, parts) for one in batch.to_pylist()]
    assert found == [key for key in KEYS if key_parts(key) == parts]
