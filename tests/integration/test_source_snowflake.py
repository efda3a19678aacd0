"""The Snowflake source with its vendor's driver, over the real protocol, to a stand-in."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from corpus import samples
from rowlift.core.errors import ConnectError, SourceError
from rowlift.sources.snowflake import Snowflake, SnowflakeConfig
from rowlift.testing.fake import deliveries
from rowlift.testing.folder import SYNC, Folder
from rowlift.testing.proxy import Proxy
from rowlift.testing.values import value_type
from servers.postgres import PostgresDatabase
from servers.room import Room
from servers.snowflake import (
    ACCESS_TOKEN,
    OAUTH_TOKEN,
    PASSWORD,
    SnowflakeDatabase,
    SnowflakeServer,
)

ROWS = "INSERT INTO people VALUES (1, 'Ada'), (2, ''), (3, NULL)"
KEYLESS = {"private_key_path": None, "private_key_passphrase": None}
ENDLESS = (
    "SELECT COUNT(*) AS n FROM TABLE(GENERATOR(ROWCOUNT => 1000000)) AS a, "
    "TABLE(GENERATOR(ROWCOUNT => 1000000)) AS b, TABLE(GENERATOR(ROWCOUNT => 1000000)) AS c"
)
MANY = 10_000
LONGEST = "12345678901234567890123456789012345678"
# What both engines make of the same row, with the identifier's case kept on Snowflake.
SAME = (
    'SELECT {series} AS "user_id", 12345678901234567890.10 AS "exact", 3 AS "whole", '
    "CAST('0.1' AS double precision) AS \"real\", CAST('2026-11-21' AS date) AS \"day\", "
    "CAST('2026-11-21 10:00:00.5' AS timestamp) AS \"local\", "
    'CAST(\'10:00:00.25\' AS time) AS "hour", true AS "yes", \'Zo\u00eb\' AS "name" FROM {rows}'
)
POSTGRES = SAME.format(series="i", rows=f"generate_series(1, {MANY}) AS g(i)")
SNOWFLAKE = SAME.format(series="SEQ4() + 1", rows=f"TABLE(GENERATOR(ROWCOUNT => {MANY}))")

# expression, value type, what comes
TYPES: list[tuple[str, str, object]] = [
    ("1::NUMBER(5, 0)", "int", 1),
    ("999999999999999999::NUMBER(18, 0)", "int", 999_999_999_999_999_999),
    (f"'{LONGEST}'::NUMBER(38, 0)", "int", LONGEST),
    ("'1.10'::NUMBER(5, 2)", "decimal", "1.10"),
    ("'NaN'::FLOAT", "float", "nan"),
    ("'9999-12-31 23:59:59.9'::TIMESTAMP_NTZ", "timestamp", {"us": 253_402_300_799_900_000}),
    ("'1600-02-29 12:00:00'::TIMESTAMP_NTZ", "timestamp", {"us": -11_670_955_200_000_000}),
    ("'2026-01-01 00:00:00+02:00'::TIMESTAMP_TZ", "timestamptz",
     {"ns": 1_767_218_400_000_000_000}),
    ("'10:00:00.5'::TIME", "time", "10:00:00.500000"),
    ("PARSE_JSON('{\"a\": [1.5, null]}')", "json", '{"a":[1.5,null]}'),
    ("OBJECT_CONSTRUCT('a', 1)", "json", '{"a":1}'),
    ("TO_BINARY('00ff', 'HEX')", "binary", b"\x00\xff"),
    ("NULL", "text", None),
]  # fmt: skip


@dataclass(frozen=True)
class Shop:
    """A database with people, and the reader's way to it."""

    database: SnowflakeDatabase

    def source(self, **options: Any) -> Snowflake:
        return Snowflake(SnowflakeConfig.model_validate({**self.database.settings, **options}))

    def grant(self, what: str) -> str:
        return what.format(name=self.database.name)


def furnish(database: SnowflakeDatabase) -> Shop:
    database.execute(
        "CREATE TABLE people (id NUMBER(38, 0), name VARCHAR(20))",
        ROWS,
        "CREATE TABLE secret (id INT)",
    )
    return Shop(database)


@pytest.fixture(scope="module")
def calm(snowflake_server: SnowflakeServer) -> Shop:
    """A shop that nobody changes."""
    return furnish(snowflake_server.create_database("T_CALM"))


