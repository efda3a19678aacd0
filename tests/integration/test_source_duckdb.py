"""The DuckDB source on real files: exact values, what it refuses to open, what no query can do."""

import os
import stat
import subprocess
import sys
import threading
import time
import zlib
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from corpus import samples
from rowlift.core.errors import ConnectError, SourceError
from rowlift.engine.moments import conversion_told
from rowlift.sources.duckdb import DuckDB, DuckDBConfig
from rowlift.testing.values import value_type

# The first page of a file that DuckDB 2.0.0 wrote.
NEWER_FILE = b64decode(
    "eNpLVXFSllb54ewS6uz9nJmBKFBmpGegZ4BbPsXUJDkpKdU4JQ2/OW+un+f+q9aUbs92R/5paWcdwygYBaNgFIyCUTA"
    "KRsEoGAWjYBSMglEwCmgCACClEX4="
)
EXACT = [
    ("1::TINYINT", "int", 1),
    ("4294967295::UINTEGER", "int", 4294967295),
    ("18446744073709551615::UBIGINT", "int", "18446744073709551615"),
    ("CAST(repeat('9', 38) AS HUGEINT)", "int", "9" * 38),
    ("CAST('340282366920938463463374607431768211455' AS UHUGEINT)", "int", str(2**128 - 1)),
    ("CAST(repeat('7', 60) AS BIGNUM)", "int", "7" * 60),
    ("0.1::FLOAT", "float", 0.1),
    ("'-inf'::FLOAT", "float", float("-inf")),
    ("3.4028235e38::FLOAT", "float", 3.4028235e38),
    ("'inf'::DOUBLE", "float", float("inf")),
    ("DATE 'infinity'", "date", "infinity"),
    ("DATE '0044-03-15 (BC)'", "date", "0044-03-15 (BC)"),
    ("DATE '10000-01-01'", "date", "10000-01-01"),
    ("TIMESTAMP_S '2026-01-02 03:04:05'", "timestamp", "2026-01-02 03:04:05"),
    ("TIMESTAMP_MS '2026-01-02 03:04:05.678'", "timestamp", "2026-01-02 03:04:05.678"),
    ("TIMESTAMP_NS '2026-01-02 03:04:05.123456789'", "timestamp", "2026-01-02 03:04:05.123456789"),
    ("TIMESTAMP '-infinity'", "timestamp", "-infinity"),
    ("TIMESTAMPTZ '2026-01-02 03:04:05+05:30'", "timestamptz", "2026-01-01 21:34:05+00"),
    ("TIMESTAMPTZ 'infinity'", "timestamptz", "infinity"),
    ("TIME '24:00:00'", "time", "24:00:00"),
    ("TIMETZ '10:00:00+02:30'", "text", "10:00:00+02:30"),
    ("INTERVAL '1 mon -1 day'", "text", "1 month -1 day"),
    (
        "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::UUID",
        "text",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    ),
    ("'happy'::ENUM('sad', 'happy')", "text", "happy"),
    ("'00101'::BIT", "text", "00101"),
    ("'\\x00\\xFF'::BLOB", "binary", "00ff"),
    ("{'a': 1, 'b': [TRUE, NULL]}", "json", '{"a":1,"b":[true,null]}'),
    (
        "[12345678901234567890123456789012345678::DECIMAL(38,0)]",
        "json",
        f"[{'1234567890' * 3}12345678]",
    ),
    ("MAP {'k': DATE '2026-01-01'}", "json", '{"k":"2026-01-01"}'),
    ("[1.5, 2.5]::DOUBLE[2]", "json", "[1.5,2.5]"),
    ("union_value(num := 2)", "json", '{"num":2}'),
    ("{'a': 1}::VARIANT", "json", '{"a":1}'),
    ('\'{"z": 1, "a": 1.10}\'::JSON', "json", '{"z": 1, "a": 1.10}'),
]
UNSAFE = [one["sql"] for one in samples("unsafe/duckdb.toml")]
SETTINGS = ["enable_external_access = true", "threads = 64", "lock_configuration = false"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    shop = tmp_path / "shop"
    shop.mkdir()
    with duckdb.connect(shop / "shop.duckdb") as connection:
        connection.execute("CREATE TABLE people AS SELECT 1 AS id, 'Ada' AS name")
        connection.execute("CREATE SCHEMA crm; CREATE TABLE crm.deal (id INT, amount DECIMAL(9,2))")
        connection.execute("CREATE VIEW grown AS SELECT id FROM people")
    return shop / "shop.duckdb"


@pytest.fixture
def source(path: Path) -> Iterator[DuckDB]:
    source = DuckDB(DuckDBConfig(path=str(path)))
    yield source
    source.close()


def failure(path: Path, **options: object) -> ConnectError:
    source = DuckDB(DuckDBConfig.model_validate({"path": str(path), **options}))
    with pytest.raises(ConnectError) as caught:
        source.describe("SELECT 1 AS a")
    (finding,) = source.check()
    assert (finding.level, finding.code) == ("error", caught.value.code)
    assert caught.value.mend
    return caught.value


def test_every_type_is_exact(source: DuckDB) -> None:
    columns = ", ".join(f"{sql} AS v{number}" for number, (sql, *_) in enumerate(EXACT))
    table = source.query(f"SELECT {columns}").read_all()
    came = [(value_type(table.field(i)), table.column(i)[0].as_py()) for i in range(len(EXACT))]
    assert came == [(kind, value) for _, kind, value in EXACT]


def test_nan_and_minus_zero_come_as_floats(source: DuckDB) -> None:
    table = source.query(
        "SELECT 'nan'::DOUBLE AS a, 'nan'::FLOAT AS b, -0.0::DOUBLE AS c"
    ).read_all()
    assert [repr(column[0].as_py()) for column in table.columns] == ["nan", "nan", "-0.0"]


def test_times_do_not_depend_on_the_zone_of_the_machine(path: Path) -> None:
    program = (
        "import sys; from rowlift.sources.duckdb import DuckDB, DuckDBConfig;"
        "s = DuckDB(DuckDBConfig(path=sys.argv[1]));"
        "print(s.query(\"SELECT TIMESTAMPTZ '2026-07-01 00:00:00+00' AS a, "
        "CAST(TIMESTAMPTZ '2026-07-01 00:00:00+00' AS DATE) AS b\").read_all().to_pylist())"
    )
    environment = {**os.environ, "TZ": "America/New_York"}
    command = [sys.executable, "-c", program, path]
    told = subprocess.check_output(command, env=environment, text=True)
    assert told == "[{'a': '2026-07-01 00:00:00+00', 'b': '2026-07-01'}]\n"


def test_the_catalogue_has_tables_views_and_estimates(source: DuckDB) -> None:
    found = {(table.schema, table.name): table for table in source.catalog()}
    assert found.keys() == {("crm", "deal"), ("main", "people"), ("main", "grown")}
    assert found["main", "people"].rows_estimate == 1
    assert found["main", "grown"].rows_estimate is None
    amount = found["crm", "deal"].columns[1]
    assert (amount.name, amount.type_name, amount.value_type) == (
        "amount",
        "DECIMAL(9,2)",
        "decimal",
    )


def test_names_may_be_qualified_by_the_file(source: DuckDB) -> None:
    assert source.query("SELECT id FROM shop.main.people").read_all().num_rows == 1
    assert source.query("SELECT id FROM crm.deal").read_all().num_rows == 0


@pytest.mark.parametrize("name", ["memory", "temp", "sys tem\"'", "système"])
def test_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE t AS SELECT 7 AS a")
    source = DuckDB(DuckDBConfig(path=str(path)))
    assert source.query("SELECT a FROM t").read_all().to_pylist() == [{"a": 7}]
    source.close()


def test_two_sources_read_one_file_with_different_limits(path: Path) -> None:
    sources = [
        DuckDB(DuckDBConfig(path=str(path), memory_limit=limit, threads=threads))
        for limit, threads in (("100MB", 1), ("200MB", 2))
    ]
    assert [source.query("FROM people").read_all().num_rows for source in sources] == [1, 1]
    for source in sources:
        source.close()


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert failure(tmp_path / "none.duckdb").code == "FILE_MISSING"
    assert failure(tmp_path).code == "FILE_MISSING"


@pytest.mark.parametrize("content", [b"", b"hello", b"hello" * 5000, b"SQLite format 3\0" * 500])
def test_a_file_that_is_no_database_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.duckdb").write_bytes(content)
    assert failure(tmp_path / "x.duckdb").message == "The file is not a DuckDB database"


def test_a_damaged_file_is_told(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[20] ^= 255
    path.write_bytes(content)
    assert failure(path).message == "The DuckDB file is damaged"


def test_a_file_of_a_newer_duckdb_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.duckdb").write_bytes(zlib.decompress(NEWER_FILE))
    error = failure(tmp_path / "x.duckdb")
    assert "written by a version of DuckDB that this one cannot read" in error.message
    assert "STORAGE_VERSION" in error.mend


def test_an_encrypted_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    with duckdb.connect() as connection:
        connection.execute("SET force_mbedtls_unsafe = true")
        connection.execute(f"ATTACH '{path}' AS x (ENCRYPTION_KEY 'k')")
        connection.execute("CREATE TABLE x.t AS SELECT 1 AS a")
    assert failure(path).message == "The DuckDB file is encrypted"


def test_a_file_another_process_writes_is_told(path: Path) -> None:
    program = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        writer.stdout.readline()
        error = failure(path)
        writer.kill()
    assert (error.code, error.exit_code) == ("CONNECT_FAILED", 3)
    assert "open for writing in another process" in error.message


def test_a_file_this_process_writes_is_told(path: Path) -> None:
    with duckdb.connect(path):
        assert "open for writing in this process" in failure(path).message
    source = DuckDB(DuckDBConfig(path=str(path)))
    assert source.query("FROM people").read_all().num_rows == 1
    source.close()


def test_a_file_outside_the_root_is_refused(path: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "link.duckdb").symlink_to(path)
    assert failure(inner / "link.duckdb", root=str(inner)).code == "FILE_OUTSIDE_ROOT"
    assert (
        failure(inner / ".." / "shop" / "shop.duckdb", root=str(inner)).code == "FILE_OUTSIDE_ROOT"
    )
    source = DuckDB(DuckDBConfig(path=str(path), root=str(path.parent)))
    assert source.query("FROM people").read_all().num_rows == 1
    source.close()


@pytest.mark.parametrize("sample", UNSAFE)
def test_ro_duckdb_unsafe_queries_are_refused(source: DuckDB, path: Path, sample: str) -> None:
    folder = path.parent.parent / "elsewhere"
    folder.mkdir()
    secret = folder / "secret.csv"
    secret.write_text("word\nhush\n")
    before = path.read_bytes()
    with pytest.raises(SourceError) as caught:
        source.query(sample.format(secret=secret, folder=folder)).read_all()
    assert caught.value.mend
    assert "hush" not in str(caught.value)
    assert [found.name for found in folder.iterdir()] == ["secret.csv"]
    assert path.read_bytes() == before


@pytest.mark.parametrize("setting", SETTINGS)
def test_ro_duckdb_the_instance_itself_is_locked(source: DuckDB, setting: str) -> None:
    with source.open().cursor() as cursor, pytest.raises(duckdb.Error, match=r"locked|Cannot"):
        cursor.execute(f"SET {setting}")


def test_ro_duckdb_the_instance_itself_reads_and_writes_no_other_file(
    source: DuckDB, tmp_path: Path
) -> None:
    (tmp_path / "secret.csv").write_text("hush\n")
    with source.open().cursor() as cursor:
        for sql in (
            f"FROM read_csv('{tmp_path}/secret.csv')",
            f"FROM glob('{tmp_path}/*')",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            f"ATTACH '{tmp_path}/out.duckdb'",
        ):
            with pytest.raises(duckdb.PermissionException):
                cursor.execute(sql)
        with pytest.raises(duckdb.InvalidInputException, match="read-only"):
            cursor.execute("INSERT INTO shop.people VALUES (9, 'x')")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["secret.csv", "shop"]


def test_ro_duckdb_a_query_sees_no_python_variable(source: DuckDB) -> None:
    import pyarrow as pa  # noqa: PLC0415

    hidden = pa.table({"a": [1]})
    with pytest.raises(SourceError, match="TABLE_UNKNOWN"):
        source.query("SELECT a FROM hidden")
    assert hidden.num_rows == 1


def test_a_query_that_takes_too_long_ends(path: Path) -> None:
    source = DuckDB(DuckDBConfig(path=str(path), statement_timeout=0.3))
    started = time.monotonic()
    with pytest.raises(SourceError) as caught:
        source.query(
            "SELECT count(*) AS n FROM range(1000000000) a, range(1000000000) b"
        ).read_all()
    assert caught.value.code == "QUERY_TIMEOUT"
    assert time.monotonic() - started < 30
    assert source.query("FROM people").read_all().num_rows == 1
    source.close()


def test_no_thread_stays_after_a_query(source: DuckDB) -> None:
    source.query("FROM people").read_all()
    next(source.query("SELECT i AS a FROM range(1000000) AS r(i)"))
    assert [thread for thread in threading.enumerate() if thread.name == "duckdb-watch"] == []


def test_closing_ends_a_query_in_another_thread(source: DuckDB) -> None:
    reader = source.query("SELECT i AS a FROM range(100000000000) AS r(i)")
    assert reader.read_next_batch().num_rows > 0
    closer = threading.Thread(target=source.close)
    closer.start()
    with pytest.raises(SourceError) as caught:
        for _ in reader:
            pass
    closer.join()
    assert caught.value.code == "QUERY_CANCELLED"


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("p.nam", 'Table "p" does not have a column named "nam". Similar: "name"'),
        ("nam", 'Referenced column "nam" not found in FROM clause. Similar: "name"'),
        ("t.zz", 'Table "t" does not have a column named "zz" (line 1)'),
    ],
)
def test_an_unknown_column_comes_with_similar_ones_if_there_are_any(
    source: DuckDB, column: str, said: str
) -> None:
    with pytest.raises(SourceError) as refused:
        source.describe(f"SELECT {column} FROM people AS p, (SELECT 1 AS a) AS t")
    assert refused.value.code == "COLUMN_UNKNOWN"
    assert refused.value.message.startswith(said)


