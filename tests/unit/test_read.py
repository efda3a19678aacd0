"""What a source gives is staged as it is, but for values that no row may hold."""

import json

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from rowlift.core.values import META
from rowlift.engine.canon import staged_columns
from rowlift.engine.read import MAX_ROW_BYTES, filled_columns, shortened
from rowlift.engine.validate import constant_traits
from unit.canonforms import SPLIT, spec, write


def field(name: str, kind: str) -> pa.Field:
    return pa.field(name, pa.string(), metadata={META: kind.encode()})


def test_F61_a_value_too_large_for_any_row_is_cut_and_stays_too_large():
    texts = ["é" * MAX_ROW_BYTES, None, "x"]
    documents = [json.dumps(["y" * 2 * MAX_ROW_BYTES]), "[1]", None]
    schema = pa.schema([field("name", "text"), field("tags", "json"), field("plan", "text")])
    batch = pa.record_batch([texts, documents, ["free", "pro", ""]], schema=schema)
    names, tags, plans = shortened(batch)
    assert plans.equals(batch.column("plan"))
    assert (names[1:].to_pylist(), tags[1:].to_pylist()) == (texts[1:], documents[1:])
    assert names[0].as_py() == texts[0][: MAX_ROW_BYTES + 1]
    assert isinstance(json.loads(tags[0].as_py()), str)
    for column in (names, tags):
        assert column.nbytes < 2 * MAX_ROW_BYTES + 100
        assert pc.binary_length(column)[0].as_py() > MAX_ROW_BYTES


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.large_string()])
def test_F61_bytes_and_long_columns_are_cut_too(kind):
    schema = pa.schema([pa.field("photo", kind, metadata={META: b"binary"})])
    batch = pa.record_batch([pa.array([b"x" * 2 * MAX_ROW_BYTES, b"y"], kind)], schema=schema)
    (photos,) = shortened(batch)
    assert photos.type == kind
    assert pc.binary_length(photos).to_pylist() == [MAX_ROW_BYTES + 1, 1]


def test_many_numbers_are_no_large_values():
    numbers = pa.array(range(MAX_ROW_BYTES // 8 + 1))
    (same,) = shortened(pa.record_batch([numbers], ["visits"]))
    assert same.equals(numbers)


def test_values_that_a_row_may_hold_stay_as_they_are():
    schema = pa.schema([field("name", "text"), field("tags", "json")])
    large = ["x" * MAX_ROW_BYTES, "y" * MAX_ROW_BYTES]
    batch = pa.record_batch([large, ["[1]", "[2]"]], schema=schema)
    assert pa.RecordBatch.from_arrays(shortened(batch), schema=schema).equals(batch)


def staged(path, **columns):
    fields = [
        pa.field(name, SPLIT if name != "plan" else pa.string(), metadata={META: kind})
        for name, kind in (("seen", b"timestamp"), ("left", b"timestamptz"), ("plan", b"text"))
    ]
    write(path, pa.table([columns[one.name] for one in fields], schema=pa.schema(fields)))
    return path


def test_a_moment_is_there_in_whichever_unit_it_is_counted(tmp_path):
    path = staged(
        tmp_path / "staged.parquet",
        seen=[{"ns": 1}, {"us": 2}, {"ns": 3}],
        left=[{"ns": 1}, None, {"us": 3}],
        plan=["free", "pro", "free"],
    )
    assert filled_columns(path) == {0, 2, 3}
    found = staged_columns(pq.read_schema(path))
    assert [one.name for one in found if one.is_split] == ["seen", "left"]


def test_a_moment_that_is_the_same_in_every_row_is_told(tmp_path):
    path = staged(
        tmp_path / "staged.parquet",
        seen=[{"us": 7}, {"us": 7}],
        left=[{"ns": 1}, {"ns": 2}],
        plan=["free", "pro"],
    )
    (found,) = constant_traits(path, spec())
    assert "seen" in found.message
    assert "left" not in found.message
