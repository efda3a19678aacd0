"""One SQL Server: an errand for each thing that is asked, all of which can be left."""

import math
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import pyarrow as pa

from rowlift.core.errors import SourceError
from rowlift.core.nouns import Column, Finding, QueryFacts, Table
from rowlift.kit.config import FileMissing, demand_files
from rowlift.kit.patience import patient
from rowlift.kit.reach import Reach
from rowlift.kit.sqlguard import guard
from rowlift.sources.dialects import sqlserver as data
from rowlift.sources.dialects import sqlserver_columns as columns
from rowlift.sources.dialects import sqlserver_words as words
from rowlift.sources.dialects.sqlserver_check import QUESTIONS, findings
from rowlift.sources.dialects.sqlserver_drivers import chosen
from rowlift.sources.dialects.sqlserver_errand import Errand

if TYPE_CHECKING:
    from rowlift.sources.sqlserver import SQLServerConfig

STEPS = {
    "CONNECT_FAILED": "network",
    "SSH_HOST_UNKNOWN": "network",
    "SSH_LOGIN_FAILED": "network",
    "TLS_FAILED": "tls",
}
PATIENCE = 5.0  # seconds beyond the driver's own limit until a silent server counts as lost


class Server:
    """Opens a connection for each thing that is asked, so that several queries may run at once."""

    def __init__(self, config: "SQLServerConfig") -> None:
        """Raise SourceError DRIVER_MISSING without a driver."""
        self._config = config
        self._child = chosen(config).child
        self._reach = Reach(config)
        self._running: WeakSet[Errand] = WeakSet()
        self._cancels = 0

    def check(self) -> Iterator[Finding]:
        """Test step by step how far one gets; what one errand asks is told at its end."""
        answers = Finding("network", "ok", f"{self._where} answers.")
        try:
            with self._errand(ask=QUESTIONS) as errand:
                (facts,), rights, readable = (errand.heard() for _ in QUESTIONS)
        except SourceError as error:
            step = STEPS.get(error.code, "login")
            if step != "network" and not isinstance(error, FileMissing):
                yield answers
            yield Finding(step, "error", error.message, error.mend, error.code)
            return
        yield answers
        yield from findings(self._config, facts, rights, readable)

    def describe(self, sql: str) -> tuple[Column, ...]:
        """Return the columns of a query."""
        with self._errand(describe=guard(sql, "tsql").sql) as errand:
            return columns.plan(errand.heard()).columns

    def query(self, sql: str, limit: int | None) -> pa.RecordBatchReader:
        """Begin a query; the child goes on reading while the first rows are used."""
        answers = self._answers(guard(sql, "tsql").sql, limit)
        plan = next(answers)
        return pa.RecordBatchReader.from_batches(plan.schema, answers)

    def catalog(self) -> list[Table]:
        """Return what the user may see."""
        with self._errand(ask=[data.CATALOG]) as errand:
            return columns.tables(errand.heard())

    def facts(self, sql: str) -> QueryFacts:
        """Return what the catalogue says of the tables of a query."""
        ids = columns.table_ids(guard(sql, "tsql").tables)
        indexes = data.INDEXES.format(tables=", ".join(ids) or "NULL")
        with self._errand(ask=[data.IS_PRIMARY, indexes]) as errand:
            ((is_primary,),) = errand.heard()
            return QueryFacts(is_primary=bool(is_primary), tables=columns.facts(errand.heard()))

    def now(self) -> int:
        """Return the server's clock."""
        with self._errand(ask=[data.CLOCK]) as errand:
            ((now,),) = errand.heard()
            return int(now)

    def cancel(self) -> None:
        """Leave every query that runs, or is about to."""
        self._cancels += 1
        for errand in list(self._running):
            errand.leave("QUERY_CANCELLED")

    def close(self) -> None:
        """Leave every query, and the tunnel."""
        self.cancel()
        self._reach.close()

    def _answers(self, sql: str, limit: int | None) -> Iterator[Any]:
        """Yield the plan, then the rows: begun at once, so ended with whoever reads it."""
        with self._errand(ask=[data.RIGHTS], describe=sql, read=True, limit=limit) as errand:
            self._refuse_unsafe(errand.heard())
            yield columns.plan(errand.heard())
            yield from errand.batches()

    def _refuse_unsafe(self, rights: Sequence[tuple[str, str]]) -> None:
        found = words.read_only(rights, allow_unsafe=self._config.allow_unsafe_user)
        if found.level == "error":
            raise SourceError(found.code, found.message, mend=found.mend)

    @contextmanager
    def _errand(self, **wanted: Any) -> Iterator[Errand]:
        config, cancels = self._config, self._cancels
        request = {"ask": (), "describe": "", "read": False, "limit": None} | wanted
        request |= self.way()
        with closing(Errand(self._child, request, self._environment(), self._error)) as errand:
            self._running.add(errand)
            if cancels != self._cancels:
                errand.leave("QUERY_CANCELLED")
            errand.connect(config.connect_timeout + PATIENCE)
            with patient(config.statement_timeout, lambda: errand.leave("QUERY_TIMEOUT")):
                yield errand

    def way(self) -> dict[str, object]:
        """Return what a child is told of the server and its user, password included."""
        config, way = self._config, self._reach.way()
        host = way.addresses[0] if way.addresses else config.host
        name = config.host_name_in_certificate or config.host
        return {
            "host": host,
            "port": way.port,
            "certificate_name": name if name != host else "",
            "database": config.database,
            "authentication": config.authentication,
            "user": config.user,
            "password": config.password.get_secret_value(),
            "encrypt": config.encrypt,
            "trusting": config.trust_server_certificate,
            "ssl_ca": str(config.ssl_ca) if config.ssl_ca else None,
            "only_reading": config.application_intent == "ReadOnly",
            "seconds": math.ceil(config.connect_timeout),
            "before": [data.SNAPSHOT] if config.isolation == "snapshot" else [],
        }

    def _environment(self) -> dict[str, str]:
        if not (authorities := self._config.ssl_ca):
            return {}
        demand_files(self._config, "ssl_ca")
        return {"SSL_CERT_FILE": str(authorities)}

    def _error(self, said: str, number: int = 0, *, connecting: bool) -> SourceError:
        password = self._config.password.get_secret_value()
        return words.error(
            said.replace(password, "***") if password else said,
            number,
            user=self._config.user,
            where=self._where,
            connecting=connecting,
        )

    @property
    def _where(self) -> str:
        return f"{self._config.host}:{self._config.port}"
