"""What a warehouse can prove about a whole result without sending it: aggregates over its keys.

The query stays as the user wrote it, in parentheses; only what stands around it is ours.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import sqlglot
from sqlglot import exp

from rowlift.core.nouns import Column
from rowlift.core.ports import Source
from rowlift.engine.problems import EXAMPLES, Problem, problem, shown
from rowlift.kit.enclosing import enclosed

_OF_IDENTIFIERS = "Characters and length of identifiers, e-mail addresses, "
_NOT_PROVEN = (
    "{}JSON, text encodings and sizes are proven when the rows are staged: by plan and by run."
)

# Written once, for every dialect; rowlift_* stand for what belongs to the query at hand.
_COUNTS = """
SELECT
    COALESCE(SUM(n), 0) AS row_count,
    COALESCE(SUM(CASE WHEN k IS NULL THEN n ELSE 0 END), 0) AS null_rows,
    COALESCE(SUM(CASE WHEN blank = 1 THEN n ELSE 0 END), 0) AS blank_rows,
    COALESCE(SUM(CASE WHEN k IS NULL OR blank = 1 OR n = 1 THEN 0 ELSE n END), 0) AS twice_rows,
    COALESCE(SUM(CASE WHEN k IS NULL OR blank = 1 OR n = 1 THEN 0 ELSE 1 END), 0) AS twice_keys
FROM (
    SELECT k, blank, COUNT(*) AS n
    FROM (SELECT rowlift_key AS k, rowlift_blank AS blank FROM rowlift_result AS q) AS keyed
    GROUP BY k, blank
) AS grouped
"""
_TWICE = """
SELECT MIN(shown) AS shown, COUNT(*) AS n
FROM (
    SELECT rowlift_key AS k, rowlift_blank AS blank, rowlift_shown AS shown
    FROM rowlift_result AS q
) AS keyed
WHERE k IS NOT NULL AND blank = 0
GROUP BY k HAVING COUNT(*) > 1 ORDER BY n DESC, shown LIMIT rowlift_most
"""
_KEYS = "SELECT rowlift_columns FROM rowlift_result AS q"

# Texts are compared byte for byte, whatever the collation of the column says. Redshift would not
# tell texts apart by the blanks at their ends.
_EXACT = {
    "mysql": "CAST({} AS BINARY)",
    "postgres": '{} COLLATE "C"',
    "redshift": "({} || '.')",
    "sqlite": "{} COLLATE BINARY",
    "tsql": "CAST({} AS VARBINARY(MAX))",
}
_TEXT = {
    "bigquery": "CAST({} AS STRING)",
    "mysql": "CAST({} AS CHAR)",
    "sqlite": "CAST({} AS TEXT)",
    "tsql": "CAST({} AS NVARCHAR(MAX))",
}
_NUMBERS = frozenset({"int", "decimal"})


def count_rows(source: Source, sql: str, key: Column) -> dict[str, int]:
    """Return row_count, null_rows, blank_rows, twice_rows and twice_keys, in one query."""
    (row,) = _rows(source, _around(_COUNTS, sql, source.dialect, _parts(key, source.dialect)))
    return {name: int(value) for name, value in row.items()}


def broken(source: Source, sql: str, key: Column, counts: Mapping[str, int]) -> list[Problem]:
    """Return the rules that are broken, as the counts say; one more query shows duplicates."""
    found = []
    if counts["null_rows"]:
        found.append(problem("ID_NULL", counts["null_rows"], key.name))
    if counts["blank_rows"]:
        found.append(problem("ID_BLANK", counts["blank_rows"], key.name))
    if counts["twice_rows"]:
        parts = _parts(key, source.dialect) | {"rowlift_most": str(EXAMPLES)}
        rows = _rows(source, _around(_TWICE, sql, source.dialect, parts))
        examples = [shown(str(row["shown"]), int(row["n"])) for row in rows]
        found.append(problem("ID_DUPLICATE", counts["twice_rows"], key.name, examples))
    return found


def not_proven(*, has_identifiers: bool) -> str:
    """Return what is left to prove, the identifiers included where nobody has pulled them."""
    return _NOT_PROVEN.format("" if has_identifiers else _OF_IDENTIFIERS)


def keys_sql(sql: str, dialect: str, columns: Sequence[str]) -> str:
    """Return the query of the named columns alone."""
    names = ", ".join(_quoted(name, dialect) for name in columns)
    return _around(_KEYS, sql, dialect, {"rowlift_columns": names})


def _parts(key: Column, dialect: str) -> dict[str, str]:
    name = f"q.{_quoted(key.name, dialect)}"
    if key.value_type in _NUMBERS:
        return {"rowlift_key": name, "rowlift_blank": "0", "rowlift_shown": name}
    text = _TEXT.get(dialect, "CAST({} AS VARCHAR)").format(name)
    folded = f"LOWER({text})" if key.name == "email" else text
    return {
        "rowlift_key": _EXACT.get(dialect, "{}").format(folded),
        "rowlift_blank": f"CASE WHEN LTRIM(RTRIM({text})) = '' THEN 1 ELSE 0 END",
        "rowlift_shown": text,
    }


def _around(template: str, sql: str, dialect: str, parts: Mapping[str, str]) -> str:
    whole = _written(template, dialect)
    for placeholder, text in parts.items():
        whole = whole.replace(placeholder, text)
    query = enclosed(sql, dialect)
    whole = whole.replace("rowlift_result", f"(\n{query.inner}\n)")
    return f"{query.before}{whole}\n{query.after}".rstrip()


@cache
def _written(template: str, dialect: str) -> str:
    return sqlglot.parse_one(template, read="duckdb").sql(dialect, pretty=True)


def _quoted(name: str, dialect: str) -> str:
    return exp.to_identifier(name, quoted=True).sql(dialect)


def _rows(source: Source, sql: str) -> list[dict[str, Any]]:
    return [
        {name.lower(): value for name, value in row.items()}
        for batch in source.query(sql)
        for row in batch.to_pylist()
    ]
