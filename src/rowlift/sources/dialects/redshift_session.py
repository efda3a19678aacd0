"""Sessions on Redshift: set up the same, and the questions they are asked."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from rowlift.core.errors import SourceError
from rowlift.core.nouns import Column
from rowlift.kit.pgdialect import PgDialect, Server
from rowlift.kit.pgerrors import Explainer
from rowlift.sources.dialects import redshift as data
from rowlift.sources.dialects import redshift_wire as wire
from rowlift.sources.dialects.redshift_types import Type, described, type_of


@dataclass(frozen=True, slots=True)
class Session:
    """A connection and the number of the server's process behind it."""

    connection: wire.Connection
    explain: Explainer
    pid: int

    @property
    def dialect(self) -> PgDialect:
        """Return what there is to ask."""
        return data.REDSHIFT

    def rows(self, sql: str, *parameters: Any) -> Sequence[Sequence[Any]]:
        """Ask something on our own behalf."""
        with self.plain_errors():
            return wire.rows(self.connection, sql, *parameters)

    def execute(self, sql: str) -> None:
        """Run a statement that answers nothing."""
        with self.plain_errors():
            wire.execute(self.connection, sql)

    def server(self) -> Server:
        """Return what the server says of itself; it has no number and is no replica."""
        ((said, clock, user, database),) = self.rows(data.SERVER)
        version = re.search(r"Redshift ([\d.]+)", said)
        return Server(
            version=version[1] if version else f"that calls itself {said}",
            number=0,
            clock=clock,
            is_replica=False,
            tls_version=self.connection.tls_version,
            cipher=self.connection.cipher,
            user=user,
            database=database,
        )

    def columns(self, sql: str) -> list[tuple[Column, Type]]:
        """Return the columns of a query and how each is read."""
        try:
            found = wire.shape(self.connection, data.DESCRIBE.format(sql=sql))
        except wire.Refusal as refusal:
            raise self.explain.describing(refusal, sql, len(data.PREFIX)) from None
        return [(described(*one), type_of(one.oid)) for one in found]

    def denied(self, tables: Sequence[tuple[str, ...]]) -> list[tuple[str, str, bool]]:
        """Return which of these tables may not be read, after the transaction that found out."""
        self.execute("ROLLBACK")
        asked = {names[-2:] for names in tables} or {("",)}
        marks = ", ".join(["%s"] * len(asked))
        found = self.rows(data.DENIED.format(names=marks), *(names[-1] for names in asked))
        return [
            (schema, table, may_use)
            for schema, table, may_use, *names, in_path in found
            if tuple(names) in asked or (in_path and (names[-1],) in asked)
        ]

    @contextmanager
    def plain_errors(self) -> Iterator[None]:
        """Say the server's errors in our words."""
        try:
            yield
        except wire.Refusal as refusal:
            raise self.explain.running(refusal) from None
        except (pa.ArrowException, ValueError) as error:
            text = f"The result is not what the server described: {error}"
            raise SourceError("QUERY_FAILED", text, mend="Run again.") from None
