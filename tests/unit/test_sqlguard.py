"""The text of a query is read before it runs: what passes, what does not, and in which words."""

import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowlift.core.errors import Place, SourceError
from rowlift.core.rules import RULES
from rowlift.kit.sqlguard import (
    GuardedQuery,
    Unread,
    guard,
    render,
    uses_last_sync_time,
)

DIALECTS = ["bigquery", "postgres", "mysql", "duckdb", "sqlite", "snowflake"]

SAFE = [
    "select 1 as id",
    "SELECT id, name FROM people WHERE id > 3 ORDER BY id LIMIT 10",
    "with a as (select 1 as x), b as (select x from a) select * from b",
    "select a.id from a left join b on a.id = b.id and b.ok",
    "select id from a union all select id from b",
    "(select 1 as id)",
    "values (1, 'a'), (2, 'b')",
    "select count(*) as n, max(x) as m from t group by y having count(*) > 1",
    "select case when a > 1 then 'x' else 'y' end as c from t",
    "select id, row_number() over (partition by a order by b) as r from t",
    "select 'drop table t; delete from t' as harmless",
    "select replace(a, ';', ',') as a, \"update\" from t",
    "select id from t where id in (select id from u where exists (select 1 from v))",
    "select id /* insert into t */ from t -- ; drop table t",
    "select created_at, updated_at, deleted from t",
    "select 1 as id;",
    ";;select 1 as id;; -- done\n;",
    "\ufeffselect 1\r\n  as id\r\n",
]

SAFE_POSTGRES = [
    "select distinct on (a) a, b from t order by a, b desc",
    "select t.id, q.n from t, lateral (select count(*) as n from u where u.id = t.id) q",
    "select a::text, b->>'x' as x, c[1] as c, d @> '{}'::jsonb as d, interval '1 day' as i from t",
    r"select $$;$$ as a, $x$ ' ; $x$ as b, E'\';' as c, U&'\0041' as d",
    "select array_agg(x order by y) filter (where z) as xs from t",
    "select * from t tablesample system (10)",
    "select jsonb_build_object('id', id) as o, now() at time zone 'UTC' as n from only t",
    "select generate_series(1, 10) as g fetch first 5 rows only",
    "values (1, 'a'), (2, 'b')",
    "select coalesce(current_setting('x', true), '') as s, currval('s') as v",
    "with recursive r as (select 1 as n union all select n + 1 from r where n < 9) select n from r",
]


def refusal(sql: str, dialect: str = "postgres") -> SourceError:
    with pytest.raises(SourceError) as refused:
        guard(sql, dialect)
    return refused.value


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("sql", SAFE)
def test_S1_safe_queries_pass(sql, dialect):
    assert guard(sql, dialect).sql.strip()


@pytest.mark.parametrize("sql", SAFE_POSTGRES)
def test_S1_safe_postgres_queries_pass(sql):
    assert guard(sql, "postgres").sql == sql


@pytest.mark.parametrize(
    ("sql", "place"),
    [
        ("select (id,from t where", Place("query", 1, 12)),
        ("select 1;\n\nselect 2", Place("query", 1, 9)),
        ("select *\ninto n from t", Place("query", 2, 1)),
        ("\n\n  drop table t", Place("query", 3, 3)),
    ],
)
def test_refusals_say_where(sql, place):
    assert refusal(sql).place == place


@pytest.mark.parametrize(
    ("sql", "near", "place"),
    [
        ("select id,from t where limit 5", "5", Place("query", 1, 30)),
        ("-- people\nselect id\nfrom t where a = = 3 fetch", "=", Place("query", 3, 18)),
    ],
)
def test_what_the_source_has_to_judge_is_marked(sql, near, place):
    guarded = guard(sql, "postgres")
    assert guarded == GuardedQuery(sql, has_limit=True, unread=Unread(near, place))


@pytest.mark.parametrize(
    ("sql", "cleaned"),
    [
        ("select 1 as a -- x", "select 1 as a"),
        ("select 1 as a; -- x", "select 1 as a"),
        ("select 1 as a /* x */ ;;\n", "select 1 as a"),
        ("-- x\nselect 1 as a", "-- x\nselect 1 as a"),
        (";-- x\nselect ';' as a", "select ';' as a"),
    ],
)
def test_what_is_left_can_be_put_into_parentheses(sql, cleaned):
    assert guard(sql, "postgres").sql == cleaned
    assert guard(f"select * from ({cleaned}) q", "postgres")


