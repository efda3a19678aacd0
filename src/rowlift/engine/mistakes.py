"""What a source refuses of a query: with its place in the text, and what was probably meant."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rowlift.core.errors import Place, RowliftError, SourceError
from rowlift.core.ports import Source
from rowlift.core.spelling import did_you_mean
from rowlift.engine.moments import conversion_told
from rowlift.kit.sqlguard import guard, place_at
from rowlift.kit.sqlwriting import everything

MOST_TABLES = 8  # whose columns are asked for
_ABOUT_NAMES = frozenset({"COLUMN_UNKNOWN", "QUERY_SYNTAX", "TABLE_UNKNOWN"})
_NAMES = (r"""["'`]([^"'`]+)["'`]""", r": ([\w.]+)\.?$")  # as sources write them: "a", 'a', : a
_HINTS = re.compile("did you mean|similar|perhaps", re.IGNORECASE)
# How BigQuery and Snowflake tell a place, and from which number they count columns.
_PLACES = ((r"\[(\d+):(\d+)\]", 1), (r"\bline (\d+) at position (\d+)", 0))


@contextmanager
def explained(source: Source, sql: str, query: str) -> Iterator[None]:
    """Add to a refusal its place, a similar column, and how {{last_sync_time}} becomes a moment.

    `sql` is as it was written, `query` as the source was asked.
    """
    try:
        with conversion_told(sql, source.dialect):
            yield
    except SourceError as error:
        error.place = error.place or place_of(error, query)
        is_hinted = _HINTS.search(f"{error.message} {error.mend}")
        if error.code == "COLUMN_UNKNOWN" and not is_hinted:
            name = _name(error.message).rpartition(".")[2]
            error.mend += did_you_mean(name, _columns(source, query))
        raise


def place_of(error: RowliftError, sql: str) -> Place | None:
    """Return the place that a source tells, or the only one of the name that it does not know."""
    if error.code not in _ABOUT_NAMES:
        return None
    for pattern, first in _PLACES:
        if told := re.search(pattern, error.message):
            return Place("query", int(told[1]), int(told[2]) + 1 - first)
    name = _name(error.message)
    for text in filter(None, (name, name.rpartition(".")[2])):
        found = list(re.finditer(rf"(?<!\w){re.escape(text)}(?!\w)", sql, re.IGNORECASE))
        if len(found) == 1:
            return place_at(sql, found[0].start())
    return None


def _name(message: str) -> str:
    found = (re.search(pattern, message) for pattern in _NAMES)
    return next((one[1] for one in found if one), "")


def _columns(source: Source, query: str) -> Iterator[str]:
    """Yield the columns of a query's tables; a hint is worth no failure."""
    for table in guard(query, source.dialect).tables[:MOST_TABLES]:
        with suppress(SourceError):
            sql = f"{everything(source.dialect, table)} WHERE 1 = 0"
            yield from (column.name for column in source.describe(sql))
