"""What holds of every source alike: its catalogue, its columns before a run, and its mistakes."""

import json
import socket
import sqlite3
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import trustme

from e2e.jobs import mariadb_warehouse, postgres_warehouse
from rowlift.core.errors import GuardStop, SourceError
from rowlift.testing.folder import SYNC, Folder
from servers import (
    BigQueryDataset,
    MariaDbServer,
    PostgresServer,
    RedshiftServer,
    SnowflakeDatabase,
    TdsDatabase,
)
from tds_shop import opened

Settings = Mapping[str, Any]

KINDS = (
    "postgres", "mysql", "redshift", "snowflake", "sqlserver", "bigquery", "duckdb", "sqlite",
    "files",
)  # fmt: skip
MADE = (
    "CREATE TABLE members (id int, email varchar(40))",
    "INSERT INTO members VALUES (1, 'ada@example.com'), (2, NULL), (3, 'eve@example.com')",
)
WRONG = "SELECT id AS user_id,\n  emial FROM members"
NOBODY = "SELECT email AS plan FROM members"
# What only the source can read; the others have no reader of their own here, or must not judge.
UNREAD = {
    "postgres": "SELECT id AS user_id, email FROM ONLY (members) ORDER BY id USING >",
    "mysql": "SELECT id AS user_id, email FROM members LIMIT 9 ROWS EXAMINED 1000",
    "sqlite": "SELECT CAST(id AS UNSIGNED BIG INT) AS user_id, email FROM members",
}


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[Settings]:
    with postgres_warehouse(postgres_server) as warehouse:
        warehouse.execute(*MADE, "ANALYZE members")
        yield warehouse.settings()


@pytest.fixture
def mysql(mariadb_server: MariaDbServer) -> Iterator[Settings]:
    with mariadb_warehouse(mariadb_server) as warehouse:
        warehouse.execute(*MADE)
        yield warehouse.settings()


@pytest.fixture
def redshift(redshift_server: RedshiftServer) -> Iterator[Settings]:
    with redshift_server.database("s3cret") as database:
        grant = f"GRANT SELECT ON members TO {database.user}"
        database.execute("; ".join([*MADE, grant, "ANALYZE members"]))
        yield {"type": "redshift", **database.settings()}


@pytest.fixture
def snowflake(snowflake_database: SnowflakeDatabase) -> Settings:
    # The stand-in's catalogue calls an INT something else.
    snowflake_database.execute(*(one.replace("id int", "id NUMBER(38, 0)") for one in MADE))
    return {"type": "snowflake", **snowflake_database.settings}


@pytest.fixture
def sqlserver(tds_database: TdsDatabase) -> Settings:
    tds_database.execute("; ".join(MADE))
    return {"type": "sqlserver", **opened(tds_database, "python-tds").settings()}


@pytest.fixture
def bigquery(bigquery_dataset: BigQueryDataset) -> Settings:
    bigquery_dataset.execute(
        "CREATE TABLE {here}.members (id INT64, email STRING)",
        MADE[1].replace("members", "{here}.members"),
        "CREATE TABLE {here}.__TABLES__ AS SELECT 'members' AS table_id, 3 AS row_count",
    )
    return {"type": "bigquery", **bigquery_dataset.settings(), "reader": "rest"}


@pytest.fixture(name="duckdb")
def duckdb_file(tmp_path: Path) -> Settings:
    with duckdb.connect(tmp_path / "shop.duckdb") as shop:
        shop.execute("; ".join(MADE))
    return {"type": "duckdb", "path": str(tmp_path / "shop.duckdb")}


@pytest.fixture
def sqlite(tmp_path: Path) -> Settings:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as shop:
        shop.executescript("; ".join(MADE))
    return {"type": "sqlite", "path": str(tmp_path / "shop.db")}


@pytest.fixture
def files(tmp_path: Path) -> Settings:
    (tmp_path / "data").mkdir()
    with duckdb.connect() as shop:
        shop.execute(f"{'; '.join(MADE)}; COPY members TO '{tmp_path}/data/members.parquet'")
    return {"type": "files", "root": str(tmp_path / "data")}


def folder_of(settings: Settings, path: Path, sql: str) -> Folder:
    sink = {"type": "sandbox", "path": str(path / "sent.jsonl")}
    return Folder(path / "acme", settings, sink, sql=sql)


@pytest.mark.door("python")
@pytest.mark.parametrize("kind", KINDS)
def test_B7_B30_its_tables_are_listed_and_mistakes_are_told_before_a_row_is_read(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = folder_of(request.getfixturevalue(kind), tmp_path, WRONG)
    with folder.project() as project:
        found = {one.name.lower(): one for one in project.catalog("shop").tables}["members"]
        with pytest.raises(SourceError) as refused:
            project.preview(SYNC)
    columns = [(one.name.lower(), one.value_type) for one in found.columns]
    assert (columns, found.rows_estimate) == ([("id", "int"), ("email", "text")], 3)
    error, told = refused.value, f"{refused.value.message} {refused.value.mend}".lower()
    assert (error.code, error.place and (error.place.line, error.place.column)) == (
        "COLUMN_UNKNOWN",
        (2, 3),
    )
    assert '"email"' in told or "members.email" in told
    folder.edit(sql=NOBODY)
    with pytest.raises(GuardStop) as stopped:
        folder.run()
    assert stopped.value.code == "NO_IDENTIFIER"
    with folder.project() as project:
        (last,) = project.runs(limit=1)
    assert "read" not in last.counts


@pytest.mark.door("python")
@pytest.mark.parametrize("kind", UNREAD)
def test_B7_what_only_the_source_can_read_runs_with_a_note(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = folder_of(request.getfixturevalue(kind), tmp_path, UNREAD[kind])
    with folder.project() as project:
        seen = project.preview(SYNC)
        assert [one.code for one in seen.findings] == ["SQL_UNREAD"]
    assert folder.run().counts["read"] == 3


@contextmanager
def expired(ca_file: Path, heard: list[bytes]) -> Iterator[int]:
    """Listen with a certificate that is no longer valid; what is said in spite of it is heard."""
    authority, long_ago = trustme.CA(), datetime(2020, 1, 1, tzinfo=UTC)
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(
        "127.0.0.1", not_before=long_ago, not_after=long_ago + timedelta(days=90)
    ).configure_cert(context)

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client, suppress(OSError):
                    heard.append(context.wrap_socket(client, server_side=True).recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,), daemon=True)
        server.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        server.join(10)


@pytest.mark.door("python")
@pytest.mark.parametrize("kind", ["bigquery", "snowflake"])
def test_B2_F34_a_certificate_that_expired_is_refused(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    settings, heard = dict(request.getfixturevalue(kind)), list[bytes]()
    with expired(tmp_path / "ca.pem", heard) as port:
        settings |= {"host": "127.0.0.1", "port": port, "ssl_ca": str(tmp_path / "ca.pem")}
        if kind == "bigquery":
            key = json.loads(settings["keyfile_json"])
            key["token_uri"] = f"https://127.0.0.1:{port}/token"
            settings["keyfile_json"] = json.dumps(key)
        with folder_of(settings, tmp_path, WRONG).project() as project:
            found = project.debug()["shop"][-1]
    assert (found.step, found.level, found.code) == ("tls", "error", "TLS_FAILED")
    assert heard == []
