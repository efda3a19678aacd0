"""The one module of the engine that knows DuckDB: set operations over Parquet, in bounded memory.

DuckDB spills to `scratch` when its limit is reached, 320 MB and more for wide rows; the limit holds
for its buffers, not for the whole process (allow some 200 MB more).

To start DuckDB and to make the engine's macros known takes 25 ms: half of what a run without rows
costs. So a database of small work that ended well waits for the next one, empty.

Most work is a few rows. For those a second thread costs a tenth and brings nothing, and memory need
not go back before the end: both begin where more rows are met.
"""

import atexit
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa

from rowlift.core.errors import StateError

DUCKDB_VERSION = duckdb.__version__
MEMORY_MB = 320
VECTOR_ROWS = 2048
WIDE_VECTORS = 24  # vectors of whole rows that one statement may hold
THREADS = int(os.environ.get("ROWLIFT_THREADS", "0")) or min(os.cpu_count() or 1, 8)
PARQUET = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1"
GROUP_VECTORS = 10
GROUP_BYTES = 16_000_000  # each thread holds a row group before it writes it
SORTED_ROWS = 100_000
SORTED_BYTES = 40_000_000  # a sort of whole rows holds all their values at once
FEW_ROWS = GROUP_VECTORS * VECTOR_ROWS  # of one row group only one thread reads
FEW_BYTES = 5_000_000  # and as many times as WIDE_VECTORS says they fit into the memory
SMALL_ROWS = 100_000  # of larger results the memory goes back with all the rest
MOST_IDLE = 2  # databases, of some 6 MB each
_DAMAGED = re.compile(
    r"No files found|Cannot open file .*No such file|Parquet file|magic bytes|Failed to read file"
)


