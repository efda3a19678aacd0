"""Results with hostile columns through every engine that can return them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

import rowlift
from corpus.results import results_of_text, select
from e2e.jobs import mariadb_warehouse, postgres_warehouse
from rowlift.testing.clock import QuickClock
from servers import MariaDbServer, PostgresServer

QUOTES = {"mysql": "`"}


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[Mapping[str, Any]]:
    with postgres_warehouse(postgres_server) as warehouse:
        yield warehouse.settings()


@pytest.fixture
def mysql(mariadb_server: MariaDbServer) -> Iterator[Mapping[str, Any]]:
    with mariadb_warehouse(mariadb_server) as warehouse:
        yield warehouse.settings()


@pytest.fixture
def duckdb_(tmp_path: Path) -> Mapping[str, Any]:
    duckdb.connect(tmp_path / "shop.duckdb").close()
    return {"type": "duckdb", "path": "shop.duckdb"}


@pytest.fixture
def sqlite(tmp_path: Path) -> Mapping[str, Any]:
    (tmp_path / "shop.db").touch()
    return {"type": "sqlite", "path": "shop.db"}


@pytest.mark.parametrize("engine", ["postgres", "mysql", "duckdb", "sqlite"])
def test_what_is_wrong_with_columns_is_named_whatever_the_engine(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    settings = request.getfixturevalue("duckdb_" if engine == "duckdb" else engine)
    results = {f"c{number}": one for number, one in enumerate(results_of_text(engine))}
    quote = QUOTES.get(engine, '"')
    write(tmp_path, settings, {name: select(one, quote) for name, one in results.items()})
    with rowlift.Project(tmp_path, clock=QuickClock(), env={}) as project:
        found = {name: project.preview(name, sample=True).findings for name in results}
    came = {name: [one.code for one in findings] for name, findings in found.items()}
    assert came == {name: one["codes"] for name, one in results.items()}


def write(folder: Path, source: Mapping[str, Any], queries: Mapping[str, str]) -> None:
    documents: dict[str, Any] = {
        "rowlift.yml": {"version": 1, "workspace": {"name": "acme"}},
        "connections.yml": {"profiles": {"dev": {"sources": {"w": source}}}},
    }
    for name, sql in queries.items():
        sync = {"sync": name, "preset": "import", "source": "w", "sql": sql}
        documents[f"syncs/{name}.yml"] = sync | {"identify_by": "user_id"}
    (folder / "syncs").mkdir()
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML
