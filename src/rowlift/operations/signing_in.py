"""Sessions of people who work here: from a password to who is asking."""

from contextlib import suppress

from rowlift.core.clock import Clock
from rowlift.core.errors import AccessError, StateError
from rowlift.core.rights import rights_of
from rowlift.kit.passwords import digest, hashed, is_dated, matches, new_secret
from rowlift.operations.auditing import Audit
from rowlift.operations.callers import Caller, signed_out
from rowlift.operations.home import Home
from rowlift.operations.throttling import Throttle
from rowlift.operations.vouching import is_local_login_off
from rowlift.state.identities import IdentityStore
from rowlift.state.users import SessionStore, User, UserStore

IDLE_SECONDS = 12 * 3600
LONGEST_SECONDS = 7 * 86400
NOTED_SECONDS = 60  # between two notes that a session or a token is in use


class Sessions:
    """Begins sessions, knows who holds one, and ends them."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._users = UserStore(home.store.database, home.workspace_id)
        self._identities = IdentityStore(home.store.database, home.workspace_id)
        self._env = home.env.outer
        self._sessions = SessionStore(home.store.database)
        self._throttle = Throttle(home, clock)
        self._audit = Audit(home, clock)
        self._clock = clock
        self._viewers_see_values = home.project.workspace.viewers_see_values

    def login(self, email: str, password: str, *, address: str = "") -> str:
        """Return the secret of a new session; raises AccessError LOGIN_WRONG or LOGIN_THROTTLED.

        Unknown addresses get the same answer after the same time. Where passwords are off, and an
        admin signs in through the issuer, it raises LOCAL_LOGIN_OFF.
        """
        if is_local_login_off(self._env) and self._identities.has_admin():
            raise AccessError(
                "LOCAL_LOGIN_OFF",
                "Passwords are off here.",
                mend="Sign in through the issuer: GET /api/v1/oidc/login.",
            )
        attempt = self._throttle.attempt(email, address)
        user = self._users.by_email(email)
        known = self._users.password(user.id) if user and user.disabled_at is None else ""
        if not matches(known, password) or user is None:
            self._audit.note(Caller(email, address, frozenset()), "login.failed")
            raise AccessError(
                "LOGIN_WRONG", "The address or the password is wrong.", mend="Try again."
            )
        self._throttle.succeeded(attempt, email)
        if is_dated(known):
            self._users.rehash(user.id, hashed(password, user.email))
        return self.sign_in(user, address=address)

    def sign_in(self, user: User, *, address: str = "") -> str:
        """Return the secret of a new session of somebody whose identity was proven."""
        now, secret = self._now(), new_secret()
        self._sessions.forget(now - LONGEST_SECONDS, now - IDLE_SECONDS)
        self._sessions.open(digest(secret), user.id, now)
        self._audit.note(Caller(user.email, address, frozenset()), "login")
        return secret

    def caller(self, secret: str, *, address: str = "") -> Caller:
        """Return who holds a session; raises AccessError SIGNED_OUT."""
        found, now = self._sessions.find(digest(secret)), self._now()
        if (
            found is None
            or found.seen_at < now - IDLE_SECONDS
            or found.created_at < now - LONGEST_SECONDS
        ):
            raise signed_out()
        user = self._users.find(found.user_id)
        # Another workspace's, or disabled while the session was being opened.
        if user is None or user.disabled_at is not None:
            raise signed_out()
        if found.seen_at < now - NOTED_SECONDS:
            with suppress(StateError):  # on a full disk one may read
                self._sessions.touch(digest(secret), now)
        rights = rights_of(user.role, viewers_see_values=self._viewers_see_values)
        return Caller(user.email, address, rights, user.id, secret)

    def logout(self, caller: Caller) -> None:
        """End the caller's session."""
        self._sessions.close(digest(caller.session))
        self._audit.note(caller, "logout")

    def end(self, user_id: int, *, by: Caller) -> None:
        """End all sessions of a user; raises StateError NOT_FOUND."""
        user = self._users.get(user_id)
        self._sessions.close_all(user.id)
        self._audit.note(by, "session.end", user.email)

    def _now(self) -> float:
        return self._clock.now().timestamp()
