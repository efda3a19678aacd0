"""Eleven pieces of advice on a sync before it is saved; each is a warning and stops nothing."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rowlift.core.estimates import Cadence, Duration
from rowlift.core.nouns import Column, Finding, QueryFacts, TableFacts
from rowlift.core.rules import rule
from rowlift.core.specs import SyncSpec
from rowlift.engine.columns import left_out
from rowlift.engine.ledger import mapping_of
from rowlift.engine.moments import seconds_told
from rowlift.kit.sqladvice import cursors, limit_told
from rowlift.kit.sqlguard import uses_last_sync_time

LARGE_ROWS = 100_000
MUCH_BYTES = 10 * 2**30  # of one run
MUCH_BYTES_A_DAY = 100 * 2**30
_NEAR = 0.5  # of the timeout
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of a sync when advice is asked for; None and empty are not known.

    `read` is how many rows a usual run reads, `empty` the columns without a value in the sample,
    `timeout` the seconds that the source lets a query take. So many rows are `undone`, and were
    read with the columns `before`.
    """

    spec: SyncSpec
    dialect: str
    rows: int | None
    read: int | None
    duration: Duration
    cadence: Cadence | None
    facts: QueryFacts
    has_limit: bool = False
    columns: Sequence[Column] = ()
    empty: Sequence[str] = ()
    timeout: float | None = None
    timed_out: bool = False
    undone: int = 0
    before: Sequence[str] = ()

    @property
    def is_large(self) -> bool:
        """Tell whether the whole result, or a table that it comes from, is large."""
        sizes = [self.rows, *(one.rows_estimate for one in self.facts.tables)]
        return max(filter(None, sizes), default=0) >= LARGE_ROWS


def advise(case: Case) -> tuple[Finding, ...]:
    """Return everything that is to be advised."""
    return tuple(finding for advice in _ADVICE for finding in advice(case))


def _full_query(case: Case) -> Iterator[Finding]:
    if case.is_large and not uses_last_sync_time(case.spec.sql):
        is_it = (case.rows or 0) >= LARGE_ROWS
        told = f"{case.rows:,} rows" if is_it else "A large table"
        yield _finding("FULL_QUERY_LARGE", f"{told} without last_sync_time: each run reads all.")


def _often(case: Case) -> Iterator[Finding]:
    a_day = case.cadence.runs_a_day if case.cadence else 0
    if (case.read or 0) >= LARGE_ROWS and round(a_day, 2) > 1:  # days have 23 to 25 hours
        text = f"{case.read:,} rows are read {_times(a_day)} a day."
        yield _finding("LARGE_OFTEN", text)


def _no_index(case: Case) -> Iterator[Finding]:
    for cursor in cursors(case.spec.sql, case.dialect) if case.is_large else ():
        asked = [one for one in case.facts.tables if _is_named(one.name, cursor.table)]
        if asked and not any(_leads(one, cursor.column) for one in asked):
            where = f" of {cursor.table}" if cursor.table else ""
            text = f"No index begins with {cursor.column}{where}, compared with last_sync_time."
            yield _finding("CURSOR_NOT_INDEXED", text, cursor.index)


def _no_seconds(case: Case) -> Iterator[Finding]:
    yield from seconds_told(case.facts.no_seconds, case.dialect)


def _limit(case: Case) -> Iterator[Finding]:
    if case.has_limit:
        yield _finding("LIMIT_LOSES_ROWS", limit_told(case.spec.sql))


def _primary(case: Case) -> Iterator[Finding]:
    if case.facts.is_primary and case.is_large:
        yield _finding("PRIMARY_READ", "A large result is read from a server that takes writes.")


def _bytes(case: Case) -> Iterator[Finding]:
    size = case.facts.bytes_read or 0
    a_day = size * (case.cadence.runs_a_day if case.cadence else 1)
    if size >= MUCH_BYTES or a_day >= MUCH_BYTES_A_DAY:
        text = f"A run reads {size / 2**30:,.1f} GiB in the warehouse: {a_day / 2**30:,.0f} a day."
        yield _finding("BYTES_READ", text)


def _unused(case: Case) -> Iterator[Finding]:
    columns = [one.name for one in case.columns]
    names = [name for name in columns if name not in left_out(columns, case.spec)]
    unused = [] if case.spec.workspace else [one for one in names if not _goes(case.spec, one)]
    empty = [one for one in names if one in case.empty and one not in unused]
    told = {"Used nowhere": unused, "Empty in the first rows": empty}
    texts = [f"{what}: {_listed(named)}." for what, named in told.items() if named]
    if texts:
        yield _finding("COLUMNS_UNUSED", " ".join(texts))


def _goes(spec: SyncSpec, name: str) -> bool:
    fields = [mapping_of(use, [name]).fields for use in spec.destinations]
    return any(one is None or one for one in fields)


def _too_short(case: Case) -> Iterator[Finding]:
    cadence, p95 = case.cadence, case.duration.p95
    if cadence is None or p95 is None or cadence.skipped is None or not cadence.interval:
        return
    if p95 > cadence.interval:
        text = (
            f"A run takes up to {p95:,.0f} s, and slots come every {cadence.interval:,} s: "
            f"about {cadence.skipped:.0%} of them would be skipped."
        )
        yield _finding("SCHEDULE_TOO_SHORT", text)


def _timeout(case: Case) -> Iterator[Finding]:
    p95, most = case.duration.p95, case.timeout
    if case.timed_out:
        yield _finding("TIMEOUT_NEAR", "One of the last runs ended at the source's timeout.")
    elif most and p95 and p95 > _NEAR * most:
        text = f"A run takes up to {p95:,.0f} s; the source gives a query {most:,.0f} s."
        yield _finding("TIMEOUT_NEAR", text)


def _undone(case: Case) -> Iterator[Finding]:
    now = _attributes([one.name for one in case.columns], case.spec)
    was = _attributes(case.before, case.spec)
    if case.undone and case.columns and now != was:
        told = {"New": now - was, "Gone": was - now}
        columns = [f"{what}: {_listed(sorted(some))}." for what, some in told.items() if some]
        text = f"{case.undone:,} rows that were undone come back with other columns."
        text = " ".join([text, *columns])
        yield _finding("UNDONE_COMES_BACK", text)


def _attributes(names: Sequence[str], spec: SyncSpec) -> frozenset[str]:
    return frozenset(names) - left_out(names, spec)


_ADVICE: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    _full_query, _often, _no_index, _no_seconds, _limit, _primary, _bytes, _unused, _too_short,
    _timeout, _undone,
)  # fmt: skip


def _finding(code: str, message: str, mend: str = "") -> Finding:
    return Finding("advice", "warning", message, mend or rule(code).mend, code)


def _leads(table: TableFacts, column: str) -> bool:
    """Tell whether an index begins with a column, or with an expression that names it."""
    named = re.compile(rf"(?<!\w){re.escape(column)}(?!\w)", re.IGNORECASE)
    return any(named.search(text) for text in table.leading)


def _is_named(name: str, wanted: str) -> bool:
    return not wanted or name.lower() == wanted.lower()


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + rest


def _times(a_day: float) -> str:
    return f"{a_day:,.0f} times" if a_day >= 2 else f"{a_day:.1f} times"  # noqa: PLR2004
