"""A private PostgreSQL: scram passwords, TLS offered, no durability."""

import contextlib
import hashlib
import hmac
import shutil
import signal
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL

from servers.room import (
    Certificates,
    Launched,
    Room,
    free_port,
    program,
    server_user,
    stop,
    unique_name,
)
from servers.room import wait_until_ready as wait

USER = "postgres"
PASSWORD = "p@ss:w/rd %1"  # every character that a careless URL would break on
PACKAGE = "postgresql"
GROUP_OF_OLD_PASSWORDS = "old_passwords"  # its members may log in by md5
GROUP_OF_CERTIFIED = "certified"  # its members must show a certificate too
RULES = f"""\
host all +{GROUP_OF_OLD_PASSWORDS} 127.0.0.1/32 md5
hostssl all +{GROUP_OF_CERTIFIED} 127.0.0.1/32 scram-sha-256 clientcert=verify-ca
hostnossl all +{GROUP_OF_CERTIFIED} 127.0.0.1/32 reject
"""
SETTINGS = (
    "ssl=on",
    "ssl_cert_file=server.pem",
    "ssl_key_file=server.key",
    "ssl_ca_file=ca.pem",
    "listen_addresses=127.0.0.1,127.0.0.2",
    "unix_socket_directories=",
    "max_connections=200",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
)


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """Its certificate is for localhost and 127.0.0.1; it also answers at `wrong_host`."""

    port: int
    ca_file: Path
    untrusted_ca_file: Path
    host: str = "127.0.0.1"
    wrong_host: str = "127.0.0.2"
    user: str = USER
    password: str = PASSWORD

    def dsn(self, database: str = "postgres", **options: str | int) -> str:
        """A libpq connection string over verified TLS; `options` replace its parts."""
        parts: dict[str, str | int] = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "dbname": database,
            "sslmode": "verify-full",
            "sslrootcert": str(self.ca_file),
        }
        return make_conninfo("", **(parts | options))

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.dsn(database), autocommit=True)

    def create_database(self, name: str) -> "PostgresDatabase":
        with self.connect() as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return PostgresDatabase(self, name)

    def drop_database(self, name: str) -> None:
        """Drops it with whatever is still connected."""
        with self.connect() as admin:
            admin.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def stop_backends(self, database: str) -> int:
        """Ends every connection to the database, as an administrator would, and counts them."""
        with self.connect() as admin:
            ended = admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
                [database],
            )
            return len(ended.fetchall())


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    """One database of the server."""

    server: PostgresServer
    name: str

    @property
    def url(self) -> str:
        """The SQLAlchemy URL, password included."""
        server = self.server
        url = URL.create(
            "postgresql+psycopg", server.user, server.password, server.host, server.port, self.name
        )
        return url.render_as_string(hide_password=False)

    def dsn(self, **options: str | int) -> str:
        return self.server.dsn(self.name, **options)

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """Autocommits."""
        return self.server.connect(self.name)

    def execute(self, script: str) -> None:
        """Runs one or more statements."""
        with self.connect() as connection:
            connection.execute(script.encode())


def launch(room: Room, folder: Path, *, quick_logins: bool = False) -> Launched:
    """Starts it; with quick logins our password is kept by one round, not by 4,096, of 4 ms."""
    as_user = drop_rights(folder, server_user("postgres"))
    initialise(installed("initdb"), folder, as_user)
    install_certificate(room.certificates(), folder)
    launched = start(room, folder, as_user)
    with at_port(room, launched.port).connect() as admin:
        if quick_logins:
            admin.execute(f"ALTER ROLE {USER} PASSWORD '{secret_of(PASSWORD)}'".encode())
        for group in (GROUP_OF_OLD_PASSWORDS, GROUP_OF_CERTIFIED):
            admin.execute(f"CREATE ROLE {group}".encode())
    return launched


