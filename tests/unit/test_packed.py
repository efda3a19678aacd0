"""Packed messages: whatever they are, a gzip file around them holds them, and they come back."""

import gzip

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from rowlift.kit.packed import pack

texts = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1)
around = st.binary(max_size=300)


@given(texts, around, around)
def test_a_gzip_file_holds_the_texts_between_two_others(values, before, after):
    whole = before + ",".join(values).encode() + after
    assert gzip.decompress(pack(pa.array(values)).gzip(before, after)) == whole


@given(texts, st.integers(0, 5))
def test_the_texts_come_back_one_by_one(values, skipped):
    column = pa.array(["before"] * skipped + values).slice(skipped)
    packed = pack(column)
    assert packed.texts().to_pylist() == values
    assert packed.joined() == ",".join(values).encode()


def test_what_is_a_request_large_is_packed_whole():
    values = [f'{{"key":"k{at}","text":"{"é, " * 50}"}}' for at in range(2500)]
    packed = pack(pa.array(values))
    assert len(packed.blocks) < 100_000
    assert packed.texts().to_pylist() == values
