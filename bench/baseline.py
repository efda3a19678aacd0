"""The plain good script that Rowlift is measured against; it imports nothing of Rowlift.

It reads with a server-side cursor and makes each row a dict and JSON. To an http URL it posts
Segment batches of 100 over one kept connection with retries; into a file it upserts a thousand
people a transaction by their id. It remembers nothing: run again, it sends everything again.
"""

import argparse
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

Row = dict[str, Any]
TIMEOUT = 30
TABLE = """
PRAGMA journal_mode = wal;
PRAGMA synchronous = normal;
CREATE TABLE IF NOT EXISTS people (
    user_id TEXT PRIMARY KEY, email TEXT UNIQUE, attributes TEXT NOT NULL, updated_at TEXT NOT NULL
);
"""
UPSERT = """
INSERT INTO people VALUES (?, ?, ?, ?) ON CONFLICT (user_id) DO UPDATE
SET email = excluded.email, attributes = excluded.attributes, updated_at = excluded.updated_at
"""


def main() -> None:
    """Move all rows of a query."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=READERS, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sql", required=True)
    parser.add_argument("to", help="URL of a Segment endpoint, or file of a SQLite database")
    given = parser.parse_args()
    rows = READERS[given.kind](given.port, given.sql)
    (send if given.to.startswith("http") else keep)(given.to, rows)


def from_postgresql(port: int, sql: str) -> Iterator[Row]:
    """Yield the rows of a query without holding them all."""
    import psycopg  # noqa: PLC0415 - each use needs its own drivers only
    from psycopg.rows import dict_row  # noqa: PLC0415

    login = f"user=reader password={os.environ['READER_PASSWORD']} dbname=bench sslmode=disable"
    with (
        psycopg.connect(f"host=127.0.0.1 port={port} {login}") as connection,
        connection.cursor("people", row_factory=dict_row) as cursor,
    ):
        cursor.itersize = 5000
        cursor.execute(sql.encode())
        yield from cursor


def from_mariadb(port: int, sql: str) -> Iterator[Row]:
    """Yield the rows of a query without holding them all."""
    import pymysql  # noqa: PLC0415
    from pymysql.cursors import SSDictCursor  # noqa: PLC0415

    password = os.environ["READER_PASSWORD"]
    connection = pymysql.connect(
        host="127.0.0.1", port=port, user="reader", password=password, database="bench"
    )
    with connection, connection.cursor(SSDictCursor) as cursor:
        cursor.execute(sql)
        yield from cursor.fetchall_unbuffered()


READERS = {"mariadb": from_mariadb, "postgresql": from_postgresql}


def send(url: str, rows: Iterator[Row]) -> None:
    """Post identify calls; raises HTTPError when a batch was refused."""
    import requests  # noqa: PLC0415
    from requests.adapters import HTTPAdapter  # noqa: PLC0415
    from urllib3 import Retry  # noqa: PLC0415

    statuses = (429, 500, 502, 503, 504)
    retry = Retry(5, backoff_factor=0.5, status_forcelist=statuses, allowed_methods=("POST",))
    headers = {"Content-Type": "application/json"}
    now = datetime.now(UTC).isoformat()
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=retry))
        session.auth = (os.environ["WRITE_KEY"], "")
        for batch in batches(rows, 100):
            body = json.dumps({"batch": [message(row, now) for row in batch]}, default=plain)
            answer = session.post(f"{url}/batch", data=body, headers=headers, timeout=TIMEOUT)
            answer.raise_for_status()


def keep(file: str, rows: Iterator[Row]) -> None:
    """Upsert people into a table."""
    workspace = sqlite3.connect(file)
    workspace.executescript(TABLE)
    for batch in batches(rows, 1000):
        now = datetime.now(UTC).isoformat()
        with workspace:
            workspace.executemany(UPSERT, [person(row, now) for row in batch])
    workspace.close()


def batches(rows: Iterator[Row], size: int) -> Iterator[Sequence[Row]]:
    """Yield rows, so many at a time."""
    while batch := list(islice(rows, size)):
        yield batch


def message(row: Row, now: str) -> dict[str, Any]:
    """Return the identify call of a row."""
    user = row.pop("user_id")
    ident = f"{user}-{now}"
    return {
        "type": "identify", "userId": user, "messageId": ident, "timestamp": now, "traits": row,
    }  # fmt: skip


def person(row: Row, now: str) -> tuple[str, str, str, str]:
    """Return a row as the table keeps it."""
    user, email = row.pop("user_id"), row.pop("email")
    return user, email, json.dumps(row, default=plain), now


def plain(value: object) -> str | float:
    """Return what JSON has no form for as text or number."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(type(value).__name__)


if __name__ == "__main__":
    main()
