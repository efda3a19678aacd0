"""People who work here, their sessions and API tokens."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rowlift.core.errors import AccessError, GuardStop, StateError
from rowlift.core.identifiers import email_key
from rowlift.core.rights import Right, Role
from rowlift.db import Database
from rowlift.state.accounts_tables import login_failures, sessions, tokens, users


@dataclass(frozen=True, slots=True)
class User:
    """A person who works here; times are Unix seconds."""

    id: int
    email: str
    role: Role
    created_at: float
    disabled_at: float | None
    version: int


@dataclass(frozen=True, slots=True)
class Session:
    """Whose browser is signed in; times are Unix seconds."""

    user_id: int
    created_at: float
    seen_at: float


@dataclass(frozen=True, slots=True)
class Token:
    """An API token without its secret; times are Unix seconds."""

    id: int
    user_id: int
    name: str
    rights: frozenset[Right]
    created_at: float
    expires_at: float
    seen_at: float | None = None
    revoked_at: float | None = None


_USER = (
    users.c.id, users.c.email, users.c.role, users.c.created_at, users.c.disabled_at,
    users.c.version,
)  # fmt: skip
_TOKEN = tuple(column for column in tokens.c if column.name != "hash")


class UserStore:
    """Keeps the users of one workspace."""

    def __init__(self, database: Database, workspace_id: int) -> None:
        self._database = database
        self._workspace_id = workspace_id

    def all(self) -> list[User]:
        """Return all users by address, those who are disabled too."""
        return self._select(sa.true())

    def get(self, user_id: int) -> User:
        """Return one user; raises StateError NOT_FOUND."""
        found = self.find(user_id)
        if found is None:
            raise StateError("NOT_FOUND", f"There is no user {user_id}.", mend="List the users.")
        return found

    def find(self, user_id: int) -> User | None:
        """Return one user, if the workspace has it."""
        found = self._select(users.c.id == user_id)
        return found[0] if found else None

    def by_email(self, email: str) -> User | None:
        """Return the user of an address, if there is one."""
        found = self._select(users.c.email_key == email_key(email))
        return found[0] if found else None

    def password(self, user_id: int) -> str:
        """Return the hash of a user's password, empty where there is none."""
        with self._database.read() as connection:
            query = sa.select(users.c.password).where(users.c.id == user_id)
            return str(connection.scalar(query) or "")

    def create(
        self, email: str, role: Role, password: str, now: float, *, only_first: bool = False
    ) -> User | None:
        """Add a user; None when the address is taken, or there is any and it must be the first."""
        values = {
            "workspace_id": self._workspace_id,
            "email": email,
            "email_key": email_key(email),
            "role": role.value,
            "password": password,
            "created_at": now,
            "version": 1,
        }
        key = users.c.email_key == values["email_key"]
        clash = sa.true() if only_first else key
        query = sa.select(users.c.id).where(users.c.workspace_id == self._workspace_id, clash)
        with self._database.transaction("user.create", alone=True) as connection:
            if connection.execute(query).first():
                return None
            return _user(connection.execute(users.insert().values(values).returning(*_USER)).one())

    def rehash(self, user_id: int, password: str) -> None:
        """Keep the same password under a newer hash."""
        with self._database.transaction("user.rehash") as connection:
            connection.execute(users.update().where(self._is(user_id)).values(password=password))

    def change(self, user_id: int, expected: int | None, **values: object) -> User:
        """Change a user's role, password or disabled_at; all sessions of the user end.

        Raises GuardStop EDIT_CONFLICT where the version is not the one that is expected, and
        AccessError LAST_ADMIN where no enabled admin would be left.
        """
        values["version"] = users.c.version + 1
        same = sa.true() if expected is None else users.c.version == expected
        with self._database.transaction("user.change", alone=True) as connection:
            had_admin = self._has_admin(connection)
            query = users.update().where(self._is(user_id), same).values(values)
            if not connection.execute(query).rowcount:
                raise GuardStop(
                    "EDIT_CONFLICT",
                    f"User {user_id} is not at version {expected}: somebody changed it meanwhile.",
                    mend="Load it again and repeat the change.",
                )
            connection.execute(sessions.delete().where(sessions.c.user_id == user_id))
            if had_admin and not self._has_admin(connection):
                raise AccessError(
                    "LAST_ADMIN",
                    "Nobody could administer this workspace any more.",
                    mend="Make somebody else an admin first.",
                )
        return self.get(user_id)

    def _has_admin(self, connection: sa.Connection) -> bool:
        query = sa.select(users.c.id).where(
            users.c.workspace_id == self._workspace_id,
            users.c.role == Role.ADMIN.value,
            users.c.disabled_at.is_(None),
        )
        return connection.execute(query).first() is not None

    def _is(self, user_id: int) -> sa.ColumnElement[bool]:
        return sa.and_(users.c.id == user_id, users.c.workspace_id == self._workspace_id)

    def _select(self, which: sa.ColumnElement[bool]) -> list[User]:
        query = sa.select(*_USER).where(users.c.workspace_id == self._workspace_id, which)
        with self._database.read() as connection:
            return [_user(row) for row in connection.execute(query.order_by(users.c.email_key))]


