"""The BigQuery source on an emulator behind TLS: its driver, its two readers and its words."""

import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pydantic
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from corpus import samples
from rowlift.core.errors import ConnectError, SourceError
from rowlift.sources.bigquery import LEAST_BILLED, BigQuery, BigQueryConfig
from rowlift.sources.dialects.bigquery_warehouse import Warehouse
from rowlift.testing.fake import deliveries
from rowlift.testing.folder import Folder
from rowlift.testing.proxy import Proxy, Trouble
from rowlift.testing.values import value_type
from servers import BigQueryDataset, BigQueryServer, PostgresDatabase
from servers.bigquery import ANSWERS, PLAIN, READER, UNLOCKED, WRITER

ROWS = 10_000
MANY = "SELECT i AS id, REPEAT('x', 200) AS name FROM UNNEST(GENERATE_ARRAY(1, 20000)) AS i"
ENDLESS = (
    "SELECT COUNT(*) AS n FROM UNNEST(GENERATE_ARRAY(1, 99999)) AS a, "
    "UNNEST(GENERATE_ARRAY(1, 99999)) AS b, UNNEST(GENERATE_ARRAY(1, 99999)) AS c"
)
READERS = ("rest", "storage")

# SQL, the type's name, value type, what comes
TYPES: list[tuple[str, str, str, object]] = [
    ("9223372036854775807", "INT64", "int", 9223372036854775807),
    ("NUMERIC '-0.01'", "NUMERIC", "decimal", "-0.010000000"),
    ("CAST('inf' AS FLOAT64)", "FLOAT64", "float", float("inf")),
    ("CAST('5e-324' AS FLOAT64)", "FLOAT64", "float", 5e-324),
    ("TRUE", "BOOL", "bool", True),
    ("'é'", "STRING", "text", "é"),
    ("FROM_HEX('00ff')", "BYTES", "binary", b"\x00\xff"),
    ("DATE '0001-01-01'", "DATE", "date", "0001-01-01"),
    ("TIME '10:00:00.5'", "TIME", "time", "10:00:00.500000"),
    ("DATETIME '9999-12-31 23:59:59.999999'", "DATETIME", "timestamp",
     "9999-12-31 23:59:59.999999"),
    ("TIMESTAMP '2026-03-29 01:30:00.25Z'", "TIMESTAMP", "timestamptz",
     "2026-03-29 01:30:00.250000+00:00"),
    ("PARSE_JSON('{\"a\": [1.5]}')", "JSON", "json", '{"a":[1.5]}'),
]  # fmt: skip
NESTED: list[tuple[str, str, str]] = [
    ("[1, 2]", "ARRAY<INT64>", "[1,2]"),
    ("STRUCT(1 AS x, 'y' AS y)", "STRUCT<x INT64, y STRING>", '{"x":1,"y":"y"}'),
    ("[STRUCT(TIMESTAMP '2026-01-01' AS t, CAST(NULL AS STRING) AS n)]",
     "ARRAY<STRUCT<t TIMESTAMP, n STRING>>", '[{"t":"2026-01-01T00:00:00+00:00","n":null}]'),
    ("[0.1, 0.5]", "ARRAY<FLOAT64>", "[0.1,0.5]"),
]  # fmt: skip


@pytest.fixture
def shop(bigquery_dataset: BigQueryDataset) -> BigQueryDataset:
    bigquery_dataset.execute(
        "CREATE TABLE {here}.people (id INT64, name STRING)",
        "INSERT INTO {here}.people VALUES (1, 'Ada'), (2, ''), (3, NULL)",
    )
    return bigquery_dataset


def config(shop: BigQueryDataset, account: str = READER, **options: Any) -> BigQueryConfig:
    return BigQueryConfig.model_validate({**shop.settings(account), **options})


@contextmanager
def opened(shop: BigQueryDataset, account: str = READER, **options: Any) -> Iterator[BigQuery]:
    source = BigQuery(config(shop, account, **options))
    yield source
    source.close()


def rows(source: BigQuery, sql: str) -> list[dict[str, Any]]:
    return source.query(sql).read_all().to_pylist()


