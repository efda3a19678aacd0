"""What is wrong, told once: states, notices that wait, and messages on their way to channels.

    run or delivery ends → state changes + notices (one commit) → message (one commit) → sent

A message has its id before it is first sent, and keeps it: whoever dies while sending leaves it to
the next, which sends the same again once the lease is over.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from rowlift.core.alerts import (
    AlertMessage,
    AlertRule,
    Heard,
    Notice,
    message_from,
    message_of,
    notice_from,
)
from rowlift.db import Database
from rowlift.state.alert_tables import alert_messages, alert_notices, alert_states
from rowlift.state.deliveries import Delivery, delivery_from
from rowlift.state.leases import database_now
from rowlift.state.runs import Run, run_from
from rowlift.state.tables import deliveries, runs

AT_ONCE = 200  # runs, and deliveries, that are judged in one transaction
LEASE_SECONDS = 60.0
KEPT_SECONDS = 30 * 86_400.0

WAITING, SENDING, SENT, GIVEN_UP = "waiting", "sending", "sent", "given up"


@dataclass(frozen=True, slots=True)
class Subject:
    """What can be wrong: a rule, with a sync's run or with its delivery to a destination."""

    rule: AlertRule
    sync_uid: str
    destination_uid: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether something is wrong; `to` are the channels that hear of its beginning."""

    subject: Subject
    wrong: bool
    notice: Notice
    to: Sequence[str]


@dataclass(frozen=True, slots=True)
class AlertState:
    """Something that is wrong, since when, as of the run that showed it."""

    subject: Subject
    run_id: int | None
    code: str
    text: str
    since: float


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message of a channel and how far it has come; times are Unix seconds."""

    message: AlertMessage
    channel_uid: str
    status: str
    attempts: int
    tried_at: float | None
    reason_code: str
    reason: str

    @property
    def is_failing(self) -> bool:
        """Tell whether it was tried and not taken."""
        return self.status != SENT and self.tried_at is not None


