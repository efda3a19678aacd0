"""Every template in every layout, on rows of its own file, in real databases."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from e2e.jobs import mariadb_warehouse, postgres_warehouse
from rowlift.core.nouns import Column, Preset
from rowlift.core.ports import Source
from rowlift.core.specs import LimitSpec, SyncSpec
from rowlift.engine.columns import judge_columns
from rowlift.kit.sqlguard import guard
from rowlift.operations.fitting import best
from rowlift.operations.offering import written
from rowlift.operations.templating import Entry, entries
from rowlift.registry import source_kind
from rowlift.testing.folder import Folder
from rowlift.testing.values import canonical, value_type
from shelves import Loader, moment, shelves

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
SINK = {"type": "sandbox", "path": "sent.jsonl"}
LAYOUTS = [(shelf, layout) for shelf in shelves().values() for layout in shelf.layouts.values()]
CASES = [(entry, layout) for entry in entries().values() for layout in entry.layouts]
WAREHOUSES = ("bigquery", "redshift", "snowflake", "sqlite", "sqlserver")
NUMBERS = {"int", "decimal", "float"}
MEANS = {"bool": {"bool", "int"}, "int": NUMBERS, "decimal": NUMBERS, "text": {"text"}}
TIMES = {"timestamp", "timestamptz"}
REWRITTEN, LEFT_OVER = {"sqlite", "tsql"}, {"INTERVAL", "UNIX_TO_TIME", "to_timestamp"}


def schema(shelf: str, layout: str) -> str:
    return f"{shelf}_{layout}"


def seeded(dialect: str, prefix: str = "") -> list[str]:
    loader = Loader(dialect, NOW)
    return [
        statement
        for shelf, layout in LAYOUTS
        for statement in loader.statements(shelf, layout, prefix + schema(shelf.name, layout.name))
    ]


@contextmanager
def in_duckdb(
    folder: Path, _request: pytest.FixtureRequest
) -> Iterator[tuple[dict[str, Any], str]]:
    with duckdb.connect(folder / "shop.duckdb") as connection:
        connection.execute(";".join(seeded("duckdb")))
    yield {"type": "duckdb", "path": str(folder / "shop.duckdb")}, ""


@contextmanager
def in_postgres(
    _folder: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[dict[str, Any], str]]:
    with postgres_warehouse(request.getfixturevalue("postgres_server")) as warehouse:
        warehouse.execute(f"GRANT pg_read_all_data TO {warehouse.reader}")
        warehouse.execute(";".join(seeded("postgres")))
        yield warehouse.settings(), ""


@contextmanager
def in_mariadb(
    _folder: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[dict[str, Any], str]]:
    server = request.getfixturevalue("mariadb_server")
    with mariadb_warehouse(server) as warehouse:
        prefix = f"{warehouse.database.name}_"
        warehouse.execute(f"GRANT SELECT ON `{prefix}%`.* TO '{warehouse.reader}'@'%'")
        warehouse.execute(*seeded("mysql", prefix))
        yield warehouse.settings(), prefix
        for shelf, layout in LAYOUTS:
            server.drop_database(prefix + schema(shelf.name, layout.name))


@pytest.mark.door("python")
@pytest.mark.parametrize("warehouse", [in_duckdb, in_postgres, in_mariadb])
def test_A4_each_template_gives_its_sample_in_each_layout(
    tmp_path: Path, request: pytest.FixtureRequest, warehouse: Callable[..., Any]
) -> None:
    with warehouse(tmp_path, request) as (settings, prefix):
        folder = Folder(tmp_path / "acme", settings, SINK, sql="SELECT 1")
        with folder.project() as project:
            assert not any(one.fits for one in project.queries.templates("shop"))
            offered = project.queries.templates("shop", ask=True)
            assert all(one.fits for one in offered), [one.missing for one in offered]
            kind = source_kind(settings.pop("type"))
            with closing(kind(kind.Config(**settings))) as source:
                for entry, layout in CASES:
                    place = prefix + schema(entry.shelf.name, layout.name)
                    tables = {one: f"{place}.{layout.tables[one].tables[0]}" for one in entry.reads}
                    made = project.queries.template(
                        entry.name, "shop", layout=layout.name, settings=tables
                    )
                    assert (made.fits, made.layout) == (True, layout.name)
                    found = rows(source, made.sql, made.columns)
                    assert found == compared(made.sample, made.columns), made.sql


def rows(source: Source, sql: str, columns: Mapping[str, str]) -> list[list[Any]]:
    """Run a query; its columns have the names and types that the template tells."""
    table = source.query(sql, limit=100).read_all()
    assert table.column_names == [*columns]
    for field, kind in zip(table.schema, columns.values(), strict=True):
        assert value_type(field) in MEANS.get(kind, TIMES), (field, sql)
    texts = [
        [canonical(field, scalar) for scalar in column]
        for field, column in zip(table.schema, table.columns, strict=True)
    ]
    return compared(zip(*texts, strict=True), columns)


def compared(found: Iterable[Sequence[Any]], columns: Mapping[str, str]) -> list[list[Any]]:
    """Return rows as Python has their values, in the order of their identifiers."""
    kinds = columns.values()
    read = [[plain(*cell) for cell in zip(row, kinds, strict=True)] for row in found]
    return sorted(read, key=lambda row: str(row[0]))


def plain(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "bool":
        return str(value).lower() in {"true", "1"}
    if kind in NUMBERS:
        return round(float(value), 2)
    if kind == "timestamp":
        found = moment(value, NOW)
        time = found if isinstance(found, datetime) else datetime.fromisoformat(found)
        return time.replace(tzinfo=time.tzinfo or UTC)
    return value


def test_each_template_is_rendered_for_every_dialect_and_meets_the_rules() -> None:
    for entry, layout in CASES:
        for kind in WAREHOUSES:
            dialect = source_kind(kind).dialect
            made = written(entry, best(entry, None, layout=layout.name), dialect, fits=False)
            read = guard(made.sql, dialect)
            assert [one.lower() for one in read.named] == [*made.columns]
            assert not (LEFT_OVER & {*re.findall(r"\w+", made.sql)} and dialect in REWRITTEN)
        columns = [Column(name, "", value_type) for name, value_type in entry.columns.items()]
        assert judge_columns(columns, spec_of(entry), ("id", "email")) == []


def spec_of(entry: Entry) -> SyncSpec:
    return SyncSpec(
        entry.name, Preset.TRAITS, entry.kind, "shop", entry.sql, entry.identify_by,
        LimitSpec(columns=25, rows=10_000_000, record_bytes=16_384),
    )  # fmt: skip


@pytest.mark.door("python")
def test_A4_a_template_of_each_kind_runs_as_a_sync_on_the_tables_of_a_source(
    tmp_path: Path,
) -> None:
    with (
        in_duckdb(tmp_path, None) as (settings, _),
        Folder(tmp_path / "acme", settings, SINK, sql="SELECT 1 AS user_id").project() as project,
    ):
        for name in ("rfm", "stripe_subscription", "salesforce_accounts", "hubspot_deals"):
            made = project.queries.template(name, "shop", ask=True)
            preset = "import" if made.kind == "object" else "traits"
            document = {"preset": preset, "kind": made.kind, "source": "shop", "sql": made.sql}
            project.definitions.create("sync", name, document | {"identify_by": made.identify_by})
            (report,) = project.run([name])
            assert (report.status, report.counts["read"]) == ("Completed", len(made.sample))
