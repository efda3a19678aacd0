"""Reads a query into nothing, and prints how many rows came: with Rowlift, or with a driver alone.

python -m bench.readers rowlift|adbc|connectorx|duckdb|sqlite|PACKAGE CONNECTION SQL

CONNECTION is a JSON object, as a project declares it; PACKAGE is that of a warehouse's driver. A
driver alone gets the same rows as exact as its types allow; nothing is checked, described or named
there.
"""

import gc
import json
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any

import pyarrow as pa

from bench import vendors
from bench.project import ENV
from rowlift.cli import OBJECTS_PER_COLLECTION

ROWS = 20_000
Connection = Mapping[str, Any]


def rowlift(connection: Connection, sql: str) -> Iterator[pa.RecordBatch]:
    """Read through the source that a run opens, without the state that a run opens beside it."""
    from rowlift.core.specs import ConnectionSpec
    from rowlift.project.secrets import resolve
    from rowlift.registry import source_kind

    options = {key: value for key, value in connection.items() if key != "type"}
    kind = source_kind(connection["type"])
    config = resolve(ConnectionSpec("db", connection["type"], options), kind.Config, os.environ)
    with closing(kind(config)) as source:  # type: ignore[call-arg]
        yield from source.query(sql)


def adbc(connection: Connection, sql: str) -> Iterator[pa.RecordBatch]:
    """Read with the fast PostgreSQL driver; numerics come as text."""
    from adbc_driver_postgresql import dbapi

    url = _url("postgresql", connection) + "?sslmode=disable"
    with dbapi.connect(url) as session, session.cursor() as cursor:
        cursor.execute(sql)
        yield from cursor.fetch_record_batch()


def connectorx(connection: Connection, sql: str) -> Iterator[pa.RecordBatch]:
    """Read with the fast MySQL driver; decimals go as text."""
    import connectorx

    exact = sql.replace("ltv", "cast(ltv AS char) AS ltv")
    options = {"return_type": "arrow_stream", "protocol": "binary", "batch_size": ROWS}
    yield from connectorx.read_sql(_url("mysql", connection), exact, **options)


def duckdb(connection: Connection, sql: str) -> Iterator[pa.RecordBatch]:
    """Read a DuckDB file as it comes."""
    import duckdb

    with duckdb.connect(connection["path"], read_only=True) as session:
        yield from session.sql(sql).to_arrow_reader(ROWS)


def sqlite(connection: Connection, sql: str) -> Iterator[pa.RecordBatch]:
    """Read a SQLite file with Python's own driver, column by column into Arrow."""
    with closing(sqlite3.connect(connection["path"])) as session:
        cursor = session.execute(sql)
        names = [name for name, *_ in cursor.description]
        while rows := cursor.fetchmany(ROWS):
            yield pa.RecordBatch.from_arrays(
                [pa.array(column) for column in zip(*rows, strict=True)], names
            )


READERS: Mapping[str, Callable[[Connection, str], Iterator[pa.RecordBatch]]] = {
    "rowlift": rowlift,
    "adbc": adbc,
    "connectorx": connectorx,
    "duckdb": duckdb,
    "sqlite": sqlite,
    **vendors.READERS,
}


def _url(scheme: str, connection: Connection) -> str:
    place = f"{connection['host']}:{connection['port']}/{connection['database']}"
    return f"{scheme}://{connection['user']}:{ENV['READER_PASSWORD']}@{place}"


def main() -> None:
    """Read, count, print; begin and end as quickly as the program does."""
    gc.set_threshold(OBJECTS_PER_COLLECTION)
    name, connection, sql = sys.argv[1:]
    print(sum(len(batch) for batch in READERS[name](json.loads(connection), sql)))
    gc.freeze()


if __name__ == "__main__":
    main()
