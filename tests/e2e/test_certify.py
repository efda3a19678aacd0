"""`rowlift debug --certify`: what a user proves on the real service, here on ours."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from e2e.jobs import mariadb_warehouse, postgres_warehouse
from rowlift.cli.debug import PROOFS, exit_code
from rowlift.core.nouns import Finding
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
FAILS = {"bigquery": {"values"}}  # the emulator's NUMERIC holds three digits behind the point
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


@pytest.fixture
def interrupted(postgres_server: PostgresServer) -> Iterator[Mapping[str, Any]]:
    """A PostgreSQL whose connections break when a good part of the rows has come."""
    with (
        postgres_warehouse(postgres_server) as warehouse,
        Proxy(postgres_server.host, postgres_server.port) as proxy,
    ):
        proxy.trouble = Trouble(after=300_000, then="close")
        yield warehouse.settings(port=proxy.port)


@pytest.fixture
def warehouses(request: pytest.FixtureRequest) -> Mapping[str, Mapping[str, Any]]:
    return {name: request.getfixturevalue(name) for name in (*KINDS, "interrupted")}


@pytest.mark.door("python")
def test_A1_B1_every_source_is_certified_but_for_what_fails(warehouses, tmp_path):
    """All at once, since each is asked to wait for seconds."""

    def certify(name: str) -> dict[str, Finding]:
        with Folder(tmp_path / name, warehouses[name], SINK, sql="SELECT 1").project() as project:
            return {one.step: one for one in project.certify("shop")}

    with ThreadPoolExecutor(len(warehouses)) as threads:
        found = dict(zip(warehouses, threads.map(certify, warehouses), strict=True))
    interrupted = found.pop("interrupted")
    for kind, steps in found.items():
        assert steps.keys() > PROOFS
        failed = {step: one.message for step, one in steps.items() if one.level == "error"}
        assert failed.keys() == FAILS.get(kind, set()), (kind, failed)
        dialect = source_kind(kind).dialect
        if not failed:
            assert str(len(probes(dialect))) in steps["values"].message
            assert all(one in steps["values"].message for one in LITERALS[dialect])
    assert interrupted.keys() >= PROOFS, "what breaks in one step ends no other"
    assert interrupted["rows"].level == "error"
    assert interrupted["rows"].code == "SOURCE_DROPPED"
    assert interrupted["rows"].mend
    assert exit_code({"shop": [*interrupted.values()]}) == 1


def test_a_connection_that_fails_its_test_is_asked_nothing_more(cli, postgres_job):
    postgres_job.source(port=1)
    done = cli("debug", "--certify", "warehouse")
    assert (done.code, "CONNECT_FAILED" in done.stdout, "values" in done.stdout) == (3, True, False)
    unknown = cli("debug", "--certify", "nowhere")
    assert (unknown.code, "NAME_UNKNOWN" in unknown.stderr) == (2, True)