def refusal(source: Snowflake, sql: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        source.query(sql).read_all()
    error = caught.value
    assert error.mend
    assert "c4nary" not in f"{error} {error!r} {error.mend}"
    return error


def failure(source: Snowflake, step: str) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        source.now()
    error, finding = caught.value, list(source.check())[-1]
    assert (finding.step, finding.level, finding.code) == (step, "error", error.code)
    assert finding.mend
    assert "c4nary" not in f"{error} {error!r} {finding}"
    return error


def test_the_vendors_driver_speaks_to_another_process(
    calm: Shop, server_room: Room, snowflake_server: SnowflakeServer
) -> None:
    with Proxy(snowflake_server.host, snowflake_server.port) as proxy:
        far = calm.source(host="127.0.0.1", port=proxy.port)
        assert far.query("SELECT id FROM people").read_all().num_rows == 3
        assert proxy.longest > 0
    assert "snowflake.connector" in sys.modules
    note = (server_room.path / "snowflake.json").read_text()
    assert f'"keeper_pid": {os.getpid()}' not in note


# values


@pytest.mark.parametrize(("expression", "kind", "value"), TYPES)
def test_each_type_comes_as_documented(
    calm: Shop, expression: str, kind: str, value: object
) -> None:
    table = calm.source().query(f"SELECT {expression} AS v").read_all()
    came = table.column(0)[0].as_py()
    assert value_type(table.field(0)) == kind
    if isinstance(came, dict):
        came = {unit: count for unit, count in came.items() if count is not None}
    assert (came if isinstance(came, int | bytes | dict | None) else str(came)) == value


@pytest.mark.parametrize("kind", ["TIMESTAMP_NTZ", "TIMESTAMP_TZ"])
def test_a_moment_may_be_null_beside_near_and_far_ones(calm: Shop, kind: str) -> None:
    near, far = f"'2026-01-01 00:00:00'::{kind}", f"'9999-12-31 00:00:00'::{kind}"
    rows = f"(1, {near}), (2, NULL::{kind}), (3, {{last}})"
    sql = f"SELECT b AS v FROM (VALUES {rows}) AS t(a, b) ORDER BY a"
    table = calm.source().query(sql.format(last=near)).read_all()
    counted = {"ns": 1_767_225_600_000_000_000, "us": None}
    assert table.column(0).to_pylist() == [counted, None, counted]
    distant = {"ns": None, "us": 253_402_214_400_000_000}
    table = calm.source().query(sql.format(last=far)).read_all()
    assert table.column(0).to_pylist() == [{"ns": None, "us": 1_767_225_600_000_000}, None, distant]
    nothing = calm.source().query(f"SELECT NULL::{kind} AS v").read_all()
    assert (nothing.column(0).to_pylist(), value_type(nothing.field(0))[:9]) == (
        [None],
        "timestamp",
    )


def test_many_rows_come_in_chunks_that_the_driver_fetches(calm: Shop) -> None:
    sql = "SELECT SEQ4() AS id FROM TABLE(GENERATOR(ROWCOUNT => 12345))"
    sizes = [batch.num_rows for batch in calm.source().query(sql)]
    assert (sum(sizes), len(sizes) > 1) == (12_345, True)


# logging in


def test_each_proof_of_who_one_is_logs_in(calm: Shop) -> None:
    key = Path(calm.database.settings["private_key_path"]).read_text()
    proofs = [
        {},
        {"private_key_path": None, "private_key": key},
        {**KEYLESS, "password": PASSWORD},
        {**KEYLESS, "oauth_token": OAUTH_TOKEN},
        {**KEYLESS, "access_token": ACCESS_TOKEN},
    ]
    for proof in proofs:
        assert calm.source(**proof).query("SELECT id FROM people").read_all().num_rows == 3


@pytest.mark.parametrize(
    "proof",
    [
        {**KEYLESS, "password": "wrong-c4nary"},
        {**KEYLESS, "oauth_token": "wrong-c4nary"},
        {**KEYLESS, "access_token": "wrong-c4nary"},
        {"private_key_passphrase": "wrong-c4nary"},
        {"private_key_passphrase": None},
        {"private_key_path": "/no/such/file"},
        {"user": "nobody"},
        {"role": "NO_SUCH_ROLE"},
    ],
)
def test_F33_a_login_that_is_refused_is_told(calm: Shop, proof: dict[str, Any]) -> None:
    assert failure(calm.source(**proof), "login").code == "LOGIN_FAILED"


@pytest.mark.parametrize("given", ["private_key", "private_key_path"])
def test_a_key_that_cannot_be_used_is_told_apart_from_one_that_is_refused(
    calm: Shop, tmp_path: Path, given: str
) -> None:
    formats = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    curve = ec.generate_private_key(ec.SECP256R1()).private_bytes(*formats).decode()
    for text, said in (("c4nary", "MalformedFraming"), (curve, "not an RSA key")):
        (tmp_path / "key.pem").write_text(text)
        key = text if given == "private_key" else str(tmp_path / "key.pem")
        error = failure(calm.source(**{**KEYLESS, given: key}), "login")
        assert (error.code, said in error.message) == ("LOGIN_FAILED", True)
        assert "PEM file" in error.mend
        assert [one.step for one in calm.source(**{**KEYLESS, given: key}).check()] == ["login"]


def test_the_key_of_somebody_else_is_refused(calm: Shop, snowflake_server: SnowflakeServer) -> None:
    settings = {**KEYLESS, "private_key": snowflake_server.strange_key()}
    assert failure(calm.source(**settings), "login").code == "LOGIN_FAILED"


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ({"database": "NO_SUCH_DATABASE"}, "DATABASE_UNKNOWN"),
        ({"warehouse": "NO_SUCH_WAREHOUSE"}, "WAREHOUSE_UNAVAILABLE"),
    ],
)
def test_a_place_that_does_not_exist_is_told(calm: Shop, place: dict[str, Any], code: str) -> None:
    assert failure(calm.source(**place), "login").code == code


