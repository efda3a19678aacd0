"""PostgreSQL, read through COPY or, where it is installed, through ADBC's faster driver."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel

from rowlift.core.nouns import Column, Finding, Table
from rowlift.kit.drivers import load
from rowlift.kit.pgconfig import PgConfig
from rowlift.sources.dialects.postgres import POSTGRES

if TYPE_CHECKING:
    import pyarrow as pa

    from rowlift.kit.pgwarehouse import PgWarehouse


class PostgresConfig(PgConfig):
    """A PostgreSQL database, version 12 or later; a replica is as good as its primary."""


class Postgres:
    r"""A PostgreSQL database; every transaction is read-only, in UTC and under a timeout.

    Numerics, dates, times, intervals and whatever Arrow has no exact type for travel as text, and
    so do timestamps unless ADBC hands over PostgreSQL's own count; arrays and composite values as
    JSON; bytea as hexadecimal. Text of a database without a character set (SQL_ASCII) that is not
    UTF-8 comes as its bytes in hexadecimal after a leading `\x`. Intervals are ISO 8601 (P1M). One
    query may be read while others are asked.
    """

    Config: ClassVar[type[BaseModel]] = PostgresConfig
    dialect: ClassVar[str] = "postgres"

    def __init__(self, config: PostgresConfig) -> None:
        """Raise SourceError DRIVER_MISSING without the driver; connect when first asked."""
        kit = load("rowlift.kit.pgwarehouse", extra="postgres")
        self._warehouse: PgWarehouse = kit.PgWarehouse(POSTGRES, config)

    def check(self) -> Sequence[Finding]:
        """Test network, TLS, login, read-only rights, privileges, version and clock."""
        return self._warehouse.check()

    def describe(self, sql: str) -> Sequence[Column]:
        """Return the output columns, repeated and unnamed ones (`?column?`) as they come."""
        return self._warehouse.describe(sql)

    def query(self, sql: str, *, limit: int | None = None) -> "pa.RecordBatchReader":
        """Stream the rows; refuse a user whose rights no read-only session can contain."""
        return self._warehouse.query(sql, limit)

    def catalog(self) -> Sequence[Table]:
        """Return the tables, views and columns this user may select."""
        return self._warehouse.catalog()

    def now(self) -> int:
        """Return the server's clock in whole seconds; on a replica the last replayed commit."""
        return self._warehouse.now()

    def cancel(self) -> None:
        """Cancel on the server whatever runs, from any thread."""
        self._warehouse.cancel()

    def close(self) -> None:
        """Close every connection; rows not read yet are gone."""
        self._warehouse.close()
