r"""SQLite as data: how what a column holds is read, what a query may do, what its errors mean.

Any column may hold values of any type, and SQLite's column types promise nothing; so a first pass
over the result asks which types each column holds, and the second reads it in that form:

| holds, apart from NULL | value type |
|---|---|
| integers | int |
| reals; or reals and integers up to 2^53 | float |
| text | text |
| blobs | binary, lower-case hexadecimal of a text that is not UTF-8 after `\x` |
| anything else | text: digits, shortest digits, text, and blobs in hexadecimal after `\x` |

SQLite has no booleans, dates or times: they are the integers or texts that were stored.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from rowlift.kit import dbapi

TEXT = pa.string()


@dataclass(frozen=True, slots=True)
class Reading:
    """How a column travels: value type, Arrow type, SQL, and what makes the Arrow column."""

    value_type: str
    arrow: pa.DataType
    convert: dbapi.Convert
    sql: str = "{column}"


def _exact(values: Sequence[Any]) -> pa.Array:
    texts = [
        value if value is None or isinstance(value, bytes) else _digits(value) for value in values
    ]
    return dbapi.text(pa.array(texts, pa.binary()))


def _digits(value: float) -> bytes:
    return repr(value).replace("inf", "Infinity").encode()


INTEGERS = Reading("int", pa.int64(), dbapi.raw(pa.int64(), dbapi.to(pa.int64())))
REALS = Reading(
    "float",
    pa.float64(),
    dbapi.raw(pa.float64(), dbapi.to(pa.float64())),
    "CAST({column} AS REAL)",
)
TEXTS = Reading("text", TEXT, dbapi.raw(pa.binary(), dbapi.text))
BLOBS = Reading("binary", pa.binary(), dbapi.raw(pa.binary(), dbapi.to(pa.binary())))
MIXED = Reading(
    "text",
    TEXT,
    _exact,
    "CASE typeof({column}) WHEN 'blob' THEN '\\x' || lower(hex({column})) ELSE {column} END",
)
NUMBERS = frozenset({"integer", "real"})
READINGS: Mapping[frozenset[str], Reading] = {
    frozenset(): TEXTS,
    frozenset({"integer"}): INTEGERS,
    frozenset({"real"}): REALS,
    frozenset({"text"}): TEXTS,
    frozenset({"blob"}): BLOBS,
}
AFFINITIES = (  # in the order in which SQLite looks for them in a declared type
    ("INT", "int"),
    ("CHAR", "text"),
    ("CLOB", "text"),
    ("TEXT", "text"),
    ("BLOB", "binary"),
    ("REAL", "float"),
    ("FLOA", "float"),
    ("DOUB", "float"),
)

# Set before the authorizer, which refuses every PRAGMA afterwards.
SESSION = (
    "PRAGMA query_only = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    # Built in once per connection; afterwards the authorizer lets no virtual table be made.
    "SELECT 1 FROM json_each('[]'), json_tree('[]')",
    "BEGIN",
)
MAX_LENGTH = 64 * 1024 * 1024  # bytes of a value or a row; longer ones fail the query
LIMITS = {
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_LENGTH,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
# Functions that load code, or reach files where SQLite was built with its shell's extensions.
DENIED = {
    "edit",
    "eval",
    "fsdir",
    "fts3_tokenizer",
    "load_extension",
    "lsmode",
    "readfile",
    "sqlar_compress",
    "sqlar_uncompress",
    "writefile",
    "zipfile",
}

PROBE = "SELECT count(*) FROM sqlite_schema"  # the file is opened only now
NAMES = "SELECT * FROM (\n{sql}\n) LIMIT 0"
RENAMED = r":\d+$"  # what SQLite makes of the second column of one name
READ = "WITH rowlift_result({columns}) AS (\n{sql}\n) SELECT {selected} FROM rowlift_result"
LIMITED = "SELECT * FROM (\n{sql}\n) LIMIT {rows:d}"
TYPES = "group_concat(DISTINCT typeof({column}))"
BEYOND_FLOAT = (
    "max(typeof({column}) = 'integer' AND "
    "{column} NOT BETWEEN -9007199254740992 AND 9007199254740992)"
)
TABLES = (
    "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
)
ONLY_TABLES = (
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
)
SAMPLED = 10_000  # rows
# How many rows come first, from which number to which, and the last number of all; views and
# tables without such numbers refuse, as virtual ones may.
DENSITY = f"""
SELECT count(*), min(id), max(id), (SELECT max(_rowid_) FROM {{table}})
FROM (SELECT _rowid_ AS id FROM {{table}} ORDER BY _rowid_ LIMIT {SAMPLED})
"""
COLUMNS = "SELECT name, type FROM pragma_table_xinfo({table}) WHERE hidden <> 1 ORDER BY cid"
INDEXES = """
SELECT coalesce(i.name, (SELECT sql FROM sqlite_schema WHERE name = l.name))
FROM pragma_index_list({table}) AS l JOIN pragma_index_info(l.name) AS i ON i.seqno = 0
UNION SELECT name FROM pragma_table_xinfo({table}) WHERE pk = 1
"""

# By SQLite's own name of the error, then by a part of its message.
ERRORS: Sequence[tuple[str, str, str, str]] = (
    ("SQLITE_AUTH", "", "SQL_WRITES", "The query would do more than read"),
    ("", "not authorized to use function", "SQL_FUNCTION", ""),
    ("SQLITE_NOTADB", "", "FILE_UNREADABLE", "The file is not an SQLite database, or is encrypted"),
    ("SQLITE_CORRUPT", "", "FILE_UNREADABLE", "The SQLite file is damaged"),
    ("SQLITE_BUSY", "", "CONNECT_FAILED", "Another program is writing to the file"),
    ("SQLITE_LOCKED", "", "CONNECT_FAILED", "Another program is writing to the file"),
    ("SQLITE_CANTOPEN", "", "FILE_UNREADABLE", "The file cannot be opened"),
    (
        "SQLITE_READONLY",
        "",
        "FILE_UNREADABLE",
        "The file needs a recovery, which would write to it",
    ),
    ("SQLITE_IOERR", "", "FILE_UNREADABLE", "The file cannot be read"),
    ("SQLITE_PERM", "", "FILE_UNREADABLE", "The file cannot be read"),
    ("SQLITE_TOOBIG", "", "QUERY_FAILED", "A value is longer than 64 MiB"),
    ("", "string or blob too big", "QUERY_FAILED", "A value is longer than 64 MiB"),
    ("", "no such table", "TABLE_UNKNOWN", ""),
    ("", "no such column", "COLUMN_UNKNOWN", ""),
    ("", "syntax error", "QUERY_SYNTAX", ""),
    ("", "incomplete input", "QUERY_SYNTAX", ""),
    ("", "unrecognized token", "QUERY_SYNTAX", ""),
    ("", "one statement at a time", "SQL_MANY_STATEMENTS", ""),
    ("", "too many attached databases", "SQL_WRITES", ""),
)
MENDS = {  # by SQLite's own name of the error, else by our code
    "SQLITE_CORRUPT": "Restore it from a backup, or recover what can be: sqlite3 FILE .recover",
    "SQLITE_NOTADB": "Check its path; CSV and Parquet files are read by a source of type files.",
    "CONNECT_FAILED": "Wait until it is done, or read a copy of the file.",
    "FILE_UNREADABLE": (
        "Check the file's rights. A file in WAL mode needs a folder that may be written to: "
        "copy it with VACUUM INTO, or set journal_mode = DELETE there."
    ),
}
