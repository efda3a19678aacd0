"""Where the rows come from: one table in PostgreSQL, in MariaDB or in an SQLite file."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg

from servers import MariaDbDatabase, MariaDbServer, PostgresDatabase, PostgresServer

PASSWORD = "canary-8rT5wQzK2m"  # no file that the program writes may hold it
PASSWORD_VARIABLE = "SHOP_PASSWORD"
TABLE = (
    "CREATE TABLE people"
    " (user_id varchar(40), email varchar(200), plan varchar(40), orders integer)"
)

Row = tuple[str | None, str, str, int]


class Shop(Protocol):
    """A database with the table `people`, and how a project connects to it."""

    @property
    def connection(self) -> dict[str, Any]:
        """Return the source's settings in connections.yml."""

    def replace(self, rows: Sequence[Row]) -> None:
        """Make these the rows, in one transaction."""

    def execute(self, statement: str) -> None:
        """Run one statement with every right."""


@dataclass(frozen=True, slots=True)
class FileShop:
    """An SQLite file."""

    path: Path

    @property
    def connection(self) -> dict[str, Any]:
        return {"type": "sqlite", "path": str(self.path)}

    def replace(self, rows: Sequence[Row]) -> None:
        with closing(sqlite3.connect(self.path)) as shop, shop:
            shop.execute("DELETE FROM people")
            shop.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", rows)

    def execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self.path)) as shop, shop:
            shop.execute(statement)


@dataclass(frozen=True, slots=True)
class PostgresShop:
    """A PostgreSQL database with a role that may only read."""

    database: PostgresDatabase
    reader: str

    @property
    def connection(self) -> dict[str, Any]:
        server = self.database.server
        return {
            "type": "postgres", "host": server.host, "port": server.port, "user": self.reader,
            "database": self.database.name, "password": f"${{{PASSWORD_VARIABLE}}}",
            "sslmode": "disable",
        }  # fmt: skip

    def replace(self, rows: Sequence[Row]) -> None:
        with psycopg.connect(self.database.dsn()) as shop, shop.cursor() as cursor:
            cursor.execute("DELETE FROM people")
            cursor.executemany(
                "INSERT INTO people (user_id, email, plan, orders) VALUES (%s, %s, %s, %s)", rows
            )

    def execute(self, statement: str) -> None:
        self.database.execute(statement)


@dataclass(frozen=True, slots=True)
class MariaDbShop:
    """A MariaDB database with a user who may only read."""

    database: MariaDbDatabase
    reader: str

    @property
    def connection(self) -> dict[str, Any]:
        server = self.database.server
        return {
            "type": "mysql", "host": server.host, "port": server.port, "user": self.reader,
            "database": self.database.name, "password": f"${{{PASSWORD_VARIABLE}}}",
            "ssl_mode": "DISABLED",
        }  # fmt: skip

    def replace(self, rows: Sequence[Row]) -> None:
        with self.database.connect(autocommit=False) as shop, shop.cursor() as cursor:
            cursor.execute("DELETE FROM people")
            cursor.executemany("INSERT INTO people VALUES (%s, %s, %s, %s)", rows)
            shop.commit()

    def execute(self, statement: str) -> None:
        self.database.execute(statement)


def file_shop(path: Path) -> Shop:
    """Make an SQLite file with an empty table."""
    shop = FileShop(path)
    shop.execute(TABLE)
    return shop


def postgres_shop(server: PostgresServer, name: str) -> Shop:
    """Make a PostgreSQL database with an empty table, and its reader."""
    shop = PostgresShop(server.create_database(name), f"{name}_reader")
    shop.execute(
        f"{TABLE}; CREATE ROLE {shop.reader} LOGIN PASSWORD '{PASSWORD}';"
        f" GRANT SELECT ON people TO {shop.reader}"
    )
    return shop


def mariadb_shop(server: MariaDbServer, name: str) -> Shop:
    """Make a MariaDB database with an empty table, and its reader."""
    database = server.create_database(name)
    reader = f"{name}_reader"
    database.execute(
        TABLE,
        f"CREATE USER {reader}@'%' IDENTIFIED BY '{PASSWORD}'",
        f"GRANT SELECT ON {name}.* TO {reader}@'%'",
    )
    return MariaDbShop(database, reader)