@pytest.mark.parametrize(
    "proofs", [KEYLESS, {"password": PASSWORD}, {**KEYLESS, "password": "x", "oauth_token": "y"}]
)
def test_exactly_one_proof_is_given(calm: Shop, proofs: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError, match="exactly one of"):
        calm.source(**proofs)


@pytest.mark.parametrize(
    "account", ["", "a/b", "a b", "-a", "https://a", "acme.snowflakecomputing.com", "a?b=c", "a\n"]
)
def test_S8_an_account_is_no_address(calm: Shop, account: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        calm.source(account=account)


def test_an_account_has_an_address_of_its_own() -> None:
    proof = {"user": "U", "password": "x", "database": "D"}
    config = SnowflakeConfig.model_validate({"account": "my_org-acme", **proof})
    assert config.address == "my-org-acme.snowflakecomputing.com"


@pytest.mark.parametrize(
    "option", ["authenticator", "protocol", "session_parameters", "tls_skip_verify", "proxy_host"]
)
def test_S8_no_other_option_reaches_the_driver(calm: Shop, option: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        calm.source(**{option: "x"})


# TLS and the network


def test_F34_only_the_right_server_is_trusted(calm: Shop) -> None:
    server = calm.database.server
    for elsewhere in (
        {"ssl_ca": str(server.untrusted_ca_file)},
        {"ssl_ca": "/no/such/file"},
        {"host": server.wrong_host},
    ):
        assert failure(calm.source(**elsewhere), "tls").code == "TLS_FAILED"


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 1), ("no-such-host.invalid", 443)])
def test_S9_nothing_tells_a_closed_port_from_an_unknown_host(
    calm: Shop, host: str, port: int
) -> None:
    error = failure(calm.source(host=host, port=port, connect_timeout=2), "network")
    told = (error.code, error.message)
    assert told == ("CONNECT_FAILED", f"{host}: The source cannot be reached")


# sessions


def test_a_session_means_the_same_whatever_the_account_says(calm: Shop) -> None:
    with closing(calm.source(statement_timeout=77)) as source:
        rows = source.query(ENDLESS, limit=2)  # a shorter one may have ended before we look
        (session,) = calm.database.sessions()
        assert rows.schema
    told = {name.upper(): str(session[name]).upper() for name in session}
    assert told.items() >= {
        "USER": "READER", "ROLE": "READER",
        "ABORT_DETACHED_QUERY": "TRUE", "MULTI_STATEMENT_COUNT": "1", "QUERY_TAG": "ROWLIFT",
        "QUOTED_IDENTIFIERS_IGNORE_CASE": "FALSE", "ROWS_PER_RESULTSET": "2",
        "STATEMENT_TIMEOUT_IN_SECONDS": "77", "TIMEZONE": "UTC",
    }.items()  # fmt: skip


