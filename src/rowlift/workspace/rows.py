"""Rows of the workspace's tables as Arrow batches, in and out, on SQLite and on PostgreSQL.

The drivers are used directly: COPY for PostgreSQL, tuples of whole columns for SQLite.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.csv
import sqlalchemy as sa

BATCH_ROWS = 20_000
_BATCH_BYTES = 8 << 20


def is_sqlite(connection: sa.Connection) -> bool:
    """Tell which dialect a connection speaks."""
    return connection.dialect.name == "sqlite"


def fetch(
    connection: sa.Connection, sql: str, parameters: Mapping[str, Any], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Stream a query; its columns are those of the schema, in their order.

    Parameters stand in the SQL as :name; a sequence among them stands for all its values.
    """
    with driver_errors(connection, sql):
        if is_sqlite(connection):
            yield from _fetch_tuples(connection, sql, parameters, schema)
        else:
            yield from _fetch_copy(connection, sql, parameters, schema)


def any_of(connection: sa.Connection, column: str, name: str) -> str:
    """Return the condition that a column has one of the values of a sequence parameter."""
    if is_sqlite(connection):
        return f"{column} IN (SELECT value FROM json_each(:{name}))"
    return f"{column} = ANY(:{name})"


def of_texts(connection: sa.Connection, select: str, column: str, name: str) -> str:
    """Return a query with a condition, narrowed to the texts of a sequence parameter, each once.

    PostgreSQL may look through a whole workspace for those of a list, but not for those of a join,
    and finds neighbours in half the time: a semi join would take them in the order of a hash.
    """
    if is_sqlite(connection):
        return f"{select} AND {any_of(connection, column, name)}"
    texts = f"unnest(CAST(:{name} AS text[])) AS wanted (text)"
    return select.replace(" WHERE ", f" JOIN {texts} ON {column} = wanted.text WHERE ", 1)


# To compile a plan takes longer than to carry it out, and whatever is not enabled seems expensive.
_PLANS = ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "jit")


@contextmanager
def by_index(connection: sa.Connection) -> Iterator[None]:
    """Let PostgreSQL find rows by an index, one after the other.

    As long as a table has no statistics, or a wrong share of it seems to be meant, it looks at all
    of it for each thousand. A failure ends the transaction or the savepoint, and this with it.
    """
    if is_sqlite(connection):
        yield
        return
    _set_plans(connection, "off")
    yield
    _set_plans(connection, "DEFAULT")


def begin_with_staged(connection: sa.Connection) -> None:
    """Let PostgreSQL look at all of a staged table from here on, within `by_index` too.

    It has no index. While that seems as expensive as anything may be, joins that begin elsewhere
    seem no worse, and go through all of it for each person there is.
    """
    if not is_sqlite(connection):
        connection.exec_driver_sql("SET LOCAL enable_seqscan TO DEFAULT")


def _set_plans(connection: sa.Connection, value: str) -> None:
    connection.exec_driver_sql(";".join(f"SET LOCAL {plan} TO {value}" for plan in _PLANS))


def run(connection: sa.Connection, sql: str, **parameters: Any) -> int:
    """Run one statement and return the number of rows it changed."""
    return connection.execute(sa.text(sql), _bound(connection, parameters)).rowcount


