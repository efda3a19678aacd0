"""First values of tables, kept for a minute: a page that is saved at each change shows them."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rowlift.core.errors import RowliftError
from rowlift.operations.querying import TableSample

KEPT_SECONDS = 60.0
KEPT = 50  # tables at once; the oldest goes

Examples = Mapping[str, Sequence[Any]]


class KeptSamples:
    """Examples of a table's columns; a source that does not tell is left alone as long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, ...], tuple[float, Examples]] = OrderedDict()

    def of(self, where: tuple[str, ...], ask: Callable[[], TableSample]) -> Examples:
        """Return some values of each column of a table, nothing where they cannot be asked for."""
        now = time.monotonic()
        with self._lock:
            until, found = self._kept.get(where, (0.0, {}))
        if until > now:
            return found
        try:
            found = _examples(ask())
        except RowliftError:  # it only helps to choose; a preview says what is wrong
            found = {}
        with self._lock:
            self._kept[where] = (now + KEPT_SECONDS, found)
            self._kept.move_to_end(where)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found


def _examples(sample: TableSample) -> Examples:
    return {
        one.name: [row[at] for row in sample.rows if row[at] is not None]
        for at, one in enumerate(sample.columns)
    }