def test_names_tables_and_limits_are_known():
    sql = 'with c as (select 1) select Id, t."Ab", count(*), 1 as "X" from app.T t, "U", c limit 1'
    assert guard(sql, "postgres") == GuardedQuery(
        sql=sql, named=("id", "Ab", "", "X"), has_limit=True, tables=(("app", "t"), ("U",))
    )


def test_a_star_hides_the_names():
    assert guard("select a.*, b as c from a", "postgres").named == ()


@pytest.mark.parametrize(
    ("sql", "limited"),
    [
        ("select 1 from t limit 5", True),
        ("select 1 from t offset 5", True),
        ("select 1 from t fetch first 5 rows only", True),
        ("select 1 from t union select 2 limit 3", True),
        ("select 1 from (select 2 from t limit 5) q", False),
    ],
)
def test_a_limit_is_seen_where_it_cuts_the_result(sql, limited):
    assert guard(sql, "postgres").has_limit is limited


def test_a_long_query_is_read_in_reasonable_time():
    numbers = ",".join(map(str, range(8000)))
    before = time.process_time()
    assert guard(f"select id from t where id in ({numbers})", "postgres").tables == (("t",),)
    assert time.process_time() - before < 5


def test_the_parser_is_silent(caplog):
    caplog.set_level(logging.DEBUG)
    refusal("vacuum full t")
    assert not caplog.records


WORDS = [
    *("select", "from", "where", "with", "as", "union", "into", "for", "update", "a", "1", "*"),
    *("(", ")", ";", ",", "'", '"', "--", "/*", "*/", "$$", "E'", "{{"),
]


@given(st.text(max_size=200) | st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join))
def test_S47_no_text_makes_the_reader_fall(text):
    try:
        guarded = guard(text, "postgres")
    except SourceError as refused:
        assert refused.code in RULES  # noqa: PT017 - either end is fine, a crash is not
    else:
        assert guarded.sql


@pytest.mark.parametrize(
    ("sql", "uses"),
    [
        ("select {{ last_sync_time }}", True),
        ("select '{{last_sync_time}}'", True),
        ("select 1 -- {{last_sync_time}}", False),
        ("select /* {{last_sync_time}} */ 1", False),
        ("select 'x' as last_sync_time", False),
    ],
)
def test_a_query_is_incremental_when_the_tag_counts(sql, uses):
    assert uses_last_sync_time(sql) is uses


NAMED = {
    "bigquery": "select `a {{b}}` from `{{c}}`",
    "duckdb": 'select "a {{b}}" from "{{c}}"',
    "mysql": "select `a``{{b}}` from `it's {{c}}`",
    "postgres": 'select "a""{{b}}" from "{{c}}"."{{ d }}"',
    "redshift": 'select "{{b}}" as "{{{{}}" from c',
    "snowflake": 'select "{{b}}" from "{{c}}"',
    "sqlite": "select [a {{b}}] from `{{c}}`",
    "tsql": 'select [a]]{{b}}] from "{{c}}"',
}


@pytest.mark.parametrize("dialect", NAMED)
def test_braces_in_a_quoted_name_are_the_names_own(dialect):
    sql = f"{NAMED[dialect]} where d > {{{{last_sync_time}}}}"
    assert render(sql, 17, dialect) == f"{NAMED[dialect]} where d > 17"
    assert guard(render(sql, 17, dialect), dialect).unread is None


@pytest.mark.parametrize(
    ("dialect", "sql", "mend"),
    [
        ("bigquery", 'select "{{b}}"', "'{' || '{"),
        ("mysql", 'select "{{b}}"', "CONCAT('{', '{"),
        ("postgres", "select '{{b}}', \"c\"", "'{' || '{"),
        ("postgres", 'select "c\n" {{b}} "d"', "'{' || '{"),
        ("sqlite", 'select "{{b}}"', "[a {{name}}]"),
        ("tsql", "select '{{b}}'", "'{' + '{"),
        ("postgres", 'select "not closed {{b}}', "'{' || '{"),
    ],
)
def test_braces_anywhere_else_are_a_template_with_a_way_to_write_data(dialect, sql, mend):
    with pytest.raises(SourceError) as refused:
        render(sql, 17, dialect)
    line, before = sql[: sql.index("{{")].count("\n") + 1, sql[: sql.index("{{")].split("\n")[-1]
    assert (refused.value.code, mend in refused.value.mend) == ("TEMPLATE_UNKNOWN", True)
    assert refused.value.place == Place("query", line, len(before) + 1)
