"""The measured people in files: a DuckDB database and a SQLite database."""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

from bench.databases import query

TABLE = "people"
DUCKDB = f"""CREATE TABLE {TABLE} AS SELECT 'u' || n AS user_id,
    'user' || n || '@example.com' AS email, 'first' || n % 1000 AS first_name,
    timestamp '2024-01-01 00:00:00' + to_seconds(n) AS created_at,
    timestamp '2024-06-01 00:00:00' + to_seconds(n * 7) AS updated_at,
    'plan' || n % 4 AS plan, (n / 7.0)::decimal(12, 2) AS ltv, n AS n, n % 2 = 0 AS flag,
    CASE WHEN n % 7 <> 0 THEN n / 3.0::double END AS score FROM range(1, {{rows}} + 1) AS t(n)"""
SQLITE = f"""CREATE TABLE {TABLE} (user_id text, email text, first_name text, created_at text,
    updated_at text, plan text, ltv real, n integer PRIMARY KEY, flag integer, score real)"""
SQLITE_ROWS = f"""WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < ?)
INSERT INTO {TABLE} SELECT 'u' || n, 'user' || n || '@example.com', 'first' || n % 1000,
    strftime('%Y-%m-%dT%H:%M:%SZ', 1704067200 + n, 'unixepoch'),
    strftime('%Y-%m-%dT%H:%M:%SZ', 1717200000 + n * 7, 'unixepoch'), 'plan' || n % 4,
    round(n / 7.0, 2), n, n % 2 = 0, CASE WHEN n % 7 <> 0 THEN n / 3.0 END FROM t"""
PEOPLE = query(TABLE)


def duckdb_file(path: Path, rows: int) -> None:
    """Make a DuckDB database of this many people."""
    with duckdb.connect(path) as connection:
        connection.execute(DUCKDB.format(rows=rows))


def sqlite_file(path: Path, rows: int) -> None:
    """Make a SQLite database of this many people."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(SQLITE)
        connection.execute(SQLITE_ROWS, [rows])


FILES: Mapping[str, Callable[[Path, int], None]] = {"duckdb": duckdb_file, "sqlite": sqlite_file}


def source(kind: str, folder: Path, rows: int) -> Mapping[str, Any]:
    """Make a file of people, and return the connection of a project."""
    path = folder / f"{TABLE}_{rows}.{kind}"
    if not path.exists():
        FILES[kind](path, rows)
    return {"type": kind, "path": str(path)}
