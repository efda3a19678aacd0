"""A small shop on a real PostgreSQL, with a reader who may only SELECT, for tests of the source."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest

from rowlift.core.errors import SourceError
from rowlift.core.rules import RULES
from rowlift.sources.postgres import Postgres, PostgresConfig
from servers.postgres import PostgresDatabase

CANARY = "canary p@ss/w:rd %1?&='\\é"
READERS = ["copy", "adbc"]

SETUP = """
CREATE SCHEMA app; CREATE SCHEMA "Other Schema"; CREATE SCHEMA locked;
CREATE TABLE app.people (id int PRIMARY KEY, name text, price numeric(10,2));
INSERT INTO app.people SELECT i, 'name ' || i, i / 4.0 FROM generate_series(1, 100) i;
CREATE VIEW app.adults AS SELECT id, name FROM app.people;
CREATE MATERIALIZED VIEW app.totals AS SELECT count(*) AS n FROM app.people;
CREATE TABLE app.parted (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE app.secret (id int, salary int);
CREATE TABLE "Other Schema"."Odd ""Table" (id int);
CREATE TABLE locked.safe (id int);
CREATE SEQUENCE app.numbers;
CREATE FUNCTION app.write_as_owner() RETURNS int LANGUAGE sql SECURITY DEFINER
    AS 'DELETE FROM app.people RETURNING 1';
CREATE FUNCTION app.write_as_caller() RETURNS int LANGUAGE sql
    AS 'INSERT INTO app.people (id) VALUES (999) RETURNING 1';
CREATE PROCEDURE app.wipe() LANGUAGE sql AS 'DELETE FROM app.people';
ANALYZE;
CREATE ROLE {reader} LOGIN PASSWORD '{password}';
GRANT USAGE ON SCHEMA app, "Other Schema" TO {reader};
GRANT SELECT ON app.people, app.adults, app.totals, app.parted TO {reader};
GRANT USAGE, SELECT ON app.numbers TO {reader};
"""


@dataclass
class Shop:
    """A database with a reader who may only SELECT, and sources that are closed at the end."""

    database: PostgresDatabase
    reader: str
    sources: list[Postgres]

    def config(self, **options: Any) -> PostgresConfig:
        server = self.database.server
        given = {
            "host": server.host,
            "port": server.port,
            "database": self.database.name,
            "user": self.reader,
            "password": CANARY,
            "sslrootcert": str(server.ca_file),
        }
        return PostgresConfig(**(given | options))

    def source(self, **options: Any) -> Postgres:
        self.sources.append(Postgres(self.config(**options)))
        return self.sources[-1]

    def admin_source(self, **options: Any) -> Postgres:
        server = self.database.server
        return self.source(user=server.user, password=server.password, **options)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.database.connect() as admin:
            return admin.execute(sql.encode()).fetchall()


@pytest.fixture
def shop(postgres_database: PostgresDatabase) -> Iterator[Shop]:
    reader = f"reader_{postgres_database.name}"
    password = CANARY.replace("'", "''")
    postgres_database.execute(SETUP.format(reader=reader, password=password))
    shop = Shop(postgres_database, reader, [])
    yield shop
    for source in shop.sources:
        source.close()
    postgres_database.execute(f"DROP OWNED BY {reader} CASCADE; DROP ROLE {reader}")


def refusal(action: Callable[[], Any]) -> SourceError:
    """The error of an action, after a look for what no error may show or lack."""
    with pytest.raises(SourceError) as refused:
        action()
    error = refused.value
    assert CANARY not in f"{error} {error.mend} {error.examples}"
    assert error.code in RULES
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    return error


def read(source: Postgres, sql: str, limit: int | None = None) -> pa.Table:
    return source.query(sql, limit=limit).read_all()
