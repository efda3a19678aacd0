"""One connection in a child process, which is the only way to leave a query of these drivers."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import pyarrow as pa

from rowlift.core.errors import SourceError
from rowlift.kit.arrowchild import ArrowChild, ChildFailed
from rowlift.kit.patience import patient
from rowlift.sources.dialects import sqlserver_words as words


class Refused(Protocol):
    """Makes our error of the server's text and number, and of whether it was connecting."""

    def __call__(self, said: str, number: int = 0, *, connecting: bool) -> SourceError: ...


class Errand:
    """A child that connects, answers and ends; when it is killed the server stops its query."""

    def __init__(
        self,
        child: str,
        request: Mapping[str, object],
        environment: Mapping[str, str],
        refused: Refused,
    ) -> None:
        self._refused = refused
        self._why = ""
        self._ended = False
        self._connected = False
        self._child = ArrowChild(child, environment)
        self._child.ask(request)

    def connect(self, seconds: float) -> None:
        """Wait until it is connected."""
        with self._errors():
            self._child.heard()
            with patient(seconds, lambda: self.leave("CONNECT_FAILED")):
                self._child.heard()
            self._connected = True

    def heard(self) -> Any:
        """Return its next answer."""
        with self._errors():
            return self._child.heard()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows; raises SourceError also after good ones."""
        with self._errors():
            for batch in self._child.batches():
                self._stop_if_cancelled()
                yield batch
        self._stop_if_cancelled()
        self._ended = True

    def leave(self, code: str) -> None:
        """Kill it; whoever waits for it gets an error with this code."""
        if not self._ended:
            self._why = self._why or code
            self._child.kill()

    def close(self) -> None:
        """Kill it where it still runs, and free what it left."""
        self._child.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except ChildFailed as failure:
            if self._why:
                raise self._left() from None
            raise self._refused(*_said(str(failure)), connecting=not self._connected) from None

    def _left(self) -> SourceError:
        if self._why == "CONNECT_FAILED":
            return self._refused("it said nothing", connecting=True)
        return words.plain(self._why)

    def _stop_if_cancelled(self) -> None:
        if self._why == "QUERY_CANCELLED":
            raise words.plain(self._why)


def _said(last_words: str) -> tuple[str, int]:
    line = last_words.strip().rpartition("\n")[2]
    try:
        found = json.loads(line)
        return str(found["said"]), found.get("number", 0)
    except (ValueError, KeyError, TypeError):
        return line[:300], 0
