"""One database through SQLAlchemy Core: SQLite by default, PostgreSQL by URL.

Every write goes through `Database.transaction`, whose name is a crash point before and after the
commit. SQLite runs in WAL with synchronous=FULL and takes its write lock at BEGIN, so that two
writers queue for at most 30 s instead of failing halfway.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from rowlift.core import faults
from rowlift.core.errors import ConfigError, StateError

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

# What only PostgreSQL is told of its tables stands in the migrations, which make them: said here,
# it would load that dialect in every process.
metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# How long the owner of a run, or a transaction of its, may say nothing before another takes over.
LEASE_SECONDS = float(os.environ.get("ROWLIFT_LEASE_SECONDS", "60"))

_BUSY_SECONDS = 30
# A process that stands still inside a transaction must not block the one that takes over.
_PATIENCE = (
    f"SELECT set_config('idle_in_transaction_session_timeout', '{LEASE_SECONDS:.0f}s', true),"
    f" set_config('lock_timeout', '{LEASE_SECONDS + _BUSY_SECONDS:.0f}s', true)"
)
# Pages that SQLite keeps, in KB: writing comes back to leaves of indexes anywhere, whereas what is
# read comes as quickly from the system's own cache.
_WRITING_KB, _READING_KB = 65536, 8192
_READ_ONLY = "read-only"  # of what SQLite opened where it could not write
_ALONE = 7219061  # any number that no other program in the database locks


class Database:
    """A connection pool with named, durable transactions."""

    def __init__(self, url: str | URL) -> None:
        self.url = make_url(url)
        self.engine = _engine(self.url)

    @property
    def is_sqlite(self) -> bool:
        """Tell whether set operations must speak SQLite's dialect."""
        return self.url.get_backend_name() == "sqlite"

    def insert(self, table: sa.Table) -> "postgresql.Insert | sqlite.Insert":
        """Return an INSERT of the dialect's own, which knows ON CONFLICT."""
        dialect: Any = import_module(f"sqlalchemy.dialects.{self.url.get_backend_name()}")
        found: postgresql.Insert | sqlite.Insert = dialect.insert(table)
        return found

    @contextmanager
    def transaction(self, name: str, *, alone: bool = False) -> Iterator[sa.Connection]:
        """Run one write transaction; its commit is durable when the block has ended.

        `alone` makes it wait for all others that ask so, as every write of SQLite does anyway.
        Raises StateError when the database cannot be written.
        """
        with mapped_errors(), self._writing() as connection:
            with connection.begin() as transaction:
                if not self.is_sqlite:
                    connection.exec_driver_sql(_PATIENCE)
                    if alone:
                        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ALONE})")
                yield connection
                faults.point(f"{name}.before_commit")
                transaction.commit()
            faults.point(f"{name}.after_commit")

    def _writing(self) -> sa.Connection:
        """Open a connection to write on: what was opened while nobody could write stays so."""
        connection = self.engine.connect()
        while connection.info.get(_READ_ONLY) and _is_writable(self.url):
            connection.invalidate()
            connection.close()
            connection = self.engine.connect()
        return connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Read one consistent snapshot."""
        with mapped_errors(), self.engine.connect() as connection:
            options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
            connection.execution_options(rowlift_read=True, **options)
            with connection.begin():
                yield connection

    def stop(self, connection: sa.Connection) -> None:
        """Stop what a connection does, from another thread: it raises StateError STATE_SLOW."""
        driver: Any = connection.connection.driver_connection
        (driver.interrupt if self.is_sqlite else driver.cancel)()

    def checkpoint(self) -> None:
        """Empty SQLite's write-ahead log, in which rows outlive their deletion."""
        if self.is_sqlite:
            with mapped_errors(), closing(self.engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()

    def close(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()


def _engine(url: URL) -> sa.Engine:
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(
            url, pool_pre_ping=True, pool_size=5, max_overflow=10,
            isolation_level="READ COMMITTED",  # whatever the server's own default is
        )  # fmt: skip
    if url.database and url.database != ":memory:":
        _private_folder(Path(url.database).parent)
    # The connection used last has its pages still.
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY_SECONDS}, pool_use_lifo=True)
    sa.event.listen(engine, "connect", _configure_sqlite)
    sa.event.listen(engine, "connect", partial(_mark_read_only, url))
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _private_folder(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _is_writable(url: URL) -> bool:
    return not url.database or url.database == ":memory:" or os.access(url.database, os.W_OK)


def _mark_read_only(url: URL, _connection: Any, record: Any) -> None:
    record.info[_READ_ONLY] = not _is_writable(url)


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")
    connection.execute("PRAGMA temp_store=MEMORY")


def _begin_sqlite(connection: sa.Connection) -> None:
    reading = connection.get_execution_options().get("rowlift_read")
    connection.exec_driver_sql(f"PRAGMA cache_size=-{_READING_KB if reading else _WRITING_KB}")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


_RESTORE = "Put the last backup in its place: rowlift restore FILE --replace"
_SQLITE_WORDS = (
    ("database or disk is full", "STATE_FULL", "Free space and run again: nothing was lost."),
    ("disk I/O error", "STATE_FULL", "Check the disk, then run again: nothing was lost."),
    ("readonly database", "STATE_FULL", "Make the data directory writable, then run again."),
    ("database is locked", "STATE_LOCKED", "Wait for the other process to finish."),
    ("malformed", "STATE_DAMAGED", _RESTORE),
    ("not a database", "STATE_DAMAGED", _RESTORE),
    ("unable to open", "STATE_UNREACHABLE", "Check the path and the rights of the data directory."),
)


# A serialization failure, a deadlock, a lock that did not come in time.
_GAVE_WAY = frozenset({"40001", "40P01", "55P03"})
_CANCELLED = "57014"
_FULL_SERVER = ("too many clients", "too many connections", "remaining connection slots")
_NUL = "cannot contain NUL"
_TOLD = ("malformed", "not a database", "invalid connection option")


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn a driver's failure into a StateError that names no row and no secret.

    What PostgreSQL cannot keep is a ConfigError.
    """
    try:
        yield
    except OperationalError as error:
        raise _state_error(error) from error
    except PoolTimeout as error:
        raise _no_connection() from error
    except DBAPIError as error:
        if _NUL in str(error.orig):
            raise ConfigError(
                "VALUE_WRONG",
                "A text holds the character NUL, which PostgreSQL keeps in no text.",
                mend="Leave the character out.",
            ) from error
        known = any(words in str(error.orig) for words in _TOLD)
        if known or error.connection_invalidated or _ended(error):
            raise _state_error(error) from error
        raise


def _no_connection() -> StateError:
    return StateError(
        "STATE_LOCKED",
        "The state database had no connection free in time: too much is done at once.",
        mend="Run again, with fewer runs side by side or more connections: nothing was lost.",
    )


def _ended(error: DBAPIError) -> bool:
    """Tell whether PostgreSQL ended the session, for instance after an idle transaction."""
    return str(getattr(error.orig, "sqlstate", "")) in {"25P03", "25P04", "57P01", "57P02"}


def _state_error(error: DBAPIError) -> StateError:
    text = str(error.orig)
    if "interrupted" in text or getattr(error.orig, "sqlstate", "") == _CANCELLED:
        told = "The state database was asked for too long, and the question was stopped."
        return StateError("STATE_SLOW", told, mend="Ask for less, or at another time.")
    for words, code, mend in _SQLITE_WORDS:
        if words in text:
            damaged = code == "STATE_DAMAGED"
            what = "is damaged; SQLite says" if damaged else "answered"
            return StateError(code, f"The state database {what}: {words}.", mend=mend)
    if getattr(error.orig, "sqlstate", "") in _GAVE_WAY:
        told = "The state database gave way to others who wrote at the same time."
        return StateError("STATE_LOCKED", told, mend="Run again: nothing was lost.")
    if any(words in text for words in _FULL_SERVER):
        return _no_connection()
    return StateError(
        "STATE_UNREACHABLE",
        "The state database cannot be reached or refused the work.",
        mend="Check that it runs and that its URL is right, then run again: nothing was lost.",
        examples=(text.splitlines()[0][:200],) if os.environ.get("ROWLIFT_DEBUG") else (),
    )
