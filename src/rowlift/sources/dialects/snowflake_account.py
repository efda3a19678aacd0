"""One Snowflake account: a session for each question, and queries that can be left behind."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, cast
from weakref import WeakSet, finalize

import pyarrow as pa
from snowflake.connector.errors import Error, InterfaceError, OperationalError

from rowlift.core.errors import ConnectError, SourceError
from rowlift.core.nouns import Column, Finding, Table
from rowlift.core.rules import rule
from rowlift.kit.apart import Apart, Left, Silence, answer
from rowlift.kit.config import FileMissing
from rowlift.kit.sqlguard import GuardedQuery, guard
from rowlift.sources.dialects import snowflake as data
from rowlift.sources.dialects import snowflake_columns as columns
from rowlift.sources.dialects.snowflake_check import findings
from rowlift.sources.dialects.snowflake_login import NEW_KEY, log_in, place
from rowlift.sources.dialects.snowflake_session import Session
from rowlift.sources.dialects.snowflake_words import Place, Tables

if TYPE_CHECKING:
    from rowlift.sources.snowflake import SnowflakeConfig

T = TypeVar("T")
Reading = Generator[columns.Plan | pa.RecordBatch, None, None]
STEPS = {"CONNECT_FAILED": "network", "TLS_FAILED": "tls"}
PATIENCE = 10.0  # seconds beyond the statement's own limit until a silent account counts as lost


class Account:
    """Logs in for each thing that is asked, so that several queries may run at once."""

    def __init__(self, config: "SnowflakeConfig") -> None:
        self._config = config
        self._place = place(config)
        self._running: WeakSet[Running] = WeakSet()

    def check(self) -> Iterator[Finding]:
        """Test step by step how far one gets; what is asked in one session is told at its end."""
        yield from self._checked()

    def _checked(self) -> list[Finding]:
        found = [Finding("network", "ok", f"{self._place.where} answers.")]
        try:
            self._ask(lambda session: self._look(session, found))
        except ConnectError as error:
            step = STEPS.get(error.code, "login")
            failed = Finding(step, "error", error.message, error.mend, error.code)
            # Without a key, or the file of authorities, nobody is asked.
            is_missing = error.mend == NEW_KEY or isinstance(error, FileMissing)
            is_asked = step != "network" and not is_missing
            return [*found, failed] if is_asked else [failed]
        except SourceError as error:
            found.append(Finding("privileges", "error", error.message, error.mend, error.code))
        return found

    def describe(self, sql: str) -> tuple[Column, ...]:
        """Return the columns of a query."""
        guarded = guard(sql, "snowflake")
        return self._ask(
            lambda session: self._safe(session).plan(guarded.sql).columns, guarded.tables
        )

    def query(self, sql: str, limit: int | None) -> pa.RecordBatchReader:
        """Begin a query; what is wrong with its text or its tables is told at once."""
        running = Running(self, guard(sql, "snowflake"), limit)
        self._running.add(running)
        return pa.RecordBatchReader.from_batches(running.plan().schema, running.batches())

    def catalog(self) -> list[Table]:
        """Return what the role may see in the database."""
        return self._ask(lambda session: columns.tables(session.rows(data.CATALOG)))

    def now(self) -> int:
        """Return the account's clock."""
        return self._ask(Session.clock)

    def cancel(self) -> None:
        """Stop every query that runs, or is about to."""
        for running in list(self._running):
            running.cancel()

    def close(self) -> None:
        """End what still runs."""
        self.cancel()

    def reading(self, sql: str, limit: int | None, opened: list[Session]) -> Reading:
        """Yield how a query's columns are read, then its rows; `opened` gets the session."""
        with self._session(limit) as session:
            opened.append(session)
            plan = self._safe(session).plan(sql)
            yield plan
            if limit != 0:
                yield from _limited(session.batches(sql, plan), limit)

    @property
    def patience(self) -> float:
        """Return the seconds after which an account that says nothing is given up."""
        return self._config.statement_timeout + PATIENCE

    @contextmanager
    def told(self, tables: Tables = ()) -> Iterator[None]:
        """Say the driver's errors in our words, never with a secret."""
        try:
            yield
        except Error as error:
            lost = isinstance(error, OperationalError | InterfaceError)
            raise self._place.running(error.errno, error.raw_msg, tables, lost=lost) from None
        except Silence:
            text = f"{self._place.where} has said nothing for {self.patience:.0f} seconds."
            mend = rule("SOURCE_DROPPED").mend
            raise SourceError("SOURCE_DROPPED", text, mend=mend) from None
        except (pa.ArrowException, ValueError) as error:
            text = f"The result is not what Snowflake described: {error}"
            raise SourceError("QUERY_FAILED", text, mend="Cast the column in the SQL.") from None

    def _ask(self, question: Callable[[Session], T], tables: Tables = ()) -> T:
        def asked() -> T:
            with self._session() as session:
                return question(session)

        with self.told(tables):
            return answer(asked, self.patience)

    @contextmanager
    def _session(self, limit: int | None = None) -> Iterator[Session]:
        session = Session(log_in(self._config, self.patience, limit))
        try:
            self._place = self._placed(session)
            yield session
        finally:
            session.close()

    def _placed(self, session: Session) -> Place:
        """Return who reads what, as the session says where the configuration does not."""
        known = self._place
        return replace(
            known,
            role=session.role or known.role,
            warehouse=session.warehouse or known.warehouse,
        )

    def _safe(self, session: Session) -> Session:
        refusal = self._placed(session).unsafe()
        if refusal and not self._config.allow_unsafe_user:
            raise refusal
        return session

    def _look(self, session: Session, found: list[Finding]) -> None:
        allow_unsafe = self._config.allow_unsafe_user
        found.extend(findings(session, self._placed(session), allow_unsafe=allow_unsafe))


class Running:
    """One query that another thread can stop."""

    def __init__(self, account: Account, query: GuardedQuery, limit: int | None) -> None:
        self._account = account
        self._tables = query.tables
        opened: list[Session] = []
        apart: Apart[columns.Plan | pa.RecordBatch] = Apart(
            lambda: account.reading(query.sql, limit, opened), account.patience
        )
        self._items = apart.items()
        # Called at the latest when it is forgotten: the rows may never be asked for.
        self.cancel = finalize(self, _stop, apart, opened)
        self.cancel.atexit = False

    def plan(self) -> columns.Plan:
        """Wait until the query is described."""
        with self._told():
            return cast("columns.Plan", next(self._items))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows; raises SourceError also after good ones."""
        with self._told():
            yield from self._items

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            with self._account.told(self._tables):
                yield
        except Left:
            cancelled = rule("QUERY_CANCELLED")
            raise SourceError(cancelled.code, cancelled.title, mend=cancelled.mend) from None
        except BaseException:
            self.cancel()
            raise


def _stop(apart: Apart[columns.Plan | pa.RecordBatch], opened: list[Session]) -> None:
    """Stop waiting, and end the session; whoever reads gets QUERY_CANCELLED."""
    apart.leave()
    for session in opened:
        session.end()


def _limited(batches: Iterator[pa.RecordBatch], limit: int | None) -> Iterator[pa.RecordBatch]:
    left = limit
    for batch in batches:
        piece = batch if left is None else batch.slice(0, left)
        left = None if left is None else left - piece.num_rows
        yield piece
        if left == 0:
            return
