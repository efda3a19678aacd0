"""Rejected rows with their values: as the source gave them, or as the image has them."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from rowlift.engine import canon
from rowlift.engine.arrivals import with_canonical_json
from rowlift.engine.canon import Staged
from rowlift.engine.duck import Duck, parquet
from rowlift.engine.duck import text as literal
from rowlift.engine.read import ROW_NUMBER

MOST_BYTES = 1_000_000  # of a row's texts; larger rows are listed without their values

_BY_RULES = """
SELECT r.row_number, r.identifier, r.code, r.reason, s.source_row
FROM rejected r LEFT JOIN (
    SELECT {number} AS row_number, CASE WHEN {size} <= {most} THEN {row} END AS source_row
    FROM {staged} WHERE {number} IN (SELECT row_number FROM rejected)
) s ON s.row_number = r.row_number
ORDER BY r.row_number
"""
_BY_TARGET = """
SELECT r.row_number, r.identifier, r.code, r.reason, i.attributes AS source_row
FROM {rejects} r LEFT JOIN image i ON i.key = r.identifier ORDER BY r.row_number, r.identifier
"""


def write_rejected(duck: Duck, staged: Path, path: Path) -> int:
    """Write the relation `rejected` with the rows of a staged file, and return how many they are.

    Rows that were held from before have no number in this result, and no values here.
    """
    columns = canon.staged_columns(pq.read_schema(staged))
    given = [column for column in columns if column.name != ROW_NUMBER]
    number = next(column.sql for column in columns if column.name == ROW_NUMBER)
    staged = with_canonical_json(duck, staged, columns)
    sql = _BY_RULES.format(
        number=number, size=_size(given), most=MOST_BYTES, row=_row(given),
        staged=canon.staged_sql(staged, columns),
    )  # fmt: skip
    return duck.write(sql, path)


def _size(columns: Sequence[Staged]) -> str:
    texts = [one for one in columns if one.is_text or one.value_type in ("text", "binary")]
    sizes = (f"{'strlen' if one.is_text else 'octet_length'}({one.alias})" for one in texts)
    return " + ".join(f"coalesce({size}, 0)" for size in sizes) or "0"


def _row(columns: Sequence[Staged]) -> str:
    members = [
        f"{literal(f',{json.dumps(one.name, ensure_ascii=False)}:')}"
        f" || coalesce({canon.canonical(one)}, 'null')"
        for one in columns
    ]
    return f"'{{' || ltrim(concat({', '.join(members)}), ',') || '}}'"


def by_target_sql(rejects: Path) -> str:
    """Return the query of what a target rejected, with the values that the view `image` has."""
    return _BY_TARGET.format(rejects=parquet([rejects]))
