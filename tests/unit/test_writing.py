"""Which slices are written at the same time, and which wait for each other."""

import threading

import pyarrow as pa
import pytest

from rowlift.engine.apply import Applied
from rowlift.engine.writing import WRITERS, write_one_by_one, write_side_by_side

SECONDS = 20  # until a slice that should have company is given up
MOMENT = 0.1  # that a slice which should have none waits for it
MERGED = pa.list_(pa.struct([("pid", pa.int64()), ("revision", pa.int64())]))


def slice_of(*actions, takes=False, merged=None):
    return pa.table(
        {
            "action": pa.array(actions),
            "takes": pa.array([takes] * len(actions)),
            "merged": pa.array([merged] * len(actions), MERGED),
        }
    )


APART = slice_of("update", "update")
OTHERS = {
    "create": slice_of("update", "create"),
    "clear": slice_of("clear"),
    "takes": slice_of("update", takes=True),
    "merged": slice_of("update", merged=[{"pid": 1, "revision": 1}]),
}


def numbered(*slices):
    return list(enumerate(slices))


def test_slices_of_changed_attributes_are_written_side_by_side():
    together = threading.Barrier(WRITERS)

    def write(_, rows):
        together.wait(SECONDS)
        return Applied(len(rows))

    written = list(write_side_by_side(numbered(*[APART] * (2 * WRITERS)), write))
    assert [number for number, _ in written] == list(range(2 * WRITERS))


@pytest.mark.parametrize("other", OTHERS)
def test_whatever_claims_more_is_written_alone(other):
    begun = [threading.Event() for _ in range(4)]
    met = []

    def write(number, rows):
        begun[number].set()
        if 0 < number < 3 and begun[number + 1].wait(MOMENT):
            met.append(number)
        return Applied(len(rows))

    written = write_side_by_side(numbered(APART, APART, OTHERS[other], APART), write)
    assert [number for number, _ in written] == [0, 1, 2, 3]
    assert not met


def test_a_slice_that_fails_is_told_once_its_neighbour_has_ended():
    begun, failed, ended = threading.Event(), threading.Event(), []

    def write(number, rows):
        if number == 0:
            begun.wait(SECONDS)
            failed.set()
            raise ConnectionError("gone")
        begun.set()
        failed.wait(SECONDS)
        ended.append(number)
        return Applied(len(rows))

    with pytest.raises(ConnectionError):
        list(write_side_by_side(numbered(APART, APART, APART), write))
    assert ended == [1]


def test_one_by_one_is_in_this_thread():
    def write(_, rows):
        assert threading.current_thread() is threading.main_thread()
        return Applied(len(rows))

    written = list(write_one_by_one(numbered(APART, OTHERS["create"]), write))
    assert written == [(0, Applied(2)), (1, Applied(2))]
