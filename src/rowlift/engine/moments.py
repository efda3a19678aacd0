"""How {{last_sync_time}}, in Unix seconds, becomes a moment; told when a query does without."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from rowlift.core.errors import SourceError
from rowlift.core.nouns import Column, Finding
from rowlift.core.ports import Source
from rowlift.kit.sqladvice import cursors
from rowlift.kit.sqlguard import uses_last_sync_time

LOOKED_AT = 1000  # rows of a column in which any value may be of any type
UNTYPED = {"mysql", "sqlite"}  # other dialects refuse to compare a number with what is none
OF_TEXT = {"date", "text", "time", "timestamp", "timestamptz"}

CONVERSIONS = {
    "bigquery": "TIMESTAMP_SECONDS({{last_sync_time}})",
    "duckdb": "to_timestamp({{last_sync_time}})",
    "mysql": "FROM_UNIXTIME({{last_sync_time}})",
    "postgres": "to_timestamp({{last_sync_time}})",
    "redshift": "TIMESTAMP 'epoch' + {{last_sync_time}} * INTERVAL '1 second'",
    "snowflake": "TO_TIMESTAMP({{last_sync_time}})",
    "sqlite": "datetime({{last_sync_time}}, 'unixepoch')",
    # DATEADD takes an int of seconds, which ends in 2038.
    "tsql": "DATEADD(second, {{last_sync_time}} % 86400, "
    "DATEADD(day, {{last_sync_time}} / 86400, CAST('1970-01-01' AS datetime2)))",
}


@contextmanager
def conversion_told(sql: str, dialect: str) -> Iterator[None]:
    """Add the dialect's conversion to the mend of a failed query that uses {{last_sync_time}}."""
    try:
        yield
    except SourceError as error:
        conversion = CONVERSIONS.get(dialect)
        if error.code == "QUERY_FAILED" and conversion and uses_last_sync_time(sql):
            told = f"{{{{last_sync_time}}}} is Unix seconds, an integer; as a moment: {conversion}"
            error.mend = f"{error.mend}\n{told}".strip()
        raise


def no_seconds(source: Source, sql: str) -> Iterator[str]:
    """Yield the columns that hold no numbers and are compared with {{last_sync_time}} as it is."""
    for cursor in cursors(sql, source.dialect) if source.dialect in UNTYPED else ():
        found: Sequence[Column] = ()
        with suppress(SourceError):  # what stands in FROM may be a part of WITH
            asked = f"{cursor.alone} LIMIT {LOOKED_AT}"
            found = source.describe(asked) if cursor.alone else ()
        if any(one.value_type in OF_TEXT and one.type_name != "null" for one in found):
            yield cursor.column


def seconds_told(columns: Sequence[str], dialect: str) -> Iterator[Finding]:
    """Yield a warning about such columns, if there are any."""
    if columns:
        code = "CURSOR_NOT_SECONDS"
        named = ", ".join(columns)
        text = f"{named}: no numbers, but compared with last_sync_time, which is Unix seconds."
        mend = f"Write {CONVERSIONS[dialect]}; else rows are missed, or all are read."
        yield Finding("advice", "warning", text, mend, code)
