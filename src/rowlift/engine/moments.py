"""How {{last_sync_time}}, in Unix seconds, becomes a moment; told when a query fails."""

from collections.abc import Iterator
from contextlib import contextmanager

from rowlift.core.errors import SourceError
from rowlift.kit.sqlguard import uses_last_sync_time

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
