"""Reads a query into nothing with Rowlift or a driver alone; prints the rows and what they cost.

python -m bench.readers rowlift|adbc|connectorx|duckdb|sqlite|PACKAGE CONNECTION SQL

CONNECTION is a JSON object, as a project declares it; PACKAGE is that of a warehouse's driver. A
driver alone gets the same rows as exact as its types allow; nothing is checked, described or named
there. The cost goes from where all is imported, and nobody has connected, to the last row; that of
a child process counts from its start.
"""

import gc
import json
import os
import resource
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any

import pyarrow as pa

from bench import vendors
from bench.project import ENV
from rowlift.cli import OBJECTS_PER_COLLECTION

ROWS = 20_000
Connection = Mapping[str, Any]
Read = Callable[[str], Iterable[pa.RecordBatch]]


def rowlift(connection: Connection) -> Read:
    """Load the source that a run opens, without the state that a run opens beside it."""
    from rowlift.core.specs import ConnectionSpec
    from rowlift.project.secrets import resolve
    from rowlift.registry import source_kind

    options = {key: value for key, value in connection.items() if key != "type"}
    kind = source_kind(connection["type"])
    config = resolve(ConnectionSpec("db", connection["type"], options), kind.Config, os.environ)
    opened = kind(config)  # type: ignore[call-arg]

    def read(sql: str) -> Iterator[pa.RecordBatch]:
        with closing(opened) as source:
            yield from source.query(sql)

    return read


def adbc(connection: Connection) -> Read:
    """Load the fast PostgreSQL driver; numerics come as text."""
    from adbc_driver_postgresql import dbapi

    url = _url("postgresql", connection) + "?sslmode=disable"

    def read(sql: str) -> Iterator[pa.RecordBatch]:
        with dbapi.connect(url) as session, session.cursor() as cursor:
            cursor.execute(sql)
            yield from cursor.fetch_record_batch()

    return read


def connectorx(connection: Connection) -> Read:
    """Load the fast MySQL driver; decimals go as text."""
    import connectorx

    options = {"return_type": "arrow_stream", "protocol": "binary", "batch_size": ROWS}

    def read(sql: str) -> Iterator[pa.RecordBatch]:
        exact = sql.replace("ltv", "cast(ltv AS char) AS ltv")
        yield from connectorx.read_sql(_url("mysql", connection), exact, **options)

    return read


def duckdb(connection: Connection) -> Read:
    """Load DuckDB; its file is read as it comes."""
    import duckdb

    def read(sql: str) -> Iterator[pa.RecordBatch]:
        with duckdb.connect(connection["path"], read_only=True) as session:
            yield from session.sql(sql).to_arrow_reader(ROWS)

    return read


def sqlite(connection: Connection) -> Read:
    """Take Python's own driver of SQLite; rows go into Arrow column by column."""

    def read(sql: str) -> Iterator[pa.RecordBatch]:
        with closing(sqlite3.connect(connection["path"])) as session:
            cursor = session.execute(sql)
            names = [name for name, *_ in cursor.description]
            while rows := cursor.fetchmany(ROWS):
                yield pa.RecordBatch.from_arrays(
                    [pa.array(column) for column in zip(*rows, strict=True)], names
                )

    return read


READERS: Mapping[str, Callable[[Connection], Read]] = {
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
    """Load, read, print; begin and end as quickly as the program does."""
    gc.set_threshold(OBJECTS_PER_COLLECTION)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    name, connection, sql = sys.argv[1:]
    read = READERS[name](json.loads(connection))
    started, spent = time.perf_counter(), _cpu()
    rows = sum(len(batch) for batch in read(sql))
    wall, cpu = time.perf_counter() - started, _cpu() - spent
    print(json.dumps({"rows": rows, "wall": wall, "cpu": cpu}))
    gc.freeze()


def _cpu() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)


if __name__ == "__main__":
    main()
