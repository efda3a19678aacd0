"""Whole columns of texts, quoted for the formats they go into."""

import csv
import io
import json

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from rowlift.kit.texts import concat, csv_cell, json_text, spread, with_member

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
columns = st.lists(texts, min_size=1, max_size=20)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-(10**15), 10**15), texts)
names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12)
objects = st.lists(st.dictionaries(names, scalars, max_size=6), min_size=1, max_size=8)


def column(values):
    return pa.array(values, pa.string())


@given(columns)
def test_every_text_is_the_json_string_it_reads_as(values):
    assert [json.loads(one) for one in json_text(column(values)).to_pylist()] == values


@given(columns)
def test_every_csv_cell_reads_as_its_text_or_as_its_text_behind_an_apostrophe(values):
    lines = "\r\n".join(concat("x,", csv_cell(column(values))).to_pylist())
    read = [row[1] for row in csv.reader(io.StringIO(lines, newline=""))]
    for value, cell in zip(values, read, strict=True):
        assert cell in (value, f"'{value}")
        assert cell[:1] not in {"=", "+", "@", "\t", "\r", "\n"}


@given(objects)
def test_members_are_read_as_json_reads_them(given_objects):
    wanted = sorted({name for one in given_objects for name in one} | {"absent"})
    rows = column([json.dumps(one, ensure_ascii=False) for one in given_objects])
    for name, values in zip(wanted, spread(rows, wanted), strict=True):
        assert values.to_pylist() == [as_text(one.get(name)) for one in given_objects]


@given(objects, texts)
def test_a_member_is_added_to_any_object(given_objects, value):
    rows = column([json.dumps(one, ensure_ascii=False) for one in given_objects])
    added = with_member(rows, "n\u0001ew", json_text(column([value] * len(rows))))
    assert [json.loads(one) for one in added.to_pylist()] == [
        {"n\u0001ew": value} | one for one in given_objects
    ]


def as_text(value):
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)
