"""Accepted requests on their way to the workspace, and the messages that did not get there.

A request is durable before it is answered. A chunk of them is written into the workspace, and the
last transaction of that takes them out of here: whoever finds them gone was overtaken and stops.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rowlift.core.errors import Busy, Fenced
from rowlift.db import Database
from rowlift.state.audiences import ask
from rowlift.state.ingest_tables import ingested, message_ids, message_rejects
from rowlift.state.leases import database_now
from rowlift.state.runs import ADOPT
from rowlift.state.tables import runs
from rowlift.state.tallies import MESSAGES, Tally, add

DEDUPE_SECONDS = 24 * 3600
CHUNK_BYTES = 8 << 20
_CHUNK_REQUESTS = 20_000
_UNWRITTEN = (ADOPT, "read", "validate")  # phases in which a run has decided nothing yet
_LOOKED_UP = 500  # values per statement

# An id that came more than 24 hours ago may still be there.
_SEE = sa.text("""
INSERT INTO message_ids (workspace_id, message_id, seen_at)
VALUES (:workspace_id, :message_id, :seen_at)
ON CONFLICT (workspace_id, message_id) DO UPDATE SET seen_at = excluded.seen_at
""")


@dataclass(frozen=True, slots=True)
class Accepted:
    """One accepted request; `type` is that of its message, or empty for a batch.

    It has a number once it is durable.
    """

    workspace_id: int
    type: str
    received_at: float
    body: bytes
    number: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """Requests of a workspace that follow each other, one at least."""

    workspace_id: int
    requests: Sequence[Accepted]

    @property
    def first(self) -> int:
        """Return the number of the first request."""
        return self.requests[0].number

    @property
    def last(self) -> int:
        """Return the number of the last request."""
        return self.requests[-1].number

    def halves(self) -> Iterator["Chunk"]:
        """Yield the two halves of a chunk of several requests."""
        middle = len(self.requests) // 2
        for part in (self.requests[:middle], self.requests[middle:]):
            yield Chunk(self.workspace_id, part)


@dataclass(frozen=True, slots=True)
class MessageReject:
    """A message that was accepted and could not be written, and why; at is in Unix seconds.

    It has a number once it is kept.
    """

    at: float
    type: str
    message_id: str
    identifier: str
    code: str
    reason: str
    number: int = 0


class Intake:
    """Takes requests in and hands them on in chunks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def accept(self, requests: Sequence[Accepted]) -> None:
        """Make requests durable, all in one commit."""
        rows = [
            {
                "workspace_id": one.workspace_id, "type": one.type,
                "received_at": one.received_at, "body": one.body,
            }
            for one in requests
        ]  # fmt: skip
        with self._database.transaction("ingest.accept") as connection:
            connection.execute(ingested.insert(), rows)

    def waiting_bytes(self) -> int:
        """Return the size of all that waits."""
        query = sa.select(sa.func.sum(sa.func.length(ingested.c.body)))
        with self._database.read() as connection:
            return int(connection.scalar(query) or 0)

    def chunk(self, workspace_id: int) -> Chunk | None:
        """Return the oldest requests, some megabytes of them; None where nothing waits."""
        mine = ingested.c.workspace_id == workspace_id
        sizes = sa.select(ingested.c.id, sa.func.length(ingested.c.body)).where(mine)
        with self._database.read() as connection:
            oldest = connection.execute(sizes.order_by(ingested.c.id).limit(_CHUNK_REQUESTS))
            found = [(int(number), int(size)) for number, size in oldest]
            if not found:
                return None
            first, last = found[0][0], _last(found)
            query = sa.select(ingested).where(mine, ingested.c.id.between(first, last))
            rows = connection.execute(query.order_by(ingested.c.id)).all()
        return Chunk(
            workspace_id,
            [Accepted(workspace_id, one.type, one.received_at, one.body, one.id) for one in rows],
        )

    def newest(self, workspace_id: int) -> int:
        """Return the number of the newest request, or 0."""
        mine = ingested.c.workspace_id == workspace_id
        with self._database.read() as connection:
            return int(connection.scalar(sa.select(sa.func.max(ingested.c.id)).where(mine)) or 0)

    def hold(self, connection: sa.Connection, chunk: Chunk) -> None:
        """Begin a transaction that writes a chunk's messages.

        Raises Fenced where somebody else wrote them, and Busy while a run writes what it decided on
        the workspace as it is; no run comes that far until the transaction is over.
        """
        active = sa.select(runs.c.phase, runs.c.lease_until).where(
            runs.c.workspace_id == chunk.workspace_id, runs.c.active == 1
        )
        run = connection.execute(active.with_for_update(read=True)).one_or_none()
        now = database_now(self._database, connection)
        if run and run.phase not in _UNWRITTEN and run.lease_until >= now:
            raise Busy("BUSY", "A run is writing to the workspace.", mend="Messages wait for it.")
        first = sa.select(ingested.c.id).where(ingested.c.id == chunk.first)
        if connection.scalar(first.with_for_update()) is None:
            raise Fenced("FENCED", "Another process wrote these messages.", mend="Nothing to do.")

    def seen(self, workspace_id: int, candidates: Collection[str]) -> set[str]:
        """Return which message ids came in the last 24 hours."""
        known: set[str] = set()
        with self._database.read() as connection:
            for part in _parts(candidates):
                query = sa.select(message_ids.c.message_id).where(
                    message_ids.c.workspace_id == workspace_id,
                    message_ids.c.message_id.in_(part),
                    message_ids.c.seen_at >= time.time() - DEDUPE_SECONDS,
                )
                known.update(connection.scalars(query))
        return known

    def settle(
        self,
        connection: sa.Connection,
        chunk: Chunk,
        seen: Collection[str],
        rejects: Iterable[MessageReject],
    ) -> None:
        """Take a chunk out, as part of the transaction that writes the last of it."""
        mine = (
            ingested.c.workspace_id == chunk.workspace_id,
            ingested.c.id.between(chunk.first, chunk.last),
        )
        connection.execute(ingested.delete().where(*mine))
        shared = {"workspace_id": chunk.workspace_id}
        now = shared | {"seen_at": time.time()}
        if seen:
            connection.execute(_SEE, [now | {"message_id": one} for one in seen])
        told = [
            shared
            | {
                "at": one.at, "type": one.type, "message_id": one.message_id,
                "identifier": one.identifier, "code": one.code, "reason": one.reason,
            }
            for one in rejects
        ]  # fmt: skip
        if told:
            connection.execute(message_rejects.insert(), told)
        counted = {"requests": len(chunk.requests), "messages": len(seen), "rejected": len(told)}
        tally = [Tally(MESSAGES, label, count) for label, count in counted.items()]
        add(connection, chunk.workspace_id, tally)
        if seen:
            ask(connection, chunk.workspace_id)

    def rejects(
        self, workspace_id: int, limit: int, before: int | None = None
    ) -> list[MessageReject]:
        """Return messages that could not be written, the newest first, from one before a number."""
        query = sa.select(message_rejects).where(message_rejects.c.workspace_id == workspace_id)
        if before is not None:
            query = query.where(message_rejects.c.id < before)
        with self._database.read() as connection:
            found = connection.execute(query.order_by(message_rejects.c.id.desc()).limit(limit))
            return [
                MessageReject(
                    one.at, one.type, one.message_id, one.identifier, one.code, one.reason, one.id
                )
                for one in found
            ]


def _last(sizes: Sequence[tuple[int, int]]) -> int:
    """The number of the last request that a chunk has room for, which has one at least."""
    total = 0
    last = sizes[0][0]
    for number, size in sizes:
        total += size
        if total > CHUNK_BYTES:
            break
        last = number
    return last


def _parts(values: Collection[str]) -> Iterable[list[str]]:
    listed = list(values)
    return (listed[at : at + _LOOKED_UP] for at in range(0, len(listed), _LOOKED_UP))
