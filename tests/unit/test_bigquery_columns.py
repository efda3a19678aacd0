"""What no stand-in for BigQuery sends: types by Google's documentation, over REST and as Arrow."""

from decimal import Decimal

import pyarrow as pa
import pytest
from google.cloud.bigquery import SchemaField

from rowlift.sources.dialects.bigquery_columns import plan, value_type

MOST = "78960446186580977117854925043439539266.34992332820282019728792003956564819967"

# type, what REST sends, value type, what comes
REST = [
    ("BIGNUMERIC", MOST, "decimal", MOST),
    ("NUMERIC", "0.1", "decimal", Decimal("0.100000000")),
    ("FLOAT", "NaN", "float", "nan"),
    ("FLOAT", "-Infinity", "float", float("-inf")),
    ("FLOAT", "1.0E300", "float", 1e300),
    ("INTERVAL", "1-2 3 4:5:6.789", "text", "P1Y2M3DT4H5M6.789S"),
    ("INTERVAL", "-1-2 3 -4:5:0.500000", "text", "P-1Y-2M3DT-4H-5M-0.5S"),
    ("INTERVAL", "0-0 -10 0:0:0", "text", "P-10D"),
    ("INTERVAL", "0-0 0 0:0:10", "text", "PT10S"),
    ("INTERVAL", "0-0 0 0:0:0", "text", "PT0S"),
    ("INTERVAL", "1 month", "text", "1 month"),
    ("RANGE", "[2026-01-01, UNBOUNDED)", "text", "[2026-01-01, UNBOUNDED)"),
    ("GEOGRAPHY", "POINT(1 2)", "text", "POINT(1 2)"),
    ("SOMETHING_NEW", "x", "text", "x"),
]


@pytest.mark.parametrize(("kind", "sent", "known_as", "comes"), REST)
def test_a_value_of_rest_is_kept_exactly(kind, sent, known_as, comes):
    made = plan([SchemaField("a", kind)])
    (value, nothing) = made.page([{"f": [{"v": sent}]}, {"f": [{"v": None}]}]).column(0).to_pylist()
    assert made.columns[0].value_type == known_as
    assert (str(value) if comes == "nan" else value) == comes
    assert nothing is None


def test_the_widest_number_is_the_same_in_a_stream():
    made = plan([SchemaField("a", "BIGNUMERIC")])
    widest = pa.array([Decimal(MOST)], pa.decimal256(76, 38))
    batch = made.streamed(pa.record_batch([widest], ["a"]))
    assert (batch.column(0).to_pylist(), made.streams) == ([MOST], True)


@pytest.mark.parametrize("kind", ["INTERVAL", "RANGE", "RECORD"])
def test_what_arrow_says_otherwise_is_not_streamed(kind):
    assert not plan([SchemaField("a", "STRING"), SchemaField("b", kind)]).streams


def test_an_interval_inside_an_array_is_the_same():
    made = plan([SchemaField("a", "INTERVAL", mode="REPEATED")])
    assert made.page([{"f": [{"v": [{"v": "0-1 0 0:0:0"}]}]}]).column(0).to_pylist() == ['["P1M"]']


def test_numbers_inside_arrays_are_no_broken_json():
    made = plan([SchemaField("a", "FLOAT", mode="REPEATED")])
    cells = [{"v": one} for one in ("NaN", "-Infinity", "0.1")]
    assert made.page([{"f": [{"v": cells}]}]).column(0).to_pylist() == ['["NaN","-Infinity",0.1]']


@pytest.mark.parametrize(
    ("sql", "known_as"),
    [
        ("NUMERIC(10, 2)", "decimal"), ("STRING(10)", "text"), ("ARRAY<INT64>", "json"),
        ("STRUCT<a INT64>", "json"), ("RANGE<DATE>", "text"), ("BYTES(3)", "binary"),
    ],
)  # fmt: skip
def test_the_catalogue_knows_types_with_parameters(sql, known_as):
    assert value_type(sql) == known_as
