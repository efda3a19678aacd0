"""DuckDB as data: how each type travels, what its messages mean, where its catalogue stands.

Types are the names that DESCRIBE prints, without what stands in parentheses. Times go as text,
because an Arrow date can be past what a reader takes (infinity, BC, year 10000).
"""

import pyarrow as pa

from rowlift.kit.duckread import Carrier, DuckDialect, Wording

_TEXT = Carrier("text")
_INT = Carrier("int", "CAST({} AS BIGINT)", pa.int64())
_DIGITS = Carrier("int")
_TIMESTAMP = Carrier("timestamp")
_JSON = Carrier("json", "CAST(to_json({}) AS VARCHAR)")

CARRIERS = {
    "BOOLEAN": Carrier("bool", "{}", pa.bool_()),
    "TINYINT": _INT,
    "SMALLINT": _INT,
    "INTEGER": _INT,
    "BIGINT": _INT,
    "UTINYINT": _INT,
    "USMALLINT": _INT,
    "UINTEGER": _INT,
    "UBIGINT": _DIGITS,
    "HUGEINT": _DIGITS,
    "UHUGEINT": _DIGITS,
    "BIGNUM": _DIGITS,
    "DECIMAL": Carrier("decimal", "{}", None),
    # By way of its shortest text: 0.1 must not become 0.10000000149011612.
    "FLOAT": Carrier("float", "CAST(CAST({} AS VARCHAR) AS DOUBLE)", pa.float64()),
    "DOUBLE": Carrier("float", "{}", pa.float64()),
    "DATE": Carrier("date"),
    "TIME": Carrier("time"),
    "TIMESTAMP": _TIMESTAMP,
    "TIMESTAMP_S": _TIMESTAMP,
    "TIMESTAMP_MS": _TIMESTAMP,
    "TIMESTAMP_NS": _TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": Carrier("timestamptz"),
    "JSON": Carrier("json"),
    "STRUCT": _JSON,
    "LIST": _JSON,
    "MAP": _JSON,
    "UNION": _JSON,
    "VARIANT": Carrier("json", "CAST(CAST({} AS JSON) AS VARCHAR)"),
    "BLOB": Carrier("binary", "lower(hex({}))"),
}

# Written as SELECT FROM f(): they change the instance, or run a text that no check has seen.
EFFECTS = frozenset(
    {
        "arrow_scan",
        "arrow_scan_dumb",
        "checkpoint",
        "disable_logging",
        "disable_profiling",
        "enable_logging",
        "enable_profiling",
        "force_checkpoint",
        "getenv",
        "json_execute_serialized_sql",
        "nextval",
        "pandas_scan",
        "python_map_function",
        "query",
        "truncate_duckdb_logs",
        "write_log",
    }
)

_OPEN_ELSEWHERE = "Close the program that writes to it, or read a copy."

OPENING = (
    Wording(
        "already attached by database",
        "CONNECT_FAILED",
        "The DuckDB file is open for writing in this process",
        _OPEN_ELSEWHERE,
    ),
    Wording(
        "Could not set lock",
        "CONNECT_FAILED",
        "The DuckDB file is open for writing in another process",
        _OPEN_ELSEWHERE,
    ),
    Wording(
        "not a valid DuckDB database",
        "CONNECT_FAILED",
        "The file is not a DuckDB database",
        "Check its path; CSV and Parquet files are read by a source of type files.",
    ),
    Wording(
        r"version number|newer version|storage version|Serialization Error",
        "CONNECT_FAILED",
        "The DuckDB file was written by a version of DuckDB that this one cannot read",
        "Write it with STORAGE_VERSION 'v1.5.0' or older, or upgrade Rowlift.",
    ),
    Wording(
        "Corrupt database file",
        "CONNECT_FAILED",
        "The DuckDB file is damaged",
        "Write it anew, or restore a copy.",
    ),
    Wording(
        "encrypt",
        "CONNECT_FAILED",
        "The DuckDB file is encrypted",
        "Write a copy without encryption.",
    ),
    Wording(
        "Permission denied",
        "PERMISSION_DENIED",
        "The operating system refuses to let the file be read",
        "Let the user who runs Rowlift read it.",
    ),
    Wording(
        "", "CONNECT_FAILED", mend="Check the path, and that the user who runs Rowlift may read it."
    ),
)

