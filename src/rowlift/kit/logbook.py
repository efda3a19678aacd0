"""A schema of a warehouse that logs are written to: a DuckDB file or PostgreSQL.

Its connection is its own, with a login that may write; no source is ever written to.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Protocol, Self

import duckdb
import psycopg
import pyarrow as pa
from psycopg.sql import SQL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from rowlift.core.errors import ConfigError, DestinationError

Row = Sequence[object]

_OWNER = (("instance", "TEXT"), ("run", "BIGINT"))
TABLES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "runs": (
        ("sync", "TEXT"), ("status", "TEXT"), ("code", "TEXT"), ("reason", "TEXT"),
        ("started_at", "TIMESTAMPTZ"), ("finished_at", "TIMESTAMPTZ"), ("counts", "TEXT"),
    ),
    "deliveries": (
        ("delivery", "BIGINT"), ("destination", "TEXT"), ("query", "TEXT"), ("status", "TEXT"),
        ("code", "TEXT"), ("reason", "TEXT"), ("counts", "TEXT"),
    ),
    "row_outcomes": (
        ("target", "TEXT"), ("query", "TEXT"), ("row_number", "BIGINT"), ("identifier", "TEXT"),
        ("code", "TEXT"), ("reason", "TEXT"),
    ),
    "attribute_changes": (
        ("query", "TEXT"), ("identifier", "TEXT"), ("attribute", "TEXT"), ("before", "TEXT"),
        ("after", "TEXT"),
    ),
}  # fmt: skip

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_POSTGRES = ("postgresql://", "postgresql+psycopg://")
_DUCKDB = "duckdb://"
_AT_ONCE = 5000


class _Connection(Protocol):
    def execute(self, query: Any, parameters: Any = ..., /) -> Any: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Logbook:
    """The tables of one schema, made when they are first written to."""

    _connection: _Connection
    _schema: str
    _mark: str  # how a statement marks a value
    _insert: Callable[[str, Sequence[Row]], object]
    _alone: str  # what makes another writer wait

    @classmethod
    @contextmanager
    def opened(cls, url: str, schema: str) -> Iterator[Self]:
        """Open a schema for a block; `url` is duckdb:///FILE or one of PostgreSQL.

        Raises ConfigError VALUE_WRONG, and DestinationError WRITE_BACK_FAILED, of which neither
        names the address.
        """
        if not _NAME.fullmatch(schema):
            text = "The schema of the logs has a name of other characters."
            raise ConfigError("VALUE_WRONG", text, mend="Use a-z, 0-9 and _.")
        with _told():
            book = cls._of(url, schema)
            try:
                book._make()
                yield book
            finally:
                book.close()

    @classmethod
    def _of(cls, url: str, schema: str) -> Self:
        if url.startswith(_POSTGRES):
            opened = _postgres(url)
            lock = f"LOCK TABLE {schema}.runs IN EXCLUSIVE MODE"
            return cls(opened, schema, "%s", partial(_insert_many, opened), lock)
        if url.startswith(f"{_DUCKDB}/"):
            file = duckdb.connect(url.removeprefix(_DUCKDB))
            return cls(file, schema, "?", partial(_insert_columns, file), "SELECT 1")
        raise _no_address()

    def _make(self) -> None:
        self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self._schema}")
        for name, columns in TABLES.items():
            listed = ", ".join(f'"{column}" {kind}' for column, kind in (*_OWNER, *columns))
            self._connection.execute(f"CREATE TABLE IF NOT EXISTS {self._schema}.{name} ({listed})")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def write(self, instance: str, run: int, logs: Mapping[str, Iterable[Row]]) -> int:
        """Write all logs of a run in the place of what was there; returns the number of rows."""
        self._connection.execute("BEGIN")
        try:
            self._connection.execute(self._alone)
            count = sum(self._replace(name, (instance, run), logs.get(name, ())) for name in TABLES)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        return count

    def _replace(self, name: str, owner: tuple[str, int], rows: Iterable[Row]) -> int:
        table = f"{self._schema}.{name}"
        mine = f"instance = {self._mark} AND run = {self._mark}"
        self._connection.execute(f"DELETE FROM {table} WHERE {mine}", owner)
        each, count = iter(rows), 0
        while some := [(*owner, *row) for row in islice(each, _AT_ONCE)]:
            self._insert(table, some)
            count += len(some)
        return count


def _no_address() -> ConfigError:
    text = "The address of the logs is neither a DuckDB file nor PostgreSQL."
    return ConfigError("VALUE_WRONG", text, mend="Write duckdb:///FILE or postgresql://….")


def _postgres(url: str) -> psycopg.Connection[Any]:
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        raise _no_address() from None
    named = {
        "host": parts.host, "port": parts.port, "user": parts.username,
        "password": parts.password, "dbname": parts.database, "connect_timeout": 10,
    }  # fmt: skip
    given: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    return psycopg.connect(autocommit=True, **given | dict(parts.query))


def _insert_many(opened: psycopg.Connection[Any], table: str, rows: Sequence[Row]) -> None:
    marks = ", ".join(["%s"] * len(rows[0]))
    query = SQL(f"INSERT INTO {table} VALUES ({marks})")
    opened.cursor().executemany(query, [tuple(map(_storable, row)) for row in rows])


def _storable(value: object) -> object:
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def _insert_columns(file: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Row]) -> None:
    columns = zip(*rows, strict=True)
    file.register("fresh", pa.table({f"c{at}": list(one) for at, one in enumerate(columns)}))
    file.execute(f"INSERT INTO {table} SELECT * FROM fresh")
    file.unregister("fresh")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, psycopg.Error) as error:
        text = f"The logs cannot be written to their warehouse ({type(error).__name__})."
        mend = "Check its address, login and right to create tables in the schema; then again."
        raise DestinationError("WRITE_BACK_FAILED", text, mend=mend) from error
