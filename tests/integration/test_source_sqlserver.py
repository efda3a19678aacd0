"""The SQL Server source with Microsoft's driver, against a stand-in that speaks TDS."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pydantic
import pytest

from corpus import samples
from rowlift.core.errors import ConnectError, SourceError
from rowlift.engine.moments import CONVERSIONS
from rowlift.kit.sqlguard import render
from rowlift.sources.dialects.sqlserver_keywords import keywords
from rowlift.sources.dialects.sqlserver_server import Server
from rowlift.sources.sqlserver import SQLServer
from rowlift.testing.fake import deliveries
from rowlift.testing.folder import SYNC, Folder
from rowlift.testing.proxy import Proxy
from rowlift.testing.values import value_type
from servers import TdsDatabase
from servers.ssh import ssh_server
from tds_shop import ENDLESS, PASSWORD, Shop, children, opened, refusal, steps, wait_until

WRONG_HOST = "127.0.0.2"  # where the server is too, but its certificate is for others
ROWS = 10_000
PEOPLE = "SELECT i AS user_id, CONCAT('plan ', i % 7) AS plan FROM numbers WHERE i < 10000"
READ = """
import json, sys
from rowlift.sources.sqlserver import SQLServer, SQLServerConfig
SQLServer(SQLServerConfig(**json.loads(sys.argv[1]))).query(sys.argv[2]).read_all()
"""

# column of the table of all types, value type, what comes
TYPES = [(one["column"], one["type"], one["comes"]) for one in samples("values.toml", "sqlserver")]
HOSTS = [
    "",
    "h;Encrypt=no",
    "h,1",
    "tcp:h",
    "h\\instance",
    "h{",
    "/tmp/x",
    "a@b",
    "h h",
    "h\n",
    "-h",
]


BOTH = pytest.mark.parametrize("shop", ["mssql-python", "python-tds"], indirect=True)


@pytest.fixture
def shop(tds_database: TdsDatabase, request: pytest.FixtureRequest) -> Shop:
    return opened(tds_database, getattr(request, "param", "auto"))


# values


@BOTH
def test_each_type_comes_exactly(shop: Shop) -> None:
    names = ", ".join(name for name, _, _ in TYPES)
    table = shop.source().query(f"SELECT {names} FROM exhibit").read_all()
    came = []
    for field, column in zip(table.schema, table.columns, strict=True):
        plain = value_type(field) in {"decimal", "timestamp", "timestamptz"}
        value = str(column[0].as_py()) if plain else column[0].as_py()
        came.append((field.name, value_type(field), value))
    assert came == TYPES


def test_the_catalogue_has_types_and_estimates(shop: Shop) -> None:
    (people,) = [one for one in shop.source().catalog() if one.name == "people"]
    assert (people.schema, people.rows_estimate) == ("dbo", 3)
    assert [(one.name, one.type_name, one.value_type) for one in people.columns] == [
        ("id", "int", "int"),
        ("name", "nvarchar(4000)", "text"),
        ("price", "decimal(10,2)", "decimal"),
        ("born", "datetime2(7)", "timestamp"),
    ]


def test_the_documented_idiom_makes_a_time_of_last_sync_time(shop: Shop) -> None:
    for seconds, time_then in ((0, "1970-01-01 00:00:00"), (4_102_444_799, "2099-12-31 23:59:59")):
        sql = render(f"SELECT {CONVERSIONS['tsql']} AS then_", seconds, "tsql")
        assert str(shop.source().query(sql).read_all()["then_"][0].as_py()) == time_then


@BOTH
def test_a_snapshot_is_taken_before_the_transaction_begins(shop: Shop) -> None:
    source = shop.source(isolation="snapshot")
    assert source.query("SELECT id FROM people").read_all().num_rows == 3


# running, and being ended


@BOTH
def test_S44_a_query_that_takes_too_long_is_ended_on_the_server(shop: Shop) -> None:
    with closing(shop.source(statement_timeout=1)) as source:
        error = refusal(source, ENDLESS)
    assert error.code == "QUERY_TIMEOUT"
    assert "statement_timeout" in error.mend
    wait_until(lambda: shop.running == 0)


def test_closing_leaves_nothing_running(shop: Shop) -> None:
    source = shop.source()
    before = set(children())
    reader = source.query(ENDLESS)
    wait_until(lambda: shop.running == 1)
    source.close()
    wait_until(lambda: shop.running == 0)
    reader.close()
    del reader
    assert set(children()) <= before


def test_T7_a_child_that_dies_loses_the_result_and_not_the_source(shop: Shop) -> None:
    source = shop.source()
    before = set(children())
    reader = source.query(ENDLESS)
    (child,) = set(children()) - before
    os.kill(child, signal.SIGKILL)
    with pytest.raises(SourceError) as caught:
        reader.read_all()
    assert caught.value.code == "QUERY_FAILED"
    assert source.query("SELECT id FROM people").read_all().num_rows == 3


def test_T7_a_program_that_is_killed_leaves_no_query_behind(shop: Shop) -> None:
    asking = [sys.executable, "-c", READ, json.dumps(shop.settings()), ENDLESS]
    with subprocess.Popen(asking) as program:
        wait_until(lambda: shop.database.server.ask("running", shop.user, ENDLESS) == 1)
        program.kill()
    wait_until(lambda: shop.running == 0)


def test_the_vendors_driver_speaks_through_a_socket_and_is_told_no_secret_in_public(
    shop: Shop,
) -> None:
    server = shop.database.server
    with Proxy(server.host, server.port) as proxy:
        source = shop.source(port=proxy.port)
        before = set(children())
        reader = source.query(ENDLESS)
        (child,) = set(children()) - before
        about = Path(f"/proc/{child}")
        loaded = (about / "maps").read_text()
        public = (about / "cmdline").read_bytes() + (about / "environ").read_bytes()
        assert re.search(r"libmsodbcsql[^/]*\.so", loaded)
        assert b"canary" not in public
        assert proxy.longest > 1000
        reader.close()


# connecting


@BOTH
@pytest.mark.parametrize(
    ("options", "code", "step"),
    [
        ({"password": "canary-wrong"}, "LOGIN_FAILED", "login"),
        ({"database": "no_such_database"}, "DATABASE_UNKNOWN", "login"),
        ({"host": "127.0.0.1", "port": 1, "connect_timeout": 1}, "CONNECT_FAILED", "network"),
        ({"host": "no-such.invalid", "connect_timeout": 1}, "CONNECT_FAILED", "network"),
        ({"host": WRONG_HOST, "host_name_in_certificate": None}, "TLS_FAILED", "tls"),
        ({"host_name_in_certificate": "elsewhere"}, "TLS_FAILED", "tls"),
        ({"ssl_ca": "/no/such/file"}, "TLS_FAILED", "tls"),
        ({"ssl_ca": None}, "TLS_FAILED", "tls"),
    ],
)
def test_what_keeps_one_from_connecting_is_told(
    shop: Shop, options: dict[str, Any], code: str, step: str
) -> None:
    source = shop.source(**options)
    last = list(source.check())[-1]
    assert (last.level, last.step, last.code) == ("error", step, code)
    assert last.mend
    with pytest.raises(ConnectError) as caught:
        source.now()
    assert caught.value.code == code
    told = f"{last} {caught.value} {caught.value.mend}"
    assert not re.search("canary|0x2", told)


@BOTH
def test_an_unknown_authority_is_refused(shop: Shop) -> None:
    untrusted = str(shop.database.server.untrusted_ca_file)
    assert refusal(shop.source(ssl_ca=untrusted), "SELECT 1 AS a").code == "TLS_FAILED"


@BOTH
@pytest.mark.parametrize(
    ("options", "level"),
    [
        ({"encrypt": "optional", "ssl_ca": None}, "warning"),
        ({"trust_server_certificate": True, "ssl_ca": None}, "note"),
        ({}, "ok"),
    ],
)
def test_how_far_the_connection_is_verified_is_told(
    shop: Shop, options: dict[str, Any], level: str
) -> None:
    assert steps(shop.source(**options))["tls"].level == level


@pytest.mark.parametrize("host", HOSTS)
def test_S8_a_host_sets_no_option(shop: Shop, host: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        shop.config(host=host)


def test_S8_what_reaches_the_driver_cannot_become_an_option(shop: Shop) -> None:
    config = shop.config(database="a;Encrypt=no}", password="x};TrustServerCertificate=yes")
    way = keywords(Server(config).way())
    assert (way["Encrypt"], way["TrustServerCertificate"]) == ("yes", "no")
    error = refusal(SQLServer(config), "SELECT 1 AS a")
    assert error.code == "LOGIN_FAILED"


def test_an_application_logs_in_by_entra(shop: Shop) -> None:
    config = shop.config(authentication="entra_service_principal")
    way = keywords(Server(config).way())
    assert way["Authentication"] == "ActiveDirectoryServicePrincipal"
    assert (way["UID"], way["PWD"]) == (shop.user, PASSWORD)


@BOTH
@pytest.mark.parametrize(("intent", "only_reads"), [(None, True), ("ReadWrite", False)])
def test_the_server_is_told_that_we_only_read(
    shop: Shop, intent: str | None, only_reads: bool
) -> None:
    shop.source(application_intent=intent).now()
    assert shop.database.server.ask("only_reads", shop.user) is only_reads


@BOTH
def test_a_tunnel_leads_to_the_server_and_its_certificate_still_counts(
    shop: Shop, tmp_path: Path
) -> None:
    with ssh_server(tmp_path) as gate:
        with closing(shop.source(ssh=gate.keys)) as source:
            assert source.query("SELECT id FROM people").read_all().num_rows == 3
        with closing(shop.source(ssh=gate.keys, host_name_in_certificate="elsewhere")) as source:
            assert refusal(source, "SELECT 1 AS a").code == "TLS_FAILED"
    assert gate.asked[0] == (shop.database.server.host, shop.database.server.port)


# rights


@BOTH
def test_a_missing_right_names_table_user_and_grant(shop: Shop) -> None:
    shop.admit(denied=["people"])
    error = refusal(shop.source(), "SELECT id FROM people")
    assert error.code == "PERMISSION_DENIED"
    assert "'people'" in error.message
    assert error.mend == f"GRANT SELECT ON OBJECT::[dbo].[people] TO [{shop.user}];"
    found = steps(shop.source())["privileges"]
    assert found.mend == f"GRANT SELECT ON SCHEMA::[dbo] TO [{shop.user}];"


@BOTH
@pytest.mark.parametrize("right", ["CONTROL SERVER", "ADMINISTER DATABASE BULK OPERATIONS"])
def test_S2_S5_a_user_nothing_can_contain_is_refused(shop: Shop, right: str) -> None:
    shop.admit(rights=[right])
    error = refusal(shop.source(), "SELECT id FROM people")
    assert (error.code, right in error.message) == ("UNSAFE_USER", True)
    assert steps(shop.source())["read_only"].level == "error"
    allowed = shop.source(allow_unsafe_user=True)
    assert allowed.query("SELECT id FROM people").read_all().num_rows == 3
    assert steps(allowed)["read_only"].level == "warning"


def test_S2_S5_a_user_who_could_write_is_warned_of(shop: Shop) -> None:
    shop.admit(rights=["INSERT", "DELETE"])
    found = steps(shop.source())["read_only"]
    assert (found.level, found.code) == ("warning", "WRITE_RIGHTS")
    assert re.search("INSERT, DELETE", found.message)
    assert "GRANT SELECT ON SCHEMA" in found.mend


@pytest.mark.parametrize(
    ("version", "level"),
    [("12.0.6329.1", "ok"), ("12.0.6024.0", "warning"), ("11.0.7001.0", "warning")],
)
def test_a_version_before_2014_sp3_cu4_is_warned_of(shop: Shop, version: str, level: str) -> None:
    shop.admit(version=version)
    found = steps(shop.source())["version"]
    assert (found.level, version in found.message) == (level, True)


# a whole project


@pytest.fixture
def folder(shop: Shop, tmp_path: Path) -> Iterator[Folder]:
    source = {"type": "sqlserver", **shop.settings()}
    log = {"type": "sandbox", "path": str(tmp_path / "sent.jsonl"), "batch_rows": 5000}
    return Folder(tmp_path / "acme", source, log, workspace="none", sql=PEOPLE)


@pytest.mark.door("python")
def test_A1_B1_rows_of_sql_server_become_people_and_come_back_unchanged(
    folder: Folder, tmp_path: Path
) -> None:
    with folder.project() as project:
        (first,) = project.run()
        (second,) = project.run()
    assert first.counts["added"] == ROWS
    assert (second.counts["unchanged"], second.counts["changed"]) == (ROWS, 0)
    assert len(deliveries(tmp_path / "sent.jsonl")) == ROWS


@pytest.mark.door("python")
def test_B7_a_preview_proves_the_keys_of_queries_that_no_parentheses_hold(
    shop: Shop, folder: Folder
) -> None:
    shop.database.execute(
        "CREATE TABLE ids (id varchar);"
        "INSERT INTO ids VALUES ('a'), ('A'), ('a '), (' '), (NULL), ('é'), ('é')"
    )
    body = "SELECT id AS user_id, 1 AS n FROM c ORDER BY id OPTION (MAXRECURSION 0)"
    folder.edit(sql=f"WITH c AS (SELECT id FROM ids)\n{body}")
    with folder.project() as project:
        shown = project.preview(SYNC)
    assert (shown.whole, shown.counts["rows"]) == (True, 7)
    found = {one.code: one.count for one in shown.problems}
    assert found == {"ID_NULL": 1, "ID_BLANK": 1, "ID_DUPLICATE": 2}


@pytest.mark.door("python")
def test_A2_the_check_names_the_grant_and_says_that_the_user_could_write(
    shop: Shop, folder: Folder
) -> None:
    shop.admit(rights=["INSERT"], denied=["people"])
    with folder.project() as project:
        found = {one.step: one for one in project.debug()["shop"]}
    assert found["read_only"].code == "WRITE_RIGHTS"
    assert f"GRANT SELECT ON SCHEMA::[dbo] TO [{shop.user}];" in found["privileges"].mend


@pytest.mark.door("python")
def test_A18_a_run_without_the_right_names_table_user_and_grant(shop: Shop, folder: Folder) -> None:
    shop.admit(denied=["numbers"])
    with folder.project() as project, pytest.raises(SourceError) as caught:
        project.run()
    assert caught.value.code == "PERMISSION_DENIED"
    assert caught.value.mend == f"GRANT SELECT ON OBJECT::[dbo].[numbers] TO [{shop.user}];"