def test_a_failing_row_is_named_whichever_worker_meets_it(source: DuckDB) -> None:
    failing = (
        "SELECT CAST(CASE WHEN i = 150000 THEN 'x' ELSE '1' END AS INTEGER) AS a, "
        "repeat('x', 200) AS b FROM range(200000) AS r(i)"
    )
    for _ in range(40):  # DuckDB 1.5 reports the other worker's interrupt in one of fifty
        with pytest.raises(SourceError, match=r"Could not convert string 'x' to INT32 \(line 1\)"):
            source.query(failing).read_all()


def test_a_sort_larger_than_the_memory_spills_to_a_private_folder(path: Path) -> None:
    source = DuckDB(DuckDBConfig(path=str(path), memory_limit="60MB", threads=1))
    sql = "SELECT md5(CAST(i AS VARCHAR)) AS a, i AS b FROM range(2000000) AS r(i) ORDER BY a"
    reader = source.query(sql)
    first = reader.read_next_batch()
    setting = source.query("SELECT current_setting('temp_directory') AS folder").read_all()
    scratch = Path(setting.column(0)[0].as_py())
    assert list(scratch.iterdir())
    assert stat.S_IMODE(scratch.stat().st_mode) == 0o700
    assert first.num_rows + sum(batch.num_rows for batch in reader) == 2_000_000
    source.close()
    assert not scratch.exists()


def test_a_moment_that_is_compared_with_seconds_is_told(source: DuckDB) -> None:
    sql = "SELECT id FROM people WHERE TIMESTAMP '2026-01-01' > {{last_sync_time}}"
    with pytest.raises(SourceError) as refused, conversion_told(sql, "duckdb"):
        source.describe(sql.replace("{{last_sync_time}}", "0"))
    assert refused.value.code == "QUERY_FAILED"
    assert "to_timestamp({{last_sync_time}})" in refused.value.mend
