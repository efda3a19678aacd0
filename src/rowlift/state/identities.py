"""Whom an issuer vouches for, and logins that are on their way there and back."""

from dataclasses import asdict, dataclass

import sqlalchemy as sa

from rowlift.core.rights import Role
from rowlift.db import Database
from rowlift.state.accounts_tables import identities, logins, users


@dataclass(frozen=True, slots=True)
class Login:
    """A login that somebody began; `hash` is of the state that must come back."""

    hash: str
    nonce: str
    verifier: str
    redirect_uri: str
    next: str
    begun_at: float


class LoginStore:
    """Keeps begun logins, each to be ended once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, login: Login, oldest: float) -> None:
        """Keep a login, and forget those that began before a moment."""
        with self._database.transaction("login.begin") as connection:
            connection.execute(logins.delete().where(logins.c.begun_at < oldest))
            connection.execute(logins.insert().values(asdict(login)))

    def take(self, digest: str, oldest: float) -> Login | None:
        """Return a login for the one time that it may end, None where there is no such."""
        taken = logins.delete().where(logins.c.hash == digest).returning(*logins.c)
        with self._database.transaction("login.take") as connection:
            row = connection.execute(taken).one_or_none()
        if row is None or row.begun_at < oldest:
            return None
        return Login(**dict(row._mapping))  # noqa: SLF001


class IdentityStore:
    """Keeps which user of a workspace an issuer's subject is."""

    def __init__(self, database: Database, workspace_id: int) -> None:
        self._database = database
        self._workspace_id = workspace_id

    def user_id(self, issuer: str, subject: str) -> int | None:
        """Return the user that a subject is known as."""
        query = sa.select(identities.c.user_id).where(
            identities.c.issuer == issuer,
            identities.c.subject == subject,
            identities.c.workspace_id == self._workspace_id,
        )
        with self._database.read() as connection:
            return connection.scalar(query)

    def add(self, issuer: str, subject: str, user_id: int, now: float) -> bool:
        """Know a user as a subject; False where they are another one of that issuer's already."""
        mine = (identities.c.issuer == issuer, identities.c.user_id == user_id)
        row = {
            "issuer": issuer, "subject": subject, "workspace_id": self._workspace_id,
            "user_id": user_id, "created_at": now,
        }  # fmt: skip
        with self._database.transaction("identity.add", alone=True) as connection:
            known = connection.scalar(sa.select(identities.c.subject).where(*mine))
            if known is None:
                connection.execute(identities.insert().values(row))
        return known in (None, subject)

    def has_admin(self) -> bool:
        """Tell whether an issuer vouches for an admin who is let in."""
        query = sa.select(users.c.id).where(
            users.c.workspace_id == self._workspace_id,
            users.c.role == Role.ADMIN.value,
            users.c.disabled_at.is_(None),
            users.c.id.in_(sa.select(identities.c.user_id)),
        )
        with self._database.read() as connection:
            return connection.execute(query).first() is not None
