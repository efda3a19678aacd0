"""The simulated source: an SQLite file, the clock that stands in it, and results that break off."""

import math
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa

from rowlift.core.errors import SourceError
from rowlift.sources.sqlite import SQLite

KIND = "simulated"
_PLUGIN = str(Path(__file__).with_name("plugin"))


@contextmanager
def installed() -> Iterator[None]:
    """Make the kind `simulated` known, as an installed package would."""
    sys.path.append(_PLUGIN)
    try:
        yield
    finally:
        sys.path.remove(_PLUGIN)


class SimulatedSource(SQLite):
    """Reads the table `clock` (now, cut) for its time and for where a result breaks off."""

    def now(self) -> int:
        """Return the simulated time, floored."""
        return math.floor(self._clock()[0])

    def query(self, sql: str, *, limit: int | None = None) -> pa.RecordBatchReader:
        """Stream the result, up to the row where it breaks off."""
        reader = super().query(sql, limit=limit)
        cut = self._clock()[1]
        if cut is None:
            return reader
        return pa.RecordBatchReader.from_batches(reader.schema, _broken(reader, cut))

    def _clock(self) -> tuple[float, int | None]:
        with closing(sqlite3.connect(self._path)) as shop:
            now, cut = shop.execute("SELECT now, cut FROM clock").fetchone()
        return now, cut


def _broken(reader: pa.RecordBatchReader, cut: int) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        yield batch.slice(0, cut)
        break
    raise SourceError("QUERY_FAILED", "The result broke off.", mend="Run again.")
