"""Everything a source over PostgreSQL's protocol does; what differs is in its dialect."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any, Protocol, cast

import psycopg
import pyarrow as pa

from rowlift.core.errors import SourceError
from rowlift.core.nouns import Column, Finding, QueryFacts, Table, TableFacts
from rowlift.core.values import META
from rowlift.kit.config import demand_files
from rowlift.kit.drivers import installed, load
from rowlift.kit.patience import hung_up_after
from rowlift.kit.pgcheck import Checkup, denied, unsafe_user
from rowlift.kit.pgconfig import PgConfig
from rowlift.kit.pgcopy import CopyStream
from rowlift.kit.pgdialect import PgDialect, Reading
from rowlift.kit.pgerrors import Explainer
from rowlift.kit.pgsession import SILENCE_AFTER_TIMEOUT, Described, PgSession, begin
from rowlift.kit.reach import Reach
from rowlift.kit.sqlguard import GuardedQuery, guard

ARROW_TYPES = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}


class Stream(Protocol):
    """The batches of a running query."""

    cancelled: bool

    def __iter__(self) -> Iterator[pa.RecordBatch]: ...

    def cancel(self) -> None: ...

    def close(self) -> None: ...


class PgWarehouse:
    """One connection for questions, and one for each query whose rows are being read."""

    def __init__(self, dialect: PgDialect, config: PgConfig) -> None:
        self._dialect = dialect
        self._config = config
        self._reach = Reach(config)
        self._explain = Explainer(dialect, _facts(config), (config.password.get_secret_value(),))
        self._session = self._new_session()
        self._streams: set[Stream] = set()
        self._cancels = 0
        self._known_safe = config.allow_unsafe_user

    def check(self) -> Iterator[Finding]:
        return Checkup(self._session, self._config).findings()

    def describe(self, sql: str) -> Sequence[Column]:
        return self._described(guard(sql, "postgres")).columns

    def query(self, sql: str, limit: int | None) -> pa.RecordBatchReader:
        cancels = self._cancels
        guarded = guard(sql, "postgres")
        self._refuse_unsafe_user()
        described = self._described(guarded)
        if not described.columns:
            raise SourceError("QUERY_FAILED", "The query gives no columns.", mend="Select some.")
        fast = self._is_fast()
        schema = _schema(described, counted=fast)
        readings = self._readings(described, counted=fast)
        start = self._start_adbc if fast else self._start_copy
        stream = start(_wrapped(guarded.sql, readings, limit), schema)
        if cancels != self._cancels:  # it came before there was anything to cancel
            stream.cancel()
        return pa.RecordBatchReader.from_batches(schema, self._batches(stream))

    def catalog(self) -> Sequence[Table]:
        rows = self._session.rows(self._dialect.questions.catalog)
        return [
            Table(schema, name, tuple(self._column(row) for row in columns), _estimate(estimate))
            for (schema, name, estimate), columns in groupby(rows, key=lambda row: row[:3])
        ]

    def facts(self, sql: str) -> QueryFacts:
        questions = self._dialect.questions
        ((is_primary,),) = self._session.rows(questions.is_primary)
        rows = self._session.rows(questions.indexes, *_named(guard(sql, "postgres").tables))
        tables = (TableFacts(name, _estimate(rows), tuple(texts)) for name, rows, texts in rows)
        return QueryFacts(is_primary=is_primary, tables=tuple(tables))

    def now(self) -> int:
        ((seconds,),) = self._session.rows(self._dialect.questions.now)
        return int(seconds)

    def cancel(self) -> None:
        self._cancels += 1
        self._session.cancel()
        for stream in tuple(self._streams):
            stream.cancel()

    def close(self) -> None:
        for stream in tuple(self._streams):
            self._finish(stream)
        self._session.close()
        self._reach.close()

    @property
    def _silence(self) -> float:
        """Return the seconds after which a server that says nothing is given up."""
        return self._config.statement_timeout + SILENCE_AFTER_TIMEOUT

    def _parameters(self) -> Mapping[str, str]:
        if self._config.tls != "disable":
            demand_files(self._config, "sslrootcert", "sslcert", "sslkey")
        return self._config.parameters(self._reach.way())

    def _new_session(self) -> PgSession:
        timeout = self._config.statement_timeout
        return PgSession(self._dialect, self._parameters, self._explain, timeout)

    def _refuse_unsafe_user(self) -> None:
        if self._known_safe:
            return
        reasons = [reason for (reason,) in self._session.rows(self._dialect.questions.unsafe)]
        if reasons:
            raise unsafe_user(self._config.user, reasons)
        self._known_safe = True

    def _described(self, guarded: GuardedQuery) -> Described:
        try:
            return self._session.describe(guarded.sql)
        except SourceError as error:
            if error.code == "PERMISSION_DENIED":
                raise denied(self._session, self._denied(guarded.tables), error) from None
            raise

    def _denied(self, tables: Sequence[tuple[str, ...]]) -> Sequence[tuple[str, str, bool]]:
        rows = self._session.rows(self._dialect.questions.denied, *_named(tables))
        return [(schema, table, may_use) for schema, table, may_use in rows]

    def _readings(self, described: Described, *, counted: bool) -> list[str]:
        """Return the SQL of each column, named c0, c1, … since the query's names may repeat."""
        text = "{text}" if self._session.has_character_set() else self._dialect.exact_text
        return [
            _reading(reading, f"c{i}", text, counted=counted)
            for i, reading in enumerate(described.readings)
        ]

    def _is_fast(self) -> bool:
        reader = self._config.reader
        return reader == "adbc" or (reader == "auto" and installed("adbc_driver_postgresql"))

    def _start_copy(self, query: str, schema: pa.Schema) -> Stream:
        timeout = self._config.statement_timeout
        connection = self._new_session().connect()
        stream = CopyStream(connection, query, schema, self._silence)
        with self._starting(stream, psycopg.Error):
            with hung_up_after(self._silence, connection.fileno()):
                begin(connection, self._dialect, timeout)
            stream.start()
        return stream

    def _start_adbc(self, query: str, schema: pa.Schema) -> Stream:
        adbc = load("rowlift.kit.pgadbc", extra="postgres-fast")
        try:
            stream = adbc.AdbcStream(self._parameters(), query, schema, self._silence)
        except adbc.Error as error:
            raise self._explain.connecting(error) from None
        with self._starting(stream, adbc.Error):
            stream.start(self._dialect, self._config.statement_timeout)
        return cast("Stream", stream)

    @contextmanager
    def _starting(self, stream: Stream, failure: type[Exception]) -> Iterator[None]:
        self._streams.add(stream)
        try:
            yield
        except failure as error:
            self._finish(stream)
            raise self._explain.running(error, cancelled=stream.cancelled) from None

    def _batches(self, stream: Stream) -> Iterator[pa.RecordBatch]:
        try:
            yield from stream
        except (psycopg.Error, pa.ArrowException, OSError) as error:
            raise self._explain.running(error, cancelled=stream.cancelled) from None
        finally:
            self._finish(stream)

    def _finish(self, stream: Stream) -> None:
        self._streams.discard(stream)
        stream.close()

    def _column(self, row: tuple[Any, ...]) -> Column:
        *_, name, type_name, oid, category = row
        return Column(name, type_name, self._dialect.reading(oid, category).value_type)


