"""PostgreSQL as a source, on a real server: every type exact, errors told apart, memory flat."""

import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from postgres_shop import CANARY, READERS, Shop, read, refusal
from rowlift.core.errors import RowliftError
from rowlift.engine import canon
from rowlift.kit.pgcopy import CopyStream
from rowlift.kit.pgsession import begin
from rowlift.sources.dialects.postgres import POSTGRES
from unit.canonforms import canonical_texts, duck

UUID = "3d000000-0000-0000-0000-00000000000f"
VALUES: list[tuple[str, str, Any]] = [
    ("true", "bool", True),
    ("(-32768)::int2", "int", -32768),
    ("9223372036854775807::int8", "int", 2**63 - 1),
    ("4294967295::oid", "int", 2**32 - 1),
    ("'pg_class'::regclass", "text", "pg_class"),
    ("0.1::float4", "float", 0.1),
    ("1e-320::float8", "float", 1e-320),
    ("'Infinity'::float8", "float", math.inf),
    ("1.1::numeric", "decimal", "1.1"),
    ("1.10::numeric(10,2)", "decimal", "1.10"),
    ("repeat('1234567890', 4)::numeric(40)", "decimal", "1234567890" * 4),
    ("-0.00000000000000000000000000000000000001::numeric", "decimal", f"-0.{'0' * 37}1"),
    ("1234567890.123456789012345678::numeric", "decimal", "1234567890.123456789012345678"),
    ("repeat('9', 1000)::numeric", "decimal", "9" * 1000),
    ("'NaN'::numeric", "decimal", "NaN"),
    ("'-Infinity'::numeric", "decimal", "-Infinity"),
    ("'-1234.5'::money", "decimal", "-1234.50"),
    ("''::text", "text", ""),
    ("'NULL'::varchar(9)", "text", "NULL"),
    (r"'\N'::text", "text", r"\N"),
    (r"'\.'::text", "text", r"\."),
    ("E'a,\"b\"\\r\\n\\tc\\\\'::text", "text", 'a,"b"\r\n\tc\\'),
    (r"E'\uFEFF \U0001F468\u200D\U0001F469'::text", "text", "\ufeff \U0001f468\u200d\U0001f469"),
    (r"E'e\u0301 \u00E9 \u202E \u200B'::text", "text", "e\u0301 \u00e9 \u202e \u200b"),
    ("'<b>{{last_sync_time}} ${HOME} %(x)s'", "text", "<b>{{last_sync_time}} ${HOME} %(x)s"),
    ("'ab'::char(5)", "text", "ab"),
    ("'x'::\"char\"", "text", "x"),
    ("'name'::name", "text", "name"),
    ("'infinity'::date", "date", "infinity"),
    ("'0044-03-15 BC'::date", "date", "0044-03-15 BC"),
    ("'10000-01-01'::date", "date", "10000-01-01"),
    ("'24:00'::time", "time", "24:00:00"),
    ("'23:59:59.123456'::time", "time", "23:59:59.123456"),
    ("'12:00+02'::timetz", "text", "12:00:00+02"),
    ("'-infinity'::timestamp", "timestamp", "-infinity"),
    ("'2024-02-29 12:00:00.5'::timestamp", "timestamp", "2024-02-29 12:00:00.5"),
    ("'2024-07-01 12:00:00+02'::timestamptz", "timestamptz", "2024-07-01 10:00:00+00"),
    ("'294276-12-31 23:59:59+00'::timestamptz", "timestamptz", "294276-12-31 23:59:59+00"),
    ("'4713-01-01 00:00 BC'::timestamptz", "timestamptz", "4713-01-01 00:00:00+00 BC"),
    ("'1 mon -1 day 00:00:01.5'::interval", "text", "P1M-1DT1.5S"),
    ("'{\"b\": 1, \"a\": [1.10, null]}'::json", "json", '{"b": 1, "a": [1.10, null]}'),
    ("'{\"b\": 1, \"a\": 2}'::jsonb", "json", '{"a": 2, "b": 1}'),
    ("'{\"a\": 1, \"a\": 2}'::json", "json", '{"a": 1, "a": 2}'),
    ("array[1, null, 3]", "json", "[1,null,3]"),
    ("array[['a', 'b,\"'], [null, '']]", "json", '[["a","b,\\""],[null,""]]'),
    ("array[1.10, 'NaN']::numeric[]", "json", '[1.10,"NaN"]'),
    ("array['infinity'::timestamptz]", "json", '["infinity"]'),
    ("'[5:6]={1,2}'::int[]", "json", "[1,2]"),
    ("row(1, 'a b', null)", "json", '{"f1":1,"f2":"a b","f3":null}'),
    ("array[row(1, 2)]", "json", '[{"f1":1,"f2":2}]'),
    ("(1, 'x')::app_pair", "json", '{"n":1,"t":"x"}'),
    ("'sad'::app_mood", "text", "sad"),
    ("array['sad']::app_mood[]", "json", '["sad"]'),
    ("5::app_even", "int", 5),
    ("array[1]::app_list", "json", "[1]"),
    (f"'{UUID.upper()}'::uuid", "text", UUID),
    (r"'\x00FFdead'::bytea", "binary", "00ffdead"),
    ("''::bytea", "binary", ""),
    ("B'101'::varbit", "text", "101"),
    ("'10.0.0.1'::inet", "text", "10.0.0.1"),
    ("'10.0.0.0/8'::cidr", "text", "10.0.0.0/8"),
    ("'08:00:2b:01:02:03'::macaddr", "text", "08:00:2b:01:02:03"),
    ("'[1,5)'::int4range", "text", "[1,5)"),
    ("'{[1,2), [3,4)}'::int4multirange", "text", "{[1,2),[3,4)}"),
    ("'[2024-01-01 02:00+02,)'::tstzrange", "text", '["2024-01-01 00:00:00+00",)'),
    ("'(1,2)'::point", "text", "(1,2)"),
    ("'<a>1</a>'::xml", "text", "<a>1</a>"),
    ("'a & b'::tsquery", "text", "'a' & 'b'"),
    ("'16/B374D848'::pg_lsn", "text", "16/B374D848"),
]  # fmt: skip

