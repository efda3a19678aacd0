"""Hostile columns: everything that is wrong with them is said at once, by code."""

import pytest

from corpus import ident, samples
from corpus.results import columns as names_of
from rowlift.core.nouns import Column
from rowlift.core.rules import RULES
from rowlift.engine.columns import judge_columns
from unit.canonforms import spec


@pytest.mark.parametrize("sample", samples("columns.toml"), ids=ident)
def test_columns_are_judged_as_the_corpus_says(sample):
    types = sample.get("types", {})
    columns = [
        Column(name, types.get(name, "text"), types.get(name, "text")) for name in names_of(sample)
    ]
    sync = spec(identify_by=sample.get("by", "user_id"))
    found = judge_columns(columns, sync, ("id", "email"))
    assert [one.code for one in found] == sample["codes"]
    assert all(one.mend and one.code in RULES and one.message.isprintable() for one in found)
