"""The canonical form: pinned by a golden file, equal for equal values, different for others."""

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rowlift.core.values import EPOCH, VALUE_TYPES
from rowlift.engine import canon
from rowlift.engine.arrivals import with_canonical_json
from rowlift.engine.columns import left_out
from rowlift.engine.jsontext import BROKEN, canonical_json, canonical_number, recanonicalised
from rowlift.engine.read import filled_columns
from unit.canonforms import SPLIT, canonical_texts, column, duck, field, spec, write

GOLDEN = Path(__file__).parents[1] / "data/golden/canon_v1.json"
PINNED = json.loads(GOLDEN.read_text())

together = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with duck(tmp_path_factory.mktemp("engine")) as opened:
        canon.install(opened)
        yield opened


@pytest.mark.parametrize(
    ("kind", "cases"), [(kind, list(cases)) for kind, cases in groupby(PINNED, lambda c: c[:2])]
)
def test_the_form_is_pinned(engine, kind, cases):
    found = canonical_texts(engine, kind[0], column(*kind, [raw for _, _, raw, _ in cases]))
    pinned = [(raw, text) for _, _, raw, text in cases]
    assert [(raw, form) for (raw, _), form in zip(pinned, found, strict=True)] == pinned


def test_every_value_type_is_pinned():
    assert {value_type for value_type, *_ in PINNED} == set(VALUE_TYPES)
    assert int(GOLDEN.stem.removeprefix("canon_v")) == canon.CANON_VERSION


@pytest.mark.parametrize("text", [text for *_, text in PINNED if text])
def test_every_pinned_form_is_json(text):
    assert json.loads(text) is not None


@pytest.mark.parametrize("value_type", list(VALUE_TYPES))
def test_null_stays_null(engine, value_type):
    assert canonical_texts(engine, value_type, pa.array([None], pa.string())) == [None]


def by_value(engine, value_type, typed, texts):
    """Return the forms of values that came typed, after the same came as texts."""
    forms = canonical_texts(engine, value_type, typed)
    assert canonical_texts(engine, value_type, pa.array(texts, pa.string())) == forms
    return forms


@together
@given(values=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_integers_keep_every_digit(engine, values):
    forms = by_value(engine, "int", pa.array(values, pa.int64()), [f"{one:+04d}" for one in values])
    assert [int(json.loads(form)) for form in forms] == values
    assert all(
        form.startswith('"') == (abs(value) >= 10**15)
        for form, value in zip(forms, values, strict=False)
    )


@together
@given(values=st.lists(st.decimals(-(10**20), 10**20, places=6), min_size=1))
def test_decimals_are_equal_by_value(engine, values):
    typed = pa.array(values, pa.decimal128(38, 6))
    forms = by_value(engine, "decimal", typed, [f"{one:f}" for one in values])
    assert forms == canonical_texts(
        engine, "decimal", pa.array([f"{one.normalize():E}" for one in values])
    )
    assert [Decimal(str(json.loads(form, parse_float=Decimal))) for form in forms] == values


@together
@given(values=st.lists(st.floats(), min_size=1))
def test_floats_come_back_bit_for_bit(engine, values):
    forms = by_value(engine, "float", pa.array(values, pa.float64()), [repr(one) for one in values])
    for form, value in zip(forms, values, strict=True):
        back = float(json.loads(form))
        assert back == value or (math.isnan(back) and math.isnan(value))
    assert len(set(forms)) == len({0.0 if one == 0 else repr(one) for one in values})


@together
@given(values=st.lists(st.text(st.characters(codec="utf-8")), min_size=1))
def test_texts_come_back_as_they_were(engine, values):
    forms = canonical_texts(engine, "text", pa.array(values, pa.string()))
    assert [json.loads(form) for form in forms] == values


@together
@given(values=st.lists(st.dates(), min_size=1))
def test_dates(engine, values):
    forms = by_value(engine, "date", pa.array(values, pa.date32()), [str(one) for one in values])
    assert [date.fromisoformat(json.loads(form)) for form in forms] == values


@together
@given(values=st.lists(st.datetimes(), min_size=1))
def test_moments(engine, values):
    texts = [one.isoformat(" ") for one in values]
    plain = by_value(engine, "timestamp", pa.array(values, pa.timestamp("us")), texts)
    assert [datetime.fromisoformat(json.loads(form)) for form in plain] == values
    in_utc = [one.replace(tzinfo=UTC) for one in values]
    zoned = by_value(
        engine,
        "timestamptz",
        pa.array(in_utc, pa.timestamp("us", "UTC")),
        [f"{text}+00" for text in texts],
    )
    assert [form[:-2] for form in zoned] == [form[:-1] for form in plain]
    assert [datetime.fromisoformat(json.loads(form)) for form in zoned] == in_utc
    since_1970 = pa.array(values, pa.timestamp("us")).cast(pa.int64())
    counts = pa.array([one.as_py() - EPOCH for one in since_1970])
    assert canonical_texts(engine, "timestamp", counts) == plain
    assert canonical_texts(engine, "timestamptz", counts) == zoned


@together
@given(
    near=st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1),
    far=st.lists(st.datetimes(), min_size=1),
)
def test_moments_by_split_counts(engine, near, far):
    units = {"ns": near, "us": pa.array(far, pa.timestamp("us")).cast(pa.int64()).to_pylist()}
    split = [one if one is None else {unit: one} for unit in units for one in units[unit]]
    texts = [
        text
        for unit, counts in units.items()
        for text in pa.array(counts, pa.timestamp(unit)).cast(pa.string()).to_pylist()
    ]
    by_value(engine, "timestamp", pa.array(split, SPLIT), texts)
    zoned = [text and f"{text}+00" for text in texts]
    by_value(engine, "timestamptz", pa.array(split, SPLIT), zoned)


