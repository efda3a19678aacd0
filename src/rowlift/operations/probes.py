"""What a source is asked to certify it: values of every type, many rows, a query without end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

NAME = "rowlift_certificate"


@dataclass(frozen=True, slots=True)
class Probe:
    """A value by its type and text, and what must arrive of it as JSON: else the text itself."""

    value_type: str
    text: str
    other: Any = None

    @property
    def expected(self) -> Any:
        """Return what must arrive."""
        return self.text if self.other is None else self.other

    @property
    def scale(self) -> int:
        """Return the number of digits behind the point."""
        return len(self.text.partition(".")[2])


PROBES = (
    Probe("int", "-42", -42),
    Probe("int", "9007199254740993"),  # as a number of JSON it would lose its end
    Probe("decimal", "1234567890.12", 1234567890.12),
    Probe("decimal", "12345678901234567890.123456789"),
    Probe("float", "0.1", 0.1),
    Probe("float", "1e+300", 1e300),
    Probe("text", "Zoë 用户 \N{THUMBS UP SIGN} %s {0}"),
    Probe("text", " blanks "),
    Probe("bool", "true", other=True),
    Probe("bool", "false", other=False),
    Probe("date", "9999-12-31"),
    Probe("time", "23:59:59.999999"),
    Probe("timestamp", "2026-11-21 10:00:00.25", "2026-11-21T10:00:00.25"),
    Probe("timestamptz", "2026-11-21 10:00:00+00:00", "2026-11-21T10:00:00Z"),
    Probe("json", '{"b": [1, 2.5, null], "a": true}', {"b": [1, 2.5, None], "a": True}),
    Probe("binary", "00ff10"),
)

# The types a dialect can write as a value, and how; {} is the text, {scale} its digits.
LITERALS: Mapping[str, Mapping[str, str]] = {
    "bigquery": {
        "int": "CAST('{}' AS INT64)",
        "decimal": "NUMERIC '{}'",
        "float": "CAST('{}' AS FLOAT64)",
        "text": "'{}'",
        "bool": "{}",
        "date": "DATE '{}'",
        "time": "TIME '{}'",
        "timestamp": "DATETIME '{}'",
        "timestamptz": "TIMESTAMP '{}'",
        "json": "PARSE_JSON('{}')",
        "binary": "FROM_HEX('{}')",
    },
    "duckdb": {
        "int": "CAST('{}' AS BIGINT)",
        "decimal": "CAST('{}' AS DECIMAL(38, {scale}))",
        "float": "CAST('{}' AS DOUBLE)",
        "text": "'{}'",
        "bool": "CAST('{}' AS BOOLEAN)",
        "date": "CAST('{}' AS DATE)",
        "time": "CAST('{}' AS TIME)",
        "timestamp": "CAST('{}' AS TIMESTAMP)",
        "timestamptz": "CAST('{}' AS TIMESTAMPTZ)",
        "json": "CAST('{}' AS JSON)",
        "binary": "unhex('{}')",
    },
    "mysql": {
        "int": "CAST('{}' AS SIGNED)",
        "decimal": "CAST('{}' AS DECIMAL(65, {scale}))",
        "float": "CAST('{}' AS DOUBLE)",
        "text": "'{}'",
        "date": "CAST('{}' AS DATE)",
        "time": "CAST('{}' AS TIME(6))",
        "timestamp": "CAST('{}' AS DATETIME(6))",
        "binary": "UNHEX('{}')",
    },
    "postgres": {
        "int": "'{}'::bigint",
        "decimal": "'{}'::numeric",
        "float": "'{}'::float8",
        "text": "'{}'::text",
        "bool": "'{}'::boolean",
        "date": "'{}'::date",
        "time": "'{}'::time",
        "timestamp": "'{}'::timestamp",
        "timestamptz": "'{}'::timestamptz",
        "json": "'{}'::json",
        "binary": "decode('{}', 'hex')",
    },
    "redshift": {
        "int": "'{}'::bigint",
        "decimal": "CAST('{}' AS DECIMAL(38, {scale}))",
        "float": "'{}'::float8",
        "text": "'{}'::varchar(65535)",
        "bool": "'{}'::boolean",
        "date": "'{}'::date",
        "time": "'{}'::time",
        "timestamp": "'{}'::timestamp",
        "timestamptz": "'{}'::timestamptz",
        "json": "JSON_PARSE('{}')",
        "binary": "TO_VARBYTE('{}', 'hex')",
    },
    "snowflake": {
        "int": "'{}'::NUMBER(38, 0)",
        "decimal": "'{}'::NUMBER(38, {scale})",
        "float": "'{}'::FLOAT",
        "text": "'{}'",
        "bool": "'{}'::BOOLEAN",
        "date": "'{}'::DATE",
        "time": "'{}'::TIME",
        "timestamp": "'{}'::TIMESTAMP_NTZ",
        "timestamptz": "'{}'::TIMESTAMP_TZ",
        "json": "PARSE_JSON('{}')",
        "binary": "TO_BINARY('{}', 'HEX')",
    },
    "sqlite": {
        "int": "CAST('{}' AS INTEGER)",
        "float": "CAST('{}' AS REAL)",
        "text": "'{}'",
        "binary": "X'{}'",
    },
    "tsql": {
        "int": "CAST('{}' AS BIGINT)",
        "decimal": "CAST('{}' AS DECIMAL(38, {scale}))",
        "float": "CAST('{}' AS FLOAT)",
        "text": "N'{}'",
        "bool": "CAST('{}' AS BIT)",
        "date": "CAST('{}' AS DATE)",
        "time": "CAST('{}' AS TIME)",
        "timestamp": "CAST('{}' AS DATETIME2)",
        "timestamptz": "CAST('{}' AS DATETIMEOFFSET)",
        "binary": "0x{}",
    },
}

DIGITS = " UNION ALL ".join(["SELECT 0 AS n", *(f"SELECT {digit}" for digit in range(1, 10))])
POWER = 5
ROWS = 10**POWER
UNKNOWN_TABLE = "SELECT a FROM rowlift_no_such_table"
UNKNOWN_COLUMN = "SELECT rowlift_no_such_column FROM (SELECT 1 AS a) AS q"


def probes(dialect: str) -> tuple[Probe, ...]:
    """Return the values that a dialect can write."""
    return tuple(probe for probe in PROBES if probe.value_type in LITERALS.get(dialect, {}))


def values_query(dialect: str) -> str:
    """Return a query of one row: an identifier, then each of the dialect's probes."""
    columns = [f"'{NAME}' AS {_quoted('user_id', dialect)}"]
    for number, probe in enumerate(probes(dialect)):
        literal = LITERALS[dialect][probe.value_type].format(probe.text, scale=probe.scale)
        columns.append(f"{literal} AS {_quoted(f'v{number}', dialect)}")
    return f"SELECT {', '.join(columns)}"


def rows_query() -> str:
    """Return a query of the numbers from 0 below ROWS, in any order and any dialect."""
    sums = " + ".join(f"{10**place} * d{place}.n" for place in range(POWER))
    return f"WITH d AS ({DIGITS}) SELECT {sums} AS id FROM {_joined('d', POWER)}"


def endless_query() -> str:
    """Return a query that would run for days: over every five of a thousand rows."""
    thousand = f"SELECT d0.n + d1.n + d2.n AS n FROM {_joined('d', 3)}"
    sums = " + ".join(f"e{place}.n" for place in range(5))
    return (
        f"WITH d AS ({DIGITS}), e AS ({thousand}) "
        f"SELECT SUM({sums}) AS total FROM {_joined('e', 5)}"
    )


def _joined(table: str, times: int) -> str:
    return " CROSS JOIN ".join(f"{table} {table}{place}" for place in range(times))


def _quoted(name: str, dialect: str) -> str:
    return exp.to_identifier(name, quoted=True).sql(dialect)
