"""One MySQL or MariaDB server: sessions that only read, queries that can be stopped."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

import pyarrow as pa

from rowlift.core.errors import ConnectError, SourceError
from rowlift.core.nouns import Column, Finding, QueryFacts, Table
from rowlift.kit import mysqlwire
from rowlift.kit.arrowchild import ArrowChild, ChildFailed
from rowlift.kit.config import FileMissing, demand_files
from rowlift.kit.drivers import installed, require
from rowlift.kit.mysqlwire import Connection, Refusal
from rowlift.kit.reach import Reach
from rowlift.kit.running import Queries, Running
from rowlift.kit.sqlguard import GuardedQuery, guard
from rowlift.sources.dialects import mysql as data
from rowlift.sources.dialects import mysql_columns as columns
from rowlift.sources.dialects import mysql_words as words
from rowlift.sources.dialects.mysql_check import findings, granted, version
from rowlift.sources.dialects.mysql_readers import CHILD, FastReader, PlainReader, Reader

if TYPE_CHECKING:
    from rowlift.sources.mysql import MySQLConfig

STEPS = {
    "ADDRESS_REFUSED": "network",
    "CONNECT_FAILED": "network",
    "SSH_HOST_UNKNOWN": "network",
    "SSH_LOGIN_FAILED": "network",
    "TLS_FAILED": "tls",
}
PATIENCE = 10.0  # seconds beyond the statement's own limit until a silent server counts as lost


class Server:
    """Opens a connection for each thing that is asked, so that several queries may run at once."""

    def __init__(self, config: "MySQLConfig") -> None:
        self._config = config
        self._reach = Reach(config)
        self._account = ""
        self._queries = Queries()
        self._stopping = threading.Lock()  # two at once would stop each other's statement
        if config.reader == "connectorx":
            require("connectorx", extra="mysql-fast")

    def check(self) -> Iterator[Finding]:
        """Test step by step how far one gets."""
        answers, is_in = Finding("network", "ok", f"{self._where} answers."), False
        try:
            with self._connected() as connection:
                is_in = True
                yield answers
                yield from findings(connection, self._config)
        except SourceError as error:
            step = "privileges" if is_in else STEPS.get(error.code, "login")
            is_asked = step != "network" and not isinstance(error, FileMissing)
            if is_asked and not is_in:
                yield answers
            yield Finding(step, "error", error.message, error.mend, error.code)

    def describe(self, sql: str) -> tuple[Column, ...]:
        """Return the columns of a query."""
        text = guard(sql, "mysql").sql
        with self.session() as connection:
            return self._plan(connection, text).columns

    def query(self, sql: str, limit: int | None) -> pa.RecordBatchReader:
        """Begin a query with the reader that suits it; the first rows are read when asked for."""
        guarded = guard(sql, "mysql")
        cancels = self._queries.cancels
        is_fast = limit is None and self._reads_fast()
        reader = self._fast(guarded) if is_fast else self._plain(guarded, limit)
        running = Running(reader, partial(self.stop, reader), self.plain_errors)
        self._queries.add(running, cancels)
        return pa.RecordBatchReader.from_batches(reader.schema, running.batches())

    def _plain(self, query: GuardedQuery, limit: int | None) -> Reader:
        with self.session(keep=True) as connection:
            return PlainReader(connection, self._plan(connection, query.sql), query, limit)

    def _fast(self, query: GuardedQuery) -> Reader:
        """Return a reader whose child loads its driver while the query is described."""
        child = ArrowChild(CHILD)
        try:
            with self.session() as connection:
                plan = self._plan(connection, query.sql)
                before = [*self._settings(connection), data.SNAPSHOT]
            login = {"url": self.url(), "before": before}
            return FastReader(child, login, plan, query, self._patience)
        except BaseException:
            child.close()
            raise

    def catalog(self) -> list[Table]:
        """Return what the user may see."""
        with self.session() as connection:
            estimates = mysqlwire.rows(connection, data.ESTIMATES)
            return columns.tables(mysqlwire.rows(connection, data.CATALOG), estimates)

    def facts(self, sql: str) -> QueryFacts:
        """Return what the catalogue says of the tables of a query."""
        named = guard(sql, "mysql").tables
        with self.session() as connection:
            ((is_primary,),) = mysqlwire.rows(connection, data.IS_PRIMARY)
            rows = mysqlwire.rows(connection, columns.indexes(named)) if named else []
        return QueryFacts(is_primary=is_primary == "1", tables=columns.facts(rows))

    def now(self) -> int:
        """Return the server's clock, less what a replica has not replayed yet."""
        with self.session() as connection:
            ((clock,),) = mysqlwire.rows(connection, data.CLOCK)
            return int(clock or 0) - self._behind(connection)

    def cancel(self) -> None:
        """Stop every query that runs, or is about to."""
        self._queries.cancel()

    def close(self) -> None:
        """Stop every query and hang up."""
        self._queries.close()
        self._reach.close()

    def stop(self, reader: Reader) -> None:
        """Stop a reader's statements on the server, from a connection of our own."""
        with self._stopping, self._connected() as connection:
            connection.wait_for(self._config.connect_timeout)
            for thread_id in reader.victims(connection):
                with suppress(Refusal):  # it has just ended
                    mysqlwire.execute(connection, data.KILL.format(id=thread_id))

    @contextmanager
    def plain_errors(self, *, connecting: bool = False) -> Iterator[None]:
        """Say the server's errors in our words, never with the password."""
        try:
            yield
        except Refusal as refusal:
            raise self._error(refusal.number, refusal.message, connecting=connecting) from None
        except ChildFailed as failure:
            raise self._error(*words.last_words(str(failure))) from None
        except (pa.ArrowException, ValueError) as error:
            text = f"The result is not what the server described: {error}"
            raise SourceError("QUERY_FAILED", text, mend="Run again.") from None

    def _error(self, number: int, message: str, *, connecting: bool = False) -> SourceError:
        password = self._config.password.get_secret_value()
        said = message
        for secret in filter(None, (password, quote(password, safe=""))):
            said = said.replace(secret, "***")
        return words.error(
            number, said, account=self._account, where=self._where, connecting=connecting
        )

    @property
    def _where(self) -> str:
        return f"{self._config.host}:{self._config.port}"

    @contextmanager
    def _connected(self, *, keep: bool = False) -> Iterator[Connection]:
        """Give a connection as it comes; it is kept only where nothing fails."""
        with self.plain_errors(connecting=True):
            connection = self._connect()
        try:
            with self.plain_errors():
                yield connection
            if not keep:
                mysqlwire.hang_up(connection)
        except BaseException:
            mysqlwire.hang_up(connection)
            raise

    def _connect(self) -> Connection:
        config = self._config
        context = None
        if config.ssl_mode != "DISABLED":
            demand_files(config, "ssl_ca", "ssl_cert", "ssl_key")
            chosen = (config.ssl_ca, config.ssl_cert, config.ssl_key)
            files = [str(path) if path else None for path in chosen]
            try:
                context = mysqlwire.encryption(config.ssl_mode, *files)
            except OSError as error:
                raise ConnectError(
                    "TLS_FAILED",
                    f"A certificate file cannot be used: {error}",
                    mend="Check ssl_ca, ssl_cert and ssl_key.",
                ) from None
        with mysqlwire.refusals():
            way = self._reach.way()
        return mysqlwire.connect(
            host=config.host,
            port=way.port,
            addresses=way.addresses,
            database=config.database,
            user=config.user,
            password=config.password.get_secret_value(),
            context=context,
            connect_timeout=config.connect_timeout,
            read_timeout=self._patience,
        )

    @property
    def _patience(self) -> float:
        """Return the seconds after which a server that says nothing is given up."""
        return self._config.statement_timeout + PATIENCE

    @contextmanager
    def session(self, *, keep: bool = False) -> Iterator[Connection]:
        """Give a session that only reads, of a user whose rights were looked at."""
        with self._connected(keep=keep) as connection:
            for statement in self._settings(connection):
                mysqlwire.execute(connection, statement)
            grants = granted(connection)
            self._account = words.account(grants)
            found = words.read_only(
                grants, self._config.database, allow_unsafe=self._config.allow_unsafe_user
            )
            if found.level == "error":
                raise SourceError(found.code, found.message, mend=found.mend)
            mysqlwire.execute(connection, data.SNAPSHOT)
            yield connection

    def _settings(self, connection: Connection) -> list[str]:
        seconds = self._config.statement_timeout
        mariadb = "mariadb" in version(connection).lower()
        limit = data.MARIADB_TIMEOUT if mariadb else data.MYSQL_TIMEOUT
        return [
            data.READ_ONLY,
            data.SESSION + limit.format(seconds=seconds, milliseconds=seconds * 1000),
            data.RAW_RESULTS,
        ]

    def _plan(self, connection: Connection, sql: str) -> columns.Plan:
        fields = mysqlwire.fields(connection, sql)
        return columns.plan(fields, tinyint1_is_bool=self._config.tinyint1 == "bool")

    def _reads_fast(self) -> bool:
        if self._config.reader == "auto":
            return installed("connectorx") and self._config.suits_connectorx
        return self._config.reader == "connectorx"

    def url(self) -> str:
        """Return the address as the fast reader wants it, password included."""
        config = self._config
        secret = quote(config.password.get_secret_value(), safe="")
        way = self._reach.way()
        host = way.addresses[0] if way.addresses else config.host
        host = f"[{host}]" if ":" in host else host
        login = f"{quote(config.user, safe='')}:{secret}@{host}:{way.port}"
        # Else it would leave a tunnel on loopback for the socket of this machine's own server.
        options = f"prefer_socket=false&ssl-mode={config.ssl_mode}"
        options += f"&ssl-ca={quote(str(config.ssl_ca), safe='')}" if config.ssl_ca else ""
        return f"mysql://{login}/{quote(config.database, safe='')}?{options}"

    def _behind(self, connection: Connection) -> int:
        """Return the seconds a replica is behind; SourceError where replication has stopped."""
        states = self._replica_states(connection)
        seconds = [value for state in states for key, value in state.items() if key in data.BEHIND]
        if None in seconds:
            raise SourceError(
                "QUERY_FAILED",
                f"{self._where} is a replica that does not say how far behind it is.",
                mend="Start its replication again, or read from another server.",
            )
        return max((int(value or 0) for value in seconds), default=0)

    def _replica_states(self, connection: Connection) -> Sequence[dict[str, str | None]]:
        for statement in data.REPLICA:
            try:
                return mysqlwire.records(connection, statement)
            except Refusal as refusal:
                if refusal.number != data.SYNTAX:
                    return []  # it is not for us to know: then the server's clock has to do
        return []