class _Database:
    """DuckDB in memory, for one connection at a time; what stays when that closes is macros."""

    def __init__(self, scratch: Path, memory_mb: int, threads: int) -> None:
        self._root = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{memory_mb}MB",
                "threads": threads,
                "temp_directory": str(scratch),
                "preserve_insertion_order": True,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        self._root.execute("LOAD icu")  # built in; it knows the setting TimeZone
        self._memory_mb, self.threads = memory_mb, threads
        self.macros: dict[str, str] = {}

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Open a connection; its temporary tables and views go with it."""
        connection = self._root.cursor()
        connection.execute("SET TimeZone = 'UTC'")
        # Without a main file it takes Python for a notebook and draws bars on standard output.
        connection.execute("SET enable_progress_bar = false")
        return connection

    def move(self, scratch: Path, memory_mb: int, threads: int) -> bool:
        """Make it as good as new for other work; False where that cannot be, as it has spilled."""
        try:
            self._root.execute(f"SET temp_directory = {text(str(scratch))}")
        except duckdb.NotImplementedException:
            return False
        if memory_mb != self._memory_mb:
            self._root.execute(f"SET memory_limit = '{memory_mb}MB'")
            self._memory_mb = memory_mb
        if threads != self.threads:
            self._root.execute(f"SET threads = {threads}")
            self.threads = threads
        return True

    def rest(self) -> None:
        """Give its free memory back, and what its last connection was allowed beyond the limit."""
        self._root.execute(f"SET memory_limit = '{self._memory_mb}MB'")

    def close(self) -> None:
        """End it, with its threads."""
        self._root.close()


_IDLE: list[_Database] = []


def _idle() -> Iterator[_Database]:
    """Take the databases that wait for work, one by one."""
    while _IDLE:
        with suppress(IndexError):  # another thread was quicker
            yield _IDLE.pop()


def _close_idle() -> None:
    for database in _idle():
        database.close()


# A child that is forked has none of a database's threads, and would wait for them at its end.
os.register_at_fork(before=_close_idle)
atexit.register(_close_idle)


def _database(scratch: Path, memory_mb: int, threads: int) -> _Database:
    """Return a database that waits for work, or a new one."""
    for found in _idle():
        if found.move(scratch, memory_mb, threads):
            return found
        found.close()
    return _Database(scratch, memory_mb, threads)


def warm(scratch: Path) -> None:
    """Start a database that waits for small work, unless one does."""
    if not _IDLE:
        _IDLE.append(_Database(scratch, MEMORY_MB, 1))


class Duck:
    """One connection, with a database of its own; each run or delivery has its own.

    Where work `begins_small`, one thread does it until `expect` or `write` meets many rows.
    """

    def __init__(
        self,
        scratch: Path,
        *,
        memory_mb: int = MEMORY_MB,
        threads: int = 0,
        begins_small: bool = False,
    ) -> None:
        self._made = not scratch.exists()
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._scratch = scratch
        self._files: list[Path] = []
        self._threads, self._memory_mb = threads or THREADS, memory_mb
        self.width, self._rows = 0, 0
        self._has_few = begins_small
        self._group_rows, self._sorted_rows = GROUP_VECTORS * VECTOR_ROWS, SORTED_ROWS
        self._is_small = True
        self._working = 1 if begins_small else self._threads
        with _told():
            database = _database(scratch, memory_mb, self._working)
            self._connection = database.connect()
        self._database: _Database | None = database
        self._macros = database.macros

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._is_small &= kind is None
        self.close()

    def close(self) -> None:
        """Give memory, spill files and scratch files back."""
        self._connection.close()
        self._leave()
        for path in self._files:
            path.unlink(missing_ok=True)
        if self._made:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _leave(self) -> None:
        """Let others have the database where that pays; it must never be left twice."""
        database, self._database = self._database, None
        if database is None:
            return
        if self._is_small and len(_IDLE) < MOST_IDLE:
            database.threads = self._working
            database.rest()
            _IDLE.append(database)
        else:
            database.close()

    def prepare(self, macros: Iterable[str]) -> None:
        """Make macros known, each `name(parameters) AS expression`; they outlive the connection."""
        known = self._macros
        for macro in macros:
            called = macro.partition("(")[0]
            if known.get(called) != macro:
                self.run(f"CREATE OR REPLACE MACRO {macro}")
                known[called] = macro

    def scratch_file(self, stem: str) -> Path:
        """Return a new path beside the spill files; the file goes with the connection."""
        path = self._scratch / f"{stem}-{uuid.uuid4().hex}.parquet"
        self._files.append(path)
        return path

    def make_room(self, width: int) -> None:
        """Raise the memory limit for rows of a mean width in bytes; write smaller groups of them.

        Each step of an expression holds a vector of 2,048 rows, and none of that can be spilled.
        """
        self.width = width
        self._memory_mb = MEMORY_MB + width * VECTOR_ROWS * WIDE_VECTORS // 1_000_000
        self.expect(self._rows)
        self.give_back()
        vectors = GROUP_BYTES // max(1, width) // VECTOR_ROWS
        self._group_rows = max(1, min(GROUP_VECTORS, vectors)) * VECTOR_ROWS
        self._sorted_rows = min(SORTED_ROWS, SORTED_BYTES // max(1, width))

    def expect(self, rows: int) -> None:
        """Let all threads work, and memory be given back, where many rows are to be read."""
        self._rows = max(rows, self._rows)
        if self._has_few and (rows > FEW_ROWS or rows * self.width > FEW_BYTES):
            self._has_few = False
            self._let_work(self._threads)
            self.give_back()

    def has_room_to_sort(self, rows: int) -> bool:
        """Tell whether so many rows of that width may be sorted with all their values."""
        return rows <= self._sorted_rows

    @contextmanager
    def one_thread(self) -> Iterator[None]:
        """Run statements whose steps are serial anyway: a second thread would only spin."""
        self._let_work(1)
        try:
            yield
        finally:
            self._let_work(1 if self._has_few else self._threads)

    def _let_work(self, threads: int) -> None:
        if threads != self._working:
            self.run(f"SET threads = {threads}")
            self._working = threads

    def interrupt(self) -> None:
        """Stop the running statement from another thread."""
        self._connection.interrupt()

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run one statement for its effect."""
        self._execute(sql, parameters)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return a small result as tuples."""
        with _told():
            return self._connection.execute(sql, parameters).fetchall()

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...]:
        """Return the only row of a result."""
        (row,) = self.rows(sql, parameters)
        return row

    def count(self, relation: str) -> int:
        """Return the number of rows of a table, view or parenthesised query."""
        return int(self.one(f"SELECT count(*) FROM {relation}")[0])

    def reader(self, sql: str, batch_rows: int = 50_000) -> pa.RecordBatchReader:
        """Stream a result as Arrow record batches; no other statement may run meanwhile."""
        return self._execute(sql, ()).to_arrow_reader(batch_rows)

    def table(self, sql: str) -> pa.Table:
        """Return a small result as an Arrow table."""
        with _told():
            return self._connection.execute(sql).to_arrow_table()

    def register(self, name: str, data: pa.Table | pa.RecordBatchReader) -> None:
        """Make Arrow data readable under a name: a table for good, a stream once."""
        if isinstance(data, pa.RecordBatchReader):
            self._connection.register(name, plain_stream(data))
            return
        self._connection.register("registered", plain_stream(data))
        self.run(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM registered")
        self._connection.unregister("registered")

    def write(self, sql: str, path: Path) -> int:
        """Write a result as one Parquet file and return its number of rows."""
        form = f"{PARQUET}, ROW_GROUP_SIZE {self._group_rows}"
        rows = int(self.one(f"COPY ({sql}) TO {text(str(path))} ({form})")[0])
        self._is_small &= rows <= SMALL_ROWS
        self.expect(rows)
        self.give_back()
        return rows

    def give_back(self) -> None:
        """Return free memory to the system, which its allocator does whenever the limit is set."""
        if not self._has_few:
            self.run(f"SET memory_limit = '{self._memory_mb}MB'")

    def _execute(self, sql: str, parameters: Sequence[Any]) -> duckdb.DuckDBPyConnection:
        with _told():
            return self._connection.execute(sql, parameters)


@contextmanager
def _told() -> Iterator[None]:
    """Turn what DuckDB says of files, disks and memory into a StateError."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise StateError(
            "OUT_OF_MEMORY",
            f"There is not enough memory for the work: {_first_line(error)}",
            mend="Free memory or disk space and run again: nothing was lost.",
        ) from error
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        told = _first_line(error)
        if _DAMAGED.search(told):
            raise StateError(
                "STATE_DAMAGED",
                f"A file of the data directory is missing or damaged: {told}",
                mend="Restore the last backup, or start over: rowlift state reset NAME.",
            ) from error
        if isinstance(error, duckdb.InvalidInputException):
            raise
        raise StateError(
            "STATE_FULL",
            f"There is no room left for the work: {told}",
            mend="Free disk space or memory and run again: nothing was lost.",
        ) from error
    except RuntimeError as error:
        if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None  # DuckDB words it as an error of its own
        raise


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def plain_stream(data: pa.Table | pa.RecordBatchReader) -> object:
    """Return data as an Arrow stream that DuckDB reads itself, once.

    What it knows as a table or reader of pyarrow it scans through threads of Arrow's, and waits
    for ever where there is no memory to start them.
    """
    return data.__arrow_c_stream__()


def text(value: str) -> str:
    """Quote a text as an SQL literal; no literal can hold NUL."""
    quoted = "'" + value.replace("'", "''") + "'"
    return "(" + quoted.replace("\0", "' || chr(0) || '") + ")" if "\0" in value else quoted


def name(value: str) -> str:
    """Quote an SQL identifier."""
    return '"' + value.replace('"', '""') + '"'


def parquet(paths: Iterable[Path]) -> str:
    """Return the table function that reads Parquet files one after the other."""
    return f"read_parquet([{', '.join(text(str(path)) for path in paths)}])"