def refusal(source: BigQuery, sql: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        rows(source, sql)
    told = f"{caught.value} {caught.value.mend} {caught.value!r}"
    assert not re.search("PRIVATE|token-|Traceback", told)
    return caught.value


def folder(shop: BigQueryDataset, path: Path, account: str = READER, **options: Any) -> Folder:
    source = {"type": "bigquery", **shop.settings(account), **options}
    return Folder(
        path / "acme", {key: one for key, one in source.items() if one is not None},
        {"type": "sandbox", "path": str(path / "sent.jsonl")},
        use={"removed": "delete"}, workspace="none", sql="SELECT *, 'u' AS user_id FROM people",
    )  # fmt: skip


# the whole way


@pytest.mark.door("python")
@pytest.mark.parametrize("reader", READERS)
def test_A1_rows_come_through_googles_driver_and_unchanged_ones_stay(
    shop: BigQueryDataset, tmp_path: Path, reader: str
) -> None:
    shop.execute(
        "CREATE TABLE {here}.users AS SELECT CONCAT('u', CAST(i AS STRING)) AS user_id, "
        "i / 3 AS score, CAST(i * 1.5 AS NUMERIC) AS spent, MOD(i, 2) = 0 AS active, "
        "TIMESTAMP_ADD(TIMESTAMP '2026-01-01', INTERVAL i SECOND) AS seen "
        f"FROM UNNEST(GENERATE_ARRAY(1, {ROWS})) AS i"
    )
    server = shop.server
    with Proxy(server.host, server.port) as rest, Proxy(server.host, server.storage_port) as arrow:
        between = {"port": rest.port, "storage_port": arrow.port, "reader": reader}
        here = folder(shop, tmp_path, **between)
        here.edit(sql="SELECT * FROM users")
        with here.project() as project:
            (first,) = project.run()
            (again,) = project.run()
        brought = {"rest": rest.longest, "storage": arrow.longest}
    assert "google.cloud.bigquery" in sys.modules
    assert brought[reader] > ROWS * 10
    assert (first.counts["added"], len(deliveries(tmp_path / "sent.jsonl"))) == (ROWS, ROWS)
    assert again.counts["unchanged"] == ROWS
    assert [again.counts[what] for what in ("added", "changed", "removed")] == [0, 0, 0]


@pytest.mark.door("python")
@pytest.mark.parametrize("reader", READERS)
def test_A1_the_same_row_is_the_same_as_on_postgresql(
    shop: BigQueryDataset, postgres_database: PostgresDatabase, tmp_path: Path, reader: str
) -> None:
    alike = "'u1' AS user_id, 9007199254740993 AS big, DATE '2026-11-21' AS day, TRUE AS yes"
    here = folder(shop, tmp_path, reader=reader)
    here.edit(
        sql=f"SELECT {alike}, NUMERIC '0.10' AS ten, CAST('0.1' AS FLOAT64) AS tenth, "
        "TIME '10:00:00.5' AS t, DATETIME '2026-11-21 10:00:00.25' AS moment, "
        "TIMESTAMP '2026-11-21 10:00:00Z' AS instant, FROM_HEX('00ff10') AS bytes, "
        "PARSE_JSON('{\"b\": 1.5, \"a\": [null]}') AS j, 'Zoë' AS name, "
        "CAST(NULL AS STRING) AS none"
    )
    with here.project() as project:
        assert project.run()[0].counts["added"] == 1
    read_instead(here, postgres_database)
    here.edit(
        sql=f"SELECT {alike}, 0.10::numeric AS ten, 0.1::float8 AS tenth, '10:00:00.5'::time AS t, "
        "'2026-11-21 10:00:00.25'::timestamp AS moment, '2026-11-21 10:00:00+00'::timestamptz AS "
        "instant, decode('00ff10', 'hex') AS bytes, '{\"b\": 1.5, \"a\": [null]}'::json AS j, "
        "'Zoë' AS name, NULL::text AS none"
    )
    with here.project() as project:
        assert project.run()[0].counts["unchanged"] == 1


INTERVALS = [
    ("MAKE_INTERVAL(1, 2, 3, 4, 5, 6)", "P1Y2M3DT4H5M6S"),
    ("INTERVAL '0.5' SECOND", "PT0.5S"),
    ("INTERVAL 0 DAY", "PT0S"),
]


def test_an_interval_is_that_of_iso_8601(shop: BigQueryDataset) -> None:
    wanted = ", ".join(f"{sql} AS c{n}" for n, (sql, _) in enumerate(INTERVALS))
    with opened(shop) as source:
        assert [*rows(source, f"SELECT {wanted}")[0].values()] == [told for _, told in INTERVALS]


def read_instead(here: Folder, database: PostgresDatabase) -> None:
    """Let the source of a folder be another."""
    server = database.server
    document = json.loads((here.path / "connections.yml").read_text())
    document["profiles"]["dev"]["sources"]["shop"] = {
        "type": "postgres", "host": server.host, "port": server.port, "database": database.name,
        "user": server.user, "password": server.password, "sslrootcert": str(server.ca_file),
        "allow_unsafe_user": True,
    }  # fmt: skip
    (here.path / "connections.yml").write_text(json.dumps(document))


@pytest.mark.door("python")
def test_B7_a_preview_shows_the_columns_of_select_star(
    shop: BigQueryDataset, tmp_path: Path
) -> None:
    with folder(shop, tmp_path).project() as project:
        seen = project.preview("people")
    assert [column.name for column in seen.columns] == ["id", "name", "user_id"]


def test_the_idiom_for_what_changed_since_goes_by_the_column(shop: BigQueryDataset) -> None:
    shop.execute(
        "CREATE TABLE {here}.seen AS SELECT i AS id, TIMESTAMP_SECONDS(i) AS at, "
        "i AS epoch FROM UNNEST([100, 200]) AS i"
    )
    with opened(shop) as source:
        for since in ("at >= TIMESTAMP_SECONDS(150)", "epoch >= 150"):
            assert rows(source, f"SELECT id FROM seen WHERE {since}") == [{"id": 200}]
        error = refusal(source, "SELECT id FROM seen WHERE at >= 150")
    assert error.code in {"QUERY_FAILED", "QUERY_SYNTAX"}


# values


@pytest.mark.parametrize("reader", READERS)
def test_each_type_comes_exactly_by_either_reader(shop: BigQueryDataset, reader: str) -> None:
    sql = f"SELECT {', '.join(f'{one[0]} AS v{i}' for i, one in enumerate(TYPES))}"
    with opened(shop, reader=reader) as source:
        described = [(one.type_name, one.value_type) for one in source.describe(sql)]
        table = source.query(sql).read_all()
    assert described == [one[1:3] for one in TYPES]
    assert [value_type(field) for field in table.schema] == [one[2] for one in TYPES]
    assert list(map(told, table.columns)) == [one[3] for one in TYPES]


def told(column: pa.ChunkedArray) -> object:
    value = column[0].as_py()
    return value if isinstance(value, int | float | bytes | str) else str(value)


def test_nested_values_come_as_json(shop: BigQueryDataset) -> None:
    sql = f"SELECT {', '.join(f'{one[0]} AS v{i}' for i, one in enumerate(NESTED))}"
    with opened(shop, reader="auto") as source:
        assert [one.type_name for one in source.describe(sql)] == [one[1] for one in NESTED]
        assert [*rows(source, sql)[0].values()] == [one[2] for one in NESTED]


# the stream of the Storage Read API


@pytest.mark.parametrize(("account", "is_streamed"), [(READER, True), (PLAIN, False)])
def test_large_results_are_streamed_where_that_is_permitted(
    shop: BigQueryDataset, account: str, *, is_streamed: bool
) -> None:
    with Proxy(shop.server.host, shop.server.storage_port) as proxy:
        with opened(shop, account, storage_port=proxy.port) as source:
            assert source.query(MANY).read_all().num_rows == 20_000
        assert (proxy.longest > 100_000) == is_streamed


@pytest.mark.door("python")
def test_A18_a_stream_that_is_asked_for_needs_its_right(
    shop: BigQueryDataset, tmp_path: Path
) -> None:
    here = folder(shop, tmp_path, PLAIN, reader="storage")
    with here.project() as project, pytest.raises(SourceError) as caught:
        project.run()
    assert caught.value.code == "PERMISSION_DENIED"
    assert caught.value.mend == (
        "gcloud projects add-iam-policy-binding acme-test --member=serviceAccount:plain@acme-test."
        "iam.gserviceaccount.com --role=roles/bigquery.readSessionUser"
    )


@pytest.mark.door("python")
def test_A18_a_table_that_is_closed_is_named_with_its_grant(
    shop: BigQueryDataset, tmp_path: Path
) -> None:
    here = folder(shop, tmp_path)
    here.edit(sql="SELECT id AS user_id FROM answers.denied_table")
    with here.project() as project, pytest.raises(SourceError) as caught:
        project.run()
    assert "acme-test:crm.people" in caught.value.message
    assert caught.value.mend == ANSWERS["denied_table"]["mend"]


@pytest.mark.parametrize("after", [0, 3_000, 100_000])
def test_T7_a_stream_that_is_cut_is_no_shorter_result(shop: BigQueryDataset, after: int) -> None:
    with Proxy(shop.server.host, shop.server.storage_port) as proxy:
        proxy.trouble = Trouble(after=after, then="reset")
        options = {"storage_port": proxy.port, "connect_timeout": 2, "statement_timeout": 8}
        with opened(shop, reader="storage", **options) as source:
            error = refusal(source, MANY)
    assert error.code in {"SOURCE_DROPPED", "CONNECT_FAILED", "QUERY_TIMEOUT"}


def test_a_silent_stream_can_be_cancelled(shop: BigQueryDataset) -> None:
    with Proxy(shop.server.host, shop.server.storage_port) as proxy:
        proxy.trouble = Trouble(after=100_000, then="stall")
        with opened(shop, reader="storage", storage_port=proxy.port) as source:
            waiting = threading.Thread(target=cancel_when, args=[source, proxy, 100_000])
            waiting.start()
            assert refusal(source, MANY).code == "QUERY_CANCELLED"
            waiting.join()


def cancel_when(source: BigQuery, proxy: Proxy, brought: int) -> None:
    while proxy.longest < brought:
        time.sleep(0.02)
    source.cancel()


# what the service says


@pytest.mark.parametrize("name", ANSWERS)
def test_its_errors_are_told_in_our_words(shop: BigQueryDataset, name: str) -> None:
    answer = ANSWERS[name]
    with opened(shop, connect_timeout=0.2) as source:
        error = refusal(source, f"SELECT id FROM answers.{name}")
    assert error.code == answer["code"]
    assert answer["mend"] in error.mend
    assert answer["message"] in error.message


def test_S5_a_query_that_reads_too_much_does_not_run(shop: BigQueryDataset) -> None:
    shop.execute("CREATE TABLE {here}.huge (id INT64)")
    with opened(shop, maximum_bytes_billed=LEAST_BILLED) as source:
        assert source.describe("SELECT id FROM huge")[0].name == "id"
        error = refusal(source, "SELECT id FROM huge")
        assert rows(source, "SELECT id FROM people WHERE id = 1") == [{"id": 1}]
    assert error.code == "QUOTA_EXCEEDED"
    assert "5,000,000,000,000 bytes, maximum_bytes_billed is 10,485,760" in error.message


@pytest.mark.parametrize("sample", samples("unsafe/bigquery.toml"), ids=lambda one: one["sql"][:40])
def test_S2_S5_without_our_parser_a_dry_run_refuses_what_is_no_query(
    shop: BigQueryDataset, sample: Any
) -> None:
    warehouse = Warehouse(config(shop, connect_timeout=0.2))
    with pytest.raises(SourceError), warehouse.asking() as wire:
        warehouse.dry_run(wire, sample["sql"])
    with opened(shop) as source:
        assert refusal(source, sample["sql"]).code == sample.code


def test_a_slow_query_is_ended_there_too(shop: BigQueryDataset) -> None:
    with opened(shop, statement_timeout=1) as source:
        error = refusal(source, ENDLESS)
    assert (error.code, "statement_timeout" in error.mend) == ("QUERY_TIMEOUT", True)
    while shop.running():
        time.sleep(0.05)


# connecting


def failure(shop: BigQueryDataset, step: str, **options: Any) -> ConnectError:
    source = BigQuery(config(shop, **options))
    with pytest.raises(ConnectError) as caught:
        source.describe("SELECT 1 AS a")
    finding = list(source.check())[-1]
    assert (finding.step, finding.level, finding.code) == (step, "error", caught.value.code)
    assert finding.mend
    return caught.value


def token(server: BigQueryServer, host: str) -> str:
    return f"https://{host}:{server.port}/token"


def key(shop: BigQueryDataset, **changes: str) -> str:
    return json.dumps(shop.server.key() | changes)


def test_a_key_that_opens_nothing_is_told(shop: BigQueryDataset) -> None:
    error = failure(shop, "login", keyfile_json=key(shop, private_key=stranger()))
    assert (error.code, "Invalid JWT Signature" in error.message) == ("LOGIN_FAILED", True)
    for text in ("", "no JSON", "[]", "{}", key(shop, type="user"), key(shop, private_key="x")):
        error = failure(shop, "login", keyfile_json=text)
        assert (error.code, "service account" in error.mend) == ("LOGIN_FAILED", True)


def stranger() -> str:
    return rsa.generate_private_key(65537, 2048).private_bytes(*UNLOCKED).decode()


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/token",
        "https://169.254.169.254/token",
        "https://oauth2.googleapis.com.x/t",
    ],
)
def test_S8_a_key_leads_to_nobody_but_google(shop: BigQueryDataset, address: str) -> None:
    error = failure(shop, "login", keyfile_json=key(shop, token_uri=address))
    assert "token_uri" in error.message
    source = BigQuery(config(shop, keyfile_json=key(shop, token_uri=address)))
    assert [one.step for one in source.check()] == ["login"]  # nobody was asked


