"""Fixtures: a server for the run, a database for the test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from servers import bigquery, mariadb, postgres, redshift, snowflake, sqlserver
from servers.room import Room, unique_name

ROOM = pytest.StashKey[Room]()
WORKER_INPUT = "rowlift_servers"


class Node(Protocol):
    """What pytest-xdist tells about a worker it is about to start."""

    config: pytest.Config
    workerinput: dict[str, object]


def pytest_configure(config: pytest.Config) -> None:
    given = getattr(config, "workerinput", {}).get(WORKER_INPUT)
    config.stash[ROOM] = Room(Path(given[0]), given[1]) if given else Room.open()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Node) -> None:
    room = node.config.stash[ROOM]
    node.workerinput[WORKER_INPUT] = (str(room.path), room.owner_pid)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and ROOM in config.stash:
        config.stash[ROOM].close()


@pytest.fixture(scope="session")
def server_room(pytestconfig: pytest.Config) -> Room:
    return pytestconfig.stash[ROOM]


@pytest.fixture(scope="session")
def postgres_server(server_room: Room) -> postgres.PostgresServer:
    found = server_room.once(
        "postgresql", lambda folder: postgres.launch(server_room, folder, quick_logins=True)
    )
    return postgres.at_port(server_room, found.port)


@pytest.fixture(scope="session")
def mariadb_server(server_room: Room) -> mariadb.MariaDbServer:
    found = server_room.once("mariadb", lambda folder: mariadb.launch(server_room, folder))
    return mariadb.at_port(server_room, found.port)


@pytest.fixture(scope="session")
def redshift_server(
    server_room: Room, postgres_server: postgres.PostgresServer
) -> redshift.RedshiftServer:
    found = server_room.once(
        "redshift", lambda folder: redshift.launch(server_room, folder, postgres_server)
    )
    return redshift.RedshiftServer(found.port, postgres_server)


@pytest.fixture(scope="session")
def snowflake_server(server_room: Room) -> snowflake.SnowflakeServer:
    found = server_room.once("snowflake", lambda folder: snowflake.launch(server_room, folder))
    return snowflake.reached(server_room, found)


@pytest.fixture(scope="session")
def tds_server(server_room: Room) -> sqlserver.TdsServer:
    found = server_room.once("sqlserver", lambda folder: sqlserver.launch(server_room, folder))
    return sqlserver.at_port(server_room, found)


@pytest.fixture(scope="session")
def bigquery_server(server_room: Room) -> bigquery.BigQueryServer:
    found = server_room.once("bigquery", lambda folder: bigquery.launch(server_room, folder))
    return bigquery.at_port(server_room, found)


@pytest.fixture
def postgres_database(
    postgres_server: postgres.PostgresServer,
) -> Iterator[postgres.PostgresDatabase]:
    """A fresh database, dropped after the test with whatever is still connected to it."""
    database = postgres_server.create_database(unique_name())
    yield database
    postgres_server.drop_database(database.name)


@pytest.fixture
def own_postgres(server_room: Room) -> Iterator[postgres.OwnServer]:
    """A server of the test's own, which nobody else uses."""
    server = postgres.OwnServer(server_room)
    yield server
    server.stop()


@pytest.fixture
def mariadb_database(mariadb_server: mariadb.MariaDbServer) -> Iterator[mariadb.MariaDbDatabase]:
    """A fresh database, dropped after the test."""
    database = mariadb_server.create_database(unique_name())
    yield database
    mariadb_server.stop_backends(database.name)
    mariadb_server.drop_database(database.name)


@pytest.fixture
def snowflake_database(
    snowflake_server: snowflake.SnowflakeServer,
) -> Iterator[snowflake.SnowflakeDatabase]:
    """A fresh database, whose sessions end with the test."""
    database = snowflake_server.create_database(unique_name().upper())
    yield database
    database.stop_backends()


@pytest.fixture
def tds_database(tds_server: sqlserver.TdsServer) -> Iterator[sqlserver.TdsDatabase]:
    """A fresh database, dropped after the test with whoever is still connected to it."""
    database = sqlserver.TdsDatabase(tds_server, unique_name())
    tds_server.ask("create", database.name)
    yield database
    tds_server.ask("drop", database.name)


@pytest.fixture
def bigquery_dataset(
    bigquery_server: bigquery.BigQueryServer,
) -> Iterator[bigquery.BigQueryDataset]:
    """A fresh dataset, dropped after the test."""
    dataset = bigquery.BigQueryDataset(bigquery_server, unique_name())
    dataset.execute("CREATE SCHEMA {here}")
    yield dataset
    dataset.forget()
    dataset.execute("DROP SCHEMA {here} CASCADE")


@pytest.fixture(params=["sqlite", "postgresql"])
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The SQLAlchemy URL of a fresh, empty state database: the test runs once on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    database: postgres.PostgresDatabase = request.getfixturevalue("postgres_database")
    return database.url
