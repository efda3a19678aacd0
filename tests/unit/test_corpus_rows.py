"""Hostile identifiers, addresses and values: each row ends as the corpus says, beside good rows."""

from collections import Counter
from itertools import groupby

import pyarrow as pa
import pytest

from corpus import samples
from rowlift.core.nouns import Kind
from rowlift.core.rules import RULES
from rowlift.engine.canon import ENDED
from rowlift.engine.validate import validate
from unit.canonforms import duck, field, spec, stage

GOOD = ["good 1", "good 2"]
PLAN = field("plan", "text")


@pytest.fixture
def outcomes(tmp_path):
    """Stage rows, judge them and return the code or the key of each, in their order."""

    def run(fields, rows, **settings):
        staged = stage(tmp_path / "staged.parquet", fields, rows)
        with duck(tmp_path) as engine:
            validated = validate(engine, staged, spec(**settings))
            found = dict(engine.rows("SELECT row_number, key FROM valid"))
            rejected = engine.rows("SELECT row_number, code, reason FROM rejected")
        assert (validated.read, validated.rejected) == (len(rows), len(rejected))
        assert all(code in RULES and reason for _, code, reason in rejected)
        found |= {number: code for number, code, _ in rejected}
        return [found[number] for number in range(1, len(rows) + 1)]

    return run


def by_type(file, kind="samples", default="text"):
    found = sorted(samples(file, kind), key=lambda one: one.get("type", default))
    return [
        pytest.param(name, list(some), id=name)
        for name, some in groupby(found, key=lambda one: one.get("type", default))
    ]


def expected(sample):
    return sample.code or sample.get("kept", sample["value"])


@pytest.mark.parametrize(("value_type", "some"), by_type("identifiers.toml"))
def test_T11_every_identifier_is_kept_exactly_or_refused_alone(outcomes, value_type, some):
    raw = value_type == "bytes"
    key = field("user_id", "text" if raw else value_type, pa.binary() if raw else None)
    good = [one.encode() if raw else f'"{one}"' if value_type == "json" else one for one in GOOD]
    if value_type in ("int", "decimal"):
        good = ["41", "42"]
    rows = [(good[0], "x"), *((one["value"], "x") for one in some), (good[1], "x")]
    first, *came, last = outcomes([key, PLAN], rows)
    assert dict(zip(names(some), came, strict=True)) == {one.name: expected(one) for one in some}
    assert [first, last] == (["41", "42"] if good[0] == "41" else GOOD)


def test_every_address_is_kept_exactly_or_refused_alone(outcomes):
    some = samples("emails.toml")
    rows = [("good@x.yz", "x"), *((one["value"], "x") for one in some), ("last@x.yz", "x")]
    first, *came, last = outcomes([field("email", "text"), PLAN], rows, identify_by="email")
    assert dict(zip(names(some), came, strict=True)) == {one.name: expected(one) for one in some}
    assert (first, last) == ("good@x.yz", "last@x.yz")


def test_an_address_beside_the_key_is_judged_by_the_same_rule(outcomes):
    some = samples("emails.toml")
    rows = [(one.name, one["value"]) for one in some]
    came = outcomes([field("user_id", "text"), field("email", "text")], rows)
    assert came == [one.code or one.name for one in some]


@pytest.mark.parametrize(("value_type", "some"), by_type("values.toml", "staged"))
def test_T9_every_value_has_one_canonical_form(tmp_path, value_type, some):
    raw = value_type == "bytes"
    value = field("v", "text" if raw else value_type, pa.binary() if raw else None)
    rows = [(one.name, one["value"]) for one in some]
    staged = stage(tmp_path / "staged.parquet", [field("user_id", "text"), value], rows)
    with duck(tmp_path) as engine:
        validate(engine, staged, spec())
        came = dict(engine.rows("SELECT key, attributes FROM valid"))
        came |= dict(engine.rows("SELECT identifier, code FROM rejected"))
    assert came == {one.name: one.code or f'{{"v":{one["kept"]}}}' for one in some}


@pytest.mark.parametrize(("value_type", "some"), by_type("values.toml", "deleted"))
def test_deleted_ends_a_relationship_or_not_or_is_refused_alone(tmp_path, value_type, some):
    fields = [field("id", "text"), field("object_id", "text"), field("deleted", value_type)]
    staged = stage(
        tmp_path / "staged.parquet", fields, [(one.name, "o", one["value"]) for one in some]
    )
    with duck(tmp_path) as engine:
        validate(engine, staged, spec(kind=Kind.RELATIONSHIP))
        found = engine.rows("SELECT row_number, attributes FROM valid")
        came = {number: attributes == ENDED for number, attributes in found}
        came |= dict(engine.rows("SELECT row_number, code FROM rejected"))
    assert came == {number: one.code or one["ends"] for number, one in enumerate(some, 1)}


def names(some):
    found = [one.name for one in some]
    assert max(Counter(found).values()) == 1
    return found
