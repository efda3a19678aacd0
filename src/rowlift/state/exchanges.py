"""The last requests to each destination and their replies, for people who look for a fault."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from rowlift.db import Database
from rowlift.state.exchange_tables import exchanges

KEPT = 50  # of each destination
KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that left and what came of it; times are Unix seconds and seconds.

    Long bodies are cut: `body_bytes` is the size of what was sent. Without a `status` there was no
    reply, and `reply` says why.
    """

    sync_uid: str
    at: float
    seconds: float
    method: str
    url: str
    headers: Mapping[str, str]
    body: str
    body_bytes: int
    status: int | None
    reply_headers: Mapping[str, str]
    reply: str
    id: int = 0


class ExchangeStore:
    """A ring of exchanges for each destination."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, workspace_id: int, destination_uid: str, fresh: Sequence[Exchange]) -> None:
        """Keep some exchanges and forget the oldest of their destination."""
        whose = {"workspace_id": workspace_id, "destination_uid": destination_uid}
        mine = exchanges.c.destination_uid == destination_uid
        newest = sa.select(exchanges.c.id).where(mine).order_by(exchanges.c.id.desc()).limit(KEPT)
        with self._database.transaction("exchange.keep") as connection:
            connection.execute(exchanges.insert(), [whose | _row(one) for one in fresh])
            old = exchanges.delete().where(mine, exchanges.c.id.not_in(newest.scalar_subquery()))
            connection.execute(old)

    def after(self, destination_uid: str, number: int, since: float) -> list[Exchange]:
        """Return what is kept of a destination from the one after a number, the oldest first."""
        query = sa.select(exchanges).where(
            exchanges.c.destination_uid == destination_uid,
            exchanges.c.id > number,
            exchanges.c.at >= since,
        )
        with self._database.read() as connection:
            found = connection.execute(query.order_by(exchanges.c.id)).all()
        return [_exchange(row) for row in found]


def has_exchanges(connection: sa.Connection, workspace_id: int, before: float) -> bool:
    """Tell whether anything is older than a moment."""
    found = sa.select(exchanges.c.id).where(*_old(workspace_id, before)).limit(1)
    return connection.scalar(found) is not None


def forget_exchanges(connection: sa.Connection, workspace_id: int, before: float) -> int:
    """Forget what is older than a moment, as part of the caller's transaction."""
    return connection.execute(exchanges.delete().where(*_old(workspace_id, before))).rowcount


def _old(workspace_id: int, before: float) -> tuple[sa.ColumnElement[bool], ...]:
    return exchanges.c.workspace_id == workspace_id, exchanges.c.at < before


def _row(one: Exchange) -> dict[str, object]:
    texts = {"headers": json.dumps(one.headers), "reply_headers": json.dumps(one.reply_headers)}
    return {name: value for name, value in (asdict(one) | texts).items() if name != "id"}


def _exchange(row: sa.Row[tuple[object, ...]]) -> Exchange:
    values = dict(row._mapping)  # noqa: SLF001
    del values["workspace_id"], values["destination_uid"]
    headers = {name: json.loads(values[name]) for name in ("headers", "reply_headers")}
    return Exchange(**values | headers)