def test_each_session_ends_with_its_question(snowflake_database: SnowflakeDatabase) -> None:
    source = furnish(snowflake_database).source()
    source.now()
    source.catalog()
    source.describe("SELECT id FROM people")
    source.query("SELECT id FROM people").read_all()
    list(source.check())
    assert snowflake_database.sessions() == []


def test_F31_a_statement_that_takes_too_long_is_ended_by_snowflake(calm: Shop) -> None:
    assert refusal(calm.source(statement_timeout=2), ENDLESS).code == "QUERY_TIMEOUT"


# rights


def test_S2_what_is_unsafe_is_refused_here_or_there(calm: Shop) -> None:
    for sample in samples("unsafe/snowflake.toml"):
        refusal(calm.source(), sample["sql"])
    names = calm.source().query("SELECT name FROM people ORDER BY id").read_all()
    assert names.column(0).to_pylist() == ["Ada", "", None]


def test_S2_a_role_that_administers_the_account_is_refused(calm: Shop) -> None:
    error = refusal(calm.source(role="ACCOUNTADMIN"), "SELECT id FROM people")
    assert (error.code, "ACCOUNTADMIN" in error.message) == ("UNSAFE_USER", True)
    found = {one.step: one for one in calm.source(role="ACCOUNTADMIN").check()}
    assert (found["read_only"].level, found["read_only"].code) == ("error", "UNSAFE_USER")
    allowed = calm.source(role="ACCOUNTADMIN", allow_unsafe_user=True)
    assert allowed.query("SELECT id FROM people").read_all().num_rows == 3
    assert {one.step: one.level for one in allowed.check()}["read_only"] == "warning"


def test_a_role_that_could_write_is_warned_of_by_what_its_roles_may(calm: Shop) -> None:
    found = {one.step: one for one in calm.source(role="WRITER").check()}["read_only"]
    assert (found.level, found.code) == ("warning", "WRITE_RIGHTS")
    assert calm.grant("INSERT ON {name}.PUBLIC.PEOPLE") in found.message
    assert calm.grant("GRANT SELECT ON ALL TABLES IN SCHEMA {name}.PUBLIC") in found.mend


def test_a_role_that_may_call_procedures_is_warned_of(calm: Shop) -> None:
    found = {one.step: one for one in calm.source(role="CALLER").check()}["read_only"]
    assert (found.code, "CLEAN_UP" in found.message) == ("WRITE_RIGHTS", True)


def test_a_role_whose_grants_are_hidden_is_noted(calm: Shop) -> None:
    found = {one.step: one for one in calm.source(role="HIDDEN").check()}["read_only"]
    assert (found.level, "SHOW GRANTS TO ROLE HIDDEN;" in found.mend) == ("note", True)


def test_a_table_that_is_closed_or_missing_comes_with_its_grants(calm: Shop) -> None:
    for name in ("SECRET", "NO_SUCH_TABLE"):
        error = refusal(calm.source(), f"SELECT id FROM {name.lower()}")
        assert error.code == "TABLE_UNKNOWN"
        assert name in error.message
        database = calm.database.name
        assert re.findall("GRANT .*;", error.mend) == [
            f"GRANT USAGE ON DATABASE {database} TO ROLE READER;",
            f"GRANT USAGE ON SCHEMA {database}.PUBLIC TO ROLE READER;",
            f"GRANT SELECT ON TABLE {database}.PUBLIC.{name} TO ROLE READER;",
        ]


@pytest.mark.parametrize(
    ("warehouse", "code"),
    [("SUSPENDED", "WAREHOUSE_UNAVAILABLE"), ("OVER_QUOTA", "QUOTA_EXCEEDED")],
)
def test_a_warehouse_that_does_not_run_is_told(calm: Shop, warehouse: str, code: str) -> None:
    source = calm.source(warehouse=warehouse)
    assert refusal(source, "SELECT id FROM people").code == code
    last = list(source.check())[-1]
    assert (last.step, last.level, last.code) == ("privileges", "error", code)


