"""API tokens: made by people who work here, for programs that speak for them."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from rowlift.core.clock import Clock
from rowlift.core.errors import AccessError, ConfigError, StateError
from rowlift.core.rights import Right, rights_of
from rowlift.kit.passwords import digest, new_secret
from rowlift.operations.auditing import Audit
from rowlift.operations.callers import Caller
from rowlift.operations.home import Home
from rowlift.operations.signing_in import NOTED_SECONDS
from rowlift.state.users import Token, TokenStore, UserStore

PREFIX = "rlt_"  # lets a scanner of secrets find one
LONGEST_DAYS = 366


@dataclass(frozen=True, slots=True)
class NewToken:
    """An API token just made; its secret is shown this once."""

    token: Token
    secret: str


class Tokens:
    """Makes, lists and revokes API tokens, and knows whom one speaks for."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._users = UserStore(home.store.database, home.workspace_id)
        self._tokens = TokenStore(home.store.database)
        self._audit = Audit(home, clock)
        self._clock = clock
        self._viewers_see_values = home.project.workspace.viewers_see_values

    def all(self, *, by: Caller) -> list[Token]:
        """Return the caller's tokens, the newest first; an admin's list has everybody's."""
        everybody = [user.id for user in self._users.all()]
        mine = [one for one in everybody if one == by.user_id]
        return self._tokens.of(everybody if Right.ADMIN in by.rights else mine)

    def create(self, name: str, rights: Collection[Right], *, days: int, by: Caller) -> NewToken:
        """Make a token of the caller's that may do no more than the caller.

        No token makes another one, which would outlive it. Raises AccessError RIGHT_MISSING and
        ConfigError VALUE_WRONG.
        """
        if by.is_program:
            raise AccessError(
                "RIGHT_MISSING", "An API token makes no other one.", mend="Sign in as its owner."
            )
        for right in rights:
            by.require(right)
        if not 1 <= days <= LONGEST_DAYS or not name.strip() or by.user_id is None or not rights:
            raise ConfigError(
                "VALUE_WRONG",
                f"A token needs a name, an owner, a right, and 1 to {LONGEST_DAYS} days.",
                mend="Give it all of them.",
            )
        secret, now = new_secret(PREFIX), self._now()
        token = self._tokens.create(
            Token(0, by.user_id, name.strip(), frozenset(rights), now, now + days * 86400),
            digest(secret),
        )
        self._audit.note(by, "token.create", token.name, after={"rights": sorted(rights)})
        return NewToken(token, secret)

    def revoke(self, token_id: int, *, by: Caller) -> None:
        """Make a token void; raises StateError NOT_FOUND where the caller may not see it."""
        mine = [token for token in self.all(by=by) if token.id == token_id]
        if not mine:
            raise StateError("NOT_FOUND", f"There is no token {token_id}.", mend="List them.")
        self._tokens.revoke(token_id, self._now())
        self._audit.note(by, "token.revoke", mine[0].name)

    def caller(self, secret: str, *, address: str = "") -> Caller:
        """Return whom a token speaks for; raises AccessError TOKEN_WRONG."""
        token, now = self._tokens.find(digest(secret)), self._now()
        users = {user.id: user for user in self._users.all() if user.disabled_at is None}
        user = users.get(token.user_id) if token else None
        if token is None or user is None or token.revoked_at or token.expires_at < now:
            raise AccessError(
                "TOKEN_WRONG",
                "The API token is unknown, expired or revoked.",
                mend="Make a new one.",
            )
        if (token.seen_at or 0) < now - NOTED_SECONDS:
            with suppress(StateError):  # on a full disk one may read
                self._tokens.touch(token.id, now)
        allowed = rights_of(user.role, viewers_see_values=self._viewers_see_values)
        name = f"{user.email} by token {token.name}"
        return Caller(name, address, allowed & token.rights, user.id, is_program=True)

    def _now(self) -> float:
        return self._clock.now().timestamp()