def secret_of(password: str) -> str:
    """What PostgreSQL keeps of a password, by one round."""
    salt = b"salted"
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1)
    client, server = (hmac.digest(salted, key, "sha256") for key in (b"Client Key", b"Server Key"))
    kept = [b64encode(one).decode() for one in (salt, hashlib.sha256(client).digest(), server)]
    return "SCRAM-SHA-256$1:{}${}:{}".format(*kept)


@contextlib.contextmanager
def standby(room: Room, primary: PostgresServer) -> Iterator[PostgresServer]:
    """A replica of all that the server has and gets, gone afterwards."""
    folder = room.path / unique_name()
    folder.mkdir()
    as_user = drop_rights(folder, server_user("postgres"))
    dsn = primary.dsn(sslcert="none")  # else libpq looks into the home folder, which is root's
    copy = [str(installed("pg_basebackup")), "-D", str(folder / "data"), "-d", dsn]
    copy += ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
    subprocess.run([*as_user, *copy], check=True, cwd=folder)
    launched = start(room, folder, as_user)
    try:
        yield at_port(room, launched.port)
    finally:
        stop(launched.keeper_pid)


class OwnServer:
    """A server of one test's, which it may stop and start again at the same port."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._folder = room.path / unique_name()
        self._folder.mkdir()
        self._as_user = drop_rights(self._folder, server_user("postgres"))
        initialise(installed("initdb"), self._folder, self._as_user)
        install_certificate(room.certificates(), self._folder)
        self._launched = self._started(0)

    @property
    def database(self) -> PostgresDatabase:
        return PostgresDatabase(at_port(self._room, self._launched.port), "postgres")

    def stop(self) -> None:
        """Ends every session, and refuses others."""
        stop(self._launched.keeper_pid)

    def start(self) -> None:
        self._launched = self._started(self._launched.port)

    def _started(self, port: int) -> Launched:
        """Starts it with a folder for its keeper, who removes that in the end."""
        kept = self._folder / unique_name()
        kept.mkdir()
        return start(self._room, kept, self._as_user, port=port, data=self._folder / "data")


def start(
    room: Room, folder: Path, as_user: Sequence[str], *, port: int = 0, data: Path | None = None
) -> Launched:
    port = port or free_port()
    words = [*as_user, str(installed("postgres")), "-D", str(data or folder / "data")]
    words += [word for setting in (*SETTINGS, f"port={port}") for word in ("-c", setting)]
    keeper_pid = room.keep(folder, words, signal.SIGINT)  # SIGINT is PostgreSQL's fast shutdown
    server = at_port(room, port)
    wait(keeper_pid, folder, lambda: server.connect().close(), psycopg.OperationalError)
    return Launched(keeper_pid, port, str(folder))


def installed(name: str) -> Path:
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return program(name, places, PACKAGE)


def at_port(room: Room, port: int) -> PostgresServer:
    certificates = room.certificates()
    return PostgresServer(port, certificates.ca_file, certificates.untrusted_ca_file)


def drop_rights(folder: Path, user: str | None) -> Sequence[str]:
    """The words that run a command as `user`, who then owns the folder: initdb refuses root."""
    if user is None:
        return ()
    shutil.chown(folder, user)
    return ("setpriv", "--reuid", user, "--regid", "nogroup", "--clear-groups", "--")


def initialise(initdb: Path, folder: Path, as_user: Sequence[str]) -> None:
    password_file = folder / "password"
    password_file.write_text(PASSWORD)
    options = ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"]
    words = [str(initdb), "-D", str(folder / "data"), "-U", USER, f"--pwfile={password_file}"]
    subprocess.run([*as_user, *words, *options], check=True, cwd=folder, stdout=subprocess.DEVNULL)
    rules = folder / "data" / "pg_hba.conf"
    rules.write_text(RULES + rules.read_text())


def install_certificate(certificates: Certificates, folder: Path) -> None:
    data = folder / "data"
    for source, name in (
        (certificates.cert_file, "server.pem"),
        (certificates.key_file, "server.key"),
        (certificates.ca_file, "ca.pem"),
    ):
        target = data / name
        shutil.copyfile(source, target)
        target.chmod(0o600)
        shutil.chown(target, data.owner())