class SessionStore:
    """Keeps who is signed in, by the hash of what their browser holds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, digest: str, user_id: int, now: float) -> None:
        """Begin a session."""
        with self._database.transaction("session.open") as connection:
            connection.execute(
                sessions.insert().values(hash=digest, user_id=user_id, created_at=now, seen_at=now)
            )

    def find(self, digest: str) -> Session | None:
        """Return the session of a hash."""
        query = sa.select(sessions.c.user_id, sessions.c.created_at, sessions.c.seen_at)
        with self._database.read() as connection:
            row = connection.execute(query.where(sessions.c.hash == digest)).one_or_none()
        return Session(row.user_id, row.created_at, row.seen_at) if row else None

    def touch(self, digest: str, now: float) -> None:
        """Note that a session is in use."""
        with self._database.transaction("session.touch") as connection:
            connection.execute(
                sessions.update().where(sessions.c.hash == digest).values(seen_at=now)
            )

    def close(self, digest: str) -> None:
        """End a session."""
        with self._database.transaction("session.close") as connection:
            connection.execute(sessions.delete().where(sessions.c.hash == digest))

    def close_all(self, user_id: int) -> None:
        """End all sessions of a user."""
        with self._database.transaction("session.close") as connection:
            connection.execute(sessions.delete().where(sessions.c.user_id == user_id))

    def forget(self, begun_before: float, seen_before: float) -> None:
        """Delete sessions that are over."""
        over = sa.or_(sessions.c.created_at < begun_before, sessions.c.seen_at < seen_before)
        with self._database.transaction("session.forget") as connection:
            connection.execute(sessions.delete().where(over))


class TokenStore:
    """Keeps API tokens by hash."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, token: Token, digest: str) -> Token:
        """Add a token under the hash of its secret; returns it with its id."""
        values = {
            "user_id": token.user_id,
            "name": token.name,
            "hash": digest,
            "rights": json.dumps(sorted(token.rights)),
            "created_at": token.created_at,
            "expires_at": token.expires_at,
        }
        with self._database.transaction("token.create") as connection:
            row = connection.execute(tokens.insert().values(values).returning(*_TOKEN)).one()
            return _token(row)

    def of(self, user_ids: Collection[int]) -> list[Token]:
        """Return the tokens of some users, the newest first."""
        query = sa.select(*_TOKEN).where(tokens.c.user_id.in_(user_ids))
        with self._database.read() as connection:
            return [_token(row) for row in connection.execute(query.order_by(tokens.c.id.desc()))]

    def find(self, digest: str) -> Token | None:
        """Return the token of a hash."""
        query = sa.select(*_TOKEN).where(tokens.c.hash == digest)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return _token(row) if row else None

    def touch(self, token_id: int, now: float) -> None:
        """Note that a token was used."""
        self._change("token.touch", token_id, seen_at=now)

    def revoke(self, token_id: int, now: float) -> None:
        """Make a token void for good."""
        self._change("token.revoke", token_id, revoked_at=now)

    def _change(self, name: str, token_id: int, **values: float) -> None:
        with self._database.transaction(name) as connection:
            connection.execute(tokens.update().where(tokens.c.id == token_id).values(values))


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to sign in: where it is noted, or until when none is allowed."""

    noted: Sequence[int] = ()
    closed_until: float = 0.0


class FailureStore:
    """Counts failed logins, so that guessing gets slow."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def attempt(self, limits: Sequence[tuple[str, int]], now: float, seconds: float) -> Attempt:
        """Note an attempt as failed, so that others that go on at once count it.

        Where one of `limits` has failed as often as it may within some seconds, nothing is noted.
        What is older, or of a clock that went wrong, is forgotten; an attempt that began later may
        have been noted first.
        """
        at = login_failures.c.at
        with self._database.transaction("login.attempt", alone=True) as connection:
            recent = at.between(now - seconds, now + seconds)
            connection.execute(login_failures.delete().where(~recent))
            for who, most in limits:
                query = sa.select(at).where(login_failures.c.who == who).order_by(at)
                failed = list(connection.scalars(query))
                if len(failed) >= most:
                    return Attempt(closed_until=min(failed[-most], now) + seconds)
            rows = [{"who": who, "at": now} for who, _ in limits]
            noted = login_failures.insert().returning(login_failures.c.id)
            return Attempt(list(connection.scalars(noted, rows)))

    def forgive(self, attempt: Attempt, who: str) -> None:
        """Forget an attempt that went well, and all failures of its account."""
        mine = sa.or_(login_failures.c.who == who, login_failures.c.id.in_(attempt.noted))
        with self._database.transaction("login.succeeded") as connection:
            connection.execute(login_failures.delete().where(mine))


def _user(row: Any) -> User:
    return User(row.id, row.email, Role(row.role), row.created_at, row.disabled_at, row.version)


def _token(row: Any) -> Token:
    values = dict(row._mapping)  # noqa: SLF001
    return Token(**values | {"rights": frozenset(map(Right, json.loads(row.rights)))})
