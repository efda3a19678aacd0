"""Queries in parentheses: what T-SQL does not let stand there comes before or after."""

import pytest

from rowlift.kit.enclosing import Enclosed, enclosed

MOVED = [
    ("SELECT a FROM t", Enclosed("SELECT a FROM t")),
    ("SELECT a FROM t ORDER BY a", Enclosed("SELECT a FROM t ORDER BY a\nOFFSET 0 ROWS")),
    ("SELECT TOP (5) a FROM t ORDER BY a", Enclosed("SELECT TOP (5) a FROM t ORDER BY a")),
    (
        "SELECT DISTINCT TOP 5 a FROM t ORDER BY a",
        Enclosed("SELECT DISTINCT TOP 5 a FROM t ORDER BY a"),
    ),
    (
        "SELECT a FROM t ORDER BY a OFFSET 5 ROWS",
        Enclosed("SELECT a FROM t ORDER BY a OFFSET 5 ROWS"),
    ),
    (
        "SELECT a, ROW_NUMBER() OVER (ORDER BY a) AS n FROM t",
        Enclosed("SELECT a, ROW_NUMBER() OVER (ORDER BY a) AS n FROM t"),
    ),
    (
        "-- all\nWITH c AS (SELECT 1 AS a) SELECT a FROM c",
        Enclosed("SELECT a FROM c", "-- all\nWITH c AS (SELECT 1 AS a) "),
    ),
    (
        "WITH c (a) AS (SELECT 1), d AS (SELECT 2 AS a) SELECT a FROM c UNION SELECT a FROM d",
        Enclosed(
            "SELECT a FROM c UNION SELECT a FROM d",
            "WITH c (a) AS (SELECT 1), d AS (SELECT 2 AS a) ",
        ),
    ),
    (
        "SELECT a AS [order by] FROM t OPTION (MAXRECURSION 0)",
        Enclosed("SELECT a AS [order by] FROM t ", "", "OPTION (MAXRECURSION 0)"),
    ),
]


@pytest.mark.parametrize(("sql", "parts"), MOVED)
def test_what_cannot_stand_in_parentheses_is_moved(sql: str, parts: Enclosed) -> None:
    assert enclosed(sql, "tsql") == parts
    assert enclosed(sql, "postgres") == Enclosed(sql)
