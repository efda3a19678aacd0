"""Signing in through an issuer: there, and back with its word for who somebody is."""

import re
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rowlift.core.clock import Clock
from rowlift.core.errors import AccessError, ConfigError
from rowlift.core.rights import Role
from rowlift.kit.drivers import load
from rowlift.kit.http import Http
from rowlift.kit.passwords import digest, new_secret
from rowlift.kit.proof import Proof
from rowlift.operations.accounts import Accounts
from rowlift.operations.auditing import Audit
from rowlift.operations.callers import Caller
from rowlift.operations.home import Home
from rowlift.operations.signing_in import Sessions
from rowlift.operations.vouching import Trust, Vouched, is_local_login_off, refused
from rowlift.state.identities import IdentityStore, Login, LoginStore
from rowlift.state.users import User, UserStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rowlift.kit.oidc import Issuer

SECONDS = 600  # from the beginning of a login to its end

# A path of ours, as a browser takes it: no host, no backslash, nothing that it drops.
_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")


def is_own_path(text: str) -> bool:
    """Tell whether a text is a path of this server, and can lead nowhere else."""
    return _OWN_PATH.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Ways:
    """How one can sign in."""

    password: bool
    issuer: bool


@dataclass(frozen=True, slots=True)
class Begun:
    """Where a browser goes to sign in; it brings `state` back, and holds it meanwhile."""

    url: str
    state: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session, and where its browser wanted to go."""

    session: str
    next: str


class SingleSignOn:
    """Lets people in whom the issuer of ROWLIFT_OIDC_ISSUER vouches for."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._env = home.env.outer
        self._users = UserStore(home.store.database, home.workspace_id)
        self._identities = IdentityStore(home.store.database, home.workspace_id)
        self._logins = LoginStore(home.store.database)
        self._accounts = Accounts(home, clock)
        self._sessions = Sessions(home, clock)
        self._audit = Audit(home, clock)
        self._clock = clock

    def ways(self) -> Ways:
        """Return how one can sign in."""
        is_off = is_local_login_off(self._env) and self._identities.has_admin()
        return Ways(password=not is_off, issuer=Trust.of(self._env) is not None)

    def start(self, next_path: str, redirect_uri: str) -> Begun:
        """Begin a login that ends at a path of ours.

        Raises AccessError LOGIN_REFUSED or ISSUER_UNREACHABLE, and ConfigError VALUE_WRONG.
        """
        if not is_own_path(next_path):
            raise ConfigError(
                "VALUE_WRONG", "This is no path of this server.", mend="Leave `next` out."
            )
        now, state = self._now(), new_secret()
        login = Login(
            digest(state), new_secret(), secrets.token_urlsafe(64), redirect_uri, next_path, now
        )
        with self._issuer(self._trust()) as issuer:
            url = issuer.login_url(_proof(login, state))
        self._logins.add(login, now - SECONDS)
        return Begun(url, state)

    def finish(self, state: str, held: str, code: str, *, address: str = "") -> SignedIn:
        """End a login, once, in the browser that began it.

        `held` is the state that the browser kept. Raises AccessError LOGIN_REFUSED, and
        ISSUER_UNREACHABLE.
        """
        try:
            user, login = self._vouched(state, held, code, address)
        except AccessError as error:
            self._audit.note(Caller("somebody", address, frozenset()), "login.refused", error.code)
            raise
        return SignedIn(self._sessions.sign_in(user, address=address), login.next)

    def logout(self, caller: Caller, back_to: str) -> str | None:
        """End the caller's session; return where the browser signs out at the issuer too."""
        self._sessions.logout(caller)
        trust = Trust.of(self._env)
        if trust is None:
            return None
        try:
            with self._issuer(trust) as issuer:
                return issuer.logout_url(back_to)
        except AccessError:  # the session has ended all the same
            return None

    def _vouched(self, state: str, held: str, code: str, address: str) -> tuple[User, Login]:
        now = self._now()
        login = self._logins.take(digest(state), now - SECONDS)
        if login is None or not secrets.compare_digest(digest(state), digest(held)):
            raise refused("This login was not begun in this browser, or is over.")
        trust = self._trust()
        with self._issuer(trust) as issuer:
            one = trust.judge(issuer.claims(code, _proof(login, state), now))
        user = self._user(trust, one, Caller(one.email, address, frozenset()))
        if user.disabled_at is not None:
            raise refused("This user is disabled.")
        if one.role not in (None, user.role):
            by = Caller(f"issuer of {user.email}", address, frozenset())
            user = self._accounts.change_user(user.id, role=one.role, by=by)
        return user, login

    def _user(self, trust: Trust, one: Vouched, by: Caller) -> User:
        """Return who a subject is here: by an earlier login, by address, or made just now."""
        known = self._identities.user_id(trust.issuer, one.subject)
        if known is not None:
            return self._users.get(known)
        user = self._users.by_email(one.email)
        if user is None:
            if not trust.new_users:
                raise refused("Nobody works here under this address.")
            user = self._accounts.admit(one.email, one.role or Role.VIEWER, by=by)
        if not self._identities.add(trust.issuer, one.subject, user.id, self._now()):
            raise refused("Somebody else of this issuer has this address here.")
        self._audit.note(by, "user.identity", user.email, after={"issuer": trust.issuer})
        return user

    def _trust(self) -> Trust:
        trust = Trust.of(self._env)
        if trust is None:
            raise refused("No issuer is trusted here.")
        return trust

    @contextmanager
    def _issuer(self, trust: Trust) -> "Iterator[Issuer]":
        module, http = load("rowlift.kit.oidc", extra="oidc"), Http(trust.networks)
        try:
            yield module.Issuer(
                trust.issuer, trust.client_id, trust.client_secret, trust.scope, http
            )
        finally:
            http.close()

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _proof(login: Login, state: str) -> Proof:
    return Proof(state, login.nonce, login.verifier, login.redirect_uri)
