"""A stand-in for Snowflake, in an environment of its own, over verified TLS."""

import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from servers.room import Launched, Room, free_port
from servers.room import wait_until_ready as wait

PYTHON = Path(__file__).parents[2] / ".venv-fakesnow" / "bin" / "python"
PROGRAM = Path(__file__).with_name("snowflake_server.py")
PASSPHRASE = "p@ss phrase %1"
PASSWORD = "p@ss:w/rd %1"
OAUTH_TOKEN = "oauth-c4nary"
ACCESS_TOKEN = "access-c4nary"
SECRETS = {
    "PASSWORD": PASSWORD,
    "OAUTH": OAUTH_TOKEN,
    "PROGRAMMATIC_ACCESS_TOKEN": ACCESS_TOKEN,
}


@dataclass(frozen=True, slots=True)
class SnowflakeServer:
    """Its certificate is for localhost and 127.0.0.1; it also answers at `wrong_host`."""

    port: int
    ca_file: Path
    untrusted_ca_file: Path
    key_file: Path
    host: str = "127.0.0.1"
    wrong_host: str = "127.0.0.2"

    def strange_key(self) -> str:
        """A key that is nobody's."""
        return private_key(None)[0].decode()

    def create_database(self, name: str) -> "SnowflakeDatabase":
        self.execute(None, f"CREATE DATABASE {name}", f"CREATE SCHEMA {name}.PUBLIC")
        return SnowflakeDatabase(self, name)

    def execute(self, database: str | None, *statements: str) -> None:
        """Runs statements as the administrator."""
        from snowflake.connector import connect  # noqa: PLC0415 - it takes half a second

        with connect(
            account="acme",
            user="admin",
            password=PASSWORD,
            host=self.host,
            port=self.port,
            database=database,
            schema=database and "PUBLIC",
            warehouse="WH",
            custom_root_store_path=str(self.ca_file),
            server_session_keep_alive=False,
            enable_server_session_keep_alive_auto_detection=False,
        ) as connection:
            for statement in statements:
                connection.cursor().execute(statement)

    def ask(self, method: str, database: str) -> Any:
        url = f"https://{self.host}:{self.port}/test/{database}"
        reply = requests.request(method, url, verify=str(self.ca_file), timeout=10)
        reply.raise_for_status()
        return reply.json()["data"]


@dataclass(frozen=True, slots=True)
class SnowflakeDatabase:
    """One database of the server."""

    server: SnowflakeServer
    name: str

    @property
    def settings(self) -> dict[str, Any]:
        """A connection of the reader by key pair."""
        return {
            "account": "acme",
            "host": self.server.host,
            "port": self.server.port,
            "user": "reader",
            "private_key_path": str(self.server.key_file),
            "private_key_passphrase": PASSPHRASE,
            "role": "READER",
            "warehouse": "WH",
            "database": self.name,
            "ssl_ca": str(self.server.ca_file),
        }

    def execute(self, *statements: str) -> None:
        """Runs statements as the administrator."""
        self.server.execute(self.name, *statements)

    def sessions(self) -> list[dict[str, Any]]:
        """The open sessions: user, role, how many statements run, session parameters."""
        found: list[dict[str, Any]] = self.server.ask("GET", self.name)
        return found

    def running(self) -> int:
        """How many statements run."""
        return sum(session["running"] for session in self.sessions())

    def stop_backends(self) -> None:
        """Ends every session with its connections, as an administrator would."""
        self.server.ask("DELETE", self.name)


def launch(room: Room, folder: Path, python: Path = PYTHON) -> Launched:
    """Start it with the Python of its own environment."""
    if not python.exists():
        raise pytest.UsageError(f"{python} is missing, and tests need it. Run: make stand-ins")
    certificates = room.certificates()
    private, public = private_key(PASSPHRASE)
    (folder / "key.p8").write_bytes(private)
    port = free_port()
    settings = {
        "port": port,
        "cert_file": str(certificates.cert_file),
        "key_file": str(certificates.key_file),
        "public_key": public.decode(),
        "users": {"READER": SECRETS, "ADMIN": SECRETS},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    command = [str(python), "-P", str(PROGRAM), str(folder / "settings.json")]
    keeper_pid = room.keep(folder, command, signal.SIGTERM)
    launched = Launched(keeper_pid, port, str(folder))
    server = reached(room, launched)
    wait(keeper_pid, folder, lambda: server.ask("GET", "NONE"), requests.RequestException)
    return launched


def private_key(passphrase: str | None) -> tuple[bytes, bytes]:
    """A new key, in a PEM file that needs the passphrase, and its public half."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    locked: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        locked = serialization.BestAvailableEncryption(passphrase.encode())
    pem, public = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, locked)
    return private, key.public_key().public_bytes(pem, public)


def reached(room: Room, launched: Launched) -> SnowflakeServer:
    certificates = room.certificates()
    key_file = Path(launched.folder) / "key.p8"
    ca_file, untrusted = certificates.ca_file, certificates.untrusted_ca_file
    return SnowflakeServer(launched.port, ca_file, untrusted, key_file)
