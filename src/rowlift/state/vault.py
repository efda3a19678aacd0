"""Secrets of definitions made in Rowlift: sealed with a key that is not in the database.

The key is ROWLIFT_SECRET_KEY, or `secret.key` in the data directory, made at first use; the first
of several seals. A sealed text belongs to its secret's id: none can stand in for another.
"""

import secrets as randomness
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rowlift.core.errors import StateError
from rowlift.db import Database
from rowlift.kit.durable import write_durable
from rowlift.kit.sealing import Key
from rowlift.state.definition_tables import secrets
from rowlift.state.failures import file_errors
from rowlift.state.fresh import alone

KEY_FILE = "secret.key"
KEY_VARIABLE = "ROWLIFT_SECRET_KEY"


@dataclass(frozen=True, slots=True)
class Sealed:
    """One secret as the database has it; `path` is its place in the definition's document."""

    id: str
    path: str
    key_id: str
    sealed: str

    def columns(self) -> dict[str, str]:
        """Return it as columns of the table."""
        return {"id": self.id, "path": self.path, "key_id": self.key_id, "sealed": self.sealed}


class Vault:
    """Seals secrets and opens them for use; nothing else ever gives one back."""

    def __init__(self, database: Database, folder: Path, given: str | None = None) -> None:
        self._database = database
        self._folder = folder
        self._given = given

    def seal(self, path: str, value: str) -> Sealed:
        """Seal a new secret under an id of its own; makes the key file at first use."""
        key = self._first()
        secret_id = randomness.token_hex(8)
        return Sealed(secret_id, path, key.id, key.seal(secret_id, value))

    def open(self, secret_id: str) -> str | None:
        """Return a secret for use, None where there is none; raises StateError."""
        query = sa.select(secrets).where(secrets.c.id == secret_id)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else self._opened(row)

    def changed(self, uid: str) -> dict[str, float]:
        """Return since when each secret of a definition is as it is, by its id."""
        query = sa.select(secrets.c.id, secrets.c.created_at).where(secrets.c.uid == uid)
        with self._database.read() as connection:
            return {row.id: row.created_at for row in connection.execute(query)}

    def lacks_keys(self) -> bool:
        """Tell whether some secret is sealed with a key that is not here."""
        with self._database.read() as connection:
            used = set(connection.scalars(sa.select(secrets.c.key_id).distinct()))
        return not used <= self._keys.keys()

    def add_keys(self, path: Path) -> None:
        """Take in the keys of another key file, whose first one seals from now on."""
        with alone(self._folder), file_errors():
            text = path.read_text(encoding="utf-8", errors="replace")
            self._write(list({**_parsed(text.split(), KEY_FILE), **self._read()}.values()))

    def rotate(self) -> int:
        """Seal every secret with the newest key and return how many; a key file gets a new one.

        The file keeps the key before it, which another process may just be sealing with.
        """
        if self._given is not None:
            return self._seal_again(self._first())
        with alone(self._folder):
            known = list(self._read().values())
            new = Key.new()
            self._write([new, *known])
            count = self._seal_again(new)
            self._write([new, *known[:1]])
        return count

    def _seal_again(self, key: Key) -> int:
        with self._database.transaction("secrets.rotate", alone=True) as connection:
            rows = connection.execute(sa.select(secrets).where(secrets.c.key_id != key.id)).all()
            for row in rows:
                sealed = key.seal(row.id, self._opened(row))
                connection.execute(
                    secrets.update()
                    .where(secrets.c.id == row.id)
                    .values(key_id=key.id, sealed=sealed)
                )
        return len(rows)

    def _opened(self, row: sa.Row[Any]) -> str:
        try:
            return self._key(row.key_id).open(row.id, row.sealed)
        except ValueError:
            raise StateError(
                "SECRET_UNREADABLE",
                f"The secret {row.path} was changed from outside and cannot be read.",
                mend="Give it again, or restore the last backup.",
            ) from None

    @cached_property
    def _keys(self) -> dict[str, Key]:
        """Return the keys by id, the one that seals first."""
        if self._given is None:
            return self._read()
        return _parsed(self._given.replace(",", " ").split(), KEY_VARIABLE)

    def _read(self) -> dict[str, Key]:
        path = self._folder / KEY_FILE
        with file_errors():
            text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        return _parsed(text.split(), KEY_FILE)

    def _first(self) -> Key:
        """Return the key that seals now: another process may have rotated since we looked."""
        if self._given is None:
            self._remember(self._read())
        if not self._keys and self._given is None:
            with alone(self._folder):
                self._remember(self._read())
                if not self._keys:
                    self._refuse_loss()
                    self._write([Key.new()])
        return next(iter(self._keys.values()))

    def _key(self, key_id: str) -> Key:
        if key_id not in self._keys and self._given is None:
            self._remember(self._read())  # another process may have rotated
        if key_id not in self._keys:
            raise _key_missing(key_id)
        return self._keys[key_id]

    def _refuse_loss(self) -> None:
        """Begin no new key file while secrets are sealed with a key that is gone."""
        with self._database.read() as connection:
            sealed_with = connection.scalar(sa.select(secrets.c.key_id).limit(1))
        if sealed_with is not None:
            raise _key_missing(sealed_with)

    def _write(self, keys: Sequence[Key]) -> None:
        with file_errors():
            write_durable(self._folder / KEY_FILE, [f"{one.text}\n".encode() for one in keys])
        self._remember({one.id: one for one in keys})

    def _remember(self, keys: dict[str, Key]) -> None:
        self.__dict__["_keys"] = keys


def _parsed(texts: Iterable[str], where: str) -> dict[str, Key]:
    try:
        keys = [Key.parse(one) for one in texts]
    except ValueError:
        keys = []
        wrong = True
    else:
        wrong = where == KEY_VARIABLE and not keys
    if wrong:
        raise StateError(
            "SECRET_KEY_WRONG",
            f"{where} does not hold keys of 32 bytes in Base64.",
            mend="Put back the key that was there. To make a new one: openssl rand -base64 32.",
        )
    return {one.id: one for one in keys}


def _key_missing(key_id: str) -> StateError:
    return StateError(
        "SECRET_KEY_MISSING",
        f"The key {key_id}, with which secrets of the state database are sealed, is not here.",
        mend=f"Put back {KEY_FILE} in the data directory, or set {KEY_VARIABLE}: nothing was lost.",
    )
