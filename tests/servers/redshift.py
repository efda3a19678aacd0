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

from servers.postgres import GROUP_OF_OLD_PASSWORDS, PostgresDatabase, PostgresServer
from servers.room import Launched, Room, free_port, wait_until_ready

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
USER = """
SET password_encryption = 'md5';
SET standard_conforming_strings = on;
CREATE ROLE {user} LOGIN PASSWORD '{password}' IN ROLE {group};
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

    def create_database(self, name: str) -> PostgresDatabase:
        """A database in its dress, reached as an administrator past the proxy."""
        database = self.postgres.create_database(name)
        database.execute(DRESS.format(database=name))
        return database

    @contextlib.contextmanager
    def user(self, database: PostgresDatabase, password: str) -> Iterator[str]:
        """A user without rights, gone afterwards with whatever they own in the database."""
        name = f"{database.name}_reader"
        quoted = password.replace("'", "''")
        database.execute(USER.format(user=name, password=quoted, group=GROUP_OF_OLD_PASSWORDS))
        try:
            yield name
        finally:
            self.postgres.stop_backends(database.name)
            database.execute(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


def launch(room: Room, folder: Path, postgres: PostgresServer) -> Launched:
    certificates, port = room.certificates(), free_port()
    words = [sys.executable, str(PROXY), str(port), str(postgres.port)]
    words += [str(certificates.cert_file), str(certificates.key_file)]
    keeper_pid = room.keep(folder, words, signal.SIGTERM)
    address = ("127.0.0.1", port)
    wait_until_ready(keeper_pid, folder, lambda: socket.create_connection(address).close(), OSError)
    return Launched(keeper_pid, port, str(folder))
