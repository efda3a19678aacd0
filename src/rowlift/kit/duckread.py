"""What every source that is read by DuckDB shares: a closed-in instance, exact columns, streams.

The instance lives in memory and mounts what it may read before its settings are locked: afterwards
it opens no other file, no network and no extension. DuckDB itself, not only our parser, says
whether a text is one SELECT.
"""

import math
import re
import tempfile
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from shutil import rmtree
from typing import ClassVar

import duckdb
import pyarrow as pa
from pydantic import Field

from rowlift.core.errors import ConnectError, SourceError
from rowlift.core.nouns import Column, Finding, Table
from rowlift.core.rules import rule
from rowlift.core.values import META
from rowlift.kit.config import ConnectorConfig
from rowlift.kit.sqlguard import guard

TEXT = pa.string()
ROWS_PER_BATCH = 8192
INTERRUPT_EVERY = 0.05
ASK_AGAIN = 3
CLOSED_IN: Mapping[str, str] = {
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}
PIN_ZONE = "SET GLOBAL TimeZone = 'UTC'"
LOCK = "SET enable_external_access = false; SET lock_configuration = true"


class DuckConfig(ConnectorConfig):
    """The limits of a query that DuckDB runs, in our own process or one of ours."""

    statement_timeout: float = Field(
        default=3600, gt=0, description="Seconds a query may take, the reading of its rows included"
    )
    memory_limit: str = Field(
        default="1GB",
        pattern=r"^\d+(\.\d+)? ?[KMGT]i?B$",
        description="Memory of DuckDB's buffers; what is more spills to a private temporary folder",
    )
    threads: int = Field(default=2, ge=1, le=1024, description="Threads a query may use")


@dataclass(frozen=True, slots=True)
class Carrier:
    """How columns of one type travel: our value type, the SQL that carries them, the Arrow type."""

    value_type: str
    sql: str = "CAST({} AS VARCHAR)"
    arrow: pa.DataType | None = TEXT  # None: decimal128 of the column's own precision


@dataclass(frozen=True, slots=True)
class Wording:
    """What a message of DuckDB means; `message` may use the named groups of the pattern."""

    pattern: str
    code: str
    message: str = ""
    mend: str = ""


@dataclass(frozen=True, slots=True)
class DuckDialect:
    """The data of the dialect: types by name, functions with effects, messages, the catalogue."""

    carriers: Mapping[str, Carrier]
    other: Carrier
    effects: Collection[str]
    opening: Sequence[Wording]
    running: Sequence[Wording]
    catalog: str


