"""Prove of a source, on the real service, what our own tests can only show on a stand-in."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

from rowlift.core.counting import counted
from rowlift.core.errors import SourceError
from rowlift.core.nouns import Finding, Kind, Preset
from rowlift.core.ports import Source
from rowlift.core.specs import LimitSpec, SyncSpec
from rowlift.engine.preview import preview
from rowlift.operations.home import Home, open_source
from rowlift.operations.probes import (
    ROWS,
    UNKNOWN_COLUMN,
    UNKNOWN_TABLE,
    endless_query,
    probes,
    rows_query,
    values_query,
)

CANCEL_AFTER = 1.0  # seconds
WITHIN = 30.0  # seconds in which a query that was stopped must have ended
TIMEOUT = 2  # seconds
UNKNOWN = {
    UNKNOWN_TABLE: {"TABLE_UNKNOWN", "PERMISSION_DENIED"},
    UNKNOWN_COLUMN: {"COLUMN_UNKNOWN"},
}
TELL = "Tell the maintainers, with this report."


def certify(home: Home, name: str) -> list[Finding]:
    """Test a connection; if it can be used, read values, rows and queries without end through it.

    Nothing is written anywhere. Raises ConfigError when the source is not declared.
    """
    with home.source(name) as source:
        found = list(source.check())
        if all(one.level != "error" for one in found):
            found += _Certificate(home, name, source).findings()
        return found


class _Certificate:
    def __init__(self, home: Home, name: str, source: Source) -> None:
        self._home = home
        self._declared = home.project.sources[name]
        self._source = source

    def findings(self) -> Iterator[Finding]:
        """Yield what came of each proof."""
        proofs: dict[str, Callable[[], str]] = {
            "values": self._values,
            "rows": self._rows,
            "errors": self._errors,
            "catalogue": self._catalogue,
            "cancel": self._cancel,
            "timeout": self._timeout,
        }
        for step, prove in proofs.items():
            try:
                yield Finding(step, "ok", prove())
            except _Unproven as why:
                yield Finding(step, "error", str(why), TELL)
            except SourceError as error:
                yield Finding(step, "error", error.message, error.mend, error.code)

    def _values(self) -> str:
        """Compare what would be sent of one row, and its columns' types, with what was asked."""
        wanted = probes(self._source.dialect)
        if not wanted:
            raise _Unproven("It is not known how this warehouse writes values.")
        spec = SyncSpec(
            name="certificate",
            preset=Preset.TRAITS,
            kind=Kind.PERSON,
            source=self._declared.name,
            sql=values_query(self._source.dialect),
            identify_by="user_id",
            limits=LimitSpec(columns=1000, rows=1, record_bytes=None),
            workspace=False,
        )
        found = preview(self._source, spec, scratch=self._home.store.files.scratch, sample=True)
        (row,) = found.rows
        for probe, column, value in zip(wanted, found.columns[1:], row.values[1:], strict=True):
            if (column.value_type, value) != (probe.value_type, probe.expected):
                raise _Unproven(
                    f"{probe.value_type} {probe.text!r} comes as {column.value_type} {value!r}."
                )
        types = ", ".join(dict.fromkeys(probe.value_type for probe in wanted))
        return f"{len(wanted)} values come exactly: {types}."

    def _rows(self) -> str:
        began = time.monotonic()
        count = total = 0
        for batch in self._source.query(rows_query()):
            count += batch.num_rows
            total += sum(int(value) for value in batch.column(0).to_pylist())
        if (count, total) != (ROWS, ROWS * (ROWS - 1) // 2):
            raise _Unproven(f"{count} rows with the sum {total} came of {ROWS}.")
        return f"{ROWS:,} rows came whole, in {time.monotonic() - began:.1f} seconds."

    def _errors(self) -> str:
        for sql, codes in UNKNOWN.items():
            code = self._refused(self._source, sql)
            if code not in codes:
                raise _Unproven(f"{sql} is refused with {code or 'nothing'}.")
        return "Unknown tables and columns are told by name."

    def _catalogue(self) -> str:
        tables = self._source.catalog()
        columns = sum(len(one.columns) for one in tables)
        return f"{counted(len(tables), 'table')} with {counted(columns, 'column')}."

    def _cancel(self) -> str:
        with _cancelled_after(self._source, CANCEL_AFTER):
            return self._ended(self._source, "QUERY_CANCELLED", CANCEL_AFTER)

    def _timeout(self) -> str:
        config = {**self._declared.config, "statement_timeout": TIMEOUT}
        hasty = replace(self._declared, config=config)
        with closing(open_source(self._home.project.root, hasty, self._home.env)) as source:
            return self._ended(source, "QUERY_TIMEOUT", TIMEOUT)

    def _ended(self, source: Source, wanted: str, after: float) -> str:
        began = time.monotonic()
        code = self._refused(source, endless_query())
        seconds = time.monotonic() - began - after
        if code != wanted:
            raise _Unproven(f"A query without end came to {code or 'an end'}.")
        if seconds > WITHIN:
            raise _Unproven(f"A query without end went on for {seconds:.0f} seconds.")
        return f"A query without end was ended {max(seconds, 0):.1f} seconds after it was due."

    def _refused(self, source: Source, sql: str) -> str:
        try:
            source.query(sql).read_all()
        except SourceError as error:
            return error.code
        return ""


class _Unproven(Exception):
    """What came is not what was asked for."""


@contextmanager
def _cancelled_after(source: Source, seconds: float) -> Iterator[None]:
    """Cancel whatever runs within, again and again until it has ended."""
    ended = threading.Event()

    def cancel() -> None:
        while not ended.wait(seconds):
            source.cancel()

    canceller = threading.Thread(target=cancel, daemon=True)
    canceller.start()
    try:
        yield
    finally:
        ended.set()
        canceller.join()
