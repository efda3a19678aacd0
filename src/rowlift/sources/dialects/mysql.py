"""MySQL and MariaDB as data: how each type is read, what is asked, what its errors mean.

A column of MariaDB's JSON type is described as text, since the server says longtext. Comparisons
and tinyint(1) are integers, which may be 2: `tinyint1: bool` makes those columns true and false.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from rowlift.kit import dbapi

TEXT = pa.string()
AS_TEXT = dbapi.to(TEXT)
COLUMN = "{column}"
# Bytes come as they are: characters would be converted, and those that are not UTF-8 refused.
BYTES = "CAST({column} AS BINARY)"
CHARACTERS = "CAST({column} AS CHAR)"


@dataclass(frozen=True, slots=True)
class Reading:
    """How columns of a type travel: value type, Arrow type, SQL for either driver, last step."""

    value_type: str
    arrow: pa.DataType = TEXT
    sql: str = COLUMN
    fast_sql: str = BYTES
    finish: dbapi.Finish = AS_TEXT


INT = Reading("int", pa.int64(), fast_sql=COLUMN, finish=dbapi.to(pa.int64()))
BIG = Reading("int")  # unsigned: up to 2^64 - 1
BITS = Reading("int", sql="({column} + 0)", fast_sql="CAST({column} + 0 AS BINARY)")
BIT = Reading(
    "bool", pa.bool_(), "({column} + 0)", "({column} + 0)", lambda v: INT.finish(v).cast(pa.bool_())
)
TRUTH = "CASE {column} WHEN 0 THEN 'false' WHEN 1 THEN 'true' ELSE {column} END"
BOOL = Reading("bool", sql=TRUTH, fast_sql=TRUTH)
DECIMAL = Reading("decimal")
DOUBLE = Reading("float", pa.float64(), fast_sql=COLUMN, finish=dbapi.to(pa.float64()))
# The server prints a FLOAT with six digits only; as a double it is exact.
FLOAT = Reading("float", pa.float64(), "({column} + 0e0)", "({column} + 0e0)", dbapi.single)
DATE = Reading("date")
TIME = Reading("time")
DATETIME = Reading("timestamp")
TIMESTAMP = Reading("timestamptz", finish=dbapi.zoned)
JSON = Reading("json", fast_sql=CHARACTERS)
BINARY = Reading("binary", pa.binary(), fast_sql=COLUMN, finish=dbapi.to(pa.binary()))
GEOMETRY = Reading("binary", sql="LOWER(HEX({column}))", fast_sql="LOWER(HEX({column}))")
UNICODE = Reading("text", finish=dbapi.text)
CONVERTED = "CONVERT({column} USING utf8mb4)"
OTHER_TEXT = Reading("text", TEXT, CONVERTED, f"CAST({CONVERTED} AS BINARY)", dbapi.text)

# By the protocol's type codes; strings and blobs are told apart by their character set.
READINGS: Mapping[int, tuple[str, Reading]] = {
    0: ("decimal", DECIMAL),
    1: ("tinyint", INT),
    2: ("smallint", INT),
    3: ("int", INT),
    4: ("float", FLOAT),
    5: ("double", DOUBLE),
    6: ("null", Reading("text")),
    7: ("timestamp", TIMESTAMP),
    8: ("bigint", INT),
    9: ("mediumint", INT),
    10: ("date", DATE),
    11: ("time", TIME),
    12: ("datetime", DATETIME),
    13: ("year", INT),
    14: ("date", DATE),
    16: ("bit", BITS),
    245: ("json", JSON),
    246: ("decimal", DECIMAL),
    255: ("geometry", GEOMETRY),
}
STRINGS = {15: "varchar", 253: "varchar", 254: "char"}
FLAGGED = {256: "enum", 2048: "set"}
BIGINT, TINYINT, BIT_TYPE, DECIMALS = 8, 1, 16, (0, 246)
UNSIGNED = 32
BINARY_CHARSET = 63
# Collations whose bytes are UTF-8 or ASCII. MySQL 8.4: information_schema.collations; MariaDB adds
# 576-610 and 2048-2559, and 1024 for the NO PAD form of any other.
UNICODE_COLLATIONS = (
    frozenset({11, 33, 45, 46, 65, 76, 83, *range(192, 248), *range(255, 324)})
    | frozenset({576, 577, 578, 608, 609, 610})
    | frozenset(range(2048, 2560))
)
NO_PAD = range(1024, 2048)

CATALOG_VALUES = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), "int"),
    **dict.fromkeys(("binary", "varbinary", "geometry", "point", "linestring"), "binary"),
    **dict.fromkeys(("tinyblob", "blob", "mediumblob", "longblob", "polygon"), "binary"),
    "bit": "int",
    "date": "date",
    "datetime": "timestamp",
    "decimal": "decimal",
    "double": "float",
    "float": "float",
    "json": "json",
    "time": "time",
    "timestamp": "timestamptz",
}

# The way of reading that the parser assumes is pinned: a quote must not mean another thing here.
READ_ONLY = "SET SESSION TRANSACTION READ ONLY"
SESSION = (
    "SET time_zone = '+00:00', group_concat_max_len = 1048576, net_write_timeout = 3600, "
    "sql_mode = IF(FIND_IN_SET('ONLY_FULL_GROUP_BY', @@sql_mode), 'ONLY_FULL_GROUP_BY', ''), "
)
MARIADB_TIMEOUT = "max_statement_time = {seconds:.3f}"
MYSQL_TIMEOUT = "max_execution_time = {milliseconds:.0f}"
# Texts come in the bytes of their own columns: the server converts nothing, so loses nothing.
RAW_RESULTS = "SET character_set_results = NULL"
ROWS = "SET sql_select_limit = {rows:d}"
SNAPSHOT = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"

SELECT = "SELECT {columns} FROM (\n{sql}\n) q"
# In parentheses an order counts only beside a limit; where blobs are, not even then.
ORDERED = r"\border\s+by\b"
ALL_ROWS = "\nLIMIT 18446744073709551615"
VERSION = "SELECT VERSION()"
OLDEST = {"MySQL": (5, 7, 8), "MariaDB": (10, 1, 1)}  # that can limit a statement's time
CLOCK = "SELECT FLOOR(UNIX_TIMESTAMP(NOW(6)))"
GRANTS = "SHOW GRANTS"
CIPHER = "SHOW STATUS LIKE 'Ssl_cipher'"
REPLICA = ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS")
BEHIND = {"Seconds_Behind_Source", "Seconds_Behind_Master"}
KILL = "KILL QUERY {id}"
TAGGED = (
    "SELECT id FROM information_schema.processlist WHERE info LIKE '%{tag}%' "
    "AND id <> CONNECTION_ID()"
)
TABLES = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()"
# Two questions, as MariaDB takes a minute to join the answers where there are thousands of tables.
USERS_OWN = "table_schema NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema')"
CATALOG = f"""
SELECT table_schema, table_name, column_name, column_type, data_type
FROM information_schema.columns WHERE {USERS_OWN}
ORDER BY table_schema, table_name, ordinal_position
"""
ESTIMATES = f"""
SELECT table_schema, table_name, table_rows FROM information_schema.tables WHERE {USERS_OWN}
"""
IS_PRIMARY = "SELECT NOT @@global.read_only"
# table, estimate, and the columns that its indexes begin with, line by line
INDEXES = """
SELECT t.table_name, t.table_rows, GROUP_CONCAT(DISTINCT s.column_name SEPARATOR '\n')
FROM information_schema.tables t LEFT JOIN information_schema.statistics s
    ON s.table_schema = t.table_schema AND s.table_name = t.table_name AND s.seq_in_index = 1
