"""Describe: a query as it is sent, its columns judged before a row is read."""

from collections.abc import Iterator, Sequence

from rowlift.core.nouns import Finding
from rowlift.core.ports import Source
from rowlift.core.rules import rule
from rowlift.core.specs import SyncSpec
from rowlift.engine.columns import check_columns
from rowlift.engine.mistakes import explained
from rowlift.kit.sqlguard import GuardedQuery, guard, render


def describe(
    source: Source, spec: SyncSpec, *, since: int, identifiers: Sequence[str]
) -> tuple[str, list[Finding]]:
    """Return the SQL with `since` as its last_sync_time, and the warnings about its columns.

    Raises GuardStop for columns that break a rule, SourceError for what the source refuses.
    """
    query = guard(render(spec.sql, since, source.dialect), source.dialect)
    with explained(source, spec.sql, query.sql):
        columns = source.describe(query.sql)
    return query.sql, [*unread(query), *check_columns(columns, spec, identifiers)]


def unread(query: GuardedQuery) -> Iterator[Finding]:
    """Yield a warning about a query that only its source can read."""
    if query.unread:
        known = rule("SQL_UNREAD")
        yield Finding("query", "warning", query.unread.message, known.mend, known.code)