@together
@given(values=st.lists(st.none() | st.integers(-(10**38) + 1, 10**38 - 1), min_size=1))
def test_integers_of_38_digits_are_equal_by_value(engine, values):
    typed = pa.array(values, pa.decimal128(38, 0))
    forms = by_value(engine, "int", typed, [one if one is None else str(one) for one in values])
    assert [form if form is None else int(json.loads(form)) for form in forms] == values


@together
@given(values=st.lists(st.binary(), min_size=1))
def test_bytes(engine, values):
    typed = pa.array(values, pa.binary())
    forms = by_value(engine, "binary", typed, [one.hex().upper() for one in values])
    assert [bytes.fromhex(json.loads(form)) for form in forms] == values


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**14), 10**14)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@given(json_values)
def test_json_is_equal_by_value(value):
    form = canonical_json(json.dumps(value, indent=2))
    assert json.loads(form) == value
    assert form == canonical_json(json.dumps(value, ensure_ascii=False, sort_keys=True))
    assert form == canonical_json(form)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a":1,"a":1}',
        '[{"a":{"b":1,"b":2}}]',
        '"\\ud800"',
        "NaN",
        "[Infinity]",
        "[" * 101 + "]" * 101,
        "[" * 100_000,
        "1 2",
        "'a'",
    ],
)
def test_json_that_is_not_one_value_is_broken(text):
    assert canonical_json(text) == BROKEN


@together
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_T10_floats_of_an_older_image_keep_their_form(engine, values):
    forms = canonical_texts(engine, "float", pa.array(values, pa.float64()))
    stored = pa.array([f'{{"b": {form}, "a": "x"}}' for form in forms])
    assert recanonicalised(stored).to_pylist() == [f'{{"a":"x","b":{form}}}' for form in forms]


def test_json_may_nest_a_hundred_deep():
    text = "[" * 100 + "]" * 100
    assert canonical_json(text) == text


@together
@given(
    texts=st.lists(
        st.from_regex(r"\A-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?\Z"),
        min_size=1,
    )
)
def test_numbers_inside_json_have_the_form_of_decimals(engine, texts):
    forms = canonical_texts(engine, "decimal", pa.array(texts, pa.string()))
    assert [canonical_number(text) for text in texts] == forms
    for text, form in zip(texts, forms, strict=True):
        assert Decimal(form.strip('"')) == Decimal(text)


