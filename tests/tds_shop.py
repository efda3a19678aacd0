"""A table of people in a stand-in for SQL Server, and one who may read it."""

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rowlift.core.errors import SourceError
from rowlift.core.nouns import Finding
from rowlift.sources.sqlserver import SQLServer, SQLServerConfig
from servers import TdsDatabase

PASSWORD = "canary-7f3e: /@%?#'}\\é;"
ENDLESS = "SELECT COUNT_BIG(*) AS n FROM numbers AS a, numbers AS b, numbers AS c"
PATIENCE = 50  # seconds, the longest that anything is waited for


@dataclass
class Shop:
    """A database with the table people, and one who may read it."""

    database: TdsDatabase
    user: str
    reader: str

    def settings(self, **options: Any) -> dict[str, Any]:
        server = self.database.server
        given = {
            "host": server.host, "port": server.port, "database": self.database.name,
            "user": self.user, "password": PASSWORD, "ssl_ca": str(server.ca_file),
            "host_name_in_certificate": "localhost", "statement_timeout": PATIENCE,
            "reader": self.reader,
        }  # fmt: skip
        return {name: one for name, one in (given | options).items() if one is not None}

    def config(self, **options: Any) -> SQLServerConfig:
        return SQLServerConfig.model_validate(self.settings(**options))

    def source(self, **options: Any) -> SQLServer:
        return SQLServer(self.config(**options))

    def admit(self, **about: Any) -> None:
        self.database.admit(self.user, PASSWORD, **about)

    @property
    def running(self) -> int:
        count: int = self.database.server.ask("running", self.user)
        return count


def opened(database: TdsDatabase, reader: str) -> Shop:
    """The shop, read by one of the two drivers, or whichever is taken by itself."""
    database.execute(
        "CREATE TABLE people (id int, name varchar, price decimal(10, 2), born timestamp);"
        "INSERT INTO people (id, name) VALUES (1, 'Ada'), (2, ''), (3, NULL)"
    )
    shop = Shop(database, f"reader {database.name}", reader)
    shop.admit()
    return shop


def refusal(source: SQLServer, sql: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        source.query(sql).read_all()
    assert "canary" not in f"{caught.value} {caught.value!r} {caught.value.mend}"
    return caught.value


def steps(source: SQLServer) -> dict[str, Finding]:
    return {found.step: found for found in source.check()}


def children() -> list[int]:
    """The processes that this one has started and that still run."""
    found = []
    for task in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # a thread that has just ended
            found += map(int, task.read_text().split())
    return found


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
