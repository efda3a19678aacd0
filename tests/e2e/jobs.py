"""A project folder around a real PostgreSQL or MariaDB, read by a user who may only SELECT."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook

import doors.cli
from doors.cli import PROGRAM, CliResult, Running, clean_environment, run_cli, standing_cli
from e2e.shop import Shop
from rowlift.testing.sink import Received
from servers import MariaDbDatabase, MariaDbServer, PostgresDatabase, PostgresServer
from servers.room import unique_name

PASSWORD = "canary reader p@ss/w:rd %1?&=é"  # every character that a careless URL would break on
SECRET = "whsec_" + "Y2FuYXJ5LXNpZ25pbmctc2VjcmV0LW9mLXRoZS10ZXN0cw=="

POSTGRES_READER = """
CREATE ROLE {reader} LOGIN PASSWORD '{password}';
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {reader};
"""
MARIADB_READER = (
    "CREATE USER '{reader}'@'%' IDENTIFIED BY '{password}'",
    "GRANT SELECT ON `{database}`.* TO '{reader}'@'%'",
)


class Warehouse(Protocol):
    """A database with a reader; `kind` is the source's type, `mode` the key of its TLS mode."""

    kind: str
    reader: str

    def execute(self, *statements: str) -> None: ...

    def settings(self, **options: Any) -> dict[str, Any]: ...

    def stop_backends(self) -> int: ...


class PostgresWarehouse:
    """A PostgreSQL database."""

    kind = "postgres"

    def __init__(self, database: PostgresDatabase) -> None:
        self.database = database
        self.reader = f"reader_{database.name}"
        self.execute(POSTGRES_READER.format(reader=self.reader, password=PASSWORD))

    def execute(self, *statements: str) -> None:
        for statement in statements:
            self.database.execute(statement)

    def settings(self, **options: Any) -> dict[str, Any]:
        """The source's settings; an option that is None is left out."""
        server = self.database.server
        given = {
            "type": self.kind, "host": server.host, "port": server.port,
            "database": self.database.name, "user": self.reader, "password": PASSWORD,
            "sslmode": "verify-full", "sslrootcert": str(server.ca_file),
        }  # fmt: skip
        return {name: one for name, one in (given | options).items() if one is not None}

    def stop_backends(self) -> int:
        return self.database.server.stop_backends(self.database.name)

    def drop(self) -> None:
        self.execute(f"DROP OWNED BY {self.reader} CASCADE; DROP ROLE {self.reader}")
        self.database.server.drop_database(self.database.name)


class MariaDbWarehouse:
    """A MariaDB database."""

    kind = "mysql"

    def __init__(self, database: MariaDbDatabase) -> None:
        self.database = database
        self.reader = f"reader_{database.name}"
        names = {"reader": self.reader, "password": PASSWORD, "database": database.name}
        self.execute(*(statement.format(**names) for statement in MARIADB_READER))

    def execute(self, *statements: str) -> None:
        self.database.execute(*statements)

    def settings(self, **options: Any) -> dict[str, Any]:
        """The source's settings; an option that is None is left out."""
        server = self.database.server
        given = {
            "type": self.kind, "host": server.host, "port": server.port,
            "database": self.database.name, "user": self.reader, "password": PASSWORD,
            "ssl_mode": "VERIFY_IDENTITY", "ssl_ca": str(server.ca_file),
        }  # fmt: skip
        return {name: one for name, one in (given | options).items() if one is not None}

    def stop_backends(self) -> int:
        return self.database.server.stop_backends(self.database.name)

    def drop(self) -> None:
        self.stop_backends()
        self.execute(f"DROP USER '{self.reader}'@'%'")
        self.database.server.drop_database(self.database.name)


@contextmanager
def postgres_warehouse(server: PostgresServer) -> Iterator[PostgresWarehouse]:
    """A fresh database with a reader, gone afterwards."""
    warehouse = PostgresWarehouse(server.create_database(unique_name()))
    yield warehouse
    warehouse.drop()


@contextmanager
def mariadb_warehouse(server: MariaDbServer) -> Iterator[MariaDbWarehouse]:
    """A fresh database with a reader, gone afterwards."""
    warehouse = MariaDbWarehouse(server.create_database(unique_name()))
    yield warehouse
    warehouse.drop()