RUNNING = (
    *(
        Wording(rf"\[{code}\] (?P<text>[^\n]+)", code, "{text}")
        for code in (
            "COLUMN_DUPLICATE",
            "FILE_MISSING",
            "FILE_OUTSIDE_ROOT",
            "FILE_UNREADABLE",
            "TEXT_ENCODING",
        )
    ),
    Wording(r"^INTERRUPT Error", "QUERY_CANCELLED", "The query was cancelled"),
    Wording(
        r"^Out of Memory Error",
        "QUERY_FAILED",
        "The query needs more memory than memory_limit",
        "Raise memory_limit, or make the query smaller.",
    ),
    # A listed file that is gone is looked for as a folder, which is not allowed.
    Wording(
        r'Cannot access file "(?P<file>[^"]+)/\*\*/\*\.\w+"',
        "FILE_MISSING",
        "{file} is not there any more",
    ),
    Wording(
        r"^Permission Error|file system operations are disabled",
        "PERMISSION_DENIED",
        mend="A query may read only what its source names: no other file, network or extension.",
    ),
    Wording(r"^Catalog Error: (Table|View)\b.*does not exist", "TABLE_UNKNOWN"),
    Wording(r"^Binder Error: (Catalog|Schema) .*does not exist", "TABLE_UNKNOWN"),
    Wording(r"^Binder Error: Referenced table ", "TABLE_UNKNOWN"),
    Wording(
        r"^Binder Error: (Referenced column|Column |Table \S+ does not have a column|Values list)",
        "COLUMN_UNKNOWN",
    ),
    Wording(r"^Binder Error: (Cannot compare values of type|No function matches)", "QUERY_FAILED"),
    Wording(r"^Binder Error: Cannot compare values", "QUERY_FAILED"),
    Wording(r"^(Parser|Catalog|Binder|Syntax) Error", "QUERY_SYNTAX"),
    Wording(
        r"CSV Error on Line: (?P<line>\d+)\n.*?Expected Number of Columns: (?P<expected>\d+)"
        r" Found: (?P<found>\d+).*?file = (?P<file>[^\n]+)",
        "QUERY_FAILED",
        "{file}, line {line}: {found} columns where {expected} were expected",
        "Mend the line; values that hold the delimiter need quotes.",
    ),
    Wording(
        r"CSV Error on Line: (?P<line>\d+)\n.*?Invalid unicode.*?file = (?P<file>[^\n]+)",
        "TEXT_ENCODING",
        "{file}, line {line}: not valid in the encoding of the table",
        "Set the table's encoding (latin-1, utf-16), or write the file as UTF-8.",
    ),
    Wording(
        r"CSV Error on Line: (?P<line>\d+)\n.*?unterminated quote.*?file = (?P<file>[^\n]+)",
        "QUERY_FAILED",
        "{file}, line {line}: a quote is not closed, or stands inside a value",
        'Write a quote inside a quoted value twice: "".',
    ),
    Wording(
        r"CSV Error on Line: (?P<line>\d+)\n.*?Maximum line size.*?file = (?P<file>[^\n]+)",
        "QUERY_FAILED",
        "{file}, line {line}: longer than 2,000,000 bytes",
        "Shorten the line; perhaps a quote is not closed.",
    ),
    Wording(
        r"CSV Error on Line: (?P<line>\d+)\n.*?file = (?P<file>[^\n]+)",
        "QUERY_FAILED",
        "{file}, line {line}: the line cannot be read",
        "Mend the line as RFC 4180 says.",
    ),
    Wording(
        r"CSV Parser state machine.*?file = (?P<file>[^\n]+)",
        "QUERY_FAILED",
        "{file}: the lines do not all end alike, or a quote stands where none may",
        "Write the file with one kind of line end, as RFC 4180 says.",
    ),
    Wording("", "QUERY_FAILED"),
)

CATALOG = """
SELECT c.schema_name, c.table_name, any_value(t.estimated_size),
       list(c.column_name ORDER BY c.column_index), list(c.data_type ORDER BY c.column_index)
FROM duckdb_columns() AS c
LEFT JOIN duckdb_tables() AS t
  ON t.database_oid = c.database_oid AND t.table_oid = c.table_oid
WHERE c.database_name = current_database() AND NOT c.internal
GROUP BY c.schema_name, c.table_name
ORDER BY c.schema_name, c.table_name
"""

DIALECT = DuckDialect(CARRIERS, _TEXT, EFFECTS, OPENING, RUNNING, CATALOG)
