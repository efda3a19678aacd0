"""A preview shows rows at once, then counts over the whole result what breaks the rules."""

import json
import sqlite3
from contextlib import closing

import duckdb
import pyarrow as pa
import pytest
from pydantic import TypeAdapter

from rowlift.core.errors import SourceError
from rowlift.core.nouns import Preset
from rowlift.core.specs import LimitSpec
from rowlift.engine.preview import Preview, preview
from rowlift.sources.duckdb import DuckDB, DuckDBConfig
from rowlift.sources.sqlite import SQLite, SQLiteConfig
from unit.canonforms import spec

TABLE = "CREATE TABLE people (user_id TEXT, email TEXT, plan TEXT, n INTEGER)"
INSERT = "INSERT INTO people VALUES (?, ?, ?, ?)"
QUERY = "SELECT user_id, email, plan FROM people ORDER BY n"


@pytest.fixture(params=["duckdb", "sqlite"])
def shop(request, tmp_path):
    """Return a function that makes a source of some people."""
    sources = []

    def make(rows):
        rows = [(*row, at) for at, row in enumerate(rows)]
        path = str(tmp_path / f"shop.{request.param}")
        if request.param == "duckdb":
            with duckdb.connect(path) as connection:
                connection.execute(TABLE)
                for row in rows:
                    connection.execute(INSERT, row)
            sources.append(DuckDB(DuckDBConfig(path=path)))
        else:
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute(TABLE)
                connection.executemany(INSERT, rows)
            sources.append(SQLite(SQLiteConfig(path=path)))
        return sources[-1]

    yield make
    for source in sources:
        source.close()


@pytest.fixture
def look(tmp_path):
    """Preview a source's people."""

    def run(source, sql=QUERY, *, people=None, settings=None, **options):
        known = None if people is None else lambda: workspace(people)
        wanted = spec(sql=sql, **settings or {})
        return preview(
            source, wanted, scratch=tmp_path / "scratch", known=known, sync_uid="own", **options
        )

    return run


def workspace(people):
    names = ("id", "email_key", "anonymous_id", "first_writer", "other_writers")
    types = (pa.string(), pa.string(), pa.string(), pa.string(), pa.bool_())
    fields = pa.schema(list(zip(names, types, strict=True)))
    columns = list(zip(*people, strict=True)) if people else [()] * 5
    data = [pa.array(list(one), two) for one, two in zip(columns, types, strict=True)]
    batch = pa.RecordBatch.from_arrays(data, schema=fields)
    return pa.RecordBatchReader.from_batches(fields, [batch])


def people(count):
    return [(f"u{at}", f"u{at}@x.yz", "free") for at in range(count)]


def codes(found):
    return {problem.code: problem.count for problem in found.problems}


def test_a_good_query_is_shown_and_proven(shop, look):
    found = look(shop(people(250)))
    assert (found.whole, found.good, found.key) == (True, True, "user_id")
    assert len(found.rows) == 100
    assert found.rows[0].values == ("u0", "u0@x.yz", "free")
    assert (found.rows[0].number, found.rows[0].identifier, found.rows[0].problem) == (1, "u0", "")
    assert found.counts == {
        "rows": 250, "null": 0, "blank": 0, "duplicate_rows": 0, "duplicate_keys": 0,
    }  # fmt: skip
    assert [column.name for column in found.columns] == ["user_id", "email", "plan"]
    assert any("plan and by run" in note for note in found.notes)


def test_bad_rows_beyond_the_sample_are_counted(shop, look):
    bad = [(None, None, "x")] * 3 + [(" ", None, "x")] * 2
    twice = [("a", None, "x")] * 4 + [("b", None, "x")] * 2 + [("A", None, "x"), ("é", None, "x")]
    found = look(shop([*people(200), *bad, *twice]))
    assert not found.good
    assert codes(found) == {"ID_NULL": 3, "ID_BLANK": 2, "ID_DUPLICATE": 6}
    duplicate = next(one for one in found.problems if one.code == "ID_DUPLICATE")
    assert duplicate.examples == ("'a' in 4 rows", "'b' in 2 rows")
    assert "GROUP BY" in duplicate.mend
    assert found.counts["rows"] == 213
    assert found.counts["duplicate_keys"] == 2
    assert all(not row.problem for row in found.rows)


