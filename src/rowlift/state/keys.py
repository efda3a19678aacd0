"""Write keys: who may send messages to a workspace. Only hashes are kept; a key is shown once."""

import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from rowlift.db import Database
from rowlift.state.ingest_tables import write_keys

_PREFIX = "rlw_"  # so that a key is known for what it is where it was leaked
_ENDING = 4


@dataclass(frozen=True, slots=True)
class WriteKey:
    """A key by its name and its last characters; created_at is in Unix seconds."""

    name: str
    ending: str
    created_at: float


def hashed(secret: str) -> str:
    """Return what is kept of a key: it is too random to be guessed from its plain hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


class WriteKeyStore:
    """Makes, lists and revokes write keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, workspace_id: int, name: str) -> tuple[WriteKey, str] | None:
        """Make a key and return it with its secret; None if a live key has the name."""
        secret = _PREFIX + secrets.token_urlsafe(24)
        made = WriteKey(name, secret[-_ENDING:], time.time())
        row = {
            "workspace_id": workspace_id, "name": name, "hash": hashed(secret),
            "ending": made.ending, "created_at": made.created_at,
        }  # fmt: skip
        with self._database.transaction("keys.create") as connection:
            named = sa.select(write_keys.c.id).where(_is_live(workspace_id, name))
            if connection.scalar(named) is not None:
                return None
            connection.execute(write_keys.insert().values(row))
        return made, secret

    def revoke(self, workspace_id: int, name: str) -> bool:
        """Revoke the live key of a name; tell whether there was one."""
        with self._database.transaction("keys.revoke") as connection:
            revoked = write_keys.update().where(_is_live(workspace_id, name))
            return connection.execute(revoked.values(revoked_at=time.time())).rowcount == 1

    def live(self, workspace_id: int) -> list[WriteKey]:
        """Return the keys that are accepted, by name."""
        query = sa.select(write_keys).where(_is_live(workspace_id)).order_by(write_keys.c.name)
        with self._database.read() as connection:
            found = connection.execute(query)
            return [WriteKey(row.name, row.ending, row.created_at) for row in found]

    def workspaces(self) -> Mapping[str, int]:
        """Return the workspace of each key that is accepted, by the key's hash."""
        query = sa.select(write_keys.c.hash, write_keys.c.workspace_id)
        with self._database.read() as connection:
            found = connection.execute(query.where(write_keys.c.revoked_at.is_(None)))
            return {row.hash: row.workspace_id for row in found}


def _is_live(workspace_id: int, name: str | None = None) -> sa.ColumnElement[bool]:
    mine = sa.and_(write_keys.c.workspace_id == workspace_id, write_keys.c.revoked_at.is_(None))
    return mine if name is None else sa.and_(mine, write_keys.c.name == name)