# Moments as the fast reader gives them.
COUNTED = {
    "-infinity": -(2**63),
    "2024-02-29 12:00:00.5": 762_523_200_500_000,
    "2024-07-01 10:00:00+00": 773_143_200_000_000,
    "294276-12-31 23:59:59+00": 9_223_371_331_199_000_000,
    "4713-01-01 00:00:00+00 BC": -211_810_204_800_000_000,
}
MOMENTS = (
    "infinity", "-infinity", "4714-11-24 00:00:00 BC", "0001-12-31 23:59:59.999999 BC",
    "0001-01-01 00:00:00", "1969-12-31 23:59:59.999999", "1999-12-31 23:59:59.5",
    "2024-03-31 01:30:00.12", "9999-12-31 23:59:59.999999", "10000-01-01 00:00:00",
    "294247-01-10 04:00:54.775806", "294247-01-10 04:00:54.775807", "294248-02-29 00:00:00",
    "294276-12-31 23:59:59.999999",
)  # fmt: skip

TYPES = """
CREATE TYPE app_mood AS ENUM ('sad', 'glad');
CREATE TYPE app_pair AS (n int, t text);
CREATE DOMAIN app_even AS int CHECK (value > 0);
CREATE DOMAIN app_list AS int[];
"""


def every_type() -> str:
    columns = (f"CASE WHEN g = 1 THEN {sql} END AS v{i}" for i, (sql, _, _) in enumerate(VALUES))
    return f"SELECT {', '.join(columns)} FROM generate_series(1, 2) g ORDER BY g"


@pytest.fixture
def typed(shop: Shop) -> Shop:
    shop.database.execute(TYPES)
    shop.database.execute(f"ALTER ROLE {shop.reader} SET timezone TO 'Asia/Kolkata'")
    shop.database.execute(f"ALTER ROLE {shop.reader} SET datestyle TO 'SQL, DMY'")
    shop.database.execute(f"ALTER ROLE {shop.reader} SET bytea_output TO 'escape'")
    return shop


