"""PostgreSQL, read through COPY or, where it is installed, through ADBC's faster driver."""

from typing import ClassVar

from pydantic import BaseModel

from rowlift.kit.drivers import load
from rowlift.kit.pgconfig import PgConfig
from rowlift.kit.served import Informed
from rowlift.sources.dialects.postgres import POSTGRES


class PostgresConfig(PgConfig):
    """A PostgreSQL database, version 12 or later; a replica is as good as its primary."""


class Postgres(Informed):
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
        module = load("rowlift.kit.pgwarehouse", extra="postgres")
        super().__init__(module.PgWarehouse(POSTGRES, config))
