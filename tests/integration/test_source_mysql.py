"""The MySQL source on a real MariaDB: exact values by both readers, and sessions that only read."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pydantic
import pytest
from pymysql.constants import CLIENT

from corpus import samples
from documented import since
from servers.mariadb import MariaDbDatabase, MariaDbServer
from servers.room import Room, unique_name

pytest.register_assert_rewrite("rowlift.testing.sources")

from rowlift.core.errors import ConnectError, SourceError  # noqa: E402 - its asserts now speak
from rowlift.core.ports import Source  # noqa: E402
from rowlift.kit import mysqlwire  # noqa: E402
from rowlift.sources.dialects import mysql as data  # noqa: E402
from rowlift.sources.dialects.mysql_server import Server  # noqa: E402
from rowlift.sources.dialects.mysql_words import supported  # noqa: E402
from rowlift.sources.mysql import MySQL, MySQLConfig  # noqa: E402
from rowlift.testing.sources import SourceSuite  # noqa: E402
from rowlift.testing.values import Value, value_type, without  # noqa: E402

PASSWORD = "canary-7f3e: /@%?#'\\é"
READERS = ("pymysql", "connectorx")
ROWS = 200_000
SEQUENCE = f"seq_0_to_{ROWS - 1}"
ENDLESS = "SELECT sum(a.seq * b.seq) AS n FROM seq_1_to_10000000 AS a, seq_1_to_10000000 AS b"

# column type, value (SQL), value type, what comes
TYPES: list[tuple[str, str, str, object]] = [
    ("TINYINT(1)", "2", "int", 2),
    ("TINYINT UNSIGNED", "255", "int", 255),
    ("SMALLINT", "-32768", "int", -32768),
    ("MEDIUMINT UNSIGNED", "16777215", "int", 16777215),
    ("INT ZEROFILL", "42", "int", 42),
    ("BIGINT", "-9223372036854775808", "int", -(2**63)),
    ("BIGINT UNSIGNED", "18446744073709551615", "int", "18446744073709551615"),
    ("DECIMAL(65,30)", f"{'1234567' * 5}.{'7' * 30}", "decimal", f"{'1234567' * 5}.{'7' * 30}"),
    ("DECIMAL(5,2)", "-1.10", "decimal", "-1.10"),
    ("FLOAT", "0.1", "float", 0.1),
    ("FLOAT", "16777216", "float", 16777216.0),
    ("FLOAT", "3.40282e38", "float", 3.40282e38),
    ("DOUBLE", "0.1", "float", 0.1),
    ("DOUBLE", "5e-324", "float", 5e-324),
    ("DOUBLE", "-1.7976931348623157e308", "float", -1.7976931348623157e308),
    ("BIT(1)", "b'1'", "bool", True),
    ("BIT(1)", "b'0'", "bool", False),
    ("BIT(9)", "b'100000001'", "int", "257"),
    ("BIT(64)", "~0", "int", "18446744073709551615"),
    ("YEAR", "2026", "int", 2026),
    ("YEAR", "0", "int", 0),
    ("DATE", "'0000-00-00'", "date", "0000-00-00"),
    ("DATE", "'2026-00-31'", "date", "2026-00-31"),
    ("DATE", "'9999-12-31'", "date", "9999-12-31"),
    ("DATETIME", "'0000-00-00 00:00:00'", "timestamp", "0000-00-00 00:00:00"),
    ("DATETIME(6)", "'1000-01-01 00:00:00.000001'", "timestamp", "1000-01-01 00:00:00.000001"),
    ("TIMESTAMP NULL", "'2026-03-29 02:30:00'", "timestamptz", "2026-03-29 02:30:00+00"),
    ("TIMESTAMP(3) NULL", "'1970-01-01 00:00:01.5'", "timestamptz", "1970-01-01 00:00:01.500+00"),
    ("TIMESTAMP NULL", "'0000-00-00 00:00:00'", "timestamptz", "0000-00-00 00:00:00+00"),
    ("TIME", "'-838:59:59'", "time", "-838:59:59"),
    ("TIME(2)", "'-100:00:01.25'", "time", "-100:00:01.25"),
    ("CHAR(5)", "'ab '", "text", "ab"),
    ("VARCHAR(9)", "' ä '", "text", " ä "),
    ("TEXT", "'a\\0b'", "text", "a\0b"),
    ("VARCHAR(9) CHARACTER SET latin1", "'é€'", "text", "é€"),
    ("VARCHAR(9) CHARACTER SET utf8mb3", "'用'", "text", "用"),
    ("VARCHAR(9) CHARACTER SET utf16", "'👩'", "text", "👩"),
    ("VARCHAR(9) CHARACTER SET sjis", "'ア'", "text", "ア"),
    ("VARCHAR(9) CHARACTER SET ascii", "'a'", "text", "a"),
    ("VARCHAR(9) COLLATE utf8mb4_nopad_bin", "'a '", "text", "a "),
    ("VARCHAR(9) CHARACTER SET utf8mb4 COLLATE uca1400_ai_ci", "'ß'", "text", "ß"),
    ("ENUM('a', 'é')", "'é'", "text", "é"),
    ("SET('x', 'y')", "'x,y'", "text", "x,y"),
    ("JSON", '\'{"b": 1, "a": [1.10]}\'', "text", '{"b": 1, "a": [1.10]}'),
    ("UUID", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "text",
     "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("INET6", "'2001:db8::1'", "text", "2001:db8::1"),
    ("BINARY(3)", "x'00ff'", "binary", b"\x00\xff\x00"),
    ("VARBINARY(3)", "''", "binary", b""),
    ("BLOB", "x'e9'", "binary", b"\xe9"),
    ("LONGBLOB", "repeat(x'ff00', 500000)", "binary", b"\xff\x00" * 500_000),
    ("POINT", "point(1, 2)", "binary", "000000000101000000000000000000f03f0000000000000040"),
]  # fmt: skip

HOSTS = [
    "",
    "h?sslmode=disable",
    "h&local_infile=1",
    "h;AutoDetect",
    "h:init_command=x",
    "/tmp/socket",
    "h/x",
    "a@b",
    "h#x",
    "h h",
    "h\n",
    "%2F",
    "-h",
]

# Tried through the source as its user, and again on its session as an administrator.
UNSAFE = [one["sql"] for one in samples("unsafe/mysql.toml") if one.get("session")]
# The server would do these for a user with the right: what stands before it must refuse them.
UNSAFE_FOR_THE_PARSER = [
    one["sql"] for one in samples("unsafe/mysql.toml") if not one.get("session")
]
SAFE = [
    "SELECT id, upper(name) AS name FROM people -- all of them",
    "SELECT id FROM people # all of them",
    "WITH p AS (SELECT * FROM people) SELECT count(*) AS n FROM p;",
    "SELECT id FROM people UNION ALL SELECT id + 3 FROM people ORDER BY id LIMIT 2 OFFSET 1",
    "SELECT id, row_number() OVER (ORDER BY id) AS n FROM people",
    "SELECT 'a;b' AS a, '--' AS b, '/*' AS c, \"it's\" AS d, 'back\\\\slash' AS e",
    "SELECT `id` AS `the id`, 1.5e0 AS x FROM people USE INDEX () WHERE name IS NULL",
    "SELECT /*+ NO_ICP(people) */ id FROM people STRAIGHT_JOIN (SELECT 1 AS a) AS b",
    "SELECT json_extract('{\"a\": [1]}', '$.a[0]') AS a",
    "SELECT date_add('2026-01-31', INTERVAL 1 MONTH) AS d, now(6) AS t, unix_timestamp() AS u",
    "SELECT group_concat(id ORDER BY id SEPARATOR '; ') AS ids FROM people GROUP BY name IS NULL",
    "SELECT (id > 1) AS more, id <=> NULL AS none, NOT id AS no FROM people",
    "(SELECT id FROM people ORDER BY id DESC LIMIT 1)",
    "VALUES (1, 'a'), (2, 'b')",
    "SELECT cast(id AS CHAR) AS a, convert(name USING utf8mb4) AS b FROM people",
    "SELECT table_name AS t FROM information_schema.tables WHERE table_schema = database()",
]


@dataclass(frozen=True)
class Shop:
    """A database with people, and a user who may read it."""

    database: MariaDbDatabase
    user: str

    def config(self, **options: object) -> MySQLConfig:
        server = self.database.server
        parts: dict[str, object] = {
            "host": server.host,
            "port": server.port,
            "database": self.database.name,
            "user": self.user,
            "password": PASSWORD,
            "ssl_mode": "VERIFY_IDENTITY",
            "ssl_ca": str(server.ca_file),
        }
        return MySQLConfig.model_validate(parts | options)

    def source(self, **options: object) -> MySQL:
        return MySQL(self.config(**options))

    def admin(self, **options: object) -> MySQLConfig:
        server = self.database.server
        login = {"user": server.user, "password": server.password, "allow_unsafe_user": True}
        return self.config(**(login | options))

    def people(self) -> list[tuple[object, ...]]:
        with self.database.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id, name FROM people ORDER BY id")
            return list(cursor.fetchall())


PEOPLE = [(1, "Ada"), (2, ""), (3, None)]


def furnish(database: MariaDbDatabase) -> Shop:
    name = database.name
    secret = PASSWORD.replace("\\", "\\\\").replace("'", "''")
    database.execute(
        "CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(20))",
        "INSERT INTO people VALUES (1, 'Ada'), (2, ''), (3, NULL)",
        "CREATE TABLE bits (b BIT(1))",
        "INSERT INTO bits VALUES (b'0'), (b'1')",
        "CREATE TABLE moments (n INT, t TIMESTAMP(6) NULL)",
        f"CREATE USER {name}@'%' IDENTIFIED BY '{secret}'",
        f"GRANT SELECT ON {name}.* TO {name}@'%'",
    )
    return Shop(database, name)


@pytest.fixture
def shop(mariadb_database: MariaDbDatabase) -> Iterator[Shop]:
    """A shop for tests that change it."""
    yield furnish(mariadb_database)
    mariadb_database.execute(f"DROP USER {mariadb_database.name}@'%'")


@pytest.fixture(scope="module")
def calm(mariadb_server: MariaDbServer) -> Iterator[Shop]:
    """A shop that nobody changes."""
    database = mariadb_server.create_database(unique_name())
    yield furnish(database)
    database.execute(f"DROP USER {database.name}@'%'")
    mariadb_server.drop_database(database.name)


@pytest.fixture(params=READERS)
def source(request: pytest.FixtureRequest, calm: Shop) -> Iterator[Source]:
    made = calm.source(reader=request.param)
    yield made
    made.close()


def refusal(source: Source, sql: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        source.query(sql).read_all()
    error = caught.value
    assert "canary" not in f"{error} {error!r} {error.message} {error.mend}"
    assert error.mend
    return error


def threads(shop: Shop, like: str) -> list[int]:
    with shop.database.connect() as connection, connection.cursor() as cursor:
        sql = "SELECT id FROM information_schema.processlist WHERE db = %s AND info LIKE %s"
        cursor.execute(sql, [shop.database.name, like])
        return [row[0] for row in cursor.fetchall() if row[0] != connection.thread_id()]


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


class TestMySQL(SourceSuite):
    since = since("mysql")
    values = (
        *without("json", "timestamptz", "bool"),
        Value("bool", "true", "(SELECT b FROM bits WHERE b = 1)"),
        Value("bool", "false", "(SELECT b FROM bits WHERE b = 0)"),
        Value("int", "18446744073709551615", "18446744073709551615"),
        Value("time", "-838:59:59", "CAST('-838:59:59' AS TIME)"),
    )
    literals: ClassVar = {
        "bool": "{}",
        "int": "{}",
        "decimal": "CAST('{}' AS DECIMAL(38, {scale}))",
        "float": "CAST('{}' AS DOUBLE)",
        "text": "'{}'",
        "date": "CAST('{}' AS DATE)",
        "time": "CAST('{}' AS TIME(6))",
        "timestamp": "CAST('{}' AS DATETIME(6))",
        "binary": "x'{}'",
    }
    big = f"SELECT seq AS id, concat('name ', seq) AS name FROM {SEQUENCE}"
    late_error = (
        "SELECT seq AS id, IF(seq = 150000, (SELECT seq FROM seq_1_to_2), seq) AS a "
        f"FROM {SEQUENCE}"
    )
    endless = ENDLESS
    secrets = ("canary",)

    def escaped(self, text: str) -> str:
        return text.replace("\\", "\\\\").replace("'", "''")


@pytest.mark.parametrize("reader", READERS)
def test_each_type_and_its_hostile_values_come_exactly(shop: Shop, reader: str) -> None:
    columns = [f"v{number} {kind}" for number, (kind, *_) in enumerate(TYPES)]
    values = ", ".join(value for _, value, *_ in TYPES)
    nulls = ", ".join("NULL" for _ in TYPES)
    shop.database.execute(f"CREATE TABLE v (n INT PRIMARY KEY, {', '.join(columns)})")
    with shop.database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_mode = '', time_zone = '+00:00'")
        cursor.execute(f"INSERT INTO v VALUES (1, {values}), (2, {nulls})")
    source = shop.source(reader=reader)
    names = ", ".join(f"v{number}" for number in range(len(TYPES)))
    table = source.query(f"SELECT {names}, n FROM v").read_all().sort_by("n")
    came = [
        (kind, value_type(table.field(i)), table.column(i)[0].as_py())
        for i, (kind, *_) in enumerate(TYPES)
    ]
    assert came == [(kind, expected, value) for kind, _, expected, value in TYPES]
    assert [column[1].as_py() for column in table.columns] == [*([None] * len(TYPES)), 2]
    described = source.describe("SELECT * FROM v")[1:]
    assert [c.value_type for c in described] == [expected for _, _, expected, _ in TYPES]
    assert {c.type_name for c in described} >= {"tinyint(1)", "decimal(65,30)", "bigint unsigned"}


def test_both_readers_give_the_same(calm: Shop) -> None:
    sql = (
        "SELECT seq AS id, seq / 7 AS ratio, sqrt(seq) AS root, seq * 1e300 AS big, "
        "md5(seq) AS digest, '2026-01-01' + INTERVAL seq SECOND AS at, "
        "IF(seq % 3, seq, NULL) AS gaps, unhex(md5(seq)) AS bytes, seq % 2 = 0 AS even "
        "FROM seq_1_to_50000 ORDER BY id DESC"
    )
    plain, fast = (calm.source(reader=reader).query(sql).read_all() for reader in READERS)
    assert plain.num_rows == 50_000
    assert plain.schema.equals(fast.schema, check_metadata=True)
    assert plain.equals(fast)
    assert plain.column("id")[0].as_py() == "50000"


@pytest.mark.parametrize("reader", READERS)
def test_T8_text_that_is_no_text_comes_as_hexadecimal(shop: Shop, reader: str) -> None:
    shop.database.execute(
        "CREATE TABLE broken (a VARCHAR(9), b VARCHAR(9) CHARACTER SET utf8mb3) ENGINE = MyISAM",
        "INSERT INTO broken VALUES ('zq', 'xk'), ('ok', 'ok')",
        "FLUSH TABLES broken",
    )
    with shop.database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@datadir")
        (folder,) = cursor.fetchone()
    rows = Path(folder) / shop.database.name / "broken.MYD"  # no statement stores broken text
    rows.write_bytes(rows.read_bytes().replace(b"zq", b"\xe9\xff").replace(b"xk", b"x\xc3"))
    shop.database.execute("FLUSH TABLES")
    table = shop.source(reader=reader).query("SELECT a, b FROM broken").read_all()
    assert table.to_pydict() == {"a": ["\\xe9ff", "ok"], "b": ["\\x78c3", "ok"]}


@pytest.mark.parametrize("reader", READERS)
def test_tinyint1_as_bool_keeps_what_is_none(shop: Shop, reader: str) -> None:
    shop.database.execute(
        "CREATE TABLE flags (id INT, f TINYINT(1))",
        "INSERT INTO flags VALUES (1, 0), (2, 1), (3, 2), (4, NULL)",
    )
    source = shop.source(reader=reader, tinyint1="bool")
    table = source.query("SELECT f FROM flags ORDER BY id").read_all()
    assert value_type(table.field(0)) == "bool"
    assert table.column(0).to_pylist() == ["false", "true", "2", None]


@pytest.mark.parametrize("reader", READERS)
def test_the_servers_settings_change_no_value(shop: Shop, reader: str) -> None:
    shop.database.execute("INSERT INTO moments VALUES (1, from_unixtime(1795000000.25))")
    source = shop.source(reader=reader)
    moments = source.query("SELECT t FROM moments").read_all()
    assert moments.column(0).to_pylist() == ["2026-11-18 11:06:40.250000+00"]
    settings = "SELECT @@time_zone AS z, 1 = '1' || 'x' AS pipes, \"a\" AS quotes, 'b\\'' AS slash"
    table = source.query(settings).read_all()
    assert [column[0].as_py() for column in table.columns] == ["+00:00", 1, "a", "b'"]


def test_an_unnamed_and_an_odd_column_keep_their_names(calm: Shop) -> None:
    source = calm.source()
    sql = 'SELECT 1 AS `we``ird {column} %s`, 1.5e0 + 0 AS `é 用 "x"`, cast(0.5 AS FLOAT) AS f'
    table = source.query(sql).read_all()
    assert table.column_names == ["we`ird {column} %s", 'é 用 "x"', "f"]
    assert refusal(source, "SELECT 1 AS a, 2 AS a").code == "COLUMN_DUPLICATE"
    assert "'a'" in refusal(source, "SELECT 1 AS a, 2 AS a").message


# what goes wrong


@pytest.mark.parametrize("reader", READERS)
def test_T7_a_connection_that_is_cut_is_an_error_after_good_rows(calm: Shop, reader: str) -> None:
    source = calm.source(reader=reader)
    wide = "SELECT a.seq AS id, repeat('x', 200) AS pad FROM seq_1_to_2000000 AS a"
    batches = iter(source.query(wide))
    rows = next(batches).num_rows
    wait_for(lambda: threads(calm, "%repeat%"))
    calm.database.server.stop_backends(calm.database.name)
    with pytest.raises(SourceError) as caught:
        list(batches)
    assert caught.value.code == "SOURCE_DROPPED"
    assert 0 < rows < 2_000_000


@pytest.mark.parametrize("reader", READERS)
def test_a_query_that_takes_too_long_is_ended_by_the_server(calm: Shop, reader: str) -> None:
    source = calm.source(reader=reader, statement_timeout=0.5)
    started = time.monotonic()
    assert refusal(source, ENDLESS).code == "QUERY_TIMEOUT"
    assert time.monotonic() - started < 20
    wait_for(lambda: not threads(calm, "%seq%"))


@pytest.mark.parametrize("reader", READERS)
def test_cancelling_ends_the_query_on_the_server(calm: Shop, reader: str) -> None:
    source = calm.source(reader=reader)
    caught: list[SourceError] = []
    reading = threading.Thread(target=lambda: caught.append(refusal(source, ENDLESS)))
    reading.start()
    wait_for(lambda: threads(calm, "%seq%"))
    source.cancel()
    reading.join(20)
    assert [error.code for error in caught] == ["QUERY_CANCELLED"]
    wait_for(lambda: not threads(calm, "%seq%"))


@pytest.mark.parametrize("reader", READERS)
def test_closing_leaves_nothing_running(calm: Shop, reader: str) -> None:
    source = calm.source(reader=reader)
    batches = source.query("SELECT seq AS id, repeat('x', 500) AS pad FROM seq_1_to_3000000")
    assert next(batches).num_rows > 0
    source.close()
    wait_for(lambda: not threads(calm, "%repeat%"))
    with pytest.raises(SourceError):
        list(batches)


def test_T7_a_child_that_dies_loses_the_result_and_not_the_source(calm: Shop) -> None:
    source = calm.source(reader="connectorx")
    batches = source.query("SELECT seq AS id, repeat('x', 500) AS pad FROM seq_1_to_3000000")
    assert next(batches).num_rows > 0
    (child,) = children()
    os.kill(child, signal.SIGKILL)
    with pytest.raises(SourceError) as caught:
        list(batches)
    assert caught.value.code == "SOURCE_DROPPED"
    assert source.query("SELECT id FROM people").read_all().num_rows == 3
    wait_for(lambda: not children())


def children() -> list[int]:
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    mine = [int(pid) for task in tasks for pid in task.read_text().split()]
    return [pid for pid in mine if b"connectorx_child" in command(pid)]


def command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_the_child_is_told_the_password_where_nobody_else_can_read(calm: Shop) -> None:
    source = calm.source(reader="connectorx")
    batches = source.query("SELECT seq AS id, repeat('x', 500) AS pad FROM seq_1_to_3000000")
    assert next(batches).num_rows > 0
    (child,) = children()
    environment = Path(f"/proc/{child}/environ").read_bytes()
    assert b"PATH=" in environment
    assert b"canary" not in environment + command(child)
    source.close()


def test_a_slow_consumer_holds_no_memory(calm: Shop) -> None:
    source = calm.source(reader="connectorx")
    batches = source.query("SELECT seq AS id, repeat(md5(seq), 20) AS pad FROM seq_1_to_300000")
    rows = next(batches).num_rows
    (child,) = children()
    wait_for(lambda: not threads(calm, "%repeat%"))  # the server is free again
    status = Path(f"/proc/{child}/status")
    peak = status.read_text() if status.exists() else "VmHWM: 0 kB"
    assert int(re.search(r"VmHWM:\s+(\d+)", peak + " VmHWM: 0 kB")[1]) < 200_000
    assert rows + sum(batch.num_rows for batch in batches) == 300_000


def test_cells_of_a_megabyte_come_in_small_batches(calm: Shop) -> None:
    sql = "SELECT seq AS id, repeat('x', 1000000) AS pad FROM seq_1_to_150"
    sizes = [batch.num_rows for batch in calm.source(reader="pymysql").query(sql)]
    assert sum(sizes) == 150
    assert max(sizes[1:]) <= 16


# rights


@pytest.mark.parametrize("sample", [*UNSAFE, *UNSAFE_FOR_THE_PARSER])
def test_S2_the_source_refuses_what_is_unsafe(calm: Shop, tmp_path: Path, sample: str) -> None:
    tmp_path.chmod(0o777)
    refusal(MySQL(calm.admin()), sample.replace("{folder}", str(tmp_path)))
    assert calm.people() == PEOPLE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sample", UNSAFE)
def test_S2_the_session_stops_what_a_parser_let_through(
    calm: Shop, tmp_path: Path, sample: str
) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises((SourceError, mysqlwire.Refusal)), Server(calm.admin()).session() as session:
        mysqlwire.rows(session, sample.replace("{folder}", str(tmp_path / "none")))
    assert calm.people() == PEOPLE


@pytest.mark.parametrize("sample", SAFE)
def test_S2_what_is_safe_runs(calm: Shop, sample: str) -> None:
    assert calm.source().query(sample).read_all().num_rows > 0


@pytest.mark.parametrize("right", ["FILE", "SUPER", "ALL", "SHUTDOWN"])
def test_S2_a_user_no_session_can_contain_is_refused(shop: Shop, right: str) -> None:
    shop.database.execute(f"GRANT {right} ON *.* TO {shop.user}@'%'")
    error = refusal(shop.source(), "SELECT id FROM people")
    assert error.code == "UNSAFE_USER"
    assert right in error.message
    assert f"GRANT SELECT ON `{shop.database.name}`.* TO" in error.mend
    findings = {found.step: found for found in shop.source().check()}
    assert (findings["read_only"].level, findings["read_only"].code) == ("error", "UNSAFE_USER")
    allowed = shop.source(allow_unsafe_user=True)
    assert allowed.query("SELECT id FROM people").read_all().num_rows == 3
    assert {found.step: found.level for found in allowed.check()}["read_only"] == "warning"


@pytest.mark.parametrize("right", ["INSERT", "DELETE", "CREATE", "EXECUTE", "LOCK TABLES", "ALL"])
def test_S2_a_user_who_could_write_is_warned_of(shop: Shop, right: str) -> None:
    shop.database.execute(f"GRANT {right} ON {shop.database.name}.* TO {shop.user}@'%'")
    findings = {found.step: found for found in shop.source().check()}
    assert (findings["read_only"].level, findings["read_only"].code) == ("warning", "WRITE_RIGHTS")
    assert right in findings["read_only"].message
    assert shop.source().query("SELECT id FROM people").read_all().num_rows == 3


def test_S2_the_connection_takes_one_statement_and_sends_no_file(calm: Shop) -> None:
    with Server(calm.config()).session() as connection:
        assert connection.client_flag & CLIENT.MULTI_STATEMENTS == 0
        assert connection.client_flag & CLIENT.LOCAL_FILES == 0
        (row,) = mysqlwire.rows(connection, "SELECT @@tx_read_only, @@max_statement_time")
        assert row == ("1", "3600.000000")


def test_a_missing_right_names_table_user_and_grant(shop: Shop) -> None:
    name = shop.database.name
    shop.database.execute(
        f"REVOKE SELECT ON {name}.* FROM {shop.user}@'%'",
        f"GRANT SELECT ON {name}.bits TO {shop.user}@'%'",
        f"GRANT SELECT (id) ON {name}.people TO {shop.user}@'%'",
    )
    error = refusal(shop.source(), "SELECT n FROM moments")
    assert error.code == "PERMISSION_DENIED"
    assert f"`{name}`.`moments`" in error.message
    assert error.mend.splitlines()[0] == "Check its name; if it is right:"
    assert error.mend.splitlines()[1:] == [
        f"GRANT SELECT ON `{name}`.`moments` TO `{shop.user}`@`%`;"
    ]
    error = refusal(shop.source(), "SELECT name FROM people")
    assert error.code == "PERMISSION_DENIED"
    assert error.mend.endswith(f"\nGRANT SELECT ON `people` TO `{shop.user}`@`%`;")
    error = refusal(shop.source(database="mysql"), "SELECT 1 AS a")
    assert error.mend.endswith(f"\nGRANT SELECT ON `mysql`.* TO '{shop.user}'@'%';")


def test_a_function_that_is_closed_or_missing_comes_with_its_grant(shop: Shop) -> None:
    name = shop.database.name
    shop.database.execute("CREATE FUNCTION one() RETURNS int DETERMINISTIC RETURN 1")
    error = refusal(shop.source(), "SELECT one() AS a")
    _, grant, advice = error.mend.partition("GRANT EXECUTE")
    assert advice == f" ON FUNCTION `{name}`.`one` TO `{shop.user}`@`%`;"
    shop.database.execute(f"{grant}{advice}")
    assert shop.source().query("SELECT one() AS a").read_all().to_pylist() == [{"a": 1}]


def test_a_view_that_reads_what_is_closed_is_named(shop: Shop) -> None:
    name = shop.database.name
    shop.database.execute(
        "CREATE SQL SECURITY INVOKER VIEW through AS SELECT id FROM people",
        f"REVOKE SELECT ON {name}.* FROM {shop.user}@'%'",
        f"GRANT SELECT ON {name}.through TO {shop.user}@'%'",
    )
    error = refusal(shop.source(), "SELECT id FROM through")
    assert f"{name}.through" in error.message
    assert "closed to its definer or to this user" in error.mend


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("5.6.51-log", "error"),
        ("5.7.7", "error"),
        ("5.7.8", "ok"),
        ("8.4.3", "ok"),
        ("10.0.38-MariaDB", "error"),
        ("10.1.1-MariaDB", "ok"),
        ("5.5.5-10.11.6-MariaDB-0+deb12u1", "ok"),
        ("of somebody's own", "ok"),
    ],
)
def test_a_server_that_cannot_end_a_query_is_found(version: str, level: str) -> None:
    found = supported(version)
    assert (found.step, found.level, version in found.message) == ("version", level, True)
    assert bool(found.mend) == (level == "error")


# connecting


def failure(source: MySQL, step: str) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        source.describe("SELECT 1 AS a")
    error = caught.value
    finding = list(source.check())[-1]
    assert (finding.step, finding.level, finding.code) == (step, "error", error.code)
    assert finding.mend
    assert "canary" not in f"{error} {error!r} {finding}"
    return error


def test_what_keeps_one_from_connecting_is_told(calm: Shop) -> None:
    assert failure(calm.source(password="canary-wrong"), "login").code == "LOGIN_FAILED"
    assert failure(calm.source(user="nobody"), "login").code == "LOGIN_FAILED"
    no_database = MySQL(calm.admin(database="no_such_database"))
    assert failure(no_database, "login").code == "DATABASE_UNKNOWN"


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 1), ("no-such-host.invalid", 3306)])
def test_S9_nothing_tells_a_closed_port_from_an_unknown_host(
    calm: Shop, host: str, port: int
) -> None:
    error = failure(calm.source(host=host, port=port, connect_timeout=2), "network")
    assert (error.code, error.message) == (
        "CONNECT_FAILED",
        f"{host}:{port}: The source cannot be reached",
    )


@pytest.mark.parametrize("reader", READERS)
def test_S21_public_only_reaches_what_is_allowed_and_nothing_else(calm: Shop, reader: str) -> None:
    reach: dict[str, object] = {"public_only": True, "ssl_mode": "VERIFY_CA", "reader": reader}
    error = failure(calm.source(**reach), "network")
    assert (error.code, "not public" in error.message) == ("ADDRESS_REFUSED", True)
    opened = calm.source(**reach, allow_networks=[calm.database.server.host])
    assert opened.query("SELECT id FROM people").read_all().num_rows == 3


def test_S21_the_connection_goes_to_the_address_that_was_checked(calm: Shop) -> None:
    config = calm.config(ssl_mode="VERIFY_CA")
    mysqlwire.connect(
        host="never-looked-up.invalid",
        port=config.port,
        addresses=["127.0.0.3", "127.0.0.1"],
        database=config.database,
        user=config.user,
        password=PASSWORD,
        context=mysqlwire.encryption("VERIFY_CA", str(config.ssl_ca), None, None),
        connect_timeout=10,
        read_timeout=10,
    ).close()


def test_a_certificate_of_our_own_is_shown(shop: Shop, server_room: Room) -> None:
    shop.database.execute(f"ALTER USER {shop.user}@'%' REQUIRE X509")
    assert failure(shop.source(), "login").code == "LOGIN_FAILED"
    certificates = server_room.certificates()
    ours = {"ssl_cert": str(certificates.cert_file), "ssl_key": str(certificates.key_file)}
    assert shop.source(**ours).query("SELECT id FROM people").read_all().num_rows == 3


def test_S21_the_certificate_must_have_the_name_and_not_the_address(calm: Shop) -> None:
    reach: dict[str, object] = {"public_only": True, "allow_networks": ["127.0.0.0/8"]}
    assert calm.source(**reach, host="localhost").query("SELECT 1 AS a").read_all().num_rows == 1
    elsewhere = calm.database.server.wrong_host
    assert failure(calm.source(**reach, host=elsewhere), "tls").code == "TLS_FAILED"


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("mode", ["DISABLED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"])
def test_each_tls_mode_connects(shop: Shop, mode: str, reader: str) -> None:
    if mode != "DISABLED":
        shop.database.execute(f"ALTER USER {shop.user}@'%' REQUIRE SSL")
    source = shop.source(ssl_mode=mode, reader=reader)
    assert source.query("SELECT id FROM people").read_all().num_rows == 3
    levels = {"DISABLED": "warning", "REQUIRED": "note"}
    found = {finding.step: finding for finding in source.check()}
    assert found["tls"].level == levels.get(mode, "ok")
    assert ("TLS" in found["tls"].message) == (mode != "DISABLED")


@pytest.mark.parametrize("mode", ["VERIFY_CA", "VERIFY_IDENTITY"])
def test_a_server_of_an_unknown_authority_is_refused(calm: Shop, mode: str) -> None:
    stranger = str(calm.database.server.untrusted_ca_file)
    source = calm.source(ssl_mode=mode, ssl_ca=stranger)
    assert failure(source, "tls").code == "TLS_FAILED"
    assert failure(calm.source(ssl_mode=mode, ssl_ca=None), "tls").code == "TLS_FAILED"


def test_a_server_of_another_name_is_refused(calm: Shop) -> None:
    elsewhere = calm.database.server.wrong_host
    assert failure(calm.source(host=elsewhere), "tls").code == "TLS_FAILED"
    for reader in READERS:
        source = calm.source(host=elsewhere, ssl_mode="VERIFY_CA", reader=reader)
        assert source.query("SELECT id FROM people").read_all().num_rows == 3


def test_a_server_that_offers_no_encryption_gets_no_password(calm: Shop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as between:
        heard: list[bytes] = []
        stripping = threading.Thread(target=strip, args=(between, calm.database.server.port, heard))
        stripping.start()
        source = calm.source(port=between.getsockname()[1], ssl_mode="REQUIRED")
        with pytest.raises(ConnectError) as caught:
            source.describe("SELECT 1 AS a")
        stripping.join()
    assert caught.value.code == "TLS_FAILED"
    assert heard == [b""]


def strip(between: socket.socket, port: int, heard: list[bytes]) -> None:
    """Pass the server's greeting on without its offer to encrypt, and hear what is answered."""
    client, _ = between.accept()
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        greeting = bytearray(server.recv(4096))
        flags = greeting.index(0, 5) + 1 + 4 + 8 + 1  # after version, connection id, salt, zero
        greeting[flags + 1] &= ~(CLIENT.SSL >> 8)
        client.sendall(greeting)
        heard.append(client.recv(4096))


