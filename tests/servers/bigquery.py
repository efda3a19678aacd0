"""A private BigQuery: bqemulator behind TLS, with a token endpoint; its answers are our words."""

import json
import os
import signal
import ssl
import tomllib
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from servers.room import Launched, Room, free_port
from servers.room import wait_until_ready as wait

PROJECT = "acme-test"
READER, WRITER, PLAIN = "reader", "writer", "plain"  # plain may not stream
ENVIRONMENT = Path(__file__).parents[2] / ".venv-bqemulator"
UNLOCKED = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
PROGRAM = Path(__file__).with_name("bigquery_service.py")
READING = "bigquery.tables.getData"
ANSWERS: Mapping[str, Mapping[str, Any]] = tomllib.loads(
    Path(__file__).with_name("bigquery_answers.toml").read_text()
)


@dataclass(frozen=True, slots=True)
class BigQueryServer:
    """Its certificate is for localhost and 127.0.0.1; the keys open accounts of one project."""

    port: int
    storage_port: int
    folder: Path
    ca_file: Path
    untrusted_ca_file: Path
    host: str = "127.0.0.1"
    project: str = PROJECT

    def key(self, account: str = READER) -> dict[str, str]:
        """Return the JSON that Google would give out for an account."""
        return {
            "type": "service_account",
            "project_id": self.project,
            "private_key_id": "1",
            "private_key": (self.folder / "account.key").read_text(),
            "client_email": f"{account}@{self.project}.iam.gserviceaccount.com",
            "client_id": "1",
            "token_uri": f"https://{self.host}:{self.port}/token",
        }

    def settings(self, dataset: str, account: str = READER) -> dict[str, Any]:
        """Return the settings of a source."""
        return {
            "keyfile_json": json.dumps(self.key(account)),
            "dataset": dataset,
            "host": self.host,
            "port": self.port,
            "storage_host": self.host,
            "storage_port": self.storage_port,
            "ssl_ca": str(self.ca_file),
        }

    def execute(self, *statements: str) -> None:
        """Runs statements with every right."""
        for statement in statements:
            asked = {"query": statement, "useLegacySql": False}
            self.ask(f"/bigquery/v2/projects/{self.project}/queries", asked)

    def ask(self, path: str, body: object = None) -> Any:
        """Returns what the service answers somebody who may do anything."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        address = f"https://{self.host}:{self.port}{path}"
        data = json.dumps(body).encode() if body else None
        headers = {"Authorization": "Bearer token-admin", "Content-Type": "application/json"}
        request = urllib.request.Request(address, data, headers)
        with urllib.request.urlopen(request, context=context, timeout=60) as answer:
            return json.load(answer)


@dataclass(frozen=True, slots=True)
class BigQueryDataset:
    """One dataset of the server."""

    server: BigQueryServer
    name: str

    def settings(self, account: str = READER) -> dict[str, Any]:
        return self.server.settings(self.name, account)

    def execute(self, *statements: str) -> None:
        """Runs statements; {here} is the dataset."""
        self.server.execute(*(one.replace("{here}", self.name) for one in statements))

    def running(self) -> int:
        """Counts the queries over it that run."""
        return int(self.server.ask(f"/running/{self.name}"))

    def forget(self) -> None:
        """Deletes the results of all queries over it, as an administrator may."""
        self.server.ask(f"/forget/{self.name}")


def launch(room: Room, folder: Path) -> Launched:
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        raise pytest.UsageError(f"{ENVIRONMENT} is missing. Run: make stand-ins")
    server = _settled(room, folder, free_port(), free_port())
    bring_extension(folder)
    words = ["env", f"HOME={folder}", str(python), str(PROGRAM), str(folder / "settings.json")]
    keeper_pid = room.keep(folder, words, signal.SIGTERM)
    wait(keeper_pid, folder, lambda: server.execute("SELECT 1"), OSError)
    return Launched(keeper_pid, server.port, str(folder))


def at_port(room: Room, launched: Launched) -> BigQueryServer:
    folder, certificates = Path(launched.folder), room.certificates()
    told = json.loads((folder / "settings.json").read_text())
    return BigQueryServer(
        launched.port,
        told["storage_port"],
        folder,
        certificates.ca_file,
        certificates.untrusted_ca_file,
    )


def _settled(room: Room, folder: Path, port: int, storage_port: int) -> BigQueryServer:
    """Write what the program must know, and return the server it will be."""
    certificates = room.certificates()
    account = rsa.generate_private_key(65537, 2048)
    (folder / "account.key").write_bytes(account.private_bytes(*UNLOCKED))
    public = account.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    settings = {
        "port": port,
        "storage_port": storage_port,
        "project": PROJECT,
        "cert_file": str(certificates.cert_file),
        "key_file": str(certificates.key_file),
        "public_key": public.decode(),
        "may_not_stream": PLAIN,
        "rights": {READER: [READING], PLAIN: [], WRITER: [READING, "bigquery.tables.updateData"]},
        "answers": ANSWERS,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    return at_port(room, Launched(os.getpid(), port, str(folder)))


def bring_extension(home: Path) -> None:
    """Lay DuckDB's spatial extension where the emulator looks, so that it downloads nothing."""
    pattern = "lib/python*/site-packages/duckdb_extension_spatial/extensions/*/*.duckdb_extension"
    (extension,) = ENVIRONMENT.glob(pattern)
    machine = {"aarch64": "linux_arm64"}.get(os.uname().machine, "linux_amd64")
    place = home / ".duckdb" / "extensions" / extension.parent.name / machine
    place.mkdir(parents=True)
    (place / extension.name).symlink_to(extension)
