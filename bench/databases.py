"""The measured databases: tables of people, how to change some, and how fast they can be read."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.project import LOGIN
from servers import mariadb, postgres
from servers.room import Launched, Room, program

NAME = "bench"
COLUMNS = "user_id, email, first_name, created_at, updated_at, plan, ltv, n, flag, score"
POSTGRES_COLUMNS = """'u' || n AS user_id, 'user' || n || '@example.com' AS email,
    'first' || n % 1000 AS first_name,
    timestamptz '2024-01-01 00:00:00+00' + n * interval '1 second' AS created_at,
    timestamptz '2024-06-01 00:00:00+00' + n * interval '7 seconds' AS updated_at,
    'plan' || n % 4 AS plan, (n / 7.0)::numeric(12, 2) AS ltv, n AS n, n % 2 = 0 AS flag,
    CASE WHEN n % 7 <> 0 THEN n / 3.0::float8 END AS score"""
POSTGRES_SEED = """
CREATE TABLE {table} WITH (autovacuum_enabled = off) AS
SELECT {columns} FROM generate_series(1, {rows}) AS n;
GRANT SELECT ON {table} TO reader;
"""
POSTGRES_READER = "CREATE ROLE reader LOGIN PASSWORD 'reader'"
MARIADB_COLUMNS = """concat('u', seq) AS user_id, concat('user', seq, '@example.com') AS email,
    concat('first', seq % 1000) AS first_name,
    timestampadd(SECOND, seq, '2024-01-01 00:00:00') AS created_at,
    timestampadd(SECOND, seq * 7, '2024-06-01 00:00:00') AS updated_at,
    concat('plan', seq % 4) AS plan, seq / 7 AS ltv, seq AS n, seq % 2 = 0 AS flag,
    if(seq % 7 <> 0, seq / 3e0, NULL) AS score"""
MARIADB_SEED = (
    """CREATE TABLE {table} (user_id varchar(20) NOT NULL, email varchar(60) NOT NULL,
    first_name varchar(20), created_at datetime, updated_at datetime, plan varchar(20),
    ltv decimal(12, 2), n int PRIMARY KEY, flag tinyint(1), score double)""",
    "INSERT INTO {table} SELECT {columns} FROM seq_1_to_{rows}",
    "ANALYZE TABLE {table}",
)
MARIADB_READER = (
    "CREATE USER reader@'%' IDENTIFIED BY 'reader'",
    f"GRANT SELECT ON {NAME}.* TO reader@'%'",
)
CHANGE = "UPDATE {table} SET score = coalesce(score, 0) + 1 WHERE n % 100 < {percent}"


def query(table: str, columns: int = 10) -> str:
    """Return the query of all rows of a table."""
    return f"SELECT {COLUMNS}{''.join(f', {name}' for name in extra(columns))} FROM {table}"


def table_of(sql: str) -> str:
    """Return the one table of a query made here."""
    return sql.rpartition(" ")[2]


def extra(columns: int) -> list[str]:
    """Return the names of the columns of a wide table beyond the first ten."""
    return [f"c{at}" for at in range(10, columns)]


@dataclass(slots=True)
class PostgreSQL:
    """The tables in a PostgreSQL; autovacuum is off, so that it falls into no measurement."""

    server: postgres.PostgresServer
    keeper_pid: int
    kind: str = "postgresql"
    fast: str = "adbc"
    plain: str = "copy"
    made: set[str] = field(default_factory=set)

    @classmethod
    def launch(cls, room: Room) -> "PostgreSQL":
        """Start the server in the room, or find it there."""
        found = room.once("postgresql", lambda folder: postgres.launch(room, folder))
        one = cls(postgres.at_port(room, found.port), found.keeper_pid)
        one.server.create_database(NAME)
        one.execute(POSTGRES_READER)
        return one

    def execute(self, *statements: str) -> None:
        """Run statements, each by itself."""
        with self.server.connect(NAME) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    @property
    def source(self) -> Mapping[str, Any]:
        """The connection of a project."""
        place = {"host": self.server.host, "port": self.server.port, "database": NAME}
        return {"type": "postgres", **place, **LOGIN, "sslmode": "disable"}

    def people(self, rows: int, columns: int = 10) -> str:
        """Make the table unless there is one, and return the query of all its rows."""
        table = f"people_{rows}_{columns}"
        if table not in self.made:
            more = "".join(
                f", left(md5(n::text || '{name}'), 12) AS {name}" for name in extra(columns)
            )
            seed = POSTGRES_SEED.format(table=table, columns=POSTGRES_COLUMNS + more, rows=rows)
            self.execute(seed, f"VACUUM ANALYZE {table}", "CHECKPOINT")
            self.made.add(table)
        return query(table, columns)

    def change(self, sql: str, percent: int) -> None:
        """Change this share of a table's rows, one column of each."""
        table = table_of(sql)
        self.execute(CHANGE.format(table=table, percent=percent), f"VACUUM {table}", "CHECKPOINT")

    def floor(self, sql: str) -> Sequence[str]:
        """Return the command of the database's own client that reads a query, nothing more."""
        places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        psql = program("psql", places, postgres.PACKAGE)
        url = self.server.dsn(NAME, sslmode="disable")
        return [str(psql), "-X", "-q", "-d", url, "-c", f"COPY ({sql}) TO STDOUT (FORMAT binary)"]

    def version(self) -> str:
        """Return the server's name and version."""
        with self.server.connect() as connection:
            row = connection.execute("SHOW server_version").fetchone()
        return f"PostgreSQL {str(row[0]).split()[0]}" if row else "PostgreSQL"

    def state(self, name: str) -> str:
        """Make an empty database for state and return its SQLAlchemy URL."""
        self.server.drop_database(name)
        return f"{self.server.create_database(name).url}?sslmode=disable"