def test_the_check_goes_step_by_step(calm: Shop) -> None:
    found = list(calm.source().check())
    steps = ["network", "tls", "login", "read_only", "privileges", "version", "clock"]
    assert [one.step for one in found] == steps
    assert {one.level for one in found} == {"ok"}


def test_the_catalogue_has_types_and_estimates(calm: Shop) -> None:
    tables = {table.name: table for table in calm.source().catalog()}
    people = tables["PEOPLE"]
    columns = [(column.name, column.type_name, column.value_type) for column in people.columns]
    assert columns == [("ID", "NUMBER(38,0)", "int"), ("NAME", "TEXT", "text")]
    assert (people.schema, people.rows_estimate) == ("PUBLIC", 3)


# the main job


@pytest.fixture
def folder(snowflake_database: SnowflakeDatabase, tmp_path: Path) -> Iterator[Folder]:
    """A project that delivers people of Snowflake to a log."""
    source = {"type": "snowflake", **furnish(snowflake_database).database.settings}
    destination = {"type": "sandbox", "path": str(tmp_path / "sent.jsonl"), "batch_rows": 1000}
    use, rows = {"removed": "delete"}, SNOWFLAKE
    return Folder(tmp_path / "acme", source, destination, use=use, workspace="none", sql=rows)


@pytest.mark.door("python")
def test_A1_B1_an_unchanged_row_is_unchanged_even_if_it_comes_from_postgresql(
    folder: Folder, postgres_database: PostgresDatabase, tmp_path: Path
) -> None:
    with folder.project() as project:
        (first,) = project.run([SYNC])
        (second,) = project.run([SYNC])
    assert first.counts["added"] == MANY
    assert (second.counts["unchanged"], second.counts["changed"]) == (MANY, 0)
    server = postgres_database.server
    login = {"user": server.user, "password": server.password, "allow_unsafe_user": True}
    folder.connect(
        {
            "type": "postgres", "host": server.host, "port": server.port,
            "database": postgres_database.name, "sslrootcert": str(server.ca_file), **login,
        }
    )  # fmt: skip
    folder.edit(sql=POSTGRES)
    with folder.project() as project:
        (again,) = project.run([SYNC])
    assert (again.counts["unchanged"], again.counts["changed"]) == (MANY, 0)
    assert len(deliveries(tmp_path / "sent.jsonl")) == MANY


@pytest.mark.door("python")
def test_B7_a_preview_proves_the_rules_in_the_warehouse(
    folder: Folder, snowflake_database: SnowflakeDatabase
) -> None:
    rows = "('u1', '2026-01-01'), ('u1', '2026-01-01'), (NULL, '2026-01-01'), ('u2', '1970-01-01')"
    snowflake_database.execute(
        "CREATE TABLE shoppers (id VARCHAR, changed_at TIMESTAMP_NTZ)",
        f"INSERT INTO shoppers VALUES {rows}",
    )
    since = "changed_at >= TO_TIMESTAMP({{last_sync_time}})"
    folder.edit(sql=f'SELECT id AS "user_id", 1 AS "plan" FROM shoppers WHERE {since}')
    with folder.project() as project:
        preview = project.preview(SYNC, last_sync_time=1)
    assert [(row.identifier, row.problem) for row in preview.rows] == [
        ("u1", "ID_DUPLICATE"), ("u1", "ID_DUPLICATE"), (None, "ID_NULL"),
    ]  # fmt: skip
    assert {one.code: one.count for one in preview.problems} == {"ID_DUPLICATE": 2, "ID_NULL": 1}


@pytest.mark.door("python")
def test_A2_B3_debug_says_what_the_role_may(folder: Folder) -> None:
    with folder.project() as project:
        found = {one.step: one for one in project.debug()["shop"]}
    assert (found["read_only"].level, found["login"].level) == ("ok", "ok")


@pytest.mark.door("python")
def test_A18_a_run_that_may_not_read_says_which_grant_is_missing(folder: Folder) -> None:
    folder.edit(sql='SELECT id AS "user_id", 1 AS "plan" FROM secret')
    with folder.project() as project, pytest.raises(SourceError) as caught:
        project.run([SYNC])
    assert "GRANT SELECT ON TABLE" in caught.value.mend
