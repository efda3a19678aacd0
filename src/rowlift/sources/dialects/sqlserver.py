"""SQL Server as data: how each type is read, what is asked, what its errors mean.

Times are read to the microsecond: the seventh digit of datetime2, datetimeoffset and time is cut.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from rowlift.kit import dbapi


@dataclass(frozen=True, slots=True)
class Reading:
    """How columns of a type travel: value type, Arrow type (none: the type's own), last step."""

    value_type: str
    arrow: pa.DataType | None
    finish: dbapi.Finish


def _plain(value_type: str, arrow: pa.DataType) -> Reading:
    return Reading(value_type, arrow, lambda values: values.cast(arrow))


def _text(values: pa.Array) -> pa.StringArray:
    """Return texts whose bytes were looked at: the driver vouches for none."""
    return dbapi.text(values.cast(pa.large_string()).cast(pa.large_binary()))


def _xml(values: pa.Array) -> pa.StringArray:
    import pyarrow.compute as pc

    return pc.utf8_ltrim(_text(values), "\N{ZERO WIDTH NO-BREAK SPACE}")


def _guid(values: pa.Array) -> pa.StringArray:
    import pyarrow.compute as pc

    return pc.utf8_lower(_text(values))


def _time(values: pa.Array) -> pa.StringArray:
    return values.cast(pa.time64("us"), safe=False).cast(pa.string())


INT = _plain("int", pa.int64())
FLOAT = _plain("float", pa.float64())
REAL = Reading("float", pa.float64(), dbapi.single)
BIT = _plain("bool", pa.bool_())
DECIMAL = Reading("decimal", None, lambda values: values)
DATE = _plain("date", pa.date32())
TIME = Reading("time", pa.string(), _time)
DATETIME = _plain("timestamp", pa.timestamp("us"))
ZONED = _plain("timestamptz", pa.timestamp("us", "UTC"))
TEXT = Reading("text", pa.string(), _text)
GUID = Reading("text", pa.string(), _guid)
XML = Reading("text", pa.string(), _xml)
JSON = Reading("json", pa.string(), _text)
BINARY = _plain("binary", pa.binary())

READINGS: Mapping[str, Reading] = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), INT),
    **dict.fromkeys(("decimal", "numeric", "money", "smallmoney"), DECIMAL),
    **dict.fromkeys(("datetime", "smalldatetime", "datetime2"), DATETIME),
    **dict.fromkeys(("binary", "varbinary", "image", "timestamp", "rowversion"), BINARY),
    **dict.fromkeys(("hierarchyid", "geometry", "geography"), BINARY),
    "bit": BIT,
    "date": DATE,
    "datetimeoffset": ZONED,
    "float": FLOAT,
    "json": JSON,
    "real": REAL,
    "time": TIME,
    "uniqueidentifier": GUID,
    "xml": XML,
}
MONEY = {"money": (19, 4), "smallmoney": (10, 4)}  # digits, and how many behind the point

SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL SNAPSHOT"
DESCRIBE = "EXEC sys.sp_describe_first_result_set @tsql = N'{sql}'"
CODE_PAGE = "SELECT CAST(COLLATIONPROPERTY('{collation}', 'CodePage') AS int) AS page"
# DATEDIFF_BIG came with 2016, and DATEDIFF in seconds ends in 2038.
CLOCK = """
SELECT CAST(DATEDIFF(day, '1970-01-01', t.now) AS bigint) * 86400
    + DATEDIFF(second, CAST(t.now AS date), t.now) AS now
FROM (SELECT SYSUTCDATETIME() AS now) AS t
"""
FACTS = f"""
SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)) AS version,
    CAST(SERVERPROPERTY('EngineEdition') AS int) AS edition,
    USER_NAME() AS "user", DB_NAME() AS "database", c.now
FROM ({CLOCK}) AS c
"""
# NULL where a server does not know a permission, Azure SQL above all: then nobody has it.
RIGHTS = """
SELECT p.scope, p.name
FROM (VALUES ('server', 'CONTROL SERVER'), ('server', 'ADMINISTER BULK OPERATIONS'),
    ('server', 'ALTER ANY LOGIN'), ('server', 'IMPERSONATE ANY LOGIN'), ('server', 'SHUTDOWN'),
    ('server', 'UNSAFE ASSEMBLY'), ('server', 'EXTERNAL ACCESS ASSEMBLY'),
    ('database', 'ADMINISTER DATABASE BULK OPERATIONS'), ('database', 'ALTER'),
    ('database', 'INSERT'), ('database', 'UPDATE'), ('database', 'DELETE'),
    ('database', 'CREATE TABLE')) AS p(scope, name)
WHERE 1 = CASE p.scope WHEN 'server' THEN HAS_PERMS_BY_NAME(NULL, NULL, p.name)
    ELSE HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', p.name) END
"""
READABLE = """
SELECT t.TABLE_SCHEMA, COUNT(*) AS tables, CAST(SUM(COALESCE(HAS_PERMS_BY_NAME(
    CONCAT(QUOTENAME(t.TABLE_SCHEMA), '.', QUOTENAME(t.TABLE_NAME)), 'OBJECT', 'SELECT'), 0)
    ) AS bigint) AS readable
FROM INFORMATION_SCHEMA.TABLES AS t
GROUP BY t.TABLE_SCHEMA
ORDER BY t.TABLE_SCHEMA
"""
CATALOG = """
SELECT c.TABLE_SCHEMA, c.TABLE_NAME, p.rows_estimate, c.COLUMN_NAME, c.DATA_TYPE,
    c.CHARACTER_MAXIMUM_LENGTH, c.NUMERIC_PRECISION, c.NUMERIC_SCALE, c.DATETIME_PRECISION
FROM INFORMATION_SCHEMA.COLUMNS AS c
LEFT JOIN (SELECT object_id, CAST(SUM(rows) AS bigint) AS rows_estimate FROM sys.partitions
    WHERE index_id IN (0, 1) GROUP BY object_id) AS p
    ON p.object_id = OBJECT_ID(CONCAT(QUOTENAME(c.TABLE_SCHEMA), '.', QUOTENAME(c.TABLE_NAME)))
ORDER BY c.TABLE_SCHEMA, c.TABLE_NAME, c.ORDINAL_POSITION
"""
IS_PRIMARY = """
SELECT CAST(CASE WHEN DATABASEPROPERTYEX(DB_NAME(), 'Updateability') = 'READ_ONLY' THEN 0 ELSE 1 END
    AS int) AS is_primary
"""
# A row for each index of each table.
INDEXES = """
SELECT OBJECT_NAME(p.object_id) AS table_name, p.rows_estimate,
    COL_NAME(i.object_id, i.column_id) AS leading
FROM (SELECT object_id, CAST(SUM(rows) AS bigint) AS rows_estimate FROM sys.partitions
    WHERE index_id IN (0, 1) AND object_id IN ({tables}) GROUP BY object_id) AS p
LEFT JOIN sys.index_columns AS i ON i.object_id = p.object_id AND i.key_ordinal = 1
"""
TABLE_ID = "OBJECT_ID(N'{name}')"

UNSAFE_DATABASE_RIGHTS = {"ADMINISTER DATABASE BULK OPERATIONS"}  # it reads files, as OPENROWSET
OLDEST = (12, 0, 6329)  # SQL Server 2014 SP3 CU4, the last that Microsoft mended
BOXED_EDITIONS = range(1, 5)  # of SERVERPROPERTY('EngineEdition'); Azure's numbers tell no age
MAKE_READER = (
    "CREATE LOGIN rowlift WITH PASSWORD = '…'; CREATE USER rowlift FOR LOGIN rowlift; "
    "GRANT SELECT ON SCHEMA::[dbo] TO rowlift;"
)
MAKE_USER = (
    "Run in that database: CREATE USER {user} FOR LOGIN {user}; "
    "GRANT SELECT ON SCHEMA::[dbo] TO {user};"
)
GRANT_TABLE = "GRANT SELECT ON OBJECT::{table} TO {user};"
GRANT_SCHEMA = "GRANT SELECT ON SCHEMA::{schema} TO {user};"

