"""Accepted messages into the workspace, chunk by chunk, by the rules that imports go by.

    read      requests become messages, broken ones rejects, ids seen in 24 hours are dropped
    fold      messages become rows, one for each key
    write     strangers, people, further anonymous ids,         commit: one per slice
              accounts, memberships
    settle    events, rejects, message ids; requests go         commit: the chunk is over

A chunk that was killed is written again whole: rows come out the same, and what would double is
written by the last commit alone.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Self

import sqlalchemy as sa

from rowlift.core.errors import RowliftError
from rowlift.core.specs import SyncSpec
from rowlift.engine.attributes import Stored, label, written_by
from rowlift.engine.duck import Duck
from rowlift.engine.folding import Folded, Known, Row, Rows, Who, fold, without_email
from rowlift.engine.ingestrows import (
    ACCOUNTS,
    INGEST,
    MEMBERSHIPS,
    PEOPLE,
    STRANGERS,
    Fence,
    RowWriter,
)
from rowlift.engine.messages import Message, read
from rowlift.state.intake import Chunk, MessageReject
from rowlift.state.store import Store
from rowlift.workspace import identifiers
from rowlift.workspace.identifiers import Named
from rowlift.workspace.tracking import Event, add_events
from rowlift.workspace.workspace import Workspace, Writer


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a chunk's messages; `repeated` were dropped as seen before."""

    messages: int
    repeated: int
    rejected: int
    suppressed: int
    events: int

    def __add__(self, other: Self) -> Self:
        return replace(
            self,
            **{name: value + getattr(other, name) for name, value in asdict(self).items()},
        )


def refuse_chunk(store: Store, chunk: Chunk, error: RowliftError) -> Written:
    """Take a chunk's requests out unwritten, each with a reject that says why."""
    rejects = [
        MessageReject(one.received_at, one.type, "", "", error.code, error.message)
        for one in chunk.requests
    ]
    with store.database.transaction("ingest.settle") as connection:
        store.intake.hold(connection, chunk)
        store.intake.settle(connection, chunk, (), rejects)
    return Written(len(rejects), 0, len(rejects), 0, 0)


def write_chunk(store: Store, workspace: Workspace, chunk: Chunk) -> Written:
    """Write the messages of a chunk; raises Busy while a run writes, and Fenced if it is gone."""
    found = [one for request in chunk.requests for one in read(request)]
    broken = [one for one in found if isinstance(one, MessageReject)]
    messages = [one for one in found if isinstance(one, Message)]
    fresh = _fresh(store, workspace.id, messages)
    folded = fold(fresh.values(), _known(workspace, fresh.values()))
    fence, now = Fence(store, chunk), int(chunk.requests[-1].received_at)
    with Duck(store.files.scratch, begins_small=True) as duck:
        writer = RowWriter(store, workspace, fence, duck, Writer(INGEST, 0, now))
        lost = _write(writer, folded)
    rejects = [*broken, *folded.rejects, *(one for one in lost.values() if one)]
    kept = [(who, message) for who, message in folded.events if message not in lost]
    with store.database.transaction("ingest.settle") as connection:
        fence.hold(connection)
        add_events(connection, workspace.id, list(_events(connection, workspace.id, kept)))
        store.intake.settle(connection, chunk, fresh, rejects)
    repeated, hidden = len(messages) - len(fresh), sum(one is None for one in lost.values())
    return Written(len(found), repeated, len(rejects), hidden, len(kept))


def _fresh(store: Store, workspace_id: int, messages: Iterable[Message]) -> dict[str, Message]:
    """The messages whose ids were not seen in 24 hours, each id once."""
    by_id: dict[str, Message] = {}
    for message in messages:
        by_id.setdefault(message.message_id, message)
    seen = store.intake.seen(workspace_id, by_id)
    return {name: message for name, message in by_id.items() if name not in seen}


