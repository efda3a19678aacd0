"""`rowlift debug --certify`: what a user proves on the real service, here on ours."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from e2e.jobs import mariadb_warehouse, postgres_warehouse
from rowlift.cli.debug import PROOFS
from rowlift.operations.probes import LITERALS, probes
from rowlift.registry import source_kind
from rowlift.testing.folder import Folder
from rowlift.testing.proxy import Proxy, Trouble
from servers import (
    BigQueryDataset,
    MariaDbServer,
    PostgresServer,
    RedshiftServer,
    SnowflakeDatabase,
    TdsDatabase,
)

KINDS = ["postgres", "mysql", "redshift", "snowflake", "sqlserver", "bigquery"]
LACKS = {"bigquery": {"values"}}  # the emulator's NUMERIC holds three digits behind the point
SINK = {"type": "sandbox", "path": "sent.jsonl"}


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[Mapping[str, Any]]:
    with postgres_warehouse(postgres_server) as warehouse:
        yield warehouse.settings()


@pytest.fixture
def mysql(mariadb_server: MariaDbServer) -> Iterator[Mapping[str, Any]]:
    with mariadb_warehouse(mariadb_server) as warehouse:
        yield warehouse.settings()


@pytest.fixture
def redshift(redshift_server: RedshiftServer) -> Iterator[Mapping[str, Any]]:
    with redshift_server.database("s3cret") as database:
        yield {"type": "redshift", **database.settings()}


@pytest.fixture
def snowflake(snowflake_database: SnowflakeDatabase) -> Mapping[str, Any]:
    return {"type": "snowflake", **snowflake_database.settings}


@pytest.fixture
def sqlserver(tds_database: TdsDatabase) -> Mapping[str, Any]:
    server = tds_database.server
    tds_database.admit("certifier", "s3cret")
    return {
        "type": "sqlserver", "host": server.host, "port": server.port, "user": "certifier",
        "password": "s3cret", "database": tds_database.name, "ssl_ca": str(server.ca_file),
        "host_name_in_certificate": "localhost",
    }  # fmt: skip


@pytest.fixture
def bigquery(bigquery_dataset: BigQueryDataset) -> Mapping[str, Any]:
    return {"type": "bigquery", **bigquery_dataset.settings(), "reader": "rest"}


@pytest.mark.door("python")
@pytest.mark.parametrize("kind", KINDS)
def test_A1_B1_a_source_is_certified(request, tmp_path, kind):
    folder = Folder(tmp_path / "acme", request.getfixturevalue(kind), SINK, sql="SELECT 1")
    with folder.project() as project:
        found = {one.step: one for one in project.certify("shop")}
    failed = {step: one.message for step, one in found.items() if one.level == "error"}
    assert failed.keys() == LACKS.get(kind, set()), failed
    assert found.keys() > PROOFS
    dialect = source_kind(kind).dialect
    if not failed:
        assert str(len(probes(dialect))) in found["values"].message
        assert all(value_type in found["values"].message for value_type in LITERALS[dialect])


def test_a_proof_that_fails_is_told_beside_those_that_hold(cli, postgres_job):
    server = postgres_job.warehouse.database.server
    with Proxy(server.host, server.port) as proxy:
        proxy.trouble = Trouble(after=300_000, then="close")
        postgres_job.source(port=proxy.port)
        done = cli("debug", "--certify", "warehouse", "-o", "json")
    assert done.code == 1
    found = {one["step"]: one for one in done.json["connections"]["warehouse"]}
    assert [step for step, one in found.items() if one["level"] == "error"] == ["rows"]
    assert (found["rows"]["code"], bool(found["rows"]["mend"])) == ("SOURCE_DROPPED", True)


def test_a_connection_that_fails_its_test_is_asked_nothing_more(cli, postgres_job):
    postgres_job.source(port=1)
    done = cli("debug", "--certify", "warehouse")
    assert (done.code, "CONNECT_FAILED" in done.stdout, "values" in done.stdout) == (3, True, False)
    unknown = cli("debug", "--certify", "nowhere")
    assert (unknown.code, "NAME_UNKNOWN" in unknown.stderr) == (2, True)