def attributes(engine, fields, rows, **settings_):
    data = {one.name: [row[at] for row in rows] for at, one in enumerate(fields)}
    table = {name: (one, pa.array(data[name], one.type)) for one in fields for name in [one.name]}
    path = write(engine.scratch_file("staged"), table)
    wanted = spec(**settings_)
    hides = left_out(list(data), wanted)
    forms = []
    for filled in ((), filled_columns(path)):
        columns = canon.staged_columns(pq.read_schema(path), filled)
        sql = canon.attributes_sql(columns, hides, wanted)
        rows = engine.rows(f"SELECT {sql} FROM {canon.staged_sql(path, columns)}")
        forms.append([row[0] for row in rows])
    assert forms[0] == forms[1]
    return forms[1]


PEOPLE = [field("user_id", "text"), field("b", "text"), field("a", "text"), field("email", "text")]


def test_members_stand_in_byte_order_without_the_key(engine):
    names = ["user_id", "é", "Z", "a", "z", 'quo"te', "o'brien"]
    found = attributes(engine, [field(name, "text") for name in names], [tuple("1234567")])
    assert found == ['{"Z":"3","a":"4","o\'brien":"7","quo\\"te":"6","z":"5","é":"2"}']


def test_an_address_as_key_stays_with_its_spelling(engine):
    found = attributes(engine, PEOPLE, [("u", "1", "2", "A@x.yz")], identify_by="email")
    assert found == ['{"a":"2","b":"1","email":"A@x.yz","user_id":"u"}']


def test_T12_null_empty_and_missing_differ(engine):
    rows = [("u", None, "x", None), ("u", "", "x", None), ("u", "x", None, None)]
    assert attributes(engine, PEOPLE, rows) == ['{"a":"x"}', '{"a":"x","b":""}', '{"b":"x"}']


def test_null_removes_under_delete_but_never_an_identifier(engine):
    rows = [("u", None, "", None)]
    assert attributes(engine, PEOPLE, rows, empty_values="delete") == ['{"a":"","b":null}']


def test_empty_texts_can_count_as_null(engine):
    rows = [("u", "", "x", "")]
    assert attributes(engine, PEOPLE, rows, empty_strings="as_null") == ['{"a":"x"}']
    both = attributes(engine, PEOPLE, rows, empty_strings="as_null", empty_values="delete")
    assert both == ['{"a":"x","b":null}']


def test_a_row_of_nothing_is_an_empty_object(engine):
    assert attributes(engine, PEOPLE, [("u", None, None, None)]) == ["{}"]


@together
@given(
    rows=st.lists(
        st.tuples(*[st.none() | st.text('ab",:{}\\', max_size=3) for _ in range(3)]), min_size=2
    )
)
def test_T12_rows_are_equal_only_if_every_value_is(engine, rows):
    found = attributes(engine, PEOPLE, [("u", *row) for row in rows])
    assert len(set(found)) == len(set(rows))
    assert [json.loads(text) for text in found] == [
        {n: v for n, v in zip(("b", "a", "email"), row, strict=True) if v is not None}
        for row in rows
    ]


@pytest.mark.parametrize(
    ("value_type", "raw", "key"),
    [
        ("text", "1.0", "1.0"),
        ("text", ' "1" ', ' "1" '),
        ("int", "18446744073709551616", "18446744073709551616"),
        ("int", "-0", "0"),
        ("decimal", "10.00", "10"),
        ("json", '"a\\"b"', 'a"b'),
        ("json", "12", "12"),
        ("json", "[1]", "[1]"),
    ],
)
def test_a_key_is_its_own_text(engine, value_type, raw, key):
    path = write(engine.scratch_file("staged"), {"id": (field("id", value_type), pa.array([raw]))})
    columns = canon.staged_columns(pq.read_schema(path))
    path = with_canonical_json(engine, path, columns)
    relation = canon.staged_sql(path, columns)
    assert engine.one(f"SELECT {canon.key_sql(columns[0])} FROM {relation}") == (key,)
