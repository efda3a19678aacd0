"""The contract every source keeps, as tests that a connector's own test class inherits.

A connector's test file has a class of its own: it inherits SourceSuite, sets the dialect's snippets
and provides the fixture `source`, over a database that holds the table `people`. Call
`pytest.register_assert_rewrite("rowlift.testing.sources")` before importing this.
"""

import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

import pyarrow as pa
import pytest

from rowlift.core.errors import SourceError
from rowlift.core.ports import Source
from rowlift.core.rules import RULES
from rowlift.core.values import META, VALUE_TYPES
from rowlift.kit.sqlguard import render
from rowlift.testing.texts import HOSTILE_TEXTS
from rowlift.testing.values import VALUES, Value, canonical, is_counted, is_split, value_type

BIG_ROWS = 200_000
BIG_BYTES = 32_000_000
CANCEL_SECONDS = 10
CLOCK_SECONDS = 5
LAST_SYNC_TIME = 1_795_255_200
MOMENTS = ("09:59:59", "10:00:00", "10:00:01")  # one second before it, and from then on
ARROW: Mapping[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "binary": pa.binary(),
}


class SourceSuite:
    """Inherit, set the snippets, and provide the fixture `source`.

    The source holds a table `people` (id, name) with the rows (1, 'Ada'), (2, ''), (3, NULL).
    """

    values: ClassVar[tuple[Value, ...]] = VALUES
    literals: ClassVar[Mapping[str, str]]  # value type -> SQL with {} for the text, {scale}
    big: ClassVar[str]  # 200,000 rows of 200 bytes, the first column is called id
    late_error: ClassVar[str]  # the same, but it fails near row 150,000
    good_rows: ClassVar[range] = range(1, BIG_ROWS)  # how many may come before that error
    endless: ClassVar[str]  # a query that runs for minutes, were it not for the source's timeout
    people: ClassVar[str] = "people"
    since: ClassVar[str]  # {{last_sync_time}} as what a column of moments is compared with
    secrets: ClassVar[tuple[str, ...]] = ()  # what may stand in no message
    lacks: ClassVar[tuple[str, ...]] = ()  # what a stand-in for the source cannot show, by name
    writes: ClassVar[tuple[str, ...]] = (
        "INSERT INTO people VALUES (9, 'x')",
        "UPDATE people SET name = 'x'",
        "DELETE FROM people",
        "DROP TABLE people",
        "CREATE TABLE other AS SELECT 1 AS a",
        "SELECT 1 AS a; DROP TABLE people",
        "SELECT 1) AS q; DROP TABLE people; --",
    )

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make one test per value type the source has, and one per write."""
        if "kind" in metafunc.fixturenames:
            metafunc.parametrize("kind", dict.fromkeys(v.value_type for v in self.values))
        if "write" in metafunc.fixturenames:
            metafunc.parametrize("write", self.writes)

    @pytest.fixture(autouse=True)
    def _declares(self, record_property: Callable[[str, object], None]) -> None:
        """Leave with each test's report what its source lacks, for a summary of the run."""
        for name in self.lacks:
            record_property("lacks", name)

    def sql(self, value: Value) -> str:
        """Return the value as an SQL expression of its type."""
        template = self.literals[value.value_type]
        return value.sql or template.format(self.escaped(value.text), scale=value.scale)

    def escaped(self, text: str) -> str:
        """Return a text as it stands between single quotes."""
        return text.replace("'", "''")

    def folded(self, name: str) -> str:
        """Return what the source makes of a name without quotes."""
        return name

    @contextmanager
    def refused(self, source: Source, *codes: str) -> Iterator[None]:
        """Expect a SourceError with one of the codes, in plain words and without a secret."""
        with pytest.raises(SourceError) as caught:
            yield
        error = caught.value
        told = f"{error} {error.message} {error.mend} {error!r} {source!r}"
        assert error.code in (codes or RULES), told
        assert error.message
        assert error.mend
        assert "Traceback" not in told
        assert not [secret for secret in self.secrets if secret in told]

    # values

    def test_each_value_comes_back(self, source: Source, kind: str) -> None:
        values = [value for value in self.values if value.value_type == kind]
        columns = [f"{self.sql(value)} AS v{number}" for number, value in enumerate(values)]
        table = source.query(f"SELECT {', '.join(columns)}").read_all()
        came = [canonical(table.field(i), table.column(i)[0]) for i in range(len(values))]
        assert came == [_expected(value) for value in values]
        assert {value_type(field) for field in table.schema} == {kind}

    def test_hostile_texts_come_back_as_they_are(self, source: Source) -> None:
        texts = [text.replace("\0", "") for text in HOSTILE_TEXTS]  # no database has NUL in a text
        columns = [f"{self.sql(Value('text', text))} AS v{i}" for i, text in enumerate(texts)]
        table = source.query(f"SELECT {', '.join(columns)}").read_all()
        assert [column[0].as_py() for column in table.columns] == texts

    def test_every_field_names_a_value_type_and_fits_it(self, source: Source) -> None:
        columns = [f"{self.sql(value)} AS v{i}" for i, value in enumerate(self.values)]
        for field in source.query(f"SELECT {', '.join(columns)}").schema:
            assert value_type(field) in VALUE_TYPES
            assert pa.types.is_string(field.type) or _fits(field)

    def test_null_is_not_an_empty_text(self, source: Source) -> None:
        names = source.query(f"SELECT name FROM {self.people} ORDER BY id").read_all()
        assert names.column(0).to_pylist() == ["Ada", "", None]

    def test_an_untyped_null_is_null(self, source: Source) -> None:
        assert source.query("SELECT NULL AS a, 1 AS b").read_all().column(0).to_pylist() == [None]

    # results

    def test_what_changed_since_the_last_run_is_found(self, source: Source) -> None:
        zones = {"timestamp": "", "timestamptz": "Z"}
        came = {
            kind: self._since(source, kind, zones[kind]) for kind in zones if kind in self.literals
        }
        assert came
        assert came == {kind: ["1", "2"] for kind in came}

    def _since(self, source: Source, kind: str, zone: str) -> list[str]:
        moments = [Value(kind, f"2026-11-21T{time}{zone}") for time in MOMENTS]
        rows = [f"SELECT {at} AS id, {self.sql(one)} AS seen" for at, one in enumerate(moments)]
        sql = f"SELECT id FROM ({' UNION ALL '.join(rows)}) AS r WHERE seen >= {self.since}"
        table = source.query(render(sql, LAST_SYNC_TIME, source.dialect)).read_all()
        return sorted(str(canonical(table.field(0), value)) for value in table.column(0))

    def test_describe_agrees_with_the_result(self, source: Source) -> None:
        columns = [f"{self.sql(value)} AS v{i}" for i, value in enumerate(self.values)]
        sql = f"SELECT {', '.join(columns)}"
        described = [(column.name, column.value_type) for column in source.describe(sql)]
        schema = source.query(sql).schema
        assert described == [(field.name, value_type(field)) for field in schema]
        assert all(column.type_name for column in source.describe(sql))

    def test_a_limit_ends_the_result(self, source: Source) -> None:
        assert source.query(self.big, limit=7).read_all().num_rows == 7
        assert source.query(f"SELECT id FROM {self.people}", limit=0).read_all().num_rows == 0

    def test_an_empty_result_keeps_its_schema(self, source: Source) -> None:
        table = source.query(f"SELECT id, name FROM {self.people} WHERE 1 = 0").read_all()
        assert (table.num_rows, table.column_names) == (0, [*map(self.folded, ("id", "name"))])
        assert all(META in field.metadata for field in table.schema)

    def test_the_order_of_the_query_is_kept(self, source: Source) -> None:
        table = source.query(f"SELECT id FROM {self.people} ORDER BY id DESC").read_all()
        came = [canonical(table.field(0), value) for value in table.column(0)]
        assert came == ["3", "2", "1"]

    def test_two_columns_of_one_name_are_not_lost(self, source: Source) -> None:
        came: list[str | None]
        try:
            table = source.query("SELECT 1 AS a, 2 AS a").read_all()
        except SourceError as error:
            came = [error.code]
        else:
            came = [canonical(table.field(i), table.column(i)[0]) for i in (0, 1)]
        assert came in (["COLUMN_DUPLICATE"], ["1", "2"])

    @pytest.mark.parametrize("tail", [";", " ; ", " -- note", "\n;\n-- note\n", " /* ; */"])
    def test_what_follows_the_query_does_no_harm(self, source: Source, tail: str) -> None:
        table = source.query(f"SELECT 1 AS a{tail}").read_all()
        assert [canonical(table.field(0), table.column(0)[0])] == ["1"]

    def test_a_big_result_streams_in_bounded_memory(self, source: Source) -> None:
        pool = pa.default_memory_pool()
        before, arrow_peak, sizes = pool.bytes_allocated(), 0, []
        tracemalloc.start()
        try:
            for batch in source.query(self.big):
                sizes.append(batch.num_rows)
                arrow_peak = max(arrow_peak, pool.bytes_allocated() - before)
            python_peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert sum(sizes) == BIG_ROWS
        assert max(sizes) <= BIG_ROWS // 2
        assert arrow_peak + python_peak < BIG_BYTES

    # errors

    def test_an_unknown_table_is_told(self, source: Source) -> None:
        with self.refused(source, "TABLE_UNKNOWN"):
            source.query("SELECT id FROM no_such_table").read_all()

    def test_an_unknown_column_is_told(self, source: Source) -> None:
        with self.refused(source, "COLUMN_UNKNOWN"):
            source.query(f"SELECT no_such_column FROM {self.people}").read_all()

    @pytest.mark.parametrize("sql", ["SELEC 1", "SELECT id FROM", "SELECT (1", "SELECT 'a"])
    def test_broken_sql_is_told(self, source: Source, sql: str) -> None:
        with self.refused(source, "QUERY_SYNTAX", "SQL_UNREADABLE", "SQL_NOT_A_QUERY"):
            source.query(sql).read_all()

    def test_an_unknown_function_is_told(self, source: Source) -> None:
        with self.refused(source, "QUERY_SYNTAX", "QUERY_FAILED", "PERMISSION_DENIED"):
            source.query("SELECT no_such_function(1) AS a").read_all()

    @pytest.mark.parametrize("sql", ["", "  ", "-- nothing", ";"])
    def test_an_empty_query_is_told(self, source: Source, sql: str) -> None:
        with self.refused(source, "SQL_EMPTY"):
            source.describe(sql)

    def test_the_error_of_a_late_row_comes_after_good_rows(self, source: Source) -> None:
        rows = 0
        with self.refused(source, "QUERY_FAILED"):
            for batch in source.query(self.late_error):
                rows += batch.num_rows
        assert rows in self.good_rows

    def test_an_error_does_not_spoil_the_next_query(self, source: Source) -> None:
        for sql in ("SELECT id FROM no_such_table", self.late_error):
            with self.refused(source):
                source.query(sql).read_all()
        assert source.query(f"SELECT id FROM {self.people}").read_all().num_rows == 3

    def test_nothing_is_written(self, source: Source, write: str) -> None:
        with self.refused(source):
            source.query(write).read_all()
        names = source.query(f"SELECT name FROM {self.people} ORDER BY id").read_all()
        assert names.column(0).to_pylist() == ["Ada", "", None]

    # the rest of the port

    def test_another_thread_can_cancel(self, source: Source) -> None:
        ended = threading.Event()

        def cancel_until_ended() -> None:
            while not ended.wait(0.2):
                source.cancel()

        canceller = threading.Thread(target=cancel_until_ended)
        started = time.monotonic()
        canceller.start()
        try:
            with self.refused(source, "QUERY_CANCELLED"):
                source.query(self.endless).read_all()
        finally:
            ended.set()
            canceller.join()
        assert time.monotonic() - started < CANCEL_SECONDS

    def test_cancelling_nothing_does_no_harm(self, source: Source) -> None:
        source.cancel()
        assert source.query(f"SELECT id FROM {self.people}").read_all().num_rows == 3

    def test_the_check_finds_no_error_and_says_how_to_mend_the_rest(self, source: Source) -> None:
        findings = list(source.check())
        assert findings
        assert [found for found in findings if found.level == "error"] == []
        assert all(found.mend for found in findings if found.level == "warning")

    def test_the_catalogue_holds_the_table(self, source: Source) -> None:
        name = self.folded(self.people)
        (table,) = [table for table in source.catalog() if table.name == name]
        assert [column.name for column in table.columns] == [*map(self.folded, ("id", "name"))]
        assert {column.value_type for column in table.columns} <= VALUE_TYPES.keys()

    def test_now_is_the_second_it_is(self, source: Source) -> None:
        now = source.now()
        assert type(now) is int
        assert abs(now - time.time()) < CLOCK_SECONDS

    def test_closing_twice_is_closing_once(self, source: Source) -> None:
        assert next(source.query(self.big)).num_rows > 0
        source.close()
        source.close()

    def test_rows_left_unread_do_not_hold_the_next_query(self, source: Source) -> None:
        reader = source.query(self.big)
        assert next(reader).num_rows > 0
        reader.close()
        del reader
        assert source.query(f"SELECT id FROM {self.people}").read_all().num_rows == 3


def _expected(value: Value) -> str | None:
    text = pa.scalar(value.text)
    metadata = {META: value.value_type.encode()}
    return canonical(pa.field("", pa.string(), metadata=metadata), text)


def _fits(field: pa.Field) -> bool:
    if pa.types.is_decimal128(field.type):
        return value_type(field) == "decimal" or (
            value_type(field) == "int" and field.type.scale == 0
        )
    return is_counted(field) or is_split(field) or bool(ARROW.get(value_type(field)) == field.type)