class DuckSource(ABC):
    """A source whose queries DuckDB answers; opened when first used."""

    dialect: ClassVar[str] = "duckdb"
    embedded: ClassVar[bool] = True

    def __init__(self, limits: DuckConfig, words: DuckDialect) -> None:
        self._limits = limits
        self._words = words
        self._lock = threading.Lock()
        self._instance: duckdb.DuckDBPyConnection | None = None
        self._running: weakref.WeakSet[Running] = weakref.WeakSet()
        self._remove_scratch: Callable[[], object] = str

    @abstractmethod
    def mount(self, instance: duckdb.DuckDBPyConnection) -> None:
        """Attach what may be read."""

    @abstractmethod
    def check(self) -> Iterable[Finding]:
        """Test whether everything that was named can be read."""

    @property
    def home(self) -> str:
        """Return the name of the database in which unqualified names are looked up."""
        return "memory"

    def describe(self, sql: str) -> Sequence[Column]:
        """Return the output columns of a query without running it."""
        return self._described(self.read_only_select(sql))

    def query(self, sql: str, *, limit: int | None = None) -> pa.RecordBatchReader:
        """Stream the result in bounded memory; a late row's error comes out of the reader."""
        statement = self.read_only_select(sql)
        columns = self._described(statement)
        schema = pa.schema([self._field(column) for column in columns])
        running = Running(self.open().cursor(), self._limits.statement_timeout)
        with self._lock:
            self._running.add(running)
        batches = self._stream(running, self._projection(statement, columns, limit), schema)
        return pa.RecordBatchReader.from_batches(schema, batches)

    def catalog(self) -> Sequence[Table]:
        """Return the schemas, tables and views with their columns."""
        with self._cursor() as cursor:
            rows = cursor.execute(self._words.catalog).fetchall()
        return [
            Table(schema, name, tuple(map(self._column, names, types)), estimate)
            for schema, name, estimate, names, types in rows
        ]

    def now(self) -> int:
        """Return this machine's clock: files have no other."""
        return math.floor(time.time())

    def cancel(self) -> None:
        """Stop what is running; safe to call from another thread."""
        with self._lock:
            active = list(self._running)
        for running in active:
            running.stop("QUERY_CANCELLED")

    def close(self) -> None:
        """Stop what is running and let go of the files; may be called again."""
        self.cancel()
        with self._lock:
            instance, self._instance = self._instance, None
            if instance:
                instance.close()
            self._remove_scratch()

    def open(self) -> duckdb.DuckDBPyConnection:
        """Return the closed-in instance; ConnectError says why there is none."""
        with self._lock:
            self._instance = self._instance or self._closed_in()
            return self._instance

    def _closed_in(self) -> duckdb.DuckDBPyConnection:
        scratch = tempfile.mkdtemp(prefix="rowlift-duckdb-")
        self._remove_scratch = weakref.finalize(self, rmtree, scratch, True)  # noqa: FBT003
        limits = {"memory_limit": self._limits.memory_limit, "threads": str(self._limits.threads)}
        try:
            instance = duckdb.connect(config={**CLOSED_IN, **limits, "temp_directory": scratch})
            instance.execute(PIN_ZONE)
            self.mount(instance)
            instance.execute(LOCK)
        except duckdb.Error as error:
            raise reworded(error, self._words.opening, ConnectError) from None
        return instance

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        instance = self.open()
        with self._plain_errors(), instance.cursor() as cursor:
            cursor.execute(f"USE {quoted(self.home)}")
            yield cursor

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise reworded(error, self._words.running, SourceError) from None
        except RuntimeError as error:
            if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from None  # DuckDB words it as an error of its own
            raise

    def read_only_select(self, sql: str) -> str:
        """Return the one SELECT a text holds, as DuckDB reads it; raises SourceError SQL_…."""
        guarded = guard(sql, self.dialect).sql
        with self._cursor() as cursor:
            statements = cursor.extract_statements(guarded)
        if len(statements) != 1:
            raise refusal("SQL_MANY_STATEMENTS" if statements else "SQL_EMPTY")
        if statements[0].type != duckdb.StatementType.SELECT:
            raise refusal("SQL_NOT_A_QUERY")
        text = statements[0].query  # as DuckDB reads it: with plain spaces
        if called := calls(text) & set(self._words.effects):
            raise refusal("SQL_FUNCTION", f": {', '.join(sorted(called))}")
        return text

    def _described(self, statement: str) -> list[Column]:
        with self._cursor() as cursor:
            rows = cursor.execute(f"DESCRIBE {statement}").fetchall()
        return [self._column(name, type_name) for name, type_name, *_ in rows]

    def _column(self, name: str, type_name: str) -> Column:
        return Column(name, type_name, self._carrier(type_name).value_type)

    def _carrier(self, type_name: str) -> Carrier:
        name = "LIST" if type_name.endswith("]") else type_name.split("(", 1)[0]
        return self._words.carriers.get(name, self._words.other)

    def _field(self, column: Column) -> pa.Field:
        arrow = self._carrier(column.type_name).arrow
        if arrow is None:
            arrow = pa.decimal128(*map(int, re.findall(r"\d+", column.type_name)))
        return pa.field(column.name, arrow, metadata={META: column.value_type.encode()})

    def _projection(self, statement: str, columns: Sequence[Column], limit: int | None) -> str:
        # Columns go by position, so that two of one name both arrive.
        names = [f'"c{number}"' for number in range(len(columns))]
        carried = [
            f"{self._carrier(column.type_name).sql.format(name)} AS {name}"
            for name, column in zip(names, columns, strict=True)
        ]
        select = f"SELECT {', '.join(carried)} FROM ({statement}\n) AS q({', '.join(names)})"
        return select if limit is None else f"{select}\nLIMIT {limit:d}"

    def _stream(self, running: "Running", sql: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        try:
            running.watch()
            for batch in self._batches(running, sql):
                yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)
        except SourceError as error:
            running.raise_if_stopped()
            raise self._cause(running, sql, error) from None
        finally:
            running.end()

    def _batches(self, running: "Running", sql: str) -> Iterator[pa.RecordBatch]:
        with self._plain_errors():
            running.cursor.execute(f"USE {quoted(self.home)}")
            for batch in running.cursor.execute(sql).to_arrow_reader(ROWS_PER_BATCH):
                running.raise_if_stopped()
                yield batch

    def _cause(self, running: "Running", sql: str, error: SourceError) -> SourceError:
        """Ask again where a worker that DuckDB interrupted was quicker than the one that failed."""
        for _ in range(ASK_AGAIN):
            if error.code != "QUERY_CANCELLED":
                return error
            try:
                deque(self._batches(running, sql), maxlen=0)
            except SourceError as again:
                running.raise_if_stopped()
                error = again
        return refusal("QUERY_FAILED") if error.code == "QUERY_CANCELLED" else error


