"""The whole corpus through every source in one run each: no run is lost for one row."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

import rowlift
from corpus.tables import NAME, Hostile, arrived, write_project
from e2e.jobs import mariadb_warehouse, postgres_warehouse
from rowlift.core.nouns import Status
from rowlift.core.rules import RULES
from rowlift.testing.clock import QuickClock
from servers import MariaDbServer, PostgresDatabase, PostgresServer, RedshiftServer

SOURCES = ["postgres", "redshift", "mysql", "duckdb", "sqlite", "csv", "parquet"]


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[Mapping[str, Any]]:
    with postgres_warehouse(postgres_server) as warehouse:
        fill(warehouse.database, Hostile.of("postgres"))
        yield warehouse.settings()


@pytest.fixture
def redshift(redshift_server: RedshiftServer) -> Iterator[Mapping[str, Any]]:
    with redshift_server.database("s3cret") as database:
        fill(database.plain, Hostile.of("redshift"))
        database.execute(f"GRANT SELECT ON {NAME} TO {database.user}")
        yield {"type": "redshift", **database.settings()}


def fill(database: PostgresDatabase, hostile: Hostile) -> None:
    with database.connect() as connection:
        connection.execute(hostile.create("text").encode())
        for statement, values in hostile.inserts("%s"):
            connection.execute(statement.encode(), values)
        connection.commit()


@pytest.fixture
def mysql(mariadb_server: MariaDbServer) -> Iterator[Mapping[str, Any]]:
    with mariadb_warehouse(mariadb_server) as warehouse:
        hostile = Hostile.of("mysql")
        with warehouse.database.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET sql_mode = ''")
            cursor.execute(hostile.create("longtext CHARACTER SET utf8mb4"))
            for statement, values in hostile.inserts("%s"):
                cursor.execute(statement, values)
            connection.commit()
        yield warehouse.settings()


@pytest.fixture
def duckdb_(tmp_path: Path) -> Mapping[str, Any]:
    hostile = Hostile.of("duckdb")
    with duckdb.connect(tmp_path / "hostile.duckdb") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(hostile.create("VARCHAR"))
        for statement, values in hostile.inserts():
            connection.execute(statement, values)
    return {"type": "duckdb", "path": "hostile.duckdb"}


@pytest.fixture
def sqlite(tmp_path: Path) -> Mapping[str, Any]:
    hostile = Hostile.of("sqlite")
    with closing(sqlite3.connect(tmp_path / "hostile.db")) as connection:
        connection.execute(hostile.create("TEXT"))
        for statement, values in hostile.inserts():
            connection.execute(statement, values)
        connection.commit()
    return {"type": "sqlite", "path": "hostile.db"}


@pytest.fixture
def csv(tmp_path: Path) -> Mapping[str, Any]:
    (tmp_path / "data").mkdir()
    Hostile.of("csv").to_csv(tmp_path / "data" / f"{NAME}.csv")
    return {"type": "files", "root": "data"}


@pytest.fixture
def parquet(tmp_path: Path) -> Mapping[str, Any]:
    (tmp_path / "data").mkdir()
    Hostile.of("parquet").to_parquet(tmp_path / "data" / f"{NAME}.parquet")
    return {"type": "files", "root": "data"}


@pytest.mark.parametrize("engine", SOURCES)
def test_T8_every_hostile_row_ends_as_the_corpus_says(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    settings = request.getfixturevalue("duckdb_" if engine == "duckdb" else engine)
    hostile = Hostile.of(engine)
    expected = hostile.outcomes()
    refused = Counter(one for one in expected.values() if isinstance(one, str))
    write_project(tmp_path, settings)
    with rowlift.Project(tmp_path, clock=QuickClock(), env={}) as opened:
        (first,) = opened.run([NAME])
        rejects = list(opened.rejects(first.id))
        (again,) = opened.run([NAME])
    assert first.status == Status.SOME_ROWS_FAILED
    assert first.counts["read"] == len(hostile.rows)
    assert first.counts["rejected"] == refused.total()
    # MariaDB keeps no order inside parentheses where blobs are, so a row's own number comes first.
    numbers = {row.sample.name: number for number, row in enumerate(hostile.rows, 1)}
    came = {numbers.get(row["identifier"], row["row_number"]): row["code"] for row in rejects}
    came |= arrived(tmp_path)
    wrong = {
        f"{row.sample.file} {row.sample.name}": (came.get(number), expected[number])
        for number, row in enumerate(hostile.rows, 1)
        if came.get(number) != expected[number]
    }
    assert wrong == {}
    assert all(row["reason"] and row["code"] in RULES for row in rejects)
    assert again.counts["rejected"] == refused.total()
    assert again.deliveries[0].counts.get("sent", 0) == 0