@pytest.mark.door("python")
def test_B3_the_key_may_be_a_file(shop: BigQueryDataset, tmp_path: Path) -> None:
    here = folder(shop, tmp_path, keyfile_json=None, keyfile="key.json")
    (here.path / "key.json").write_text(key(shop))
    with here.project() as project:
        assert {one.level for one in project.debug()["shop"]} == {"ok"}
    (here.path / "key.json").unlink()
    with here.project() as project:
        (found,) = [one for one in project.debug()["shop"] if one.level == "error"]
    assert (found.step, found.code) == ("login", "LOGIN_FAILED")
    assert "No such file" in found.message


@pytest.mark.door("python")
def test_B2_a_service_that_cannot_be_verified_gets_no_key(
    shop: BigQueryDataset, tmp_path: Path
) -> None:
    server = shop.server
    elsewhere = key(shop, token_uri=token(server, "127.1"))
    other_name = {"host": "127.1", "keyfile_json": elsewhere}
    stranger = {"ssl_ca": str(server.untrusted_ca_file)}
    nobody = {"ssl_ca": str(tmp_path / "none.pem")}
    for number, options in enumerate((stranger, nobody, {"ssl_ca": None}, other_name)):
        with folder(shop, tmp_path / str(number), **options).project() as project:
            found = project.debug()["shop"][-1]
        assert (found.step, found.level, found.code) == ("tls", "error", "TLS_FAILED")
    by_name = key(shop, token_uri=token(server, "localhost"))
    here = {"host": "localhost", "storage_host": "localhost", "reader": "storage"}
    with opened(shop, keyfile_json=by_name, **here) as source:
        assert rows(source, "SELECT id FROM people WHERE id = 1") == [{"id": 1}]


