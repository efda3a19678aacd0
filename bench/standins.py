"""Warehouses that nobody can start at home: the stand-ins of the tests, with the measured people.

Each speaks its vendor's protocol to its vendor's driver, encrypted, from a process of its own. How
long it takes to answer says nothing of the warehouse.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from bench.databases import NAME, POSTGRES_COLUMNS, query
from bench.files import DUCKDB, TABLE
from bench.measure import WrongResult
from bench.project import ENV, LOGIN
from servers import bigquery, postgres, redshift, snowflake, sqlserver
from servers.room import Room

PEOPLE = query(TABLE)
PAGE_ROWS = 10_000  # what a Redshift of several nodes is asked for at once
REDSHIFT = (
    f"CREATE TABLE {TABLE} AS SELECT {POSTGRES_COLUMNS} FROM generate_series(1, {{rows}}) AS n",
    f"GRANT SELECT ON {TABLE} TO {{user}}",
    f"VACUUM ANALYZE {TABLE}",
)
SNOWFLAKE = f"""CREATE TABLE {TABLE} AS SELECT 'u' || n AS user_id,
    'user' || n || '@example.com' AS email, 'first' || n % 1000 AS first_name,
    DATEADD(second, n, '2024-01-01 00:00:00'::TIMESTAMP_NTZ) AS created_at,
    DATEADD(second, n * 7, '2024-06-01 00:00:00'::TIMESTAMP_NTZ) AS updated_at,
    'plan' || n % 4 AS plan, CAST(n / 7.0 AS NUMBER(12, 2)) AS ltv, n AS n, n % 2 = 0 AS flag,
    IFF(n % 7 <> 0, n / 3.0::FLOAT, NULL) AS score
    FROM (SELECT SEQ4() + 1 AS n FROM TABLE(GENERATOR(ROWCOUNT => {{rows}})))"""
BIGQUERY = f"""CREATE TABLE {NAME}.{TABLE} AS SELECT CONCAT('u', n) AS user_id,
    CONCAT('user', n, '@example.com') AS email, CONCAT('first', MOD(n, 1000)) AS first_name,
    TIMESTAMP_ADD(TIMESTAMP '2024-01-01 00:00:00+00', INTERVAL n SECOND) AS created_at,
    TIMESTAMP_ADD(TIMESTAMP '2024-06-01 00:00:00+00', INTERVAL n * 7 SECOND) AS updated_at,
    CONCAT('plan', MOD(n, 4)) AS plan, CAST(n / 7 AS NUMERIC) AS ltv, n AS n,
    MOD(n, 2) = 0 AS flag, IF(MOD(n, 7) <> 0, n / 3, NULL) AS score
    FROM UNNEST(GENERATE_ARRAY(1, {{rows}})) AS n"""


@dataclass(frozen=True, slots=True)
class StandIn:
    """A running stand-in, and the connection of a project that reads it."""

    keeper_pids: Sequence[int]
    connection: Mapping[str, Any]
    env: Mapping[str, str] = field(default_factory=dict)


def launch_redshift(room: Room, rows: int) -> StandIn:
    """Start PostgreSQL behind the proxy that speaks Redshift's start-up."""
    behind = room.once("postgresql", lambda folder: postgres.launch(room, folder))
    server = postgres.at_port(room, behind.port)
    proxy = room.once("redshift", lambda folder: redshift.launch(room, folder, server))
    database = redshift.RedshiftServer(proxy.port, server).create_database(ENV["READER_PASSWORD"])
    for statement in REDSHIFT:
        database.execute(statement.format(rows=rows, user=database.user))
    more = {"password": LOGIN["password"], "fetch_rows": PAGE_ROWS}
    connection = {"type": "redshift", **database.settings(**more)}
    keepers = (behind.keeper_pid, proxy.keeper_pid)
    return StandIn(keepers, connection, {"SSL_CERT_FILE": str(server.ca_file)})


def launch_snowflake(room: Room, rows: int, python: Path = snowflake.PYTHON) -> StandIn:
    """Start fakesnow, with the Python of its environment, behind Snowflake's protocol."""
    found = room.once("snowflake", lambda folder: snowflake.launch(room, folder, python))
    database = snowflake.reached(room, found).create_database(NAME.upper())
    database.execute(SNOWFLAKE.format(rows=rows))
    settings = {**database.settings, "private_key_passphrase": LOGIN["password"]}
    env = {"READER_PASSWORD": snowflake.PASSPHRASE}
    return StandIn([found.keeper_pid], {"type": "snowflake", **settings}, env)


def launch_bigquery(room: Room, rows: int) -> StandIn:
    """Start bqemulator behind Google's protocols."""
    found = room.once("bigquery", lambda folder: bigquery.launch(room, folder))
    server = bigquery.at_port(room, found)
    server.execute(f"CREATE SCHEMA {NAME}", BIGQUERY.format(rows=rows))
    settings = server.settings(NAME)
    key_file = server.folder / "key.json"
    key_file.write_text(settings.pop("keyfile_json"))
    connection = {"type": "bigquery", **settings, "keyfile": str(key_file)}
    return StandIn([found.keeper_pid], connection, {"REQUESTS_CA_BUNDLE": str(server.ca_file)})


def launch_sqlserver(room: Room, rows: int) -> StandIn:
    """Start a server that speaks TDS; it encodes the people once, as that takes it long."""
    found = room.once("sqlserver", lambda folder: sqlserver.launch(room, folder))
    server = sqlserver.at_port(room, found)
    database = sqlserver.TdsDatabase(server, NAME)
    server.ask("create", NAME)
    database.execute(DUCKDB.format(rows=rows))
    database.admit(LOGIN["user"], ENV["READER_PASSWORD"])
    server.ask("repeat", NAME, PEOPLE)
    place = {"host": "localhost", "port": server.port, "database": NAME}
    connection = {"type": "sqlserver", **place, **LOGIN, "ssl_ca": str(server.ca_file)}
    return StandIn([found.keeper_pid], connection, {"SSL_CERT_FILE": str(server.ca_file)})


@dataclass(frozen=True, slots=True)
class Driver:
    """A vendor's driver by its package, which is its name among our readers and `bench.readers`.

    `option` is what a project says to be read with it.
    """

    package: str
    option: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the package with its version."""
        return f"{self.package} {version(self.package)}"


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A warehouse by its name, how its stand-in is started, and the drivers that read it."""

    name: str
    launch: Callable[[Room, int], StandIn]
    drivers: Sequence[Driver]

    def start(self, room: Room, rows: int) -> StandIn:
        """Start it with so many people; raises WrongResult where its environment is missing."""
        try:
            return self.launch(room, rows)
        except pytest.UsageError as missing:
            raise WrongResult(str(missing)) from None


SQL_SERVER = [Driver(one, {"reader": one}) for one in ("mssql-python", "python-tds")]
WAREHOUSES = {
    "redshift": Warehouse("Redshift", launch_redshift, [Driver("redshift-connector")]),
    "snowflake": Warehouse("Snowflake", launch_snowflake, [Driver("snowflake-connector-python")]),
    "bigquery": Warehouse("BigQuery", launch_bigquery, [Driver("google-cloud-bigquery")]),
    "sqlserver": Warehouse("SQL Server", launch_sqlserver, SQL_SERVER),
}
