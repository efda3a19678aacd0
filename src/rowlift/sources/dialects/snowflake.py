"""Snowflake as data: how each type is read, what is asked, what its errors mean."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from rowlift.kit import dbapi

TEXT = pa.string()
AS_TEXT = dbapi.to(TEXT)


@dataclass(frozen=True, slots=True)
class Reading:
    """How columns of a type travel: value type, Arrow type, last step."""

    value_type: str
    arrow: pa.DataType = TEXT
    finish: dbapi.Finish = AS_TEXT


COUNTED = [pa.field(unit, pa.int64()) for unit in ("ns", "us")]
COUNTS = pa.struct(COUNTED)


def _counted(values: pa.Array) -> pa.StructArray:
    """Return moments, which a chunk has in nanoseconds unless one of them is too far away."""
    is_near = values.type.unit == "ns"
    count = values.cast(pa.timestamp("ns" if is_near else "us", values.type.tz)).view(pa.int64())
    none = pa.nulls(len(count), pa.int64())
    pair = [count, none] if is_near else [none, count]
    mask = count.is_null() if count.null_count else None
    return pa.StructArray.from_arrays(pair, fields=COUNTED, mask=mask)


INT = Reading("int", pa.int64(), dbapi.to(pa.int64()))
WHOLE = pa.decimal128(38, 0)
LONG = Reading("int", WHOLE, dbapi.to(WHOLE))
FLOAT = Reading("float", pa.float64(), dbapi.to(pa.float64()))
BOOL = Reading("bool", pa.bool_(), dbapi.to(pa.bool_()))
DATE = Reading("date", pa.date32(), dbapi.to(pa.date32()))
BINARY = Reading("binary", pa.binary(), dbapi.to(pa.binary()))
LOCAL = Reading("timestamp", COUNTS, _counted)
INSTANT = Reading("timestamptz", COUNTS, _counted)
JSON = Reading("json")
STRING = Reading("text")

# By the driver's type codes; numbers are told apart by their digits.
NUMBER = 0
READINGS: Mapping[int, tuple[str, Reading]] = {
    1: ("FLOAT", FLOAT),
    2: ("VARCHAR", STRING),
    3: ("DATE", DATE),
    4: ("TIMESTAMP_NTZ", LOCAL),
    5: ("VARIANT", JSON),
    6: ("TIMESTAMP_LTZ", INSTANT),
    7: ("TIMESTAMP_TZ", INSTANT),
    8: ("TIMESTAMP_NTZ", LOCAL),
    9: ("OBJECT", JSON),
    10: ("ARRAY", JSON),
    11: ("BINARY", BINARY),
    12: ("TIME", Reading("time")),
    13: ("BOOLEAN", BOOL),
    14: ("GEOGRAPHY", JSON),
    15: ("GEOMETRY", JSON),
}
OTHER = ("VARCHAR", STRING)
INT64_DIGITS = 18

CATALOG_VALUES = {
    "BOOLEAN": "bool",
    "DATE": "date",
    "FLOAT": "float",
    "TIME": "time",
    "TIMESTAMP_LTZ": "timestamptz",
    "TIMESTAMP_NTZ": "timestamp",
    "TIMESTAMP_TZ": "timestamptz",
    "BINARY": "binary",
    **dict.fromkeys(("VARIANT", "OBJECT", "ARRAY", "GEOGRAPHY", "GEOMETRY"), "json"),
}

# What an administrator set for the account or the user must not change what a query means here.
SESSION: Mapping[str, object] = {
    "ABORT_DETACHED_QUERY": True,
    "BINARY_OUTPUT_FORMAT": "HEX",
    "CLIENT_PREFETCH_THREADS": 2,
    "CLIENT_RESULT_CHUNK_SIZE": 48,  # megabytes
    "CLIENT_TELEMETRY_ENABLED": False,
    "GEOGRAPHY_OUTPUT_FORMAT": "GeoJSON",
    "GEOMETRY_OUTPUT_FORMAT": "GeoJSON",
    "MULTI_STATEMENT_COUNT": 1,
    "QUERY_TAG": "rowlift",
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
    "TIMEZONE": "UTC",
}
SCHEMA = "PUBLIC"  # of a session that names none
STATEMENT_TIMEOUT = "STATEMENT_TIMEOUT_IN_SECONDS"
MOST_ROWS = "ROWS_PER_RESULTSET"  # 0 is without limit

VERSION = "SELECT CURRENT_VERSION()"
CLOCK = "SELECT DATE_PART(EPOCH_SECOND, SYSDATE())"
GRANTS = "SHOW GRANTS TO ROLE {role}"
TABLES = "SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA <> 'INFORMATION_SCHEMA'"
CATALOG = """
SELECT c.TABLE_SCHEMA, c.TABLE_NAME, t.ROW_COUNT, c.COLUMN_NAME, c.DATA_TYPE,
  c.NUMERIC_PRECISION, c.NUMERIC_SCALE
