"""T-SQL batches answered by DuckDB."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn

import duckdb
import pyarrow as pa
import sqlglot
from pysqlbridge.tds.result import QueryError
from sqlglot import exp

from servers.tds import columns
from servers.tds.columns import WireType
from servers.tds.exhibit import COLUMNS as EXHIBIT
from servers.tds.exhibit import TABLE as EXHIBIT_TABLE

NUMBERS = 200_000
ROWS_PER_PIECE = 2048
DESCRIBE = re.compile(
    r"\s*EXEC(?:UTE)?\s+(?:sys\.)?sp_describe_first_result_set\s+(?:@tsql\s*=\s*)?N?'(.*)'\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)
SETTING = re.compile(r"\s*(SET|USE|BEGIN|COMMIT|ROLLBACK|IF\s+@@TRANCOUNT)\b", re.IGNORECASE)
SCHEMA = f"""
CREATE SCHEMA dbo;
CREATE TABLE dbo.numbers AS SELECT range AS i FROM range({NUMBERS});
CREATE SCHEMA tsql;
CREATE VIEW tsql.columns AS SELECT table_schema AS "TABLE_SCHEMA", table_name AS "TABLE_NAME",
    column_name AS "COLUMN_NAME", ordinal_position AS "ORDINAL_POSITION",
    CASE WHEN data_type = 'VARCHAR' THEN 'nvarchar' WHEN data_type = 'INTEGER' THEN 'int'
    WHEN data_type LIKE 'DECIMAL%' THEN 'decimal' WHEN data_type = 'TIMESTAMP' THEN 'datetime2'
    WHEN data_type = 'BOOLEAN' THEN 'bit' ELSE lower(data_type) END AS "DATA_TYPE",
    CASE WHEN data_type = 'VARCHAR' THEN 4000 END AS "CHARACTER_MAXIMUM_LENGTH",
    numeric_precision AS "NUMERIC_PRECISION", numeric_scale AS "NUMERIC_SCALE",
    CASE WHEN data_type = 'TIMESTAMP' THEN 7 END AS "DATETIME_PRECISION"
    FROM information_schema.columns WHERE table_schema = 'dbo';
CREATE VIEW tsql.tables AS SELECT table_schema AS "TABLE_SCHEMA", table_name AS "TABLE_NAME"
    FROM information_schema.tables WHERE table_schema = 'dbo';
CREATE VIEW tsql.partitions AS SELECT schema_name || '.' || table_name AS object_id, 1 AS index_id,
    estimated_size AS "rows" FROM duckdb_tables();
CREATE VIEW tsql.index_columns AS SELECT schema_name || '.' || table_name AS object_id,
    1 AS key_ordinal, split_part(trim(expressions, '[]'), ',', 1) AS column_id
    FROM duckdb_indexes();
"""
FUNCTIONS = """
CREATE TEMP MACRO quotename(n) AS n;
CREATE TEMP MACRO object_id(n) AS CASE WHEN contains(n, '.') THEN translate(n, '[]', '')
    ELSE 'dbo.' || translate(n, '[]', '') END;
CREATE TEMP MACRO object_name(n) AS split_part(n, '.', 2);
CREATE TEMP MACRO col_name(o, c) AS c;
CREATE TEMP MACRO databasepropertyex(n, p) AS 'READ_WRITE';
CREATE TEMP MACRO db_name() AS '{database}';
CREATE TEMP MACRO suser_sname() AS '{user}';
CREATE TEMP MACRO user_name() AS '{user}';
CREATE TEMP MACRO serverproperty(n) AS CASE n WHEN 'ProductVersion' THEN '{version}'
    WHEN 'EngineEdition' THEN '3' END;
CREATE TEMP MACRO has_perms_by_name(n, c, p) AS CASE WHEN
    list_contains({rights}, p) OR (p = 'SELECT' AND NOT list_contains({denied}, n))
    THEN 1 ELSE 0 END;
CREATE TEMP MACRO collationproperty(n, p) AS CASE WHEN n LIKE '%UTF8' THEN 65001
    WHEN n LIKE 'Greek%' THEN 1253 ELSE 1252 END;
