"""Writing: the slices of a plan in their order, two at once where neither has a say in the other.

A slice that changes attributes only, each of a record of its own, claims nothing that another one
could want. PostgreSQL writes two such at once; SQLite has one writer.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc

from rowlift.engine.apply import Applied

WRITERS = 2

Slices = Iterable[tuple[int, pa.Table]]
Write = Callable[[int, pa.Table], Applied]
Written = Iterator[tuple[int, Applied]]


def write_one_by_one(slices: Slices, write: Write) -> Written:
    """Write slices in this thread and yield what each did, by its number."""
    for number, rows in slices:
        yield number, write(number, rows)


def write_side_by_side(slices: Slices, write: Write) -> Written:
    """Write slices in other threads and yield what each did, by its number, in their order.

    Where one fails, the other has ended before that is raised.
    """
    with ThreadPoolExecutor(WRITERS, "writers") as writers:
        under_way: deque[tuple[int, Future[Applied]]] = deque()
        for number, rows in slices:
            beside = WRITERS - 1 if is_apart(rows) else 0
            yield from _ended(under_way, beside)
            under_way.append((number, writers.submit(write, number, rows)))
            yield from _ended(under_way, beside)
        yield from _ended(under_way, 0)


def is_apart(rows: pa.Table) -> bool:
    """Tell whether a slice changes attributes only: nobody is new, gone, renamed or merged."""
    claims = pc.any(rows.column("takes")).as_py() or rows.column("merged").null_count < len(rows)
    return not claims and pc.all(pc.equal(rows.column("action"), "update")).as_py()


def _ended(under_way: deque[tuple[int, Future[Applied]]], most: int) -> Written:
    while len(under_way) > most:
        number, written = under_way.popleft()
        yield number, written.result()