# Of sys.messages and Azure SQL; a server may speak another language than ours.
NUMBERS: Mapping[int, str] = {
    **dict.fromkeys((18452, 18456, 18470, 18486, 18487, 18488, 40532, 40615), "LOGIN_FAILED"),
    **dict.fromkeys((911, 4060), "DATABASE_UNKNOWN"),
    **dict.fromkeys((10928, 10929, 40197, 40501, 40613), "CONNECT_FAILED"),
    **dict.fromkeys((229, 230, 297, 300, 916), "PERMISSION_DENIED"),
    **dict.fromkeys((102, 105, 156, 195, 1033, 8120), "QUERY_SYNTAX"),
    207: "COLUMN_UNKNOWN",
    208: "TABLE_UNKNOWN",
    596: "SOURCE_DROPPED",
    4104: "COLUMN_UNKNOWN",
    8155: "COLUMN_UNNAMED",
    8156: "COLUMN_DUPLICATE",
}
# Microsoft's driver tells no numbers, so the server's own words are what there is to go by.
ERRORS: tuple[tuple[str, str], ...] = (
    (r"Login failed for user|Cannot open server .* requested by the login", "LOGIN_FAILED"),
    (r"token-identified principal|AADSTS\d+|ServicePrincipal auth", "LOGIN_FAILED"),
    (r"password of the account (has expired|must be changed)", "LOGIN_FAILED"),
    (r"Cannot open database", "DATABASE_UNKNOWN"),
    (r"certificate verify failed|SSL (Provider|routines)|does not match host name", "TLS_FAILED"),
    (r"\[SSL: |The server (does not encrypt|says nothing of encryption)", "TLS_FAILED"),
    (r"[Ll]ogin timeout expired|Client unable to establish connection", "CONNECT_FAILED"),
    (r"is not currently available|Resource ID : \d|session limit", "CONNECT_FAILED"),
    (r"Invalid object name", "TABLE_UNKNOWN"),
    (r"Invalid column name|could not be bound", "COLUMN_UNKNOWN"),
    (r"permission was denied|not able to access the database", "PERMISSION_DENIED"),
    (r"Incorrect syntax|is not a recognized|Unclosed quotation|is invalid in the", "QUERY_SYNTAX"),
    (r"No column name was specified", "COLUMN_UNNAMED"),
    (r"was specified multiple times", "COLUMN_DUPLICATE"),
    (r"Query timeout expired", "QUERY_TIMEOUT"),
    (r"Operation cancell?ed", "QUERY_CANCELLED"),
    (r"kill state|link failure|TCP Provider|Connection is (closed|broken)", "SOURCE_DROPPED"),
    (r"[Pp]rotocol error in TDS stream|Unspecified error occurred", "SOURCE_DROPPED"),
    (r"Communication link|Invalid cursor state|not connected", "SOURCE_DROPPED"),
)
MENDS = (  # where the rule's own mend is too general
    (r"Snapshot isolation transaction failed", "Set isolation: read_committed, or allow snapshot."),
    (r"was deadlocked on", "Run again, or set isolation: snapshot."),
    (r"not able to access the database", MAKE_USER),
)
DENIED = (
    r"denied on the (?:column '[^']*' of the )?object '(?P<table>[^']+)', database '[^']*', "
    r"schema '(?P<schema>[^']*)'"
)
# From where it stands nobody needs to know what else is there, or is not.
UNREACHABLE = (
    r"TCP Provider|[Ll]ogin timeout expired|unable to establish connection|said nothing"
    r"|Connection is broken|Protocol error"
)