def test_S9_nothing_tells_a_closed_port_from_an_unknown_host(shop: BigQueryDataset) -> None:
    for host, port in (("127.0.0.1", 1), ("no-such-host.invalid", 443)):
        there = key(shop, token_uri=f"https://{host}:{port}/token")
        address = {"host": host, "port": port, "connect_timeout": 0.5}
        error = failure(shop, "network", keyfile_json=there, **address)
        assert error.message == f"{host}:{port}: The source cannot be reached"


@pytest.mark.parametrize(
    "options",
    [
        {"keyfile": "key.json"},
        {"keyfile_json": None},
        {"maximum_bytes_billed": 1},
        {"labels": {"Team": "a"}},
        {"labels": {"team": "A"}},
        {"api_endpoint": "https://example.com"},
        {"host": "https://example.com"},
        {"host": "example.com/x"},
        {"dataset": "a.b"},
        {"dataset": "a`b"},
        {"project": "a`b"},
    ],
)
def test_S8_no_other_option_reaches_the_driver(
    shop: BigQueryDataset, options: dict[str, object]
) -> None:
    with pytest.raises(pydantic.ValidationError) as refused:
        config(shop, **options)
    assert "PRIVATE" not in str(refused.value)


# the rest of the port


@pytest.mark.door("python")
def test_A2_the_check_says_who_could_write_and_what_cannot_be_read(
    shop: BigQueryDataset, tmp_path: Path
) -> None:
    found = {}
    for account in (READER, WRITER, PLAIN):
        with folder(shop, tmp_path / account, account).project() as project:
            found[account] = {one.step: one for one in project.debug()["shop"]}
    assert {one.level for one in found[READER].values()} == {"ok"}
    steps = ["network", "tls", "login", "read_only", "privileges", "version", "clock"]
    assert [*found[READER]] == steps
    writing = found[WRITER]["read_only"]
    assert (writing.level, writing.code) == ("warning", "WRITE_RIGHTS")
    assert f"{shop.name}.people" in writing.message
    blind = found[PLAIN]["privileges"]
    assert (blind.level, blind.code) == ("warning", "PERMISSION_DENIED")
    assert f"ON SCHEMA `acme-test.{shop.name}` TO 'serviceAccount:plain@" in blind.mend