def _known(workspace: Workspace, messages: Collection[Message]) -> Known:
    previous = {one.previous_id for one in messages if one.previous_id}
    ids = {one.user_id for one in messages if one.user_id} | previous
    anonymous = {one.anonymous_id for one in messages if one.anonymous_id} | previous
    named = Named(sorted(ids), (), sorted(anonymous))
    with workspace.database.read() as connection:
        people = {
            row["pid"]: row
            for batch in identifiers.people(connection, workspace.id, named)
            for row in batch.to_pylist()
        }
        pids = {
            row["anonymous_id"]: row["pid"]
            for batch in identifiers.anonymous(connection, workspace.id, named)
            for row in batch.to_pylist()
        }
        own = {one["id"]: pid for pid, one in people.items() if one["id"]}
        told = _told(connection, workspace.id, messages, own, pids)
    known = {name: people[pid] for name, pid in pids.items() if pid in people}
    owners = {name: one["id"] for name, one in known.items() if one["id"] or one["email_key"]}
    return Known(set(own), set(pids), owners, told)


def _told(
    connection: sa.Connection,
    workspace_id: int,
    messages: Collection[Message],
    own: Mapping[str, int],
    strangers: Mapping[str, int],
) -> dict[Who, Mapping[str, str]]:
    """Return what messages told of those of whom they tell traits again."""
    again = [one for one in messages if one.type == "identify" and one.members]
    whose: dict[Who, int] = {
        ("user_id", one.user_id): own[one.user_id] for one in again if one.user_id in own
    }
    named = (one.anonymous_id for one in again)
    whose |= {("anonymous_id", name): strangers[name] for name in named if name in strangers}
    told = {}
    for batch in identifiers.records(connection, workspace_id, "people", sorted({*whose.values()})):
        for one in batch.to_pylist():
            pid, email = one.pop("pid"), one.pop("email")
            address = {"email": label(email)} if email else {}
            told[pid] = written_by(Stored(**one), INGEST) | address
    return {who: told[pid] for who, pid in whose.items() if pid in told}


_Lost = dict[Message, MessageReject | None]  # None: of somebody suppressed


def _write(writer: RowWriter, folded: Folded) -> _Lost:
    """Write the rows kind by kind; return the messages that did not go."""
    lost = _write_people(writer, STRANGERS, folded.strangers)
    lost |= _write_people(writer, PEOPLE, folded.people)
    gone = {message.user_id for message in lost}
    links = {key: row for key, row in folded.links.items() if row.identifiers["id"] not in gone}
    writer.write(STRANGERS, links)  # an anonymous id that was taken meanwhile stays where it is
    lost |= _write_rows(writer, ACCOUNTS, folded.accounts)
    members = {key: row for key, row in folded.memberships.items() if row.messages[0] not in lost}
    return lost | _write_rows(writer, MEMBERSHIPS, members)


def _write_people(writer: RowWriter, spec: SyncSpec, rows: Rows) -> _Lost:
    """Where a row is refused, its messages without an address get another chance."""
    lost = _write_rows(writer, spec, rows)
    refused = {key: row for key, row in rows.items() if any(lost.get(m) for m in row.messages)}
    again = dict(without_email(refused))
    for row in again.values():
        for message in row.messages:
            del lost[message]
    return lost | _write_rows(writer, spec, again)


def _write_rows(writer: RowWriter, spec: SyncSpec, rows: Mapping[str, Row]) -> _Lost:
    refused = writer.write(spec, rows)
    lost: _Lost = {}
    for key, (code, reason) in refused.rules.items():
        lost |= {message: message.refused(code, reason) for message in rows[key].messages}
    for key in refused.suppressed:
        lost |= dict.fromkeys(rows[key].messages)
    return lost


def _events(
    connection: sa.Connection, workspace_id: int, found: Collection[tuple[Who, Message]]
) -> Iterable[Event]:
    """Yield events with the numbers of their people; who was deleted meanwhile has none."""
    ids = sorted({value for (kind, value), _ in found if kind == "user_id"})
    anonymous = sorted({value for (kind, value), _ in found if kind != "user_id"})
    pids: dict[Who, int] = {}
    for batch in identifiers.people(connection, workspace_id, Named(ids, (), ())):
        pids |= {("user_id", one["id"]): one["pid"] for one in batch.to_pylist()}
    for batch in identifiers.anonymous(connection, workspace_id, Named((), (), anonymous)):
        pids |= {("anonymous_id", one["anonymous_id"]): one["pid"] for one in batch.to_pylist()}
    for who, one in found:
        if who in pids:
            yield Event(
                pids[who], one.type, one.name, one.properties, one.message_id, one.at,
                one.received_at,
            )  # fmt: skip
