"""Forget runs, deliveries and batches that are over and old.

What is still of use stays however old it is: the newest run of each sync, the one that made its
image, the newest delivery to each destination, and every run that a delivery belongs to. What is
due, pending or in doubt stands in ledgers, which nothing here touches; the batches of a delivery
that is not over are its outcomes, and stay.
"""

from collections.abc import Mapping

import sqlalchemy as sa

from rowlift.core.specs import RetentionSpec
from rowlift.db import Database
from rowlift.state.exchanges import KEPT_SECONDS, forget_exchanges, has_exchanges
from rowlift.state.intake import DEDUPE_SECONDS

MOST_RUNS = 500  # and deliveries, and deliveries' batches, in one transaction
MOST_MESSAGES = 20_000  # in one transaction

_OVER = "{table}.workspace_id = :workspace AND active IS NULL AND finished_at < :before"
_DELIVERIES = f"""
SELECT id FROM deliveries WHERE {_OVER.format(table="deliveries")} AND id NOT IN (
    SELECT max(id) FROM deliveries GROUP BY sync_uid, destination_uid)
ORDER BY id LIMIT :most
"""
_RUNS = f"""
SELECT id FROM runs WHERE {_OVER.format(table="runs")}
    AND id NOT IN (SELECT max(id) FROM runs GROUP BY sync_uid)
    AND id NOT IN (SELECT run_id FROM images)
    AND id NOT IN (SELECT run_id FROM deliveries)
    AND id NOT IN (SELECT next_run_id FROM deliveries WHERE next_run_id IS NOT NULL)
ORDER BY id LIMIT :most
"""
_BATCHED = f"""
SELECT id FROM deliveries WHERE {_OVER.format(table="deliveries")}
    AND EXISTS (SELECT 1 FROM batches WHERE delivery_id = deliveries.id)
ORDER BY id LIMIT :most
"""
_REJECTS = """
SELECT id FROM {table} WHERE workspace_id = :workspace AND at < :before ORDER BY id LIMIT :most
"""
_SIZES = """
SELECT id FROM audience_sizes WHERE workspace_id = :workspace AND at < :before
    AND id NOT IN (SELECT max(id) FROM audience_sizes GROUP BY uid) ORDER BY id LIMIT :most
"""
_FORGET_REJECTS = "DELETE FROM {table} WHERE id IN :ids"
_REFUSED = ("message_rejects", "forward_rejects")
_SEEN = """
SELECT message_id FROM message_ids WHERE workspace_id = :workspace AND seen_at < :before
ORDER BY seen_at LIMIT 1
"""
_FORGET_SEEN = """
DELETE FROM message_ids WHERE workspace_id = :workspace AND message_id IN (
    SELECT message_id FROM message_ids WHERE workspace_id = :workspace AND seen_at < :before
    ORDER BY seen_at LIMIT :most)
"""
_REQUESTS = """
DELETE FROM triggers WHERE workspace_id = :workspace AND open IS NULL AND asked_at < :before
    AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = triggers.run_id)
"""
_FORGET_BATCHES = "DELETE FROM batches WHERE delivery_id IN :ids"
_FORGET_DELIVERIES = "DELETE FROM deliveries WHERE id IN :ids"
_FORGET_RUNS = "DELETE FROM runs WHERE id IN :ids"


def prune_state(
    database: Database, workspace_id: int, keep: RetentionSpec, now: float
) -> dict[str, int]:
    """Forget some of what is old and return how many went of each; all 0 when nothing is left."""
    old = {"workspace": workspace_id, "most": MOST_RUNS}
    by_runs, by_batches = (
        old | {"before": now - seconds} for seconds in (keep.runs, min(keep.runs, keep.batches))
    )
    nothing = dict.fromkeys(("runs", "deliveries", "batches"), 0)
    with database.read() as connection:
        if not any(
            _ids(connection, query, given)
            for query, given in ((_BATCHED, by_batches), (_DELIVERIES, by_runs), (_RUNS, by_runs))
        ):
            return nothing
    with database.transaction("prune.state", alone=True) as connection:
        batches = _forget(connection, _FORGET_BATCHES, _ids(connection, _BATCHED, by_batches))
        deliveries = _ids(connection, _DELIVERIES, by_runs)
        _forget(connection, _FORGET_BATCHES, deliveries)
        _forget(connection, _FORGET_DELIVERIES, deliveries)
        runs = _forget(connection, _FORGET_RUNS, _ids(connection, _RUNS, by_runs))
        connection.execute(sa.text(_REQUESTS), by_runs)
    return {"runs": runs, "deliveries": len(deliveries), "batches": batches}


def prune_intake(
    database: Database, workspace_id: int, keep: RetentionSpec, now: float
) -> dict[str, int]:
    """Forget some old ids and rejects of messages, and former sizes of audiences.

    Returns how many went.
    """
    old = {"workspace": workspace_id, "most": MOST_MESSAGES}
    seen, told, sizes = (
        old | {"before": now - seconds}
        for seconds in (DEDUPE_SECONDS, min(keep.runs, keep.rejects), keep.events)
    )
    with database.read() as connection:
        found = {table: _ids(connection, _REJECTS.format(table=table), told) for table in _REFUSED}
        found["audience_sizes"] = _ids(connection, _SIZES, sizes)
        is_old = connection.scalar(sa.text(_SEEN), seen) is not None
    if not (any(found.values()) or is_old):
        return {"messages": 0}
    with database.transaction("prune.intake") as connection:
        forgotten = connection.execute(sa.text(_FORGET_SEEN), seen).rowcount
        for table, ids in found.items():
            forgotten += _forget(connection, _FORGET_REJECTS.format(table=table), ids)
    return {"messages": forgotten}


def prune_exchanges(database: Database, workspace_id: int, now: float) -> dict[str, int]:
    """Forget old requests to destinations and return how many went."""
    whose = (workspace_id, now - KEPT_SECONDS)
    with database.read() as connection:
        if not has_exchanges(connection, *whose):
            return {"requests": 0}
    with database.transaction("prune.exchanges") as connection:
        return {"requests": forget_exchanges(connection, *whose)}


def _ids(connection: sa.Connection, query: str, given: Mapping[str, float]) -> list[int]:
    return list(connection.scalars(sa.text(query), given))


def _forget(connection: sa.Connection, statement: str, ids: list[int]) -> int:
    if not ids:
        return 0
    query = sa.text(statement).bindparams(sa.bindparam("ids", ids, expanding=True))
    return connection.execute(query).rowcount