@pytest.mark.door("python")
@pytest.mark.parametrize(
    ("options", "step", "missing"),
    [
        ({"dataset": "no_such_dataset"}, "privileges", "Dataset acme-test:no_such_dataset"),
        ({"project": "no-such-project"}, "login", "Project no-such-project"),
    ],
)
def test_A2_a_dataset_or_a_project_that_does_not_exist_is_named(
    shop: BigQueryDataset, tmp_path: Path, options: dict[str, str], step: str, missing: str
) -> None:
    with folder(shop, tmp_path, **options).project() as project:
        (found,) = [one for one in project.debug()["shop"] if one.level == "error"]
    assert (found.step, found.code, missing in found.message) == (step, "DATABASE_UNKNOWN", True)
    assert found.mend == "Check project, dataset and location."


@pytest.mark.door("python")
def test_A2_a_dataset_without_tables_is_told(
    bigquery_dataset: BigQueryDataset, tmp_path: Path
) -> None:
    name = bigquery_dataset.name
    with folder(bigquery_dataset, tmp_path).project() as project:
        found = {one.step: one for one in project.debug()["shop"]}["privileges"]
    assert (found.level, found.message) == ("warning", f"The account sees no table in {name}.")
    assert f"ON SCHEMA `acme-test.{name}` TO" in found.mend


def test_the_catalogue_has_types_and_sizes(shop: BigQueryDataset) -> None:
    shop.execute(
        "CREATE TABLE {here}.__TABLES__ AS SELECT 'people' AS table_id, 3 AS row_count",
        "CREATE TABLE {here}.more (n NUMERIC, tags ARRAY<STRING>)",
    )
    with opened(shop) as source:
        here = {table.name: table for table in source.catalog()}
    with opened(shop, dataset=None) as source:
        everywhere = {(table.schema, table.name) for table in source.catalog()}
    columns = [(one.name, one.type_name, one.value_type) for one in here["more"].columns]
    assert columns == [("n", "NUMERIC", "decimal"), ("tags", "ARRAY<STRING>", "json")]
    assert (here["people"].rows_estimate, here["more"].rows_estimate) == (3, None)
    assert {(shop.name, "people"), (shop.name, "more")} <= everywhere