class Running:
    """One query that another thread, or the clock, can stop."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, seconds: float) -> None:
        self.cursor = cursor
        self._seconds = seconds
        self._code = ""
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="duckdb-watch", daemon=True)

    def watch(self) -> None:
        """Start the clock."""
        self._watcher.start()

    def stop(self, code: str) -> None:
        """Ask the query to end; the reader raises this code."""
        self._code = self._code or code
        self._wake.set()

    def raise_if_stopped(self) -> None:
        """Raise SourceError if somebody, or the clock, asked the query to end."""
        if self._code:
            raise refusal(self._code)

    def end(self) -> None:
        """Stop the clock and give the cursor back."""
        self._ended.set()
        self._wake.set()
        if self._watcher.ident:
            self._watcher.join()
        with suppress(duckdb.Error):  # closed already
            self.cursor.interrupt()  # closing waits for a query that was left halfway
        self.cursor.close()

    def _watch(self) -> None:
        if not self._wake.wait(self._seconds):
            self._code = "QUERY_TIMEOUT"
        # DuckDB forgets an interrupt that comes just before a statement starts: ask until it ended.
        while not self._ended.wait(INTERRUPT_EVERY):
            with suppress(duckdb.Error):  # closed already
                self.cursor.interrupt()


def refusal(code: str, detail: str = "") -> SourceError:
    """Return the error of a rule in the rule's own words."""
    return SourceError(code, rule(code).title + detail, mend=rule(code).mend)


def reworded(error: Exception, wordings: Sequence[Wording], kind: type[SourceError]) -> SourceError:
    """Return what the first fitting wording makes of an error of DuckDB."""
    text = str(error)
    for wording in wordings:
        if found := re.search(wording.pattern, text, re.DOTALL):
            message = wording.message.format(**found.groupdict()) or plain(text)
            return kind(wording.code, message, mend=wording.mend or rule(wording.code).mend)
    return kind("QUERY_FAILED", plain(text), mend=rule("QUERY_FAILED").mend)


def plain(text: str) -> str:
    """Return DuckDB's message without its class, its excerpt of the SQL and its own advice."""
    line = re.search(r"\nLINE (\d+):", text)
    body = re.split(r"\n\nLINE |\nPossible |\n\nStack Trace|\n\n  file =", text, maxsplit=1)[0]
    body = re.sub(r"^(INTERNAL|[A-Z][\w ]*) Error: ", "", body)
    body = re.sub(r"^Values list", "Table", body)  # what it calls a part of the FROM clause
    body = re.sub(r"!?\n+Candidate (?:bindings|tables):[: ]*$", "", body)  # and none follows
    body = re.sub(r"!?\n+Candidate (?:bindings|tables):[: ]*", ". Similar: ", body)
    return " ".join(body.split()) + (f" (line {line[1]})" if line else "")


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def calls(sql: str) -> set[str]:
    """Return the names, in lower case, that stand before an opening parenthesis."""
    text = sql.encode()
    starts = [offset for offset, _ in duckdb.tokenize(sql)]
    words = [text[start:end].decode() for start, end in pairwise([*starts, len(text)])]
    names = [re.split("--|/[*]", word)[0].strip().strip('"').lower() for word in words]
    return {name for name, after in pairwise(names) if after.startswith("(")}
