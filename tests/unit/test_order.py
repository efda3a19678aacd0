"""The files that begin first are there."""

from order import FIRST, HERE


def test_no_file_that_begins_first_is_gone():
    assert [name for name in FIRST if not (HERE / name).is_file()] == []
    assert len({*FIRST}) == len(FIRST)