def test_at_most_five_duplicates_are_shown(shop, look):
    found = look(shop([(f"u{at % 9}", None, "x") for at in range(18)]))
    (problem,) = found.problems
    assert (problem.count, len(problem.examples)) == (18, 5)


def test_addresses_are_compared_without_case(shop, look):
    rows = [("1", "Ann@X.yz", "x"), ("2", "ann@x.yz", "x"), ("3", "bob@x.yz", "x")]
    found = look(shop(rows), settings={"identify_by": "email"})
    assert codes(found) == {"ID_DUPLICATE": 2}
    assert [row.problem for row in found.rows] == ["ID_DUPLICATE", "ID_DUPLICATE", ""]


def test_what_sql_cannot_prove_is_shown_for_the_sample(shop, look):
    found = look(shop([("1", "nope", "x"), ("2\n", "a@x.yz", "x"), ("3", None, "x")]))
    assert codes(found) == {"EMAIL_INVALID": 1, "ID_CHARACTERS": 1}
    assert [row.problem for row in found.rows] == ["EMAIL_INVALID", "ID_CHARACTERS", ""]


def test_the_sample_comes_first(shop, look):
    seen = []
    found = look(shop(people(120)), on_sample=seen.append)
    (first,) = seen
    assert (first.whole, len(first.rows), first.counts) == (False, 100, {"rows": 100})
    assert first.rows == found.rows


def test_a_sample_stops_after_its_rows(shop, look):
    found = look(shop([*people(100), (None, None, "x")]), sample=True)
    assert (found.whole, found.good, len(found.rows)) == (False, True, 100)


def test_columns_are_seen_even_without_an_identifier(shop, look):
    found = look(shop(people(2)), "SELECT user_id AS customer_id, email, plan FROM people")
    assert (found.key, found.good, found.whole) == (None, False, False)
    (finding,) = found.findings
    assert finding.code == "NO_IDENTIFIER"
    assert 'SELECT customer_id AS "user_id"' in finding.mend
    assert found.rows[0].values == ("u0", "u0@x.yz", "free")


def test_select_star_is_fine(shop, look):
    found = look(shop(people(3)), "SELECT * FROM people")
    assert found.good
    assert found.rows[2].values == ("u2", "u2@x.yz", "free", 2)


def test_two_columns_of_one_name_are_both_shown(shop, look):
    found = look(shop(people(1)), "SELECT user_id, plan AS a, email AS a FROM people")
    assert [finding.code for finding in found.findings] == ["COLUMN_DUPLICATE"]
    assert found.rows[0].values == ("u0", "free", "u0@x.yz")


def test_last_sync_time_is_zero_unless_told(shop, look):
    source = shop(people(9))
    sql = "SELECT user_id, n, {{last_sync_time}} AS since FROM people WHERE n >= {{last_sync_time}}"
    assert look(source, sql).counts["rows"] == 9
    found = look(source, sql, last_sync_time=7)
    assert [row.values[2] for row in found.rows] == [7, 7]


def test_too_many_rows_are_an_error(shop, look):
    found = look(shop(people(3)), settings={"limits": LimitSpec(25, 2, None)})
    assert [finding.code for finding in found.findings] == ["TOO_MANY_ROWS"]
    assert not found.good


def test_an_empty_result(shop, look):
    found = look(shop([]))
    assert (found.counts["rows"], found.rows, found.good) == (0, (), True)


def test_a_refused_query_is_raised(shop, look):
    with pytest.raises(SourceError) as refused:
        look(shop([]), "DELETE FROM people")
    assert refused.value.code == "SQL_NOT_A_QUERY"


