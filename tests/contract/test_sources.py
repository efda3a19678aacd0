"""Every source keeps the contract of `rowlift.testing.sources.SourceSuite`."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import duckdb
import pytest

from documented import since
from rowlift.core.ports import Source
from rowlift.operations.probes import LITERALS
from rowlift.sources.duckdb import DuckDB, DuckDBConfig
from rowlift.sources.files import Files, FilesConfig
from rowlift.sources.sqlite import SQLite, SQLiteConfig
from rowlift.testing.extractions import NetworkSourceSuite, Origin
from rowlift.testing.sources import SourceSuite
from rowlift.testing.values import VALUES, Value, without
from servers import MariaDbDatabase, PostgresDatabase, SnowflakeDatabase, SnowflakeServer
from servers.room import unique_name

PEOPLE = "CREATE TABLE people AS FROM (VALUES (1, 'Ada'), (2, ''), (3, NULL)) AS v(id, name)"
ROWS = "INSERT INTO people VALUES (1, 'Ada'), (2, ''), (3, NULL)"
SECONDS = 60  # no test waits longer, should a query not stop
PASSWORD = "s3cret:/@ %41'x"
BIG_DECIMALS = [value for value in VALUES if value.value_type == "decimal" and not value.scale]
LEAST_HUGEINT = "-170141183460469231731687303715884105728"


class DuckSuite(SourceSuite):
    since = since("duckdb")
    values = (
        *VALUES,
        Value("int", "18446744073709551615", "18446744073709551615::UBIGINT"),
        Value("int", LEAST_HUGEINT, f"CAST('{LEAST_HUGEINT}' AS HUGEINT)"),
    )
    literals = LITERALS["duckdb"]
    big = "SELECT i AS id, repeat('x', 200) AS name FROM range(200000) AS r(i)"
    late_error = (
        "SELECT CAST(CASE WHEN i = 150000 THEN 'x' ELSE '1' END AS INTEGER) AS id, "
        "repeat('x', 200) AS name FROM range(200000) AS r(i)"
    )
    endless = "SELECT count(*) AS n FROM range(1000000000) AS a, range(1000000000) AS b"


class TestDuckDB(DuckSuite):
    @pytest.fixture
    def source(self, tmp_path: Path) -> Iterator[Source]:
        with duckdb.connect(tmp_path / "shop.duckdb") as connection:
            connection.execute(PEOPLE)
        with closing(
            DuckDB(DuckDBConfig(path=str(tmp_path / "shop.duckdb"), statement_timeout=SECONDS))
        ) as source:
            yield source


class TestParquetFiles(DuckSuite):
    @pytest.fixture
    def source(self, tmp_path: Path) -> Iterator[Source]:
        with duckdb.connect() as connection:
            connection.execute(PEOPLE)
            connection.execute(f"COPY people TO '{tmp_path}/people.parquet'")
        with closing(Files(FilesConfig(root=str(tmp_path), statement_timeout=SECONDS))) as source:
            yield source


class TestCsvFiles(DuckSuite):
    @pytest.fixture
    def source(self, tmp_path: Path) -> Iterator[Source]:
        (tmp_path / "people.csv").write_text('id,name\n1,Ada\n2,""\n3,\n')
        with closing(Files(FilesConfig(root=str(tmp_path), statement_timeout=SECONDS))) as source:
            yield source


class TestSQLite(SourceSuite):
    since = since("sqlite")
    values = without("bool", "decimal", "date", "time", "timestamp", "timestamptz", "json")
    literals: ClassVar = {**LITERALS["sqlite"], "timestamp": "datetime('{}')"}
    big = (
        "WITH RECURSIVE r(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM r LIMIT 200000) "
        "SELECT i AS id, printf('%.200c', 'x') AS name FROM r"
    )
    late_error = (
        "WITH RECURSIVE r(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM r LIMIT 200000) "
        "SELECT json(CASE WHEN i = 150000 THEN 'x' ELSE '1' END) AS id, "
        "printf('%.200c', 'x') AS name FROM r"
    )
    good_rows = range(1)  # a pass over the rows, which tells their types, meets it before
    endless = (
        "WITH RECURSIVE r(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM r) "
        "SELECT count(*) AS n FROM r"
    )

    @pytest.fixture
    def source(self, tmp_path: Path) -> Iterator[Source]:
        with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
            connection.execute("CREATE TABLE people (id integer, name text)")
            connection.execute(ROWS)
        config = SQLiteConfig(path=str(tmp_path / "shop.db"), statement_timeout=SECONDS)
        with closing(SQLite(config)) as source:
            yield source


class PostgresSuite(NetworkSourceSuite):
    since = since("postgres")
    reader: ClassVar[str]
    secrets = (PASSWORD,)
    values = (
        *VALUES,
        Value("float", "Infinity", "'Infinity'::float8"),
        Value("text", "a", "'a'::char(5)::text"),
    )
    literals = LITERALS["postgres"]
    big = "SELECT i AS id, repeat('x', 200) AS name FROM generate_series(0, 199999) AS g(i)"
    late_error = (
        "SELECT 1 / (150000 - i) AS id, repeat('x', 200) AS name "
        "FROM generate_series(0, 199999) AS g(i)"
    )
    endless = (
        "SELECT count(*) AS n FROM generate_series(1, 30000) AS a, generate_series(1, 30000) AS b, "
        "generate_series(1, 30000) AS c"
    )

    @pytest.fixture
    def origin(self, postgres_database: PostgresDatabase) -> Iterator[Origin]:
        database, user = postgres_database, f"{postgres_database.name}_reader"
        password = PASSWORD.replace("'", "''")
        database.execute(
            f"CREATE ROLE {user} LOGIN PASSWORD '{password}';"
            f"CREATE TABLE people (id int, name text); {ROWS};"
            f"GRANT SELECT ON people TO {user}"
        )
        settings = {
            "host": database.server.host,
            "port": database.server.port,
            "database": database.name,
            "user": user,
            "password": PASSWORD,
            "sslrootcert": str(database.server.ca_file),
            "reader": self.reader,
        }
        running = f"SELECT 1 FROM pg_stat_activity WHERE usename = '{user}' AND state = 'active'"

        def count() -> int:
            with database.connect() as admin:
                return len(admin.execute(running.encode()).fetchall())

        yield Origin(
            "postgres", settings, lambda: database.server.stop_backends(database.name), count
        )
        database.execute(f"DROP OWNED BY {user}; DROP ROLE {user}")


class TestPostgresCopy(PostgresSuite):
    reader = "copy"
    driver = "psycopg"


class TestPostgresAdbc(PostgresSuite):
    reader = "adbc"
    driver = "adbc_driver_postgresql"
    streams = False


class MySQLSuite(NetworkSourceSuite):
    since = since("mysql")
    lacks = ("timeout", "login", "types")
    reader: ClassVar[str]
    secrets = (PASSWORD,)
    values = without("bool", "timestamptz", "json")  # types of columns, not of expressions
    literals = LITERALS["mysql"]
    big = "SELECT seq AS id, REPEAT('x', 200) AS name FROM seq_0_to_199999"
    late_error = "SELECT POW(seq, 59.5) AS id, REPEAT('x', 200) AS name FROM seq_0_to_199999"
    endless = (
        "SELECT COUNT(*) AS n FROM seq_0_to_199999 AS a, seq_0_to_199999 AS b, seq_0_to_199999 AS c"
    )

    def escaped(self, text: str) -> str:
        return super().escaped(text).replace("\\", "\\\\")

    @pytest.fixture
    def origin(self, mariadb_database: MariaDbDatabase) -> Iterator[Origin]:
        database, user = mariadb_database, f"{mariadb_database.name}_r"
        password = PASSWORD.replace("'", "''")
        database.execute(
            "CREATE TABLE people (id int, name varchar(20))",
            ROWS,
            f"CREATE USER {user} IDENTIFIED BY '{password}'",
            f"GRANT SELECT ON {database.name}.* TO {user}",
        )
        settings = {
            "host": database.server.host,
            "port": database.server.port,
            "database": database.name,
            "user": user,
            "password": PASSWORD,
            "ssl_mode": "VERIFY_IDENTITY",
            "ssl_ca": str(database.server.ca_file),
            "reader": self.reader,
        }
        running = "SELECT 1 FROM information_schema.processlist WHERE user = %s AND info <> ''"

        def count() -> int:
            with database.connect() as admin, admin.cursor() as cursor:
                return cursor.execute(running, [user])

        yield Origin("mysql", settings, lambda: database.server.stop_backends(database.name), count)
        database.execute(f"DROP USER {user}")


class TestMySQLPyMySQL(MySQLSuite):
    reader = "pymysql"
    driver = "pymysql"


class TestMySQLConnectorX(MySQLSuite):
    reader = "connectorx"
    driver = "connectorx.cpython"
    streams = False


@pytest.fixture(scope="module")
def snowflake_people(snowflake_server: SnowflakeServer) -> SnowflakeDatabase:
    """One for all, since the reader cannot write."""
    database = snowflake_server.create_database(unique_name().upper())
    database.execute("CREATE TABLE people (id INT, name VARCHAR(20))", ROWS)
    return database


class TestSnowflake(NetworkSourceSuite):
    since = since("snowflake")
    driver = "snowflake.connector"
    lacks = ("service", "grants", "session", "storage", "login")
    secrets = ("canary",)
    values = (
        *(value for value in VALUES if value not in BIG_DECIMALS),
        *(Value("int", value.text) for value in BIG_DECIMALS),
    )
    literals = LITERALS["snowflake"]
    user_id = '"user_id"'
    streams = False
    big = "SELECT SEQ4() AS id, REPEAT('x', 200) AS name FROM TABLE(GENERATOR(ROWCOUNT => 200000))"
    late_error = (
        "SELECT CASE WHEN SEQ4() = 150000 THEN 'x' ELSE '1' END::INT AS id, "
        "REPEAT('x', 200) AS name FROM TABLE(GENERATOR(ROWCOUNT => 200000))"
    )
    good_rows = range(1)  # the whole result is made before its first row is given
    endless = (
        "SELECT COUNT(*) AS n FROM TABLE(GENERATOR(ROWCOUNT => 1000000)) AS a, "
        "TABLE(GENERATOR(ROWCOUNT => 1000000)) AS b, TABLE(GENERATOR(ROWCOUNT => 1000000)) AS c"
    )

    def escaped(self, text: str) -> str:
        return super().escaped(text).replace("\\", "\\\\")

    def folded(self, name: str) -> str:
        return name.upper()

    @pytest.fixture
    def origin(self, snowflake_people: SnowflakeDatabase) -> Origin:
        database = snowflake_people
        return Origin("snowflake", database.settings, database.stop_backends, database.running)
