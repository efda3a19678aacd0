"""Numbers of people and objects: handed out in ranges, never twice."""

import sqlalchemy as sa

from rowlift.db import Database
from rowlift.workspace.rows import run_rows
from rowlift.workspace.tables import numbers

_RESERVE = """
INSERT INTO numbers (name, next) VALUES (:name, 1 + :count)
ON CONFLICT (name) DO UPDATE SET next = numbers.next + :count RETURNING next
"""


def reserve(database: Database, name: str, count: int) -> int:
    """Return the first of `count` numbers that nobody else gets, from 1."""
    with database.transaction("workspace.reserve") as connection:
        ((following,),) = run_rows(connection, _RESERVE, name=name, count=count)
        return int(following) - count


def handed_out(connection: sa.Connection, name: str) -> int:
    """Return how many numbers were handed out: no less than there are records."""
    query = sa.select(numbers.c.next).where(numbers.c.name == name)
    return int(connection.execute(query).scalar() or 1) - 1
