"""A private MariaDB: password accounts, TLS offered, no durability."""

import contextlib
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
from sqlalchemy import URL

from servers.room import Launched, Room, free_port, program, server_user
from servers.room import wait_until_ready as wait

USER = "admin"
PASSWORD = "p@ss:w/rd %1"  # every character that a careless URL would break on
PACKAGE = "mariadb-server-core mariadb-client-core libatomic1 libltdl7"
PLACES = (Path("/usr/sbin"), Path("/usr/bin"))
ACCOUNTS = f"""\
DELETE FROM mysql.global_priv WHERE User IN ('', 'root');
FLUSH PRIVILEGES;
CREATE OR REPLACE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON *.* TO {USER}@'%' WITH GRANT OPTION;
"""


@dataclass(frozen=True, slots=True)
class MariaDbServer:
    """Its certificate is for localhost and 127.0.0.1; it also answers at `wrong_host`."""

    port: int
    ca_file: Path
    untrusted_ca_file: Path
    host: str = "127.0.0.1"
    wrong_host: str = "127.0.0.2"
    user: str = USER
    password: str = PASSWORD

    def connect(self, database: str | None = None, **options: Any) -> "pymysql.Connection[Any]":
        """Autocommits, over verified TLS; `options` are the driver's."""
        parts: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "database": database,
            "autocommit": True,
            "ssl_ca": str(self.ca_file),
            "ssl_verify_cert": True,
            "ssl_verify_identity": True,
        }
        return pymysql.connect(**(parts | options))

    def create_database(self, name: str) -> "MariaDbDatabase":
        with self.connect() as admin, admin.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        return MariaDbDatabase(self, name)

    def drop_database(self, name: str) -> None:
        with self.connect() as admin, admin.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")

    def stop_backends(self, database: str) -> int:
        """Ends every connection to the database, as an administrator would, and counts them."""
        with self.connect() as admin, admin.cursor() as cursor:
            found = "SELECT id FROM information_schema.processlist WHERE db = %s"
            count: int = cursor.execute(found, [database])
            for (connection_id,) in cursor.fetchall():
                with contextlib.suppress(pymysql.OperationalError):  # it has ended by itself
                    cursor.execute("KILL CONNECTION %s", [connection_id])
            return count


@dataclass(frozen=True, slots=True)
class MariaDbDatabase:
    """One database of the server."""

    server: MariaDbServer
    name: str

    @property
    def url(self) -> str:
        """The SQLAlchemy URL, password included."""
        server = self.server
        url = URL.create(
            "mysql+pymysql", server.user, server.password, server.host, server.port, self.name
        )
        return url.render_as_string(hide_password=False)

    def connect(self, **options: Any) -> "pymysql.Connection[Any]":
        """Autocommits."""
        return self.server.connect(self.name, **options)

    def execute(self, *statements: str) -> None:
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


def launch(room: Room, folder: Path) -> Launched:
    mariadbd = program("mariadbd", PLACES, PACKAGE)
    user = server_user("mysql")
    initialise(program("mariadb-install-db", PLACES, PACKAGE), folder, user)
    accounts = folder / "accounts.sql"
    accounts.write_text(ACCOUNTS)
    port = free_port()
    words = [str(mariadbd), "--no-defaults", *as_user(user), *settings(room, folder, port)]
    keeper_pid = room.keep(folder, [*words, f"--init-file={accounts}"], signal.SIGTERM)
    server = at_port(room, port)
    wait(keeper_pid, folder, lambda: server.connect().close(), pymysql.OperationalError)
    return Launched(keeper_pid, port, str(folder))


def at_port(room: Room, port: int) -> MariaDbServer:
    certificates = room.certificates()
    return MariaDbServer(port, certificates.ca_file, certificates.untrusted_ca_file)


def as_user(user: str | None) -> list[str]:
    return [] if user is None else [f"--user={user}"]


def initialise(install_db: Path, folder: Path, user: str | None) -> None:
    words = [str(install_db), "--no-defaults", *as_user(user), f"--datadir={folder / 'data'}"]
    options = ["--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run([*words, *options], check=True, cwd=folder, stdout=subprocess.DEVNULL)


def settings(room: Room, folder: Path, port: int) -> list[str]:
    certificates = room.certificates()
    key = folder / "data" / "server.key"
    shutil.copyfile(certificates.key_file, key)
    key.chmod(0o600)
    shutil.chown(key, key.parent.owner())
    return [
        f"--datadir={key.parent}",
        f"--socket={key.parent / 'socket'}",
        f"--pid-file={key.parent / 'pid'}",
        f"--port={port}",
        "--bind-address=127.0.0.1,127.0.0.2",
        f"--ssl-ca={certificates.ca_file}",
        f"--ssl-cert={certificates.cert_file}",
        f"--ssl-key={key}",
        "--skip-name-resolve",
        "--max-connections=200",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=0",
    ]