CREATE TEMP MACRO sysutcdatetime() AS now() AT TIME ZONE 'UTC';
SET TimeZone = 'UTC';
SET search_path = 'dbo';
"""
NOT_A_FUNCTION = "'{}' is not a recognized built-in function name."
NOT_A_NUMBER = "Conversion failed when converting the varchar value '{}' to data type int."
ERRORS = (
    (r"Table with name (\S+) does not", 208, "Invalid object name '{}'."),
    (r"Function with name (\S+) does not", 195, NOT_A_FUNCTION),
    (r'column "(\w+)" not found', 207, "Invalid column name '{}'."),
    (r"Could not convert string '(.*?)'", 245, NOT_A_NUMBER),
)


TEXTS = {exp.DataType.Type.NVARCHAR, exp.DataType.Type.VARCHAR}
OTHER_TYPES = {exp.DataType.Type.BIT: "boolean", exp.DataType.Type.FLOAT: "double"}


@dataclass
class Login:
    """Who may read which database, and what the rights functions say of them."""

    database: str
    password: str
    rights: list[str] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)
    version: str = "16.0.4135.4"


@dataclass
class Answer:
    """One result set: its columns, then pieces of ROW tokens with their counts."""

    names: list[str]
    types: list[WireType]
    pieces: Iterable[tuple[int, bytes]]


class Desk:
    """Answers the batches of one connection."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, user: str, login: Login) -> None:
        self._cursor = cursor
        self._login = login
        cursor.execute(
            FUNCTIONS.format(
                database=login.database,
                user=user,
                rights=login.rights or "['']",
                denied=[f"dbo.{name}" for name in login.denied] or "['']",
                version=login.version,
            )
        )

    def interrupt(self) -> None:
        self._cursor.interrupt()

    def answers(self, sql: str) -> Iterator[Answer]:
        """The result sets of a batch, one after the other; raises QueryError."""
        if not sql.strip() or SETTING.match(sql):
            return
        with _their_errors():
            if found := DESCRIBE.fullmatch(sql):
                yield self._description(found[1].replace("''", "'"))
                return
            for statement in self._statements(sql):
                yield self._answer(statement, sql)

    def _statements(self, sql: str) -> list[exp.Query]:
        try:
            parsed = sqlglot.parse(sql, read="tsql")
        except sqlglot.errors.SqlglotError as error:
            found = re.search(r"\x1b\[4m(.*?)\x1b", str(error))
            near = found[1] if found else sql[-20:]
            raise QueryError(f"Incorrect syntax near '{near}'.", number=102, severity=15) from None
        return [self._allowed(one) for one in parsed if one is not None]

    def _allowed(self, statement: exp.Expr) -> exp.Query:
        if not isinstance(statement, exp.Query):
            self._deny(type(statement).key.upper(), "people")
        for table in statement.find_all(exp.Table):
            if table.name in self._login.denied:
                self._deny("SELECT", table.name)
        return statement

    def _deny(self, right: str, name: str) -> NoReturn:
        text = (
            f"The {right} permission was denied on the object '{name}', database "
            f"'{self._login.database}', schema 'dbo'."
        )
        raise QueryError(text, number=229, severity=14)

    def _answer(self, statement: exp.Query, sql: str) -> Answer:
        if any(table.name == EXHIBIT_TABLE for table in statement.find_all(exp.Table)):
            return _exhibit(statement)
        reader = self._cursor.execute(_duck(statement)).to_arrow_reader(ROWS_PER_PIECE)
        types = [columns.wire_type(one, sql) for one in reader.schema]
        return Answer(reader.schema.names, types, _pieces(reader, types))

    def _description(self, sql: str) -> Answer:
        """What sp_describe_first_result_set says; nothing of the query is run."""
        (statement,) = self._statements(sql)
        if any(table.name == EXHIBIT_TABLE for table in statement.find_all(exp.Table)):
            shown = _exhibit(statement)
            names, types = shown.names, shown.types
        else:
            empty = f"SELECT * FROM ({_duck(statement)}) LIMIT 0"
            schema = self._cursor.execute(empty).to_arrow_reader(1).schema
            names = schema.names
            types = [columns.wire_type(one, sql) for one in schema]
        found = {
            "is_hidden": (columns.BIT, [False] * len(names)),
            "column_ordinal": (columns.INT, range(1, len(names) + 1)),
            "name": (columns.NVARCHAR, names),
            "is_nullable": (columns.BIT, [True] * len(names)),
            "system_type_name": (columns.NVARCHAR, [one.sql for one in types]),
            "collation_name": (columns.NVARCHAR, [one.collation for one in types]),
        }
        shapes = [shape for shape, _ in found.values()]
        rows = columns.rows(shapes, [values for _, values in found.values()])
        return Answer(list(found), shapes, iter([(len(names), rows)]))


def _exhibit(statement: exp.Query) -> Answer:
    wanted = (
        list(EXHIBIT) if statement.is_star else [one.alias_or_name for one in statement.selects]
    )
    types = [EXHIBIT[name][0] for name in wanted]
    row = columns.rows(types, [[EXHIBIT[name][1]] for name in wanted])
    return Answer(wanted, types, iter([(1, row)]))


def _duck(statement: exp.Expr) -> str:
    return statement.transform(_moved).transform(_encoded).sql(dialect="duckdb")


def _moved(node: exp.Expr) -> exp.Expr:
    """SQL Server's catalogue is in a schema of its own; its bit and float are other types here."""
    if isinstance(node, exp.DataType) and node.this in TEXTS:
        return exp.DataType.build("text")
    if isinstance(node, exp.DataType) and node.this in OTHER_TYPES:
        return exp.DataType.build(OTHER_TYPES[node.this])
    if isinstance(node, exp.Table) and node.db.lower() in {"information_schema", "sys"}:
        return exp.table_(node.name.lower(), db="tsql", alias=node.alias)
    return node


def _encoded(node: exp.Expr) -> exp.Expr:
    """DuckDB makes bytes of a text by another function than CAST."""
    if isinstance(node, exp.Cast) and node.to.this is exp.DataType.Type.VARBINARY:
        return exp.Anonymous(this="encode", expressions=[node.this])
    return node


def _pieces(reader: pa.RecordBatchReader, types: list[WireType]) -> Iterator[tuple[int, bytes]]:
    with _their_errors():
        for batch in reader:
            values = [column.to_pylist() for column in batch.columns]
            yield batch.num_rows, columns.rows(types, values)


@contextmanager
def _their_errors() -> Iterator[None]:
    """DuckDB's errors, those of late rows too, as SQL Server's numbers and texts."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise _query_error(str(error)) from None


def _query_error(said: str) -> QueryError:
    for pattern, number, text in ERRORS:
        if found := re.search(pattern, said):
            return QueryError(text.format(found[1]), number=number)
    return QueryError(said[:300], number=8180)
