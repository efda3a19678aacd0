"""A query that another thread can stop, for sources with a connection for each query."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import Protocol
from weakref import WeakSet

import pyarrow as pa

from rowlift.core.errors import SourceError
from rowlift.core.rules import rule


class Reader(Protocol):
    """One query that is being read."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the result."""

    def kill(self) -> None:
        """End what runs on this side."""

    def close(self) -> None:
        """Give everything back."""


class Running:
    """One query that another thread can stop.

    `stop` ends its statements on the server; `plain_errors` says as SourceError what goes wrong
    within.
    """

    def __init__(
        self,
        reader: Reader,
        stop: Callable[[], object],
        plain_errors: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._reader = reader
        self._stop = stop
        self._plain_errors = plain_errors
        self._cancelled = False
        self._closed = False
        self._ended = False

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the result; raises SourceError also after good rows."""
        try:
            with self._plain_errors():
                self._stop_if_cancelled()
                for batch in self._reader.batches():
                    self._stop_if_cancelled()
                    yield batch
            self._stop_if_cancelled()
            self._ended = True
        except SourceError:
            self._stop_if_cancelled()
            raise
        finally:
            self.close()

    def cancel(self) -> None:
        """Stop it here and on the server; whoever reads gets QUERY_CANCELLED."""
        if not self._ended:
            self._cancelled = True
            self._reader.kill()
            with suppress(SourceError):  # a server out of reach stops when it finds us gone
                self._stop()

    def close(self) -> None:
        """Give back everything; what was not read to its end is stopped on the server."""
        if not self._ended and not self._closed:
            self._closed = self._cancelled = True
            with suppress(SourceError):  # it ends by itself when it finds us gone
                self._stop()
        self._reader.close()

    def _stop_if_cancelled(self) -> None:
        if self._cancelled:
            code = "QUERY_CANCELLED"
            raise SourceError(code, rule(code).title, mend=rule(code).mend)


class Stoppable(Protocol):
    """A query that has begun, or is about to."""

    def cancel(self) -> None:
        """Stop it; whoever reads gets QUERY_CANCELLED."""

    def close(self) -> None:
        """Give back everything."""


class Queries:
    """The queries of a source, for any thread to stop; those that are not read any more go."""

    def __init__(self) -> None:
        self.cancels = 0
        self._running: WeakSet[Stoppable] = WeakSet()

    def add(self, query: Stoppable, cancels: int) -> None:
        """Take in a query; it is cancelled if that was asked for since there were so many."""
        self._running.add(query)
        if cancels != self.cancels:
            query.cancel()

    def cancel(self) -> None:
        """Stop every query that runs, or is about to."""
        self.cancels += 1
        for query in list(self._running):
            query.cancel()

    def close(self) -> None:
        """Stop every query and give back what it holds."""
        for query in list(self._running):
            query.close()
