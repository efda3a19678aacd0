"""Every source keeps the contract of `rowlift.testing.sources.SourceSuite`."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import duckdb
import pytest

pytest.register_assert_rewrite("rowlift.testing.sources")

from rowlift.core.ports import Source  # noqa: E402 - after its asserts were made to speak
from rowlift.sources.duckdb import DuckDB, DuckDBConfig  # noqa: E402
from rowlift.sources.files import Files, FilesConfig  # noqa: E402
from rowlift.testing.sources import SourceSuite  # noqa: E402
from rowlift.testing.values import VALUES, Value  # noqa: E402

PEOPLE = "CREATE TABLE people AS FROM (VALUES (1, 'Ada'), (2, ''), (3, NULL)) AS v(id, name)"
LEAST_HUGEINT = "-170141183460469231731687303715884105728"


class DuckSuite(SourceSuite):
    values = (
        *VALUES,
        Value("int", "18446744073709551615", "18446744073709551615::UBIGINT"),
        Value("int", LEAST_HUGEINT, f"CAST('{LEAST_HUGEINT}' AS HUGEINT)"),
    )
    literals: ClassVar = {
        "int": "CAST('{}' AS BIGINT)",
        "decimal": "CAST('{}' AS DECIMAL(38, {scale}))",
        "float": "CAST('{}' AS DOUBLE)",
        "text": "'{}'",
        "bool": "CAST('{}' AS BOOLEAN)",
        "date": "CAST('{}' AS DATE)",
        "time": "CAST('{}' AS TIME)",
        "timestamp": "CAST('{}' AS TIMESTAMP)",
        "timestamptz": "CAST('{}' AS TIMESTAMPTZ)",
        "json": "CAST('{}' AS JSON)",
        "binary": "unhex('{}')",
    }
    big = "SELECT i AS id, 'name ' || i AS name FROM range(200000) AS r(i)"
    late_error = (
        "SELECT CAST(CASE WHEN i = 150000 THEN 'x' ELSE '1' END AS INTEGER) AS a "
        "FROM range(200000) AS r(i)"
    )
    endless = "SELECT count(*) AS n FROM range(1000000000) AS a, range(1000000000) AS b"


class TestDuckDB(DuckSuite):
    @pytest.fixture
    def source(self, tmp_path: Path) -> Iterator[Source]:
        with duckdb.connect(tmp_path / "shop.duckdb") as connection:
            connection.execute(PEOPLE)
        source = DuckDB(DuckDBConfig(path=str(tmp_path / "shop.duckdb")))
        yield source
        source.close()


class TestParquetFiles(DuckSuite):
    @pytest.fixture
    def source(self, tmp_path: Path) -> Iterator[Source]:
        with duckdb.connect() as connection:
            connection.execute(PEOPLE)
            connection.execute(f"COPY people TO '{tmp_path}/people.parquet'")
        source = Files(FilesConfig(root=str(tmp_path)))
        yield source
        source.close()


class TestCsvFiles(DuckSuite):
    @pytest.fixture
    def source(self, tmp_path: Path) -> Iterator[Source]:
        (tmp_path / "people.csv").write_text('id,name\n1,Ada\n2,""\n3,\n')
        source = Files(FilesConfig(root=str(tmp_path)))
        yield source
        source.close()
