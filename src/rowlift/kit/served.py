"""Sources whose work is done where their driver is loaded."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from rowlift.core.nouns import Column, Finding, QueryFacts, Table

if TYPE_CHECKING:
    import pyarrow as pa


class Server(Protocol):
    """What a module that imports the driver builds from a source's configuration."""

    def check(self) -> Iterator[Finding]: ...

    def describe(self, sql: str) -> Sequence[Column]: ...

    def query(self, sql: str, limit: int | None) -> "pa.RecordBatchReader": ...

    def catalog(self) -> Sequence[Table]: ...

    def now(self) -> int: ...

    def cancel(self) -> None: ...

    def close(self) -> None: ...


class FactServer(Server, Protocol):
    """A server that also tells what a query will cost it."""

    def facts(self, sql: str) -> QueryFacts: ...


class Served:
    """The port of a source, every question handed on to its server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def check(self) -> Iterator[Finding]:
        """Test network, TLS, login, rights, tables, version and clock; tell each as it is known."""
        return self._server.check()

    def describe(self, sql: str) -> Sequence[Column]:
        """Return the output columns of a query without reading a row."""
        return self._server.describe(sql)

    def query(self, sql: str, *, limit: int | None = None) -> "pa.RecordBatchReader":
        """Stream the result in bounded memory; a late row's error comes out of the reader.

        Refuses a user whose rights nothing can contain.
        """
        return self._server.query(sql, limit)

    def catalog(self) -> Sequence[Table]:
        """Return the tables, views and columns this user may see."""
        return self._server.catalog()

    def now(self) -> int:
        """Return the source's clock in Unix seconds; on a replica, what it has replayed."""
        return self._server.now()

    def cancel(self) -> None:
        """Stop what runs, on the server too; from any thread."""
        self._server.cancel()

    def close(self) -> None:
        """Stop what still runs and hang up; rows not read yet are gone."""
        self._server.close()


class Informed(Served):
    """The port of a source whose server also tells what a query will cost it."""

    def __init__(self, server: FactServer) -> None:
        super().__init__(server)
        self._informer = server

    def facts(self, sql: str) -> QueryFacts:
        """Return what the catalogue and a dry run say of a query; reads no row of it."""
        return self._informer.facts(sql)
