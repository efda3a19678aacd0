"""The SQLite source on real files: exact values, and nothing that a query can do but read."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pytest

from corpus import samples
from documented import since

pytest.register_assert_rewrite("rowlift.testing.sources")

from rowlift.core.errors import SourceError  # noqa: E402 - after its asserts were made to speak
from rowlift.core.ports import Source  # noqa: E402
from rowlift.kit.sqliteread import Opened  # noqa: E402
from rowlift.sources.dialects import sqlite as data  # noqa: E402
from rowlift.sources.sqlite import SQLite, SQLiteConfig  # noqa: E402
from rowlift.testing.sources import SourceSuite  # noqa: E402
from rowlift.testing.values import Value, value_type, without  # noqa: E402

COUNT = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS c FROM n"
)

# Each is tried through the source, and on its closed-in connection as if no parser stood before it.
UNSAFE = [one["sql"] for one in samples("unsafe/sqlite.toml")]
SAFE = [
    "SELECT id, upper(name) AS name FROM people -- all of them",
    "WITH p AS (SELECT * FROM people) SELECT count(*) AS n FROM p;",
    "SELECT id FROM people UNION ALL SELECT id + 3 FROM people ORDER BY id LIMIT 2 OFFSET 1",
    "SELECT id, row_number() OVER (ORDER BY id) AS n FROM people",
    "SELECT json_extract('{\"a\": [1]}', '$.a[0]') AS a",
    "SELECT value FROM json_each('[1, 2]')",
    "SELECT 'a;b' AS a, '--' AS b, '/*' AS c",
    "VALUES (1, 'x'), (2, 'y')",
    COUNT.format(last=10) + " SELECT i FROM n",
    "SELECT date('2026-01-01', '+1 day') AS d, datetime('now') AS t",
    'SELECT p."name" AS "the name", [id] FROM people AS p JOIN people AS q USING (id)',
    "SELECT count(*) AS n FROM sqlite_schema",
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    make(
        folder / "shop.db",
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(20));"
        "CREATE INDEX by_name ON people (name);"
        "INSERT INTO people VALUES (1, 'Ada'), (2, ''), (3, NULL);"
        "CREATE VIEW named AS SELECT id FROM people WHERE name <> '';",
    )
    return folder / "shop.db"


def make(path: Path, script: str) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()


@pytest.fixture
def source(path: Path) -> Iterator[Source]:
    source = SQLite(SQLiteConfig(path=str(path)))
    yield source
    source.close()


def refusal(source: Source, sql: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        source.query(sql).read_all()
    return caught.value


class TestSQLite(SourceSuite):
    since = since("sqlite")
    values = (
        *without("bool", "decimal", "date", "time", "timestamp", "timestamptz", "json"),
        Value("float", "1e+18", "1e18"),
    )
    literals: ClassVar = {
        "int": "{}",
        "float": "CAST('{}' AS REAL)",
        "text": "'{}'",
        "timestamp": "datetime('{}')",
        "binary": "x'{}'",
    }
    big = COUNT.format(last=199_999) + " SELECT i AS id, 'name ' || i AS name FROM n"
    late_error = (
        COUNT.format(last=199_999)
        + " SELECT CASE WHEN i = 150000 THEN abs(-9223372036854775807 - 1) ELSE i END AS a FROM n"
    )
    endless = ENDLESS

    def test_the_error_of_a_late_row_comes_after_good_rows(self, source: Source) -> None:
        """Earlier even: the pass that asks for the types meets it before the first row."""
        with self.refused(source, "QUERY_FAILED"):
            source.query(self.late_error)


def test_each_column_comes_in_the_form_that_keeps_all_its_values(
    path: Path, source: Source
) -> None:
    make(
        path,
        """CREATE TABLE v (i INT, r REAL, n NUMERIC, big NUMERIC, t TEXT, b BLOB, mix, no);
        INSERT INTO v VALUES
          (1, 0.1, 1, 9007199254740993, 'é', x'00ff', 1, NULL),
          (-9223372036854775808, -1e300, 2.5, 0.1, '', x'', 'x', NULL),
          (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
          (3, 9e999, -3, 1e18, 'a', zeroblob(2), x'00FF', NULL),
          (4, 2, 4, 5, 'b', x'41', 0.30000000000000004, NULL);""",
    )
    table = source.query("SELECT * FROM v ORDER BY rowid").read_all()
    types = {field.name: (value_type(field), field.type) for field in table.schema}
    assert types == {
        "i": ("int", pa.int64()),
        "r": ("float", pa.float64()),
        "n": ("float", pa.float64()),
        "big": ("text", pa.string()),
        "t": ("text", pa.string()),
        "b": ("binary", pa.binary()),
        "mix": ("text", pa.string()),
        "no": ("text", pa.string()),
    }
    assert table.to_pydict() == {
        "i": [1, -(2**63), None, 3, 4],
        "r": [0.1, -1e300, None, float("inf"), 2.0],
        "n": [1.0, 2.5, None, -3.0, 4.0],
        "big": ["9007199254740993", "0.1", None, "1000000000000000000", "5"],
        "t": ["é", "", None, "a", "b"],
        "b": [b"\x00\xff", b"", None, b"\0\0", b"A"],
        "mix": ["1", "x", None, "\\x00ff", "0.30000000000000004"],
        "no": [None] * 5,
    }
    assert [column.type_name for column in source.describe("SELECT i, big, mix, no FROM v")] == [
        "integer",
        "integer|real",
        "blob|integer|real|text",
        "null",
    ]


def test_T8_text_that_is_no_text_comes_as_hexadecimal(path: Path, source: Source) -> None:
    make(path, "INSERT INTO people VALUES (4, CAST(x'E9FF' AS TEXT)), (5, CAST(x'610062' AS TEXT))")
    names = source.query("SELECT name FROM people WHERE id > 3 ORDER BY id").read_all()
    assert names.column(0).to_pylist() == ["\\xe9ff", "a\0b"]


def test_columns_of_one_name_keep_their_names(source: Source) -> None:
    names = [column.name for column in source.describe('SELECT 1 AS a, 2 AS a, 3 AS A, 4 AS "b:1"')]
    assert names == ["a", "a", "A", "b:1"]


def test_a_megabyte_in_a_cell_comes_whole(source: Source) -> None:
    table = source.query("SELECT zeroblob(1000000) AS b, printf('%1000000d', 1) AS t").read_all()
    assert [len(table.column(i)[0].as_py()) for i in (0, 1)] == [1_000_000, 1_000_000]


@pytest.mark.parametrize("sample", UNSAFE)
def test_S3_the_source_refuses_what_is_unsafe(path: Path, sample: str) -> None:
    before = contents(path.parent)
    source = SQLite(SQLiteConfig(path=str(path), statement_timeout=1))
    error = refusal(source, sample.replace("{folder}", str(path.parent)))
    source.close()
    assert error.mend
    assert contents(path.parent) == before


@pytest.mark.parametrize("sample", UNSAFE)
def test_S3_the_closed_in_connection_stops_what_a_parser_let_through(
    path: Path, sample: str
) -> None:
    before = contents(path.parent)
    opened = Opened(path, seconds=1)
    for statement in data.SESSION:
        opened.connection.execute(statement)
    opened.close_in(data.LIMITS, data.ALLOWED, data.DENIED)
    with pytest.raises((sqlite3.Error, sqlite3.Warning)):
        opened.connection.execute(sample.replace("{folder}", str(path.parent))).fetchall()
    opened.close()
    assert contents(path.parent) == before


@pytest.mark.parametrize("sample", SAFE)
def test_S3_what_is_safe_runs(source: Source, sample: str) -> None:
    assert source.query(sample).read_all().num_rows > 0


def contents(folder: Path) -> dict[str, bytes]:
    return {found.name: found.read_bytes() for found in folder.iterdir()}


def test_a_query_that_takes_too_long_is_ended(path: Path) -> None:
    source = SQLite(SQLiteConfig(path=str(path), statement_timeout=0.2))
    started = time.monotonic()
    assert refusal(source, ENDLESS).code == "QUERY_TIMEOUT"
    assert time.monotonic() - started < 30
    assert source.query("SELECT id FROM people").read_all().num_rows == 3


def test_a_reader_that_is_too_slow_is_ended(path: Path) -> None:
    source = SQLite(SQLiteConfig(path=str(path), statement_timeout=1.5))
    batches = iter(source.query(TestSQLite.big))
    assert next(batches).num_rows > 0
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        time.sleep(0.05)
    with pytest.raises(SourceError) as caught:
        list(batches)
    assert caught.value.code == "QUERY_TIMEOUT"


def test_cancelling_ends_a_result_half_read(source: Source) -> None:
    batches = iter(source.query(TestSQLite.big))
    assert next(batches).num_rows > 0
    canceller = threading.Thread(target=source.cancel)
    canceller.start()
    canceller.join()
    with pytest.raises(SourceError) as caught:
        list(batches)
    assert caught.value.code == "QUERY_CANCELLED"


def test_a_result_is_of_one_moment(path: Path, source: Source) -> None:
    make(path, "PRAGMA journal_mode = WAL")
    make(path, f"INSERT INTO people {COUNT.format(last=50_000)} SELECT i + 10, 'old' FROM n")
    batches = iter(source.query("SELECT id, name FROM people"))
    first = next(batches).num_rows
    make(path, "DELETE FROM people WHERE name = 'old'")
    assert first + sum(batch.num_rows for batch in batches) == 50_004


def test_the_catalogue_has_tables_and_views(path: Path, source: Source) -> None:
    make(path, 'CREATE VIEW broken AS SELECT * FROM gone; CREATE TABLE "o\'x" (d DOUBLE, j JSON)')
    found = {
        table.name: [(c.name, c.value_type) for c in table.columns] for table in source.catalog()
    }
    assert found == {
        "people": [("id", "int"), ("name", "text")],
        "named": [("id", "int")],
        "broken": [],
        "o'x": [("d", "float"), ("j", "text")],
    }


def test_the_catalogue_tells_about_how_many_rows_there_are(path: Path, source: SQLite) -> None:
    make(
        path,
        f"CREATE TABLE big (id INTEGER PRIMARY KEY); INSERT INTO big {COUNT.format(last=30_000)} "
        "SELECT i * 7 + 1000 FROM n;"
        "CREATE TABLE keyed (name TEXT PRIMARY KEY) WITHOUT ROWID;"
        "CREATE TABLE empty (id int);"
        "CREATE VIRTUAL TABLE words USING fts5(text);",
    )
    about = {table.name: table.rows_estimate for table in source.catalog()}
    names = ("people", "empty", "keyed", "named", "words")
    assert [about[name] for name in names] == [3, 0, None, None, None]
    assert about["big"] == pytest.approx(30_001, rel=0.01)
    (facts,) = source.facts("SELECT id FROM big").tables
    assert facts.rows_estimate == about["big"]


def failure(path: Path, **options: object) -> SourceError:
    source = SQLite(SQLiteConfig.model_validate({"path": str(path), **options}))
    (finding,) = source.check()
    error = refusal(source, "SELECT 1 AS a FROM people")
    assert (finding.level, finding.code) == ("error", error.code)
    return error


def test_a_missing_file_is_told_and_not_made(tmp_path: Path) -> None:
    assert failure(tmp_path / "none.db").code == "FILE_MISSING"
    assert failure(tmp_path).code == "FILE_MISSING"
    assert failure(Path(":memory:")).code == "FILE_MISSING"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"hello" * 5000, b"SQLite format 3\0" * 500])
def test_a_file_that_is_no_database_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.db").write_bytes(content)
    error = failure(tmp_path / "x.db")
    assert error.code == "FILE_UNREADABLE"
    assert "not an SQLite database" in error.message
    assert "type files" in error.mend


def test_a_damaged_file_is_told(path: Path, source: Source) -> None:
    content = bytearray(path.read_bytes())
    content[4096 + 3 : 4096 + 200] = b"\xff" * 197
    path.write_bytes(content)
    assert refusal(source, "SELECT * FROM people").message == "The SQLite file is damaged"


def test_a_locked_file_is_told(path: Path) -> None:
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    error = failure(path, statement_timeout=0.2)
    writer.close()
    assert (error.code, error.message) == (
        "CONNECT_FAILED",
        "Another program is writing to the file",
    )


def test_a_wal_file_in_a_folder_that_cannot_be_written_to_is_told(path: Path) -> None:
    make(path, "PRAGMA journal_mode = WAL")
    program = (
        "import os, sys\n"
        "from rowlift.core.errors import SourceError\n"
        "from rowlift.sources.sqlite import SQLite, SQLiteConfig\n"
        "import rowlift.sources.dialects.sqlite_file\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "try: SQLite(SQLiteConfig(path=sys.argv[1])).describe('SELECT 1 AS a FROM people')\n"
        "except SourceError as error: print(error.code, error.mend)"
    )
    folders = [path.parent, *path.parent.parents][:3]
    modes = [folder.stat().st_mode for folder in folders]
    for folder in folders:
        folder.chmod(0o555)
    told = subprocess.check_output([sys.executable, "-c", program, path], text=True)
    for folder, mode in zip(folders, modes, strict=True):
        folder.chmod(mode)
    assert told.startswith("FILE_UNREADABLE")
    assert "WAL mode" in told


def test_a_file_outside_the_root_is_refused_even_through_a_link(path: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.db").symlink_to(path)
    assert failure(path, root=str(root)).code == "FILE_OUTSIDE_ROOT"
    assert failure(root / "link.db", root=str(root)).code == "FILE_OUTSIDE_ROOT"
    assert failure(root / ".." / "shop" / "shop.db", root=str(root)).code == "FILE_OUTSIDE_ROOT"
    inside = SQLite(SQLiteConfig(path=str(path), root=str(path.parent)))
    assert inside.query("SELECT id FROM people").read_all().num_rows == 3


@pytest.mark.parametrize("name", ["a?mode=rwc", "b#c", "d%2Fe", "f g", "h&cache=shared", "ü.db"])
def test_S8_a_files_name_sets_no_option(tmp_path: Path, name: str) -> None:
    make(tmp_path / name, "CREATE TABLE people (id); INSERT INTO people VALUES (7)")
    source = SQLite(SQLiteConfig(path=str(tmp_path / name)))
    assert source.query("SELECT id FROM people").read_all().to_pylist() == [{"id": 7}]
    assert [found.name for found in tmp_path.iterdir()] == [name]
    assert failure(tmp_path / f"{name}?mode=memory").code == "FILE_MISSING"