def test_the_fast_reader_verifies_the_server_itself(calm: Shop) -> None:
    server = Server(calm.config(ssl_ca=str(calm.database.server.untrusted_ca_file)))
    program = (
        "import sys, connectorx; connectorx.read_sql(sys.stdin.read(), 'SELECT 1 AS a', "
        "return_type='arrow_stream').read_all()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=server.url(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "certificate verify failed" in done.stderr


def test_a_certificate_file_that_cannot_be_read_is_told(calm: Shop, tmp_path: Path) -> None:
    source = calm.source(ssl_ca=str(tmp_path / "none.pem"))
    error = failure(source, "tls")
    assert (error.code, f"ssl_ca: there is no file {tmp_path}" in error.message) == (
        "TLS_FAILED",
        True,
    )
    assert [one.step for one in source.check()] == ["tls"], "nobody was asked"
    (tmp_path / "none.pem").write_text("no certificate")
    assert failure(source, "tls").code == "TLS_FAILED"


@pytest.mark.parametrize("host", HOSTS)
def test_S8_a_host_sets_no_option(calm: Shop, host: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        calm.source(host=host)


@pytest.mark.parametrize("option", ["init_command", "local_infile", "read_default_file", "url"])
def test_S8_no_other_option_reaches_the_driver(calm: Shop, option: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        calm.source(**{option: "x"})


# the rest of the port


def test_T5_now_is_the_servers_clock(calm: Shop) -> None:
    with calm.database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT floor(unix_timestamp())")
        (clock,) = cursor.fetchone()
    assert 0 <= calm.source().now() - int(clock) <= 5


def test_the_catalogue_has_types_and_estimates(shop: Shop) -> None:
    shop.database.execute("CREATE VIEW named AS SELECT id, name FROM people")
    shop.database.execute("CREATE TABLE NAMED (id int, name varchar(20))")
    tables = shop.source().catalog()
    found = {table.name: table for table in tables}
    assert sorted(one.name for one in tables) == ["NAMED", "bits", "moments", "named", "people"]
    assert [len(found[name].columns) for name in ("NAMED", "named")] == [2, 2]
    columns = [(c.name, c.type_name, c.value_type) for c in found["people"].columns]
    assert columns == [("id", "int(11)", "int"), ("name", "varchar(20)", "text")]
    assert found["bits"].columns[0].value_type == "bool"
    assert found["people"].rows_estimate == 3
    assert found["named"].rows_estimate is None


def test_the_collations_we_take_for_unicode_are_those_of_the_server(calm: Shop) -> None:
    with calm.database.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, character_set_name IN ('utf8mb3', 'utf8mb4', 'ascii') "
            "FROM information_schema.collation_character_set_applicability WHERE id IS NOT NULL"
        )
        found = dict(cursor.fetchall())
    assert len(found) > 300
    unpadded = {number: number - 1024 if number in data.NO_PAD else number for number in found}
    taken = {number for number, plain in unpadded.items() if plain in data.UNICODE_COLLATIONS}
    assert taken == {number for number, unicode in found.items() if unicode}


def test_T5_a_replica_that_does_not_say_how_far_it_is_has_no_now(shop: Shop) -> None:
    shop.database.execute(
        f"GRANT SLAVE MONITOR ON *.* TO {shop.user}@'%'",
        "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = 1, MASTER_USER = 'x'",
    )
    try:
        with pytest.raises(SourceError, match="does not say how far behind it is") as caught:
            shop.source().now()
        assert "replication" in caught.value.mend
    finally:
        shop.database.execute("RESET SLAVE ALL")
    assert shop.source().now() > 0
