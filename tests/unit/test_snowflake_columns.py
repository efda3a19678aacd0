"""What the driver hands over for moments and whole numbers, and what becomes of it."""

import pyarrow as pa
import pytest

from rowlift.sources.dialects import snowflake as data

LOCAL, ZONED = data.READINGS[8][1], data.READINGS[7][1]


@pytest.mark.parametrize(
    ("unit", "count", "expected"),
    [
        ("ns", 1_795_255_200_123_456_789, {"ns": 1_795_255_200_123_456_789, "us": None}),
        ("us", 253_402_300_799_999_999, {"ns": None, "us": 253_402_300_799_999_999}),
        ("ms", 1_500, {"ns": None, "us": 1_500_000}),
        ("s", -62_135_596_800, {"ns": None, "us": -62_135_596_800_000_000}),
    ],
)
def test_moments_of_any_unit_are_counted(unit, count, expected):
    for reading, zone in ((LOCAL, None), (ZONED, "UTC"), (ZONED, "Asia/Kathmandu")):
        found = reading.finish(pa.array([None, count], pa.timestamp(unit, zone)))
        assert found.type == reading.arrow
        assert found.to_pylist() == [None, expected]
        assert found.null_count == 1


def test_no_moments_are_none():
    assert LOCAL.finish(pa.array([], pa.timestamp("ns"))).to_pylist() == []


@pytest.mark.parametrize("arrow", [pa.int8(), pa.int64(), pa.decimal128(38, 0)])
def test_whole_numbers_of_any_width_become_one(arrow):
    found = data.LONG.finish(pa.array([1, None, -7], pa.int64()).cast(arrow))
    assert found.type == data.LONG.arrow
    assert [one and int(one) for one in found.to_pylist()] == [1, None, -7]
