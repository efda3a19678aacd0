"""Batches of a child process: all of them come, be they written as they are or packed."""

from contextlib import closing
from random import Random

import pytest

from rowlift.kit.arrowchild import ArrowChild, ChildFailed

CHILD = """
import os
import sys
from pathlib import Path
from random import Random

import pyarrow as pa

from rowlift.kit import arrowteller


def batches(count):
    for at in range(count):
        value = Random(at).randbytes(1000) if at % 2 else bytes(1000)
        yield pa.record_batch([pa.array([value])], schema=schema)
    Path(asked["size_file"]).write_text(str(os.fstat(int(sys.argv[1])).st_size))


asked = arrowteller.asked()
arrowteller.UNPACKED_BYTES = asked["unpacked"]
schema = pa.schema([("bytes", pa.binary())])
arrowteller.tell(schema, batches(asked["count"]))
"""


@pytest.fixture
def child(tmp_path):
    (tmp_path / "spooling.py").write_text(CHILD)
    with closing(ArrowChild("spooling", {"PYTHONPATH": str(tmp_path)})) as one:
        yield one


@pytest.mark.parametrize(
    ("unpacked", "least", "most"),
    [(0, 10_000, 16_000), (12_000, 16_000, 20_000), (1_000_000, 22_000, 30_000)],
)
def test_every_batch_comes_as_it_was(child, tmp_path, unpacked, least, most):
    size_file = tmp_path / "size"
    child.ask({"count": 20, "unpacked": unpacked, "size_file": str(size_file)})
    found = [value for batch in child.batches() for value in batch.column(0).to_pylist()]
    assert found == [Random(at).randbytes(1000) if at % 2 else bytes(1000) for at in range(20)]
    assert least < int(size_file.read_text()) < most


def test_a_child_that_ends_early_has_failed(child):
    child.ask({"count": "none", "unpacked": 0})
    with pytest.raises(ChildFailed, match="TypeError"):
        list(child.batches())
