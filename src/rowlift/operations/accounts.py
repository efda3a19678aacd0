"""People who work here: the first admin, the others, and their roles."""

import secrets
from dataclasses import dataclass
from typing import Any

from rowlift.core.clock import Clock
from rowlift.core.digits import IN_64_BITS, number_of
from rowlift.core.errors import AccessError, ConfigError
from rowlift.core.rfc5322 import EmailNotValidError, validate_email
from rowlift.core.rights import Role
from rowlift.kit.passwords import digest, hashed, new_secret
from rowlift.operations.auditing import Audit
from rowlift.operations.callers import Caller
from rowlift.operations.home import Home
from rowlift.operations.throttling import Throttle
from rowlift.state.drafts import DraftStore
from rowlift.state.users import User, UserStore

INVITED_SECONDS = 7 * 86_400
_SETUP = "the one-time code"


@dataclass(frozen=True, slots=True)
class Invitation:
    """Somebody who may choose a password once, with a code that is told this once.

    `until` is in Unix seconds.
    """

    user: User
    code: str
    until: float


class Accounts:
    """What can be done with the users of one workspace."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._store = home.store
        self._users = UserStore(home.store.database, home.workspace_id)
        self._drafts = DraftStore(home.store.database, home.workspace_id)
        self._throttle = Throttle(home, clock)
        self._audit = Audit(home, clock)
        self._clock = clock
        self._setup_key = f"setup_code:{home.workspace_id}"

    @property
    def is_set_up(self) -> bool:
        """Tell whether there is a user already."""
        return bool(self._users.all())

    def setup_code(self) -> str | None:
        """Return a new one-time code for the first admin, or None when there is one already."""
        if self.is_set_up:
            return None
        code = "-".join(secrets.token_hex(2) for _ in range(5))
        self._store.remember(self._setup_key, digest(code))
        return code

    def set_up(self, code: str, email: str, password: str, *, address: str = "") -> User:
        """Make the first admin; the code is spent with it.

        Raises AccessError SETUP_CLOSED, SETUP_CODE_WRONG, LOGIN_THROTTLED or PASSWORD_WEAK, and
        ConfigError VALUE_WRONG.
        """
        if self.is_set_up:
            raise _closed()
        attempt = self._throttle.attempt(_SETUP, address)
        if not secrets.compare_digest(self._store.recall(self._setup_key), digest(code.strip())):
            raise AccessError(
                "SETUP_CODE_WRONG",
                "This is not the one-time code.",
                mend="Use the code that rowlift serve printed last.",
            )
        self._throttle.succeeded(attempt, _SETUP)
        name = _address(email)
        user = self._users.create(
            name, Role.ADMIN, hashed(password, name), self._now(), only_first=True
        )
        if user is None:
            raise _closed()
        self._store.remember(self._setup_key, "")
        by = Caller(user.email, address, frozenset())
        self._audit.note(by, "user.create", user.email, after=_shown(user))
        return user

    def users(self) -> list[User]:
        """Return the users by address, those who are disabled too."""
        return self._users.all()

    def user(self, user_id: int) -> User:
        """Return one user; raises StateError NOT_FOUND."""
        return self._users.get(user_id)

    def create_user(self, email: str, role: Role, password: str, *, by: Caller) -> User:
        """Add a user; raises AccessError USER_EXISTS or PASSWORD_WEAK, ConfigError VALUE_WRONG."""
        name = _address(email)
        return self._create(name, role, hashed(password, name), by)

    def invite(self, email: str, role: Role, *, by: Caller) -> Invitation:
        """Add a user who chooses a password within a week; raises as `create_user` does.

        Who was invited before and has chosen none yet gets a new code, the old one is void.
        """
        name = _address(email)
        known = self._users.by_email(name)
        if known and not self._users.password(known.id) and self._invited(known.id):
            user = known
            if user.role is not role:
                user = self.change_user(user.id, role=role, by=by)
        else:
            user = self._create(name, role, "", by)
        secret, until = new_secret(), self._now() + INVITED_SECONDS
        self._store.remember(_invitation(user.id), f"{digest(secret)} {until}")
        self._audit.note(by, "user.invite", user.email)
        return Invitation(user, f"{user.id}-{secret}", until)

    def accept(self, code: str, password: str, *, address: str = "") -> User:
        """Let somebody choose a password who was invited; the code is spent with it.

        Raises AccessError INVITATION_WRONG, LOGIN_THROTTLED or PASSWORD_WEAK.
        """
        number, _, secret = code.strip().partition("-")
        user_id = number_of(number, IN_64_BITS) or 0
        attempt = self._throttle.attempt(f"invitation {user_id}", address)
        kept, _, until = self._invited(user_id).partition(" ")
        if not secrets.compare_digest(kept, digest(secret)) or float(until) < self._now():
            raise AccessError(
                "INVITATION_WRONG",
                "This invitation is wrong, used or over.",
                mend="Ask an admin for a new one.",
            )
        self._throttle.succeeded(attempt, f"invitation {user_id}")
        user = self._users.get(user_id)
        changed = self._users.change(user_id, None, password=hashed(password, user.email))
        self._store.remember(_invitation(user_id), "")
        by = Caller(user.email, address, frozenset())
        self._audit.note(by, "user.accept", user.email)
        return changed

    def _invited(self, user_id: int) -> str:
        return self._store.recall(_invitation(user_id)) or ""

    def admit(self, email: str, role: Role, *, by: Caller) -> User:
        """Add a user without a password, who signs in elsewhere; raises as `create_user` does."""
        return self._create(_address(email), role, "", by)

    def _create(self, name: str, role: Role, password: str, by: Caller) -> User:
        user = self._users.create(name, role, password, self._now())
        if user is None:
            raise AccessError(
                "USER_EXISTS",
                f"There is a user {name} already.",
                mend="Change their role or password, or enable them again.",
            )
        self._audit.note(by, "user.create", user.email, after=_shown(user))
        return user

    def change_user(
        self,
        user_id: int,
        *,
        role: Role | None = None,
        disabled: bool | None = None,
        password: str | None = None,
        expected: int | None = None,
        by: Caller,
    ) -> User:
        """Change what is given of a user, if at the expected version; their sessions end.

        One who is disabled is let in no more, by password or token; their drafts pass to the admin
        who does it, or to the first one. Raises AccessError LAST_ADMIN
        or PASSWORD_WEAK, GuardStop EDIT_CONFLICT, and StateError NOT_FOUND.
        """
        before = self._users.get(user_id)
        values: dict[str, object] = {}
        if role is not None:
            values["role"] = role.value
        if disabled is not None:
            values["disabled_at"] = (before.disabled_at or self._now()) if disabled else None
        if password is not None:
            values["password"] = hashed(password, before.email)
        if not values:
            return before
        after = self._users.change(user_id, expected, **values)
        if disabled:
            self._drafts.pass_on(user_id, self._heir(user_id, by))
        new = {"password": "changed"} if password is not None else {}
        self._audit.note(
            by, "user.change", after.email, before=_shown(before), after=_shown(after) | new
        )
        return after

    def _heir(self, user_id: int, by: Caller) -> int:
        """Return the admin who gets what somebody leaves behind."""
        admins = [
            one.id
            for one in self._users.all()
            if one.role is Role.ADMIN and one.disabled_at is None and one.id != user_id
        ]
        mine = by.user_id or 0
        return mine if mine in admins else min(admins, default=0)

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _invitation(user_id: int) -> str:
    return f"invitation:{user_id}"


def _closed() -> AccessError:
    return AccessError("SETUP_CLOSED", "There are users already.", mend="Sign in.")


def _address(email: str) -> str:
    try:
        return validate_email(email, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise ConfigError(
            "VALUE_WRONG", f"This is no e-mail address: {error}", mend="Write it as name@host."
        ) from error


def _shown(user: User) -> dict[str, Any]:
    return {"role": user.role.value, "disabled": user.disabled_at is not None}
