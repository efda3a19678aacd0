"""The catalogue of a source: asked once a day, and whenever the connection is another."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.jobs import (
    PASSWORD,
    Job,
    PostgresWarehouse,
    Warehouse,
    mariadb_warehouse,
    postgres_warehouse,
)
from rowlift.core.errors import ConfigError, SourceError
from rowlift.testing.folder import Folder
from rowlift.testing.proxy import Proxy
from servers import MariaDbServer, PostgresServer

DAY = 86_400
SINK = {"type": "sandbox", "path": "sent.jsonl"}
PEOPLE = ("CREATE TABLE people (id int, name varchar(20))", "INSERT INTO people VALUES (1, 'Ada')")


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[Warehouse]:
    with postgres_warehouse(postgres_server) as warehouse:
        warehouse.execute(*PEOPLE)
        yield warehouse


@pytest.fixture
def maria(mariadb_server: MariaDbServer) -> Iterator[Warehouse]:
    with mariadb_warehouse(mariadb_server) as warehouse:
        warehouse.execute(*PEOPLE)
        yield warehouse


def names(folder: Folder, *, refresh: bool = False) -> list[str]:
    with folder.project() as project:
        return [one.name for one in project.catalog("shop", refresh=refresh).tables]


def kept(folder: Folder) -> list[Path]:
    return [*(folder.path / ".rowlift" / "files" / "catalogues").iterdir()]


@pytest.mark.door("python")
@pytest.mark.parametrize("kind", ["postgres", "maria"])
def test_B30_a_catalogue_is_asked_once_a_day(request, tmp_path, kind):
    warehouse = request.getfixturevalue(kind)
    folder = Folder(tmp_path / "acme", warehouse.settings(), SINK, sql="SELECT 1")
    with folder.project() as project:
        first = project.catalog("shop")
        (people,) = first.tables
        assert [(one.name, one.value_type) for one in people.columns] == [
            ("id", "int"),
            ("name", "text"),
        ]
        warehouse.execute("CREATE TABLE orders (id int)")
        assert project.catalog("shop") == first
        assert {one.name for one in project.catalog("shop", refresh=True).tables} == {
            "orders",
            "people",
        }
        warehouse.execute("DROP TABLE orders")
        folder.clock.sleep(DAY + 1)
        assert project.catalog("shop").tables == first.tables
    (file,) = kept(folder)
    assert file.stat().st_mode & 0o777 == 0o600
    assert not [word for word in ("Ada", PASSWORD, "canary") if word in file.read_text()]


@pytest.mark.door("python")
def test_B30_another_connection_is_asked_anew_but_not_for_a_new_password(
    tmp_path: Path, postgres: PostgresWarehouse, postgres_server: PostgresServer
) -> None:
    folder = Folder(tmp_path / "acme", postgres.settings(), SINK, sql="SELECT 1")
    assert names(folder) == ["people"]
    postgres.execute(f"ALTER ROLE {postgres.reader} PASSWORD 'another'")
    folder.connect(postgres.settings(password="another"))
    postgres.execute("CREATE TABLE orders (id int)")
    assert names(folder) == ["people"]
    with postgres_warehouse(postgres_server) as other:
        other.execute("CREATE TABLE elsewhere (id int)")
        folder.connect(other.settings())
        assert names(folder) == ["elsewhere"]
    with folder.project() as project, pytest.raises(ConfigError) as refused:
        project.catalog("nowhere")
    assert refused.value.code == "NAME_UNKNOWN"


@pytest.mark.door("python")
def test_B30_a_source_that_is_down_keeps_its_catalogue(
    tmp_path: Path, postgres: PostgresWarehouse, postgres_server: PostgresServer
) -> None:
    with Proxy(postgres_server.host, postgres_server.port) as proxy:
        settings = postgres.settings(port=proxy.port, connect_timeout=2)
        folder = Folder(tmp_path / "acme", settings, SINK, sql="SELECT 1")
        with folder.project() as project:
            found = project.catalog("shop")
            proxy.down()
            with pytest.raises(SourceError) as refused:
                project.catalog("shop", refresh=True)
            assert refused.value.code == "CONNECT_FAILED"
            assert project.catalog("shop") == found


@pytest.mark.door("python")
def test_A18_what_missing_grants_hide_is_not_remembered(
    tmp_path: Path, postgres: PostgresWarehouse
) -> None:
    postgres.execute(f"REVOKE ALL ON people FROM {postgres.reader}")
    folder = Folder(tmp_path / "acme", postgres.settings(), SINK, sql="SELECT 1")
    with folder.project() as project:
        assert project.catalog("shop").tables == ()
        postgres.execute(f"GRANT SELECT ON people TO {postgres.reader}")
        assert [one.name for one in project.catalog("shop").tables] == ["people"]


def test_a_damaged_catalogue_is_asked_anew_and_an_old_one_goes(
    tmp_path: Path, postgres: PostgresWarehouse
) -> None:
    folder = Folder(tmp_path / "acme", postgres.settings(), SINK, sql="SELECT 1")
    assert names(folder) == ["people"]
    (file,) = kept(folder)
    whole = file.read_bytes()
    for damage in (b"", whole[:-9], b"\xff", b"{}"):
        file.write_bytes(damage)
        assert names(folder) == ["people"]
        assert len(file.read_bytes()) > len(whole) / 2
    os.utime(file, (0, 0))
    with folder.project() as project:
        project.prune()
    assert kept(folder) == []


@pytest.mark.door("cli")
def test_B30_tables_are_listed_and_their_columns_shown(
    tmp_path: Path, postgres: PostgresWarehouse
) -> None:
    cli = Job(tmp_path, postgres).cli
    postgres.execute('CREATE TABLE "Orders" ("No." bigint, paid numeric, at timestamptz)')
    done = cli("catalog", "warehouse")
    assert done.code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == [
        "public.Orders",
        "public.people",
    ]
    done = cli("catalog", "warehouse", "orders", "public.People")
    assert (done.code, "No." in done.stdout, "timestamp with time zone" in done.stdout) == (0, 1, 1)
    report = cli("catalog", "warehouse", "people", "-o", "json").json
    (people,) = report["catalogue"]["tables"]
    assert [one["name"] for one in people["columns"]] == ["id", "name"]
    missing = cli("catalog", "warehouse", "peple")
    assert (missing.code, "people" in missing.stderr) == (2, True)
    assert cli("catalog", "nowhere").code == 2