def _facts(config: PgConfig) -> Mapping[str, str]:
    return {
        "host": config.host,
        "port": str(config.port),
        "user": config.user,
        "database": config.database,
        "timeout": str(config.statement_timeout),
    }


def _reading(reading: Reading, column: str, text: str, *, counted: bool) -> str:
    if counted and reading.counted:
        return reading.counted.format(column=column)
    sql = reading.sql.format(column=column)
    return sql if reading.value_type in ARROW_TYPES else text.format(text=sql)


def _wrapped(sql: str, readings: Sequence[str], limit: int | None) -> str:
    names = ", ".join(f"c{number}" for number in range(len(readings)))
    ending = f" LIMIT {int(limit)}" if limit is not None else ""
    return f"SELECT {', '.join(readings)} FROM (\n{sql}\n) AS q ({names}){ending}"


def _schema(described: Described, *, counted: bool) -> pa.Schema:
    return pa.schema(
        pa.field(
            column.name,
            _carrier(reading, counted=counted),
            metadata={META: column.value_type.encode()},
        )
        for column, reading in zip(described.columns, described.readings, strict=True)
    )


def _carrier(reading: Reading, *, counted: bool) -> pa.DataType:
    if counted and reading.counted:
        return pa.int64()
    return ARROW_TYPES.get(reading.value_type, pa.string())


def _named(tables: Sequence[tuple[str, ...]]) -> tuple[list[str | None], list[str]]:
    """Return the schemas of some tables, None where it is not said, and their names."""
    schemas = [parts[-2] if len(parts) > 1 else None for parts in tables]
    return schemas, [parts[-1] for parts in tables]


def _estimate(rows: int) -> int | None:
    return rows if rows >= 0 else None