WHERE t.table_type = 'BASE TABLE' AND ({tables})
GROUP BY t.table_schema, t.table_name, t.table_rows
"""
INDEXED_TABLE = "t.table_schema = {schema} AND t.table_name = {name}"

HARMLESS = {
    "USAGE",
    "SELECT",
    "SHOW VIEW",
    "SHOW DATABASES",
    "PROCESS",
    "REPLICATION CLIENT",
    "BINLOG MONITOR",
    "SLAVE MONITOR",
    "REPLICA MONITOR",
    "SHOW CREATE ROUTINE",
    "SHOW_ROUTINE",
}
UNSAFE = {"FILE", "SUPER", "SHUTDOWN", "CREATE USER", "SYSTEM_USER"}
ALL = {"ALL", "ALL PRIVILEGES"}
MAKE_READER = (
    "CREATE USER 'rowlift'@'%' IDENTIFIED BY '…'; GRANT SELECT ON {database}.* TO 'rowlift'@'%';"
)
# It tells nobody whether a table or a database is missing or only closed to the user.
GRANT = "Check its name; if it is right:\nGRANT SELECT ON {what} TO {account};"
GRANT_CALL = "Check the function's name, or GRANT EXECUTE ON FUNCTION {what} TO {account};"

LOGIN_ERRORS = dict.fromkeys((1045, 1130, 1251, 1698, 1820, 1862, 2059, 3118), "LOGIN_FAILED")
LOST_ERRORS = dict.fromkeys(
    (1053, 1080, 1152, 1158, 1159, 1160, 1161, 1927, 2006, 2013, 2055), "SOURCE_DROPPED"
)
ERRORS: Mapping[int, str] = {
    **LOGIN_ERRORS,
    **LOST_ERRORS,
    **dict.fromkeys((1040, 1129, 1203, 1226, 2002, 2003, 2005), "CONNECT_FAILED"),
    **dict.fromkeys((2026, 3159), "TLS_FAILED"),
    **dict.fromkeys((1044, 1142, 1143, 1227), "PERMISSION_DENIED"),
    **dict.fromkeys((1290, 1792, 1836), "SQL_WRITES"),
    1049: "DATABASE_UNKNOWN",
    1054: "COLUMN_UNKNOWN",
    1060: "COLUMN_DUPLICATE",
    1064: "QUERY_SYNTAX",
    1146: "TABLE_UNKNOWN",
    1149: "QUERY_SYNTAX",
    1166: "COLUMN_UNNAMED",
    1317: "QUERY_CANCELLED",
    1969: "QUERY_TIMEOUT",
    3024: "QUERY_TIMEOUT",
}
SYNTAX = 1064
MENDS = {  # where the rule's own mend is too general
    1292: "Cast or clean the value in the SQL.",
    1356: "Look at the view: a table it reads is gone, or closed to its definer or to this user.",
}
# Which function may not be called, or is none: the server does not say which.
NOT_CALLED = (
    "execute command denied to user '(?P<user>[^']*)'@'[^']*' for routine "
    r"'(?P<database>[^'.]*)\.(?P<name>[^']*)'"
)
# What the server says when a right is missing: for a table, for a column, for a database.
_DENIED = r"(?P<right>[A-Z ]+) command denied to user '(?P<user>[^']*)'@'[^']*' for "
DENIED = (
    _DENIED + r"table `(?P<first>[^`]+)`\.`(?P<second>[^`]+)`",  # MariaDB
    _DENIED + r"table '(?P<first>[^']+)'",
    _DENIED + r"column '[^']*' in table '(?P<first>[^']*)'",
    r"Access denied for user '(?P<user>[^']*)'@'[^']*' to database '(?P<database>[^']*)'",
)