class Job(Shop):
    """A project whose warehouse is a real server; `env` holds its secrets and its state's URL."""

    def __init__(
        self, folder: Path, warehouse: Warehouse, env: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.warehouse = warehouse
        self.env = dict(env or {})
        self.settings: dict[str, Any] = {"name": "shop"}
        self.destinations: dict[str, Any] = {}
        self.cli = partial(run_cli, cwd=folder, env=self.env)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "password").write_text(PASSWORD)
        self.sources: dict[str, Any] = {"warehouse": self.settings_of()}
        self.save()

    def settings_of(self, **options: Any) -> dict[str, Any]:
        """The source's settings; its password stands in a file of its own."""
        password = f"${{file:{self.folder / 'password'}}}"
        return self.warehouse.settings(**{"password": password} | options)

    def sql(self, *statements: str) -> None:
        self.warehouse.execute(*statements)

    def source(self, **options: Any) -> None:
        """Declare the source anew with other settings."""
        self.sources["warehouse"] = self.settings_of(**options)
        self.save()

    def imported(
        self, sql: str, *to: str | Mapping[str, Any], name: str = "people", **keys: Any
    ) -> str:
        """Write a sync of preset import that identifies by id."""
        return self.sync(name, sql, *to, **{"preset": "import", "identify_by": "id"} | keys)

    def signed(self, url: str, name: str = "hook", **keys: Any) -> str:
        """Declare a webhook that signs with SECRET."""
        return self.webhook(url, name, secret=SECRET, **keys)

    def run(self, name: str = "people", *words: str, code: int = 0) -> dict[str, Any]:
        """Run a sync and return its report."""
        return ran(self.cli("run", name, *words, "-o", "json"), code)

    def stored(self, table: str = "people") -> list[dict[str, Any]]:
        """Every row of a table of the state database."""
        url = self.env.get("ROWLIFT_STATE_URL") or f"sqlite:///{self.folder}/.rowlift/state.db"
        engine = sa.create_engine(url)
        try:
            with engine.connect() as connection:
                found = connection.execute(sa.text(f"SELECT * FROM {table}"))
                return [dict(row) for row in found.mappings()]
        finally:
            engine.dispose()

    def people(self) -> dict[str, dict[str, Any]]:
        return {
            row["id"] or row["email"]: json.loads(row["attributes"])
            | ({"email": row["email"]} if row["email"] else {})
            for row in self.stored()
        }

    def untouched(self) -> dict[str, Any]:
        """What a stopped run must leave as it was: people, images, ledgers, last sync times."""
        return {name: self.stored(name) for name in ("people", "images", "ledgers", "sync_state")}

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start the program and leave it running."""
        return subprocess.Popen(
            [PROGRAM, *words], cwd=self.folder, text=True,
            env=clean_environment(self.folder, self.env),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def standing(self, point: str, *words: str) -> AbstractContextManager[Running]:
        """A program that stopped itself, alive, at a named point; `ended` lets it go on."""
        return standing_cli(*words, point=f"{point}:1", cwd=self.folder, env=self.env)


def staged(job: Job) -> list[Path]:
    """The files of rows that were read and not judged yet, whole or not."""
    return list((job.folder / ".rowlift").rglob("*stage-*"))


def staged_rows(job: Job, running: "subprocess.Popen[str]") -> None:
    """Wait until a run has rows on the disk: the query is in the middle of its result."""
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > 100_000 for path in staged(job)):
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ran(done: CliResult, code: int = 0) -> dict[str, Any]:
    """The report of the one run of `run NAME -o json`."""
    assert done.code == code, done.stdout + done.stderr
    (report,) = done.json["runs"]
    return dict(report)


def ended(running: Running, *sent: signal.Signals) -> CliResult:
    """Signal a program that stands still, let it go on and wait for its end."""
    # A program that runs already takes no notice of the last.
    return doors.cli.ended(running, *sent, signal.SIGCONT)


def verified(request: Received, secret: str = SECRET) -> Any:
    """The payload of a webhook request, its signature checked by another implementation."""
    return Webhook(secret).verify(request.body, dict(request.headers))


@pytest.fixture
def postgres_job(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Job]:
    """A project on PostgreSQL, in the folder where `cli` works."""
    with postgres_warehouse(postgres_server) as warehouse:
        yield Job(tmp_path, warehouse)


@pytest.fixture
def mariadb_job(tmp_path: Path, mariadb_server: MariaDbServer) -> Iterator[Job]:
    """A project on MariaDB, in the folder where `cli` works."""
    with mariadb_warehouse(mariadb_server) as warehouse:
        yield Job(tmp_path, warehouse)


@pytest.fixture(params=["postgres_job", "mariadb_job"])
def job(request: pytest.FixtureRequest) -> Job:
    """The same project on each of the two."""
    found: Job = request.getfixturevalue(request.param)
    return found