@dataclass(slots=True)
class MariaDB:
    """The same tables in a MariaDB."""

    server: mariadb.MariaDbServer
    keeper_pid: int
    kind: str = "mariadb"
    fast: str = "connectorx"
    plain: str = "pymysql"
    made: set[str] = field(default_factory=set)

    @classmethod
    def launch(cls, room: Room) -> "MariaDB":
        """Start the server in the room, or find it there."""
        found: Launched = room.once("mariadb", lambda folder: mariadb.launch(room, folder))
        one = cls(mariadb.at_port(room, found.port), found.keeper_pid)
        one.server.create_database(NAME).execute(*MARIADB_READER)
        return one

    def execute(self, *statements: str) -> None:
        """Run statements, each by itself."""
        mariadb.MariaDbDatabase(self.server, NAME).execute(*statements)

    @property
    def source(self) -> Mapping[str, Any]:
        place = {"host": self.server.host, "port": self.server.port, "database": NAME}
        return {"type": "mysql", **place, **LOGIN, "ssl_mode": "DISABLED"}

    def people(self, rows: int, columns: int = 10) -> str:
        """Make the table unless there is one, and return the query of all its rows."""
        if extra(columns):
            raise ValueError("wide tables are measured in PostgreSQL")
        table = f"people_{rows}"
        if table not in self.made:
            values = {"table": table, "columns": MARIADB_COLUMNS, "rows": rows}
            self.execute(*(statement.format(**values) for statement in MARIADB_SEED))
            self.made.add(table)
        return query(table)

    def floor(self, sql: str) -> Sequence[str]:
        client = program("mariadb", mariadb.PLACES, mariadb.PACKAGE)
        server = self.server
        login = [f"--host={server.host}", f"--port={server.port}", "--user=reader"]
        options = ["--no-defaults", "--quick", "--batch", "--skip-ssl", "--password=reader"]
        return [str(client), *options, *login, f"--execute={sql}", NAME]

    def version(self) -> str:
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT version()")
            row: Any = cursor.fetchone()
        return f"MariaDB {re.split('[-+]', str(row[0]))[0]}"


LAUNCHES: Mapping[str, Callable[[Room], "PostgreSQL | MariaDB"]] = {
    "postgresql": PostgreSQL.launch,
    "mariadb": MariaDB.launch,
}
