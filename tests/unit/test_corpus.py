"""The corpus itself: it is whole, large enough, and says nothing twice."""

from collections import Counter

from corpus import everything, files
from rowlift.core.rules import RULES

GROUPS = 100
VALUES = 600


def test_every_group_is_there():
    there = {sample.group for file in files() for sample in everything(file)}
    assert there == set(range(1, GROUPS + 1))


def test_there_are_enough_concrete_values():
    for_rows = [one for file in files() if "unsafe" not in file for one in everything(file)]
    assert len({repr((one.list, sorted(one.given.items(), key=str))) for one in for_rows}) >= VALUES


def test_no_file_holds_a_sample_twice():
    for file in files():
        found = Counter(repr((one.list, one.given)) for one in everything(file))
        assert [given[:100] for given, count in found.items() if count > 1] == []


def test_every_outcome_is_a_documented_code():
    for file in files():
        for one in everything(file):
            codes = {one.code, *one.get("codes", ())} - {""}
            assert codes <= set(RULES), one.name