@pytest.mark.parametrize("reader", READERS)
def test_T8_T9_every_value_of_every_type_is_exact(typed, reader):
    table = read(typed.source(reader=reader), every_type())
    first, second = table.to_pylist()
    moments = COUNTED if reader == "adbc" else {}
    assert list(first.values()) == [moments.get(value, value) for _, _, value in VALUES]
    assert set(second.values()) == {None}
    kinds = [field.metadata[b"rowlift"].decode() for field in table.schema]
    assert kinds == [kind for _, kind, _ in VALUES]


def test_both_readers_give_the_same_but_for_what_carries_moments(typed):
    by_copy, by_adbc = (read(typed.source(reader=reader), every_type()) for reader in READERS)
    others = [at for at, (_, kind, _) in enumerate(VALUES) if not kind.startswith("timestamp")]
    same = by_copy.select(others)
    assert same.schema.equals(by_adbc.select(others).schema, check_metadata=True)
    assert same.equals(by_adbc.select(others))
    assert by_copy.schema.names == by_adbc.schema.names


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz"])
def test_moments_have_one_form_whichever_reader_brings_them(typed, tmp_path, kind):
    rows = ", ".join(f"({at}, {kind} '{moment}')" for at, moment in enumerate(MOMENTS))
    sql = f"SELECT moment FROM (VALUES {rows}) AS m (at, moment) ORDER BY at"
    by_copy, by_adbc = (read(typed.source(reader=reader), sql) for reader in READERS)
    assert (by_copy.schema.types, by_adbc.schema.types) == ([pa.string()], [pa.int64()])
    with duck(tmp_path) as engine:
        canon.install(engine)
        forms = [canonical_texts(engine, kind, one.column(0)) for one in (by_copy, by_adbc)]
    assert forms[0] == forms[1]
    assert len(set(forms[0])) == len(MOMENTS)


@pytest.mark.parametrize("reader", READERS)
def test_nan_and_minus_zero_are_floats(shop, reader):
    (row,) = read(shop.source(reader=reader), "SELECT 'NaN'::float8 a, '-0'::float8 b").to_pylist()
    assert math.isnan(row["a"])
    assert math.copysign(1, row["b"]) == -1


@pytest.mark.parametrize("reader", READERS)
def test_null_and_empty_text_differ_in_a_column_of_their_own(shop, reader):
    sql = r"""VALUES (NULL), (''), (E'\n'), (E'\uFEFFx'), (NULL), ('""'), ('c0')"""
    table = read(shop.source(reader=reader), sql)
    assert table.column(0).to_pylist() == [None, "", "\n", "\ufeffx", None, '""', "c0"]


@pytest.mark.parametrize("reader", READERS)
def test_repeated_and_unnamed_columns_survive(shop, reader):
    sql = 'SELECT 1 AS id, 2 AS id, 3, 4 AS "ID", \'a\' AS "so ""odd"" 🙂"'
    source = shop.source(reader=reader)
    names = ["id", "id", "?column?", "ID", 'so "odd" 🙂']
    assert [column.name for column in source.describe(sql)] == names
    assert read(source, sql).schema.names == names


def test_describe_names_types_and_runs_nothing(shop):
    sql = "SELECT id, price, 1/(id-1) AS boom, '{1}'::int[] AS list FROM app.people WHERE id = 1"
    described = [(c.name, c.type_name, c.value_type) for c in shop.source().describe(sql)]
    assert described == [
        ("id", "integer", "int"),
        ("price", "numeric(10,2)", "decimal"),
        ("boom", "integer", "int"),
        ("list", "integer[]", "json"),
    ]


@pytest.mark.parametrize("reader", READERS)
def test_a_limit_and_an_order_are_kept(shop, reader):
    sql = "SELECT id FROM app.people ORDER BY id DESC -- the newest"
    table = read(shop.source(reader=reader), sql, limit=3)
    assert table.column("id").to_pylist() == [100, 99, 98]


@pytest.mark.parametrize("reader", READERS)
def test_no_rows_still_have_a_schema(shop, reader):
    table = read(shop.source(reader=reader), "SELECT id, name FROM app.people WHERE false")
    assert (table.num_rows, table.schema.names) == (0, ["id", "name"])


