"""The plain good script that Rowlift is measured against; it imports nothing of Rowlift.

It reads with a server-side cursor, makes each row a dict and a JSON message, and posts batches of
100 to a Segment endpoint over one kept connection with retries. It remembers nothing: run again,
it sends everything again.
"""

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

import psycopg
import requests
from psycopg.rows import dict_row
from requests.adapters import HTTPAdapter
from urllib3 import Retry

BATCH = 100
TIMEOUT = 30
RETRY = Retry(
    total=5,
    backoff_factor=0.5,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=("POST",),
)


def main() -> None:
    """Send all rows of a query."""
    parser = argparse.ArgumentParser()
    for name in ("dsn", "sql", "url"):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args()
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=RETRY))
        session.auth = (os.environ["WRITE_KEY"], "")
        for batch in batches(rows(given.dsn, given.sql)):
            send(session, given.url, batch)


def rows(dsn: str, sql: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a query without holding them all."""
    with (
        psycopg.connect(dsn) as connection,
        connection.cursor("people", row_factory=dict_row) as cursor,
    ):
        cursor.itersize = 5000
        cursor.execute(sql.encode())
        yield from cursor


def batches(found: Iterator[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    """Yield messages, a hundred at a time."""
    now = datetime.now().astimezone().isoformat()
    while batch := [message(row, now) for row in islice(found, BATCH)]:
        yield batch


def message(row: dict[str, Any], now: str) -> dict[str, Any]:
    """Return the identify call of a row."""
    user = row.pop("user_id")
    return {
        "type": "identify",
        "userId": user,
        "messageId": f"{user}-{now}",
        "timestamp": now,
        "traits": row,
    }


def send(session: requests.Session, url: str, batch: Sequence[dict[str, Any]]) -> None:
    """Post one batch; raises HTTPError when it was refused."""
    body = json.dumps({"batch": batch}, default=plain)
    headers = {"Content-Type": "application/json"}
    session.post(f"{url}/batch", data=body, headers=headers, timeout=TIMEOUT).raise_for_status()


def plain(value: object) -> str | float:
    """Return what JSON has no form for as text or number."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(type(value).__name__)


if __name__ == "__main__":
    main()