FROM INFORMATION_SCHEMA.COLUMNS AS c JOIN INFORMATION_SCHEMA.TABLES AS t
  ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
WHERE c.TABLE_SCHEMA <> 'INFORMATION_SCHEMA'
ORDER BY c.TABLE_SCHEMA, c.TABLE_NAME, c.ORDINAL_POSITION
"""

HARMLESS = {"USAGE", "SELECT", "REFERENCES", "MONITOR", "OPERATE", "IMPORTED PRIVILEGES", "READ"}
# Procedures may write whatever their owner may, and can be called from a FROM.
RUNS = "PROCEDURE"
ADMINISTRATORS = {
    "ACCOUNTADMIN",
    "GLOBALORGADMIN",
    "ORGADMIN",
    "SECURITYADMIN",
    "SYSADMIN",
    "USERADMIN",
}
MAKE_READER = """\
CREATE ROLE ROWLIFT;
GRANT USAGE ON WAREHOUSE {warehouse} TO ROLE ROWLIFT;
GRANT USAGE ON DATABASE {database} TO ROLE ROWLIFT;
GRANT USAGE ON SCHEMA {schema} TO ROLE ROWLIFT;
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO ROLE ROWLIFT;
GRANT SELECT ON ALL VIEWS IN SCHEMA {schema} TO ROLE ROWLIFT;
GRANT ROLE ROWLIFT TO USER {user};"""
GRANT_WAREHOUSE = "GRANT USAGE ON WAREHOUSE {warehouse} TO ROLE {role};"
GRANT_SCHEMA = """\
GRANT USAGE ON DATABASE {database} TO ROLE {role};
GRANT USAGE ON SCHEMA {schema} TO ROLE {role};"""
GRANT_TABLE = "GRANT SELECT ON TABLE {table} TO ROLE {role};  -- of a view: ON VIEW"
GRANT_TABLES = """\
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO ROLE {role};
GRANT SELECT ON ALL VIEWS IN SCHEMA {schema} TO ROLE {role};"""

# Snowflake's own numbers; 25xxxx are the driver's.
ERRORS: Mapping[int, str] = {
    904: "COLUMN_UNKNOWN",
    1003: "QUERY_SYNTAX",
    2003: "TABLE_UNKNOWN",
    2043: "TABLE_UNKNOWN",
    2140: "QUERY_SYNTAX",
    3001: "PERMISSION_DENIED",
    8: "SQL_MANY_STATEMENTS",
    604: "QUERY_CANCELLED",
    606: "WAREHOUSE_UNAVAILABLE",
    630: "QUERY_TIMEOUT",
    90073: "QUOTA_EXCEEDED",
    90105: "DATABASE_UNKNOWN",
    90106: "DATABASE_UNKNOWN",
    **dict.fromkeys((390111, 390112, 390114, 390195), "SOURCE_DROPPED"),
}
# Snowflake tells nobody whether a table is missing or only closed to the role.
MENDED_BY_GRANTS = {"PERMISSION_DENIED", "TABLE_UNKNOWN"}
MENDS = ((r"overflows int64 range", "Cast the moment to TIMESTAMP_NTZ(6) in the SQL."),)
LOGIN_ERRORS = range(390000, 400000)
# Where the number says little, or little of it is known: what the text holds.
CONNECTING = (
    (r"certificate|\bTLS\b|handshake", "TLS_FAILED"),
    (r"requested (database|schema)\b", "DATABASE_UNKNOWN"),
    (r"requested warehouse\b", "WAREHOUSE_UNAVAILABLE"),
    (r"authentication failed|private.key|JWT", "LOGIN_FAILED"),
)
LOGIN_MENDS = (
    (r"\brole\b", "GRANT ROLE {role} TO USER {user};"),
    (r"JWT", "ALTER USER {user} SET RSA_PUBLIC_KEY = '…';  -- and compare account and clocks"),
)
RUNNING = (
    (r"overflows int64 range", "QUERY_FAILED"),
    (r"exceeded its quota", "QUOTA_EXCEEDED"),
    (r"warehouse\b.*\b(suspended|cannot be resumed)", "WAREHOUSE_UNAVAILABLE"),
)