@pytest.mark.parametrize("reader", READERS)
def test_one_value_of_20_megabytes_passes(shop, reader):
    sql = r"""SELECT i AS id, repeat(E'é,\n"', 5000000 / i) AS v FROM generate_series(1, 3) i"""
    table = read(shop.source(reader=reader), sql)
    assert [len(v.as_py()) for v in table.column("v")] == [20_000_000, 10_000_000, 6_666_664]


@pytest.fixture
def ascii_database(shop: Shop) -> Iterator[str]:
    """A database without a character set, with a table of bytes that are not all UTF-8."""
    server, name = shop.database.server, f"{shop.database.name}_ascii"
    with server.connect() as admin:
        admin.execute(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0".encode())
    with psycopg.connect(server.dsn(name), client_encoding="SQL_ASCII") as admin:
        admin.execute("CREATE TABLE t (i serial, v text); GRANT SELECT ON t TO public")
        admin.execute(
            "INSERT INTO t (v) SELECT convert_from(v, 'SQL_ASCII') FROM unnest(%s::bytea[]) v",
            [[b"caf\xc3\xa9", b"caf\xe9", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b""]],
        )
    yield name
    server.drop_database(name)


@pytest.mark.parametrize("reader", READERS)
def test_text_without_a_character_set_is_exact_or_hexadecimal(shop, ascii_database, reader):
    source = shop.source(database=ascii_database, reader=reader)
    table = read(source, "SELECT v, i FROM t ORDER BY i")
    texts = ["café", r"\x636166e9", r"\xeda080", r"\xc080", r"\xf4908080", ""]
    assert table.column("v").to_pylist() == texts


MEMORY = """
import resource, sys
from rowlift.sources.postgres import Postgres, PostgresConfig
source = Postgres(PostgresConfig.model_validate_json(sys.stdin.read()))
def peak(rows):
    sql = f"SELECT i AS id, repeat('x', 1000) AS a, i * 1.5 AS b FROM generate_series(1, {rows}) i"
    assert sum(batch.num_rows for batch in source.query(sql)) == rows
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
few, many = peak(20_000), peak(200_000)
source.close()
print(many - few)
"""


@pytest.mark.parametrize("reader", READERS)
def test_memory_is_flat_in_the_number_of_rows(shop, reader):
    server = shop.database.server
    given = {"host": server.host, "port": server.port, "database": shop.database.name}
    given |= {"user": shop.reader, "password": CANARY, "sslmode": "require", "reader": reader}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", MEMORY],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 30  # MiB, for 180 MB more of rows


PAIRS = "generate_series(1, 100000) i, generate_series(1, 123456) j"
ENDLESS = f"SELECT i AS id, repeat('x', 1000) AS v FROM {PAIRS}"
SLOW = f"SELECT count(*) AS id FROM {PAIRS}"


def drain(reader: pa.RecordBatchReader) -> None:
    for _ in reader:
        pass


@contextmanager
def in_background(action: Callable[[], Any]) -> Iterator[list[RowliftError]]:
    """Run an action beside the test; its error is in the list when the block ends."""
    caught: list[RowliftError] = []

    def run() -> None:
        try:
            action()
        except RowliftError as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield caught
    thread.join(30)
    assert not thread.is_alive()


def backends(shop: Shop) -> str:
    return f"SELECT pid FROM pg_stat_activity WHERE usename = '{shop.reader}'"


def wait_for_query(shop: Shop, text: str) -> int:
    """The backend that runs a query, as soon as there is one."""
    sql = f"{backends(shop)} AND state = 'active' AND query LIKE 'COPY%{text}%'"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if found := shop.rows(sql):
            return int(found[0][0])
    raise AssertionError("the query never ran")


@pytest.mark.parametrize("reader", READERS)
def test_T7_F39_a_late_rows_error_comes_out_of_the_reader(shop, reader):
    sql = "SELECT i AS id, 1/(5000-i) AS boom FROM generate_series(1, 10000) i"
    rows = shop.source(reader=reader).query(sql)
    error = refusal(lambda: drain(rows))
    assert (error.code, "division by zero" in error.message) == ("QUERY_FAILED", True)


def test_T7_F39_the_rows_before_the_error_come_first(shop):
    sql = "SELECT i AS id, 1/(5000-i) AS boom FROM generate_series(1, 10000) i"
    rows = shop.source(reader="copy").query(sql)
    assert rows.read_next_batch().num_rows == 4999
    refusal(rows.read_next_batch)


@pytest.mark.parametrize("reader", READERS)
def test_T7_F30_a_killed_backend_is_a_dropped_source(shop, reader):
    source = shop.source(reader=reader)
    rows = source.query(ENDLESS)
    assert rows.read_next_batch().num_rows
    shop.rows(f"SELECT pg_terminate_backend(pid) FROM ({backends(shop)}) b")
    error = refusal(lambda: drain(rows))
    assert error.code == "SOURCE_DROPPED", error
    assert read(source, "SELECT 1 AS id").num_rows == 1


@pytest.mark.parametrize("reader", READERS)
def test_a_timeout_is_told_from_a_cancel(shop, reader):
    source = shop.source(reader=reader, statement_timeout=1)
    error = refusal(lambda: read(source, SLOW))
    assert (error.code, "1 seconds" in error.message) == ("QUERY_TIMEOUT", True)


@pytest.mark.parametrize("reader", READERS)
def test_a_query_is_cancelled_from_another_thread(shop, reader):
    source = shop.source(reader=reader)
    with in_background(lambda: read(source, SLOW)) as caught:
        pid = wait_for_query(shop, "123456")
        source.cancel()
    assert [error.code for error in caught] == ["QUERY_CANCELLED"]
    deadline = time.monotonic() + 5  # the reader hangs up before the server has ended it
    while shop.rows(f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid} AND state = 'active'"):
        assert time.monotonic() < deadline


@pytest.mark.parametrize("reader", READERS)
def test_a_cancel_by_the_administrator_is_a_cancel(shop, reader):
    source = shop.source(reader=reader)
    with in_background(lambda: read(source, SLOW)) as caught:
        shop.rows(f"SELECT pg_cancel_backend({wait_for_query(shop, '123456')})")
    assert [error.code for error in caught] == ["QUERY_CANCELLED"]


def test_F31_a_server_that_says_nothing_is_given_up(shop):
    with psycopg.connect(shop.database.dsn(), autocommit=True) as connection:
        begin(connection, POSTGRES, 60)
        schema = pa.schema([("id", pa.string())])
        stream = CopyStream(connection, "SELECT pg_sleep(60)::text AS c0", schema, 0.2)
        with pytest.raises(psycopg.OperationalError, match="said nothing"):
            stream.start()
        stream.close()


@pytest.mark.parametrize("reader", READERS)
def test_an_unfinished_query_ends_with_its_source(shop, reader):
    source = shop.source(reader=reader)
    rows = source.query(ENDLESS)
    assert rows.read_next_batch().num_rows
    assert source.now() > 0  # questions can be asked meanwhile
    source.close()
    deadline = time.monotonic() + 20
    while shop.rows(backends(shop)) and time.monotonic() < deadline:
        pass
    assert not shop.rows(backends(shop))


@pytest.mark.parametrize(
    ("sql", "code", "place", "words"),
    [
        ("SELECT id\nFROM app.nope", "TABLE_UNKNOWN", "query:2:6", '"app.nope"'),
        ("SELECT 1 FROM nowhere.x", "TABLE_UNKNOWN", "query:1:15", '"nowhere.x"'),
        ("SELECT id, nmae FROM app.people", "COLUMN_UNKNOWN", "query:1:12", '"nmae"'),
        ("SELECT nope(id) FROM app.people", "QUERY_FAILED", "query:1:8", "nope(integer)"),
        ("SELECT 'x'::int AS id", "QUERY_FAILED", "query:1:8", "integer"),
        ("SELECT id FROM app.people GROUP BY name", "QUERY_FAILED", "query:1:8", "GROUP BY"),
        ("SELECT FROM app.people", "QUERY_FAILED", "None", "no columns"),
    ],
)
def test_mistakes_are_explained_with_their_place(shop, sql, code, place, words):
    error = refusal(lambda: shop.source().query(sql))
    assert (error.code, str(error.place)) == (code, place)
    assert words in error.message
    assert error.mend


def test_a_misspelt_column_is_answered_with_the_servers_hint(shop):
    error = refusal(lambda: shop.source().query("SELECT nam FROM app.people"))
    assert 'people.name"' in error.mend
