"""A ledger is a base and what came after it: each key stands in it once, as it was settled last."""

import errno
import os

import pyarrow as pa
import pytest

from rowlift.engine.duck import Duck, parquet
from rowlift.engine.ledger import link_settled, load_ledger, write_ledger

SETTLED = pa.schema(
    [
        ("key", pa.string()),
        ("version", pa.int64()),
        ("present", pa.bool_()),
        ("fp", pa.uint64()),
        ("epoch", pa.int32()),
        ("doubt", pa.int64()),
        ("seq", pa.int64()),
    ]
)


@pytest.fixture
def book(tmp_path):
    with Duck(tmp_path / "engine", threads=1) as duck:
        yield Book(duck, tmp_path)


class Book:
    """Files of a ledger, each of which a run settled."""

    def __init__(self, duck, folder):
        self.duck = duck
        self.folder = folder
        self.seq = 0

    def settled(self, keys):
        self.seq += 1
        rows = [
            {"key": key, "version": self.seq, "present": True, "fp": self.seq, "epoch": 1,
             "doubt": None, "seq": self.seq}
            for key in keys
        ]  # fmt: skip
        self.duck.register("settled", pa.Table.from_pylist(rows, SETTLED))

    def file(self, keys, *, whole=False):
        self.settled(keys)
        path = self.folder / f"ledger-{self.seq}.parquet"
        write_ledger(self.duck, path, "settled", whole=whole)
        return path

    def read(self, base, *deltas):
        load_ledger(self.duck, base, deltas)
        return dict(self.duck.rows("SELECT key, version FROM ledger ORDER BY key"))


def test_what_was_settled_last_counts(book):
    base, once, again = (book.file(keys) for keys in ("abcd", "bc", "ce"))
    assert book.read(None) == {}
    assert book.read(base) == dict.fromkeys("abcd", 1)
    assert book.read(base, once) == {"a": 1, "b": 2, "c": 2, "d": 1}
    assert book.read(base, once, again) == {"a": 1, "b": 2, "c": 3, "d": 1, "e": 3}


def test_a_new_base_holds_what_was_not_settled_again(book):
    base, once = book.file("abcd"), book.file("bc")
    book.read(base, once)
    whole = book.file("ce", whole=True)
    assert book.read(whole) == {"a": 1, "b": 2, "c": 3, "d": 1, "e": 3}


def test_a_scratch_file_of_settled_rows_becomes_a_delta_as_it_stands(book):
    base, scratch = book.file("ab"), book.file("b")
    delta = book.folder / "delta.parquet"
    assert link_settled(delta, scratch, rows=1) == 1
    scratch.unlink()
    assert book.duck.count(parquet([delta])) == 1
    assert book.read(base, delta) == {"a": 1, "b": 2}


def test_where_a_disk_knows_no_links_settled_rows_are_copied(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    settled, path = tmp_path / "settled", tmp_path / "ledger"
    settled.write_bytes(b"rows")
    assert link_settled(path, settled, 3) == 3
    assert path.read_bytes() == b"rows"
