"""Blank what texts of the state database say of a person who is erased."""

import json
import re
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from rowlift.state.forward_tables import forward_rejects, forwards
from rowlift.state.ingest_tables import message_rejects
from rowlift.state.tables import batches, deliveries, files, images, runs


def blank(connection: sa.Connection, workspace_id: int, named: re.Pattern[str], by: str) -> None:
    """Blank reasons of runs, deliveries, forwards, batches, as part of the caller's transaction.

    A batch that names the person loses all its reasons: they stand in the delivery's rejects too.
    """
    for table in (runs, deliveries, forwards):
        query = sa.select(table.c.id, table.c.reason).where(
            table.c.workspace_id == workspace_id, table.c.reason != ""
        )
        for number, reason in connection.execute(query).all():
            if named.search(reason):
                row = table.update().where(table.c.id == number)
                connection.execute(row.values(reason=named.sub(by, reason)))
    _blank_batches(connection, workspace_id, named)


def _blank_batches(connection: sa.Connection, workspace_id: int, named: re.Pattern[str]) -> None:
    mine = sa.select(deliveries.c.id).where(deliveries.c.workspace_id == workspace_id)
    told = sa.select(batches.c.delivery_id, batches.c.number, batches.c.outcomes).where(
        batches.c.delivery_id.in_(mine), batches.c.status == "done"
    )
    for delivery, number, text in connection.execute(told).all():
        outcomes = json.loads(text)
        if named.search(json.dumps(outcomes, ensure_ascii=False)):
            row = (batches.c.delivery_id == delivery, batches.c.number == number)
            left = json.dumps(_without_reasons(outcomes))
            connection.execute(batches.update().where(*row).values(outcomes=left))


def _without_reasons(outcomes: dict[str, Any]) -> dict[str, Any]:
    verdict, code, _ = outcomes["default"]
    rows = {at: [verdict, code, ""] for at, (verdict, code, _) in outcomes["rows"].items()}
    return {"default": [verdict, code, ""], "rows": rows}


def forget_messages(
    connection: sa.Connection, workspace_id: int, values: Iterable[str], named: re.Pattern[str]
) -> None:
    """Forget the messages that were refused, here or where they were forwarded to.

    They are those that name the person by an identifier or in words.
    """
    theirs = {value.casefold() for value in values}
    for table in (message_rejects, forward_rejects):
        query = sa.select(table).where(table.c.workspace_id == workspace_id)
        found = [
            one.id
            for one in connection.execute(query)
            if one.identifier.casefold() in theirs or named.search(one.reason)
        ]
        connection.execute(table.delete().where(table.c.id.in_(found)))


def shrink(connection: sa.Connection, sync_uid: str, rows: int, present: int) -> None:
    """Count fewer rows of an image, as part of the caller's transaction."""
    left = {"rows": images.c.rows - rows, "present": images.c.present - present}
    connection.execute(images.update().where(images.c.sync_uid == sync_uid).values(left))


def bury(connection: sa.Connection, workspace_id: int, but: str) -> None:
    """Let every file that nothing counts go with the next collection, one kind excepted.

    As nothing is active, what is being written was left by dead processes.
    """
    useless = sa.or_(
        files.c.state == "writing", sa.and_(files.c.state == "dead", files.c.kind != but)
    )
    connection.execute(
        files.update()
        .where(files.c.workspace_id == workspace_id, useless)
        .values(state="dead", dead_at=0.0)
    )
