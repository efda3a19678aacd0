"""Unsafe queries: nothing is written and no file is read, with and without our own parser."""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import duckdb
import pymysql
import pytest

from corpus import Sample, ident, samples
from e2e.jobs import MariaDbWarehouse, mariadb_warehouse, postgres_warehouse
from e2e.shop import Shop
from rowlift.core.errors import SourceError
from rowlift.core.specs import ConnectionSpec
from rowlift.kit import mysqlwire
from rowlift.operations.home import open_source
from rowlift.sources.dialects.mysql_server import Server
from rowlift.sources.mysql import MySQLConfig
from servers import MariaDbServer, PostgresServer

ENGINES = [
    "bigquery",
    "postgres",
    "redshift",
    "mysql",
    "duckdb",
    "sqlite",
    "files",
    "snowflake",
    "sqlserver",
]
PEOPLE = ("CREATE TABLE people (id int, name varchar(20))", "INSERT INTO people VALUES (1, 'Ada')")
STATE = (
    "SELECT id, name FROM people",
    "SELECT table_name FROM information_schema.tables WHERE table_schema = database()",
    "SELECT count(*) FROM mysql.user WHERE user = 'admin'",
    "SELECT @@global.general_log, @@global.read_only, @@global.sql_mode",
)


def test_S1_the_list_is_long_and_covers_every_engine():
    found = {engine: {one["sql"] for one in samples(f"unsafe/{engine}.toml")} for engine in ENGINES}
    assert min(map(len, found.values())) >= 30
    assert sum(map(len, found.values())) >= 250


@pytest.fixture
def maria(mariadb_server: MariaDbServer) -> Iterator[MariaDbWarehouse]:
    with mariadb_warehouse(mariadb_server) as warehouse:
        assert isinstance(warehouse, MariaDbWarehouse)
        warehouse.execute(*PEOPLE)
        yield warehouse


def test_S2_without_our_parser_a_reader_still_writes_and_reads_nothing(
    maria: MariaDbWarehouse, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    before = state(maria)
    server = Server(config(maria, statement_timeout=1))
    answers: dict[str, str] = {}
    for one in samples("unsafe/mysql.toml"):
        sql = one["sql"].replace("{folder}", str(tmp_path))
        with suppress(pymysql.Error, SourceError, mysqlwire.Refusal), server.session() as session:
            answers[sql] = repr(mysqlwire.rows(session, sql))
    assert state(maria) == before
    assert list(tmp_path.iterdir()) == []
    assert "root:" not in str(answers)
    assert len(answers) < len(samples("unsafe/mysql.toml")) / 2


def config(maria: MariaDbWarehouse, **options: Any) -> MySQLConfig:
    given = {key: value for key, value in maria.settings(**options).items() if key != "type"}
    return MySQLConfig(**given)


def state(maria: MariaDbWarehouse) -> list[Any]:
    found = []
    with maria.database.connect() as connection, connection.cursor() as cursor:
        for statement in STATE:
            cursor.execute(statement)
            found.append(cursor.fetchall())
    return found


@pytest.mark.door("cli")
def test_S4_the_program_refuses_each_and_changes_nothing(cli, tmp_path):
    shop = Shop(tmp_path)
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nhush\n")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    some = samples("unsafe/duckdb.toml")
    for one in some:
        sql = one["sql"].replace("{secret}", str(secret)).replace("{folder}", str(folder))
        shop.sync(one.name, sql)
    before = (tmp_path / "warehouse.duckdb").read_bytes()
    checked = cli("check", "-o", "json")
    assert checked.code == 2
    found = {one["place"]["path"]: one for one in checked.json["problems"]}
    codes = {one.name: one.code for one in some if one.code}
    assert {Path(path).stem: one["code"] for path, one in found.items()} == codes
    assert all(one["mend"] and one["place"]["line"] for one in found.values())
    done = cli("run", "-o", "json")
    said = checked.stderr + done.stdout + done.stderr
    assert done.code == 1
    assert {one["status"] for one in done.json["runs"]} == {"Failed"}
    assert len(done.json["runs"]) == len(some)
    for word in ("hush", "Traceback", "INTERNAL"):
        assert word not in said
    assert (tmp_path / "warehouse.duckdb").read_bytes() == before
    assert list(folder.iterdir()) == []


@pytest.fixture
def warehouse(
    request: pytest.FixtureRequest, tmp_path: Path, sample: Sample
) -> Iterator[Mapping[str, Any]]:
    """The settings of a source of the sample's engine."""
    match sample["engine"]:
        case "postgres":
            server: PostgresServer = request.getfixturevalue("postgres_server")
            with postgres_warehouse(server) as found:
                yield found.settings()
        case "mysql":
            yield request.getfixturevalue("maria").settings()
        case "redshift":
            with request.getfixturevalue("redshift_server").database("s3cret") as dressed:
                yield {"type": "redshift", **dressed.settings()}
        case "duckdb":
            duckdb.connect(tmp_path / "w.duckdb").close()
            yield {"type": "duckdb", "path": str(tmp_path / "w.duckdb")}
        case "sqlite":
            with closing(sqlite3.connect(tmp_path / "w.db")) as made:
                made.execute("CREATE TABLE people (id, name)")
            yield {"type": "sqlite", "path": str(tmp_path / "w.db")}


@pytest.mark.parametrize("sample", samples("endless.toml"), ids=ident)
def test_S44_a_query_without_end_is_ended(
    tmp_path: Path, warehouse: Mapping[str, Any], sample: Sample
) -> None:
    settings = {key: value for key, value in warehouse.items() if key != "type"}
    declared = ConnectionSpec("w", warehouse["type"], {**settings, "statement_timeout": 1})
    source = open_source(tmp_path, declared, {})
    try:
        with pytest.raises(SourceError) as ended:
            source.query(sample["sql"]).read_all()
    finally:
        source.close()
    assert ended.value.code == sample.code
    assert re.search("statement_timeout", ended.value.mend)
