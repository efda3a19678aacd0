"""A ledger is a base and what came after it: each key stands in it once, as it was settled last."""

import errno
import os

import pyarrow as pa
import pytest

from rowlift.engine.duck import Duck, parquet
from rowlift.engine.ledger import (
    KEPT_OUT,
    fold_settled,
    link_settled,
    load_ledger,
    write_ledger,
)

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


HAD, GONE = (1, True, 5), (1, False, KEPT_OUT)  # version, present and fingerprint before


@pytest.mark.parametrize(
    ("before", "op", "verdict", "after"),
    [
        (HAD, "upsert", "delivered", (2, True, 7, None)),
        (HAD, "upsert", "in_doubt", (1, True, 5, 2)),
        (HAD, "suppress", "delivered", (2, False, KEPT_OUT, None)),
        (HAD, "suppress", "in_doubt", (1, True, KEPT_OUT, 2)),
        (GONE, "suppress", "suppressed", (2, False, KEPT_OUT, None)),
        (GONE, "delete", "delivered", (2, False, KEPT_OUT, None)),
        (GONE, "upsert", "rolled", (2, False, KEPT_OUT, None)),
        (GONE, "unsuppress", "in_doubt", (1, False, KEPT_OUT, 2)),
        (GONE, "unsuppress", "delivered", (0, False, 0, None)),
        ((1, True, KEPT_OUT), "unsuppress", "delivered", (0, True, 0, None)),
    ],
)
def test_who_is_kept_out_is_remembered_until_that_was_lifted(book, before, op, verdict, after):
    version, present, fp = before
    row = {"key": "a", "version": version, "present": present, "fp": fp, "epoch": 1}
    book.duck.register("ledger", pa.Table.from_pylist([row], SETTLED))
    settled = {"key": "a", "version": 2, "op": op, "fp": 7, "verdict": verdict}
    book.duck.register("answers", pa.Table.from_pylist([settled]))
    book.duck.run("CREATE TEMP VIEW settled AS SELECT * REPLACE (fp::UBIGINT AS fp) FROM answers")
    is_lifted = fold_settled(book.duck, epoch=1, seq=2)
    found = book.duck.rows("SELECT version, present, fp, doubt, typeof(fp) FROM ledger_rows")
    assert found == [(*after, "UBIGINT")]
    assert is_lifted == ((op, verdict) == ("unsuppress", "delivered"))
