"""PostgreSQL dressed as Redshift: a proxy in front, and in the database what only Redshift has.

What this cannot show stands in docs/warehouses.md.
"""

import contextlib
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from servers.postgres import GROUP_OF_OLD_PASSWORDS, PostgresDatabase, PostgresServer
from servers.room import Launched, Room, free_port, unique_name, wait_until_ready

PROXY = Path(__file__).with_name("redshift_proxy.py")

# Strings take a backslash as an escape, as they do in Redshift.
DRESS = """
CREATE SCHEMA redshift;
CREATE FUNCTION redshift.getdate() RETURNS timestamp LANGUAGE sql
    AS 'SELECT date_trunc(''second'', clock_timestamp() AT TIME ZONE ''UTC'')';
CREATE FUNCTION redshift.json_parse(text) RETURNS json LANGUAGE sql AS 'SELECT $1::json';
CREATE FUNCTION redshift.to_varbyte(text, text) RETURNS bytea LANGUAGE sql
    AS 'SELECT decode($1, $2)';
CREATE VIEW redshift.svv_columns AS SELECT * FROM information_schema.columns;
GRANT USAGE ON SCHEMA redshift TO PUBLIC;
GRANT SELECT ON redshift.svv_columns TO PUBLIC;
ALTER DATABASE {database} SET search_path = "$user", public, redshift;
ALTER DATABASE {database} SET standard_conforming_strings = off;
ALTER DATABASE {database} SET escape_string_warning = off;
"""
# The driver does not get along with PostgreSQL's newer passwords.
USER = f"""
SET password_encryption = 'md5';
CREATE ROLE {{user}} LOGIN PASSWORD '{{password}}' IN ROLE {GROUP_OF_OLD_PASSWORDS};
"""


@dataclass(frozen=True, slots=True)
class RedshiftServer:
    """Its certificate is for localhost and 127.0.0.1; it also answers at `wrong_host`."""

    port: int
    postgres: PostgresServer
    host: str = "127.0.0.1"
    wrong_host: str = "127.0.0.2"

    @property
    def ca_file(self) -> Path:
        return self.postgres.ca_file

    @contextlib.contextmanager
    def database(self, password: str) -> Iterator["RedshiftDatabase"]:
        """A fresh database in its dress, with a user without rights; both are gone afterwards.

        In the meantime this process trusts the server's authority as it does the system's.
        """
        database = self.create_database(password)
        with pytest.MonkeyPatch.context() as changed:
            changed.setenv("SSL_CERT_FILE", str(self.ca_file))
            yield database
        database.stop_backends()
        database.execute(f"DROP OWNED BY {database.user} CASCADE; DROP ROLE {database.user}")
        self.postgres.drop_database(database.plain.name)

    def create_database(self, password: str) -> "RedshiftDatabase":
        plain = self.postgres.create_database(unique_name())
        database = RedshiftDatabase(self, plain, f"{plain.name}_reader", password)
        database.execute(DRESS.format(database=plain.name))
        quoted = password.replace("'", "''")
        with self.postgres.connect() as admin:  # elsewhere, where a backslash is a character
            admin.execute(USER.format(user=database.user, password=quoted).encode())
        return database


@dataclass(frozen=True, slots=True)
class RedshiftDatabase:
    """One database of the server, and its user."""

    server: RedshiftServer
    plain: PostgresDatabase
    user: str
    password: str

    def settings(self, **options: Any) -> dict[str, Any]:
        """A source's settings; options replace its parts."""
        given = {
            "host": self.server.host, "port": self.server.port, "database": self.plain.name,
            "user": self.user, "password": self.password,
        }  # fmt: skip
        return given | options

    def execute(self, script: str) -> None:
        """Runs statements as an administrator, past the proxy."""
        self.plain.execute(script)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.plain.connect() as admin:
            return admin.execute(sql.encode()).fetchall()

    def stop_backends(self) -> int:
        return self.server.postgres.stop_backends(self.plain.name)


def launch(room: Room, folder: Path, postgres: PostgresServer) -> Launched:
    certificates, port = room.certificates(), free_port()
    words = [sys.executable, str(PROXY), str(port), str(postgres.port)]
    words += [str(certificates.cert_file), str(certificates.key_file)]
    keeper_pid = room.keep(folder, words, signal.SIGTERM)
    address = ("127.0.0.1", port)
    wait_until_ready(keeper_pid, folder, lambda: socket.create_connection(address).close(), OSError)
    return Launched(keeper_pid, port, str(folder))