def run_rows(connection: sa.Connection, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """Return a small result; parameters as in `fetch`."""
    found = connection.execute(sa.text(sql), _bound(connection, parameters)).all()
    return [tuple(row) for row in found]


def _bound(connection: sa.Connection, parameters: Mapping[str, Any]) -> dict[str, Any]:
    if not is_sqlite(connection):
        return dict(parameters)
    return {
        name: json.dumps(value) if isinstance(value, list) else value
        for name, value in parameters.items()
    }


def stage(
    connection: sa.Connection, table: str, definition: str, columns: Mapping[str, pa.Array]
) -> None:
    """Put columns into a temporary table of this transaction, in the place of what it held."""
    kept = "" if is_sqlite(connection) else " ON COMMIT DROP"
    empty = "DELETE FROM" if is_sqlite(connection) else "TRUNCATE"
    run(connection, f"CREATE TEMP TABLE IF NOT EXISTS {table} ({definition}){kept}")
    run(connection, f"{empty} {table}")
    insert(connection, table, columns, {})


def insert(
    connection: sa.Connection,
    table: str,
    columns: Mapping[str, pa.Array],
    constants: Mapping[str, Any],
) -> None:
    """Insert rows given as columns, and values that all of them share."""
    names = ", ".join([*columns, *constants])
    if not is_sqlite(connection):
        _copy_in(connection, f"COPY {table} ({names}) FROM STDIN (FORMAT csv)", columns, constants)
        return
    values = ", ".join([*("?" for _ in columns), *map(literal, constants.values())])
    many(connection, f"INSERT INTO {table} ({names}) VALUES ({values})", columns)


def literal(value: str | float) -> str:
    """Return a value as it is written in SQL, which costs less than binding it to each row."""
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def many(connection: sa.Connection, sql: str, columns: Mapping[str, pa.Array]) -> int:
    """Run one SQLite statement per row and return the number of rows changed."""
    rows = zip(*(column.to_pylist() for column in columns.values()), strict=True)
    with driver_errors(connection, sql):
        return int(_cursor(connection).executemany(sql, rows).rowcount)


@contextmanager
def driver_errors(connection: sa.Connection, statement: str) -> Iterator[None]:
    """Raise a driver's failure as SQLAlchemy would."""
    driver: Any = connection.dialect.loaded_dbapi
    try:
        yield
    except driver.Error as error:
        raise sa.exc.DBAPIError.instance(
            statement, None, error, driver.Error, hide_parameters=True, dialect=connection.dialect
        ) from error


def _cursor(connection: sa.Connection) -> Any:
    return connection.connection.cursor()


def _fetch_tuples(
    connection: sa.Connection, sql: str, parameters: Mapping[str, Any], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    cursor = _cursor(connection).execute(sql, _bound(connection, parameters))
    while rows := cursor.fetchmany(BATCH_ROWS):
        columns = zip(*rows, strict=True)
        arrays = [_array(column, field.type) for column, field in zip(columns, schema, strict=True)]
        yield pa.record_batch(arrays, schema=schema)


def _array(column: Sequence[Any], type_: pa.DataType) -> pa.Array:
    if pa.types.is_boolean(type_):
        return pa.array(column, pa.int8()).cast(type_)
    return pa.array(column, type_)


def _fetch_copy(
    connection: sa.Connection, sql: str, parameters: Mapping[str, Any], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    statement, given = _pyformat(f"COPY ({sql}) TO STDOUT (FORMAT csv)", parameters)
    with _cursor(connection).copy(statement, given) as copy:
        for part in _parts(copy):
            yield from _parse(part, schema).to_batches()


def _pyformat(sql: str, parameters: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    for name in parameters:
        sql = sql.replace(f":{name}", f"%({name})s")
    return sql, parameters


def _parts(copy: Any) -> Iterator[bytes]:
    """Whole rows of CSV, some megabytes at a time: the server's blocks end with a row."""
    held: list[bytes] = []
    size = 0
    for block in copy:
        held.append(bytes(block))
        size += len(block)
        if size >= _BATCH_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _parse(part: bytes, schema: pa.Schema) -> pa.Table:
    return pyarrow.csv.read_csv(
        io.BytesIO(part),
        read_options=pyarrow.csv.ReadOptions(
            column_names=schema.names, block_size=len(part) + 1, use_threads=False
        ),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            true_values=["t"],
            false_values=["f"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _copy_in(
    connection: sa.Connection,
    statement: str,
    columns: Mapping[str, pa.Array],
    constants: Mapping[str, Any],
) -> None:
    size = len(next(iter(columns.values())))
    shared = {name: pa.repeat(value, size) for name, value in constants.items()}
    whole = pa.table({**columns, **shared})
    out = pa.BufferOutputStream()
    pyarrow.csv.write_csv(whole, out, pyarrow.csv.WriteOptions(include_header=False))
    with driver_errors(connection, statement), _cursor(connection).copy(statement) as copy:
        copy.write(memoryview(out.getvalue()))