def test_comments_strings_and_ctes_survive_the_wrapping(shop, look):
    sql = """-- rowlift_result ' (
WITH q AS (SELECT user_id, 'a;--' AS plan FROM people) SELECT * FROM q -- the end"""
    assert look(shop(people(2)), sql).counts["rows"] == 2


ELSEWHERE, OWN = ("tracking", False), ("own", False)


def test_rows_are_marked_and_counted(shop, look):
    stored = [
        ("u0", None, None, *ELSEWHERE),
        ("u1", None, None, *OWN),
        ("u2", None, None, "own", True),
        (None, "u3@x.yz", None, *ELSEWHERE),
        (None, None, "anon", *ELSEWHERE),
        ("u4", None, "one", *OWN),
        ("u4", None, "two", *OWN),
    ]
    found = look(shop([*people(6), (None, None, "x")]), people=stored)
    assert [row.mark for row in found.rows] == [
        "known", "own", "known", "known", "own", "unknown", "unknown",
    ]  # fmt: skip
    assert {name: found.counts[name] for name in ("known", "own", "unknown")} == {
        "known": 3, "own": 2, "unknown": 2,
    }  # fmt: skip


def test_marks_are_counted_beyond_the_sample(shop, look):
    stored = [(f"u{at}", None, None, *(ELSEWHERE if at % 2 else OWN)) for at in range(100, 150)]
    found = look(shop(people(150)), people=stored)
    assert {row.mark for row in found.rows} == {"unknown"}
    assert (found.counts["known"], found.counts["own"], found.counts["unknown"]) == (25, 25, 100)


def test_marks_fold_the_case_of_addresses(shop, look):
    stored = [(None, "strasse@x.yz", None, *ELSEWHERE)]
    found = look(
        shop([("1", "STRASSE@x.yz", "x"), ("2", "Straße@x.yz", "x")]),
        "SELECT email, plan FROM people",
        people=stored,
        settings={"identify_by": "email"},
    )
    assert {row.mark for row in found.rows} == {"known"}


def test_all_unknown_warns_when_there_are_people_from_elsewhere(shop, look):
    found = look(shop(people(3)), people=[("x", None, None, *ELSEWHERE)])
    (finding,) = found.findings
    assert (finding.code, finding.level) == ("ALL_UNKNOWN", "warning")
    assert "other identifiers" in finding.message
    assert "really new" in finding.message
    assert found.good


@pytest.mark.parametrize(
    "stored", [[], [("x", None, None, *OWN)], [("u0", None, None, *ELSEWHERE)]]
)
def test_otherwise_it_does_not(shop, look, stored):
    assert look(shop(people(3)), people=stored).findings == ()


def test_a_sync_past_the_workspace_has_no_marks(shop, look):
    found = look(
        shop(people(3)), people=[("x", None, None, *ELSEWHERE)], settings={"workspace": False}
    )
    assert {row.mark for row in found.rows} == {""}
    assert "known" not in found.counts


def test_the_workspace_decides_which_identifiers_count(shop, look):
    found = look(shop(people(1)), identifiers=("email",))
    assert [finding.code for finding in found.findings] == ["IDENTIFIER_NOT_ALLOWED"]


def test_a_preview_is_a_json_document(shop, look):
    found = look(
        shop([("1", "nope", None)]), people=[("1", None, None, *OWN)],
        settings={"preset": Preset.TRAITS},
    )  # fmt: skip
    document = json.loads(TypeAdapter(Preview).dump_json(found))
    assert document["rows"] == [
        {"number": 1, "identifier": "1", "mark": "own", "problem": "EMAIL_INVALID",
         "values": ["1", "nope", None]}
    ]  # fmt: skip
    assert document["problems"][0]["count"] == 1


def test_a_collation_without_case_makes_no_duplicates(tmp_path, look):
    path = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE people (user_id TEXT COLLATE NOCASE, plan TEXT)")
        connection.executemany("INSERT INTO people VALUES (?, 'x')", [("a",), ("A",), ("b",)])
    with closing(SQLite(SQLiteConfig(path=str(path)))) as source:
        assert look(source, "SELECT * FROM people").good