class AlertStore:
    """Keeps what is wrong and what is told of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # what is wrong

    def unjudged(self, workspace_id: int) -> tuple[list[Run], list[Delivery]]:
        """Return runs and deliveries that ended and were not looked at, the oldest first."""
        with self._database.read() as connection:
            ended = connection.execute(_unjudged(runs, workspace_id)).all()
            delivered = connection.execute(_unjudged(deliveries, workspace_id)).all()
        return [run_from(row) for row in ended], [delivery_from(row) for row in delivered]

    def judge(
        self,
        workspace_id: int,
        of_runs: Mapping[int, Sequence[Judgement]],
        of_deliveries: Mapping[int, Sequence[Judgement]],
        others: Sequence[Judgement] = (),
    ) -> None:
        """Write down judgements, those of runs and deliveries by their ids, and what they change.

        Each run and delivery is judged once, whoever is faster.
        """
        with self._database.transaction("alerts.judge", alone=True) as connection:
            ours = [
                one
                for table, judged in ((runs, of_runs), (deliveries, of_deliveries))
                for number in _mark(connection, table, judged)
                for one in judged[number]
            ]
            for one in (*ours, *others):
                told = (self._begun if one.wrong else _ended)(connection, workspace_id, one)
                _tell(connection, workspace_id, one.notice, told)

    def _begun(self, connection: sa.Connection, workspace_id: int, one: Judgement) -> Sequence[str]:
        """Note what is wrong; return the channels that are to hear of it, none if they have."""
        row = {
            "workspace_id": workspace_id, **asdict(one.subject), "run_id": one.notice.run,
            "code": one.notice.code, "text": one.notice.text, "since": one.notice.at,
            "told": json.dumps(list(one.to)),
        }  # fmt: skip
        begun = self._database.insert(alert_states).values(row).on_conflict_do_nothing()
        is_new = connection.scalar(begun.returning(alert_states.c.since)) is not None
        return one.to if is_new else ()

    def wrong(self, workspace_id: int) -> list[AlertState]:
        """Return what is wrong now, the newest first."""
        query = sa.select(alert_states).where(alert_states.c.workspace_id == workspace_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(alert_states.c.since.desc())).all()
        return [_state(row) for row in rows]

    def forget(self, workspace_id: int, subjects: Iterable[Subject]) -> None:
        """Forget, without a word, what was wrong with something that is not there any more."""
        with self._database.transaction("alerts.forget") as connection:
            for one in subjects:
                connection.execute(_gone(workspace_id, one))

    # what is told

    def waiting(self, workspace_id: int) -> dict[str, tuple[int, float]]:
        """Return by channel how many notices wait for a message, and since when."""
        number, since = sa.func.count(), sa.func.min(alert_notices.c.at)
        query = sa.select(alert_notices.c.channel_uid, number, since).where(
            alert_notices.c.workspace_id == workspace_id
        )
        with self._database.read() as connection:
            rows = connection.execute(query.group_by(alert_notices.c.channel_uid)).all()
        return {row[0]: (int(row[1]), float(row[2])) for row in rows}

    def compose(self, workspace_id: int, channel_uid: str, workspace: str, now: float) -> None:
        """Make one message of all notices that wait for a channel, unless one is on its way."""
        mine = (
            alert_notices.c.workspace_id == workspace_id,
            alert_notices.c.channel_uid == channel_uid,
        )
        query = sa.select(alert_notices.c.id, alert_notices.c.body).where(*mine)
        with self._database.transaction("alerts.compose", alone=True) as connection:
            if connection.scalar(_open(workspace_id, channel_uid)):
                return
            rows = connection.execute(query.order_by(alert_notices.c.id)).all()
            if not rows:
                return
            notices = [notice_from(json.loads(row.body)) for row in rows]
            message = message_of(uuid.uuid4().hex, workspace, now, notices)
            connection.execute(
                alert_messages.insert().values(
                    message_id=message.id, workspace_id=workspace_id, channel_uid=channel_uid,
                    body=json.dumps(message.document()), created_at=now, status=WAITING,
                    attempts=0, next_at=now, lease_until=0.0, reason_code="", reason="",
                )
            )  # fmt: skip
            connection.execute(
                alert_notices.delete().where(*mine, alert_notices.c.id <= rows[-1].id)
            )
            connection.execute(_old(workspace_id, now))

    def drop(self, workspace_id: int, channel_uid: str) -> None:
        """Forget what waits for a channel that is not there any more."""
        with self._database.transaction("alerts.drop") as connection:
            for table in (alert_notices, alert_messages):
                connection.execute(
                    table.delete().where(
                        table.c.workspace_id == workspace_id, table.c.channel_uid == channel_uid
                    )
                )

    def last(self, workspace_id: int) -> dict[str, Outgoing]:
        """Return the newest message of each channel."""
        newest = sa.select(sa.func.max(alert_messages.c.id)).group_by(alert_messages.c.channel_uid)
        mine = newest.where(alert_messages.c.workspace_id == workspace_id)
        query = sa.select(alert_messages).where(alert_messages.c.id.in_(mine))
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return {row.channel_uid: _outgoing(row) for row in rows}

    def told(self, workspace_id: int, channel_uid: str, since: float, until: float) -> int:
        """Return how many messages were made for a channel between two moments."""
        query = sa.select(sa.func.count()).where(
            alert_messages.c.workspace_id == workspace_id,
            alert_messages.c.channel_uid == channel_uid,
            alert_messages.c.created_at.between(since, until),
        )
        with self._database.read() as connection:
            return int(connection.scalar(query) or 0)

    def claim(self, message_id: str, is_due: Callable[[float], bool]) -> Outgoing | None:
        """Take a message for one attempt; None where it is not due or somebody else has it."""
        query = sa.select(alert_messages).where(alert_messages.c.message_id == message_id)
        with self._database.transaction("alerts.claim", alone=True) as connection:
            row = connection.execute(query).one_or_none()
            now = database_now(self._database, connection)
            if row is None or row.status not in {WAITING, SENDING} or not is_due(row.next_at):
                return None
            if row.status == SENDING and row.lease_until > now:
                return None
            mine = alert_messages.update().where(alert_messages.c.message_id == message_id)
            connection.execute(
                mine.values(
                    status=SENDING, attempts=row.attempts + 1, lease_until=now + LEASE_SECONDS
                )
            )
            return _outgoing(connection.execute(query).one())

    def settle(self, claimed: Outgoing, heard: Heard, now: float, again_at: float | None) -> None:
        """Write down what became of an attempt; without a next one the message is given up."""
        status = SENT if heard.ok else GIVEN_UP if again_at is None else WAITING
        mine = alert_messages.update().where(
            alert_messages.c.message_id == claimed.message.id,
            alert_messages.c.status == SENDING,
            alert_messages.c.attempts == claimed.attempts,
        )
        with self._database.transaction("alerts.settle") as connection:
            connection.execute(
                mine.values(
                    status=status, next_at=again_at or now, tried_at=now,
                    reason_code=heard.code, reason=heard.reason,
                )
            )  # fmt: skip


def _unjudged(table: sa.Table, workspace_id: int) -> sa.Select[Any]:
    over = (
        table.c.workspace_id == workspace_id, table.c.unjudged == 1, table.c.active.is_(None),
    )  # fmt: skip
    return sa.select(table).where(*over).order_by(table.c.id).limit(AT_ONCE)


def _mark(connection: sa.Connection, table: sa.Table, judged: Mapping[int, object]) -> list[int]:
    """Mark rows as judged and return those that nobody had judged before, in their order."""
    if not judged:
        return []
    mine = table.update().where(table.c.id.in_(judged), table.c.unjudged == 1)
    marked = connection.scalars(mine.values(unjudged=None).returning(table.c.id)).all()
    return sorted(marked)


def _ended(connection: sa.Connection, workspace_id: int, one: Judgement) -> Sequence[str]:
    """Note that nothing is wrong; return the channels that had heard of it."""
    ended = _gone(workspace_id, one.subject).returning(alert_states.c.told)
    told: list[str] = json.loads(connection.scalar(ended) or "[]")
    return told


def _tell(
    connection: sa.Connection, workspace_id: int, notice: Notice, channels: Sequence[str]
) -> None:
    body = json.dumps(asdict(notice))
    rows = [
        {"workspace_id": workspace_id, "channel_uid": uid, "at": notice.at, "body": body}
        for uid in channels
    ]
    if rows:
        connection.execute(alert_notices.insert(), rows)


def _gone(workspace_id: int, subject: Subject) -> sa.Delete:
    return alert_states.delete().where(
        alert_states.c.workspace_id == workspace_id,
        alert_states.c.rule == subject.rule,
        alert_states.c.sync_uid == subject.sync_uid,
        alert_states.c.destination_uid == subject.destination_uid,
    )


def _open(workspace_id: int, channel_uid: str) -> sa.Select[tuple[str]]:
    return sa.select(alert_messages.c.id).where(
        alert_messages.c.workspace_id == workspace_id,
        alert_messages.c.channel_uid == channel_uid,
        alert_messages.c.status.in_([WAITING, SENDING]),
    )


def _old(workspace_id: int, now: float) -> sa.Delete:
    return alert_messages.delete().where(
        alert_messages.c.workspace_id == workspace_id,
        alert_messages.c.status.in_([SENT, GIVEN_UP]),
        alert_messages.c.created_at < now - KEPT_SECONDS,
    )


def _state(row: sa.Row[Any]) -> AlertState:
    subject = Subject(AlertRule(row.rule), row.sync_uid, row.destination_uid)
    return AlertState(subject, row.run_id, row.code, row.text, row.since)


def _outgoing(row: sa.Row[Any]) -> Outgoing:
    message = message_from(json.loads(row.body), row.created_at)
    return Outgoing(
        message, row.channel_uid, row.status, row.attempts, row.tried_at, row.reason_code,
        row.reason,
    )  # fmt: skip
