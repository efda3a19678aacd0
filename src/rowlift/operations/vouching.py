"""What an issuer's word is worth: who is let in by it, as whom, with which role."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rowlift.core.errors import AccessError, ConfigError
from rowlift.core.rights import RIGHTS, Role

ISSUER = "ROWLIFT_OIDC_ISSUER"
CLIENT_ID = "ROWLIFT_OIDC_CLIENT_ID"
CLIENT_SECRET = "ROWLIFT_OIDC_CLIENT_SECRET"  # noqa: S105 - a name
NETWORKS = "ROWLIFT_OIDC_NETWORKS"
SCOPE = "ROWLIFT_OIDC_SCOPE"
CLAIM = "ROWLIFT_OIDC_GROUPS_CLAIM"
ROLES = "ROWLIFT_OIDC_ROLES"
DOMAINS = "ROWLIFT_OIDC_DOMAINS"
NEW_USERS = "ROWLIFT_OIDC_NEW_USERS"
LOCAL_LOGIN = "ROWLIFT_LOCAL_LOGIN"

ANYBODY = "*"


@dataclass(frozen=True, slots=True)
class Vouched:
    """Somebody whom the issuer vouches for; `role` is None where it has no say in that."""

    subject: str
    email: str
    role: Role | None


@dataclass(frozen=True, slots=True)
class Trust:
    """Which issuer is believed, and what.

    `roles` are by group, the group `*` being everybody; where there are some, whoever has none is
    kept out. With `domains` only addresses of theirs are let in; users are made with `new_users`.
    """

    issuer: str
    client_id: str
    client_secret: str
    networks: tuple[str, ...] = ()
    scope: str = ""
    claim: str = "groups"
    roles: Mapping[str, Role] | None = None
    domains: frozenset[str] = frozenset()
    new_users: bool = False

    @classmethod
    def of(cls, env: Mapping[str, str]) -> "Trust | None":
        """Read the settings of the service; None without an issuer. Raises ConfigError."""
        if not env.get(ISSUER):
            return None
        if not (env.get(CLIENT_ID) and env.get(CLIENT_SECRET)):
            raise _wrong(f"{ISSUER} is set, but not {CLIENT_ID} and {CLIENT_SECRET}.")
        return cls(
            env[ISSUER],
            env[CLIENT_ID],
            env[CLIENT_SECRET],
            networks=tuple(_words(env.get(NETWORKS, ""))),
            scope=env.get(SCOPE, ""),
            claim=env.get(CLAIM) or "groups",
            roles=_roles(env.get(ROLES, "")),
            domains=frozenset(one.lower() for one in _words(env.get(DOMAINS, ""))),
            new_users=_is_on(NEW_USERS, env.get(NEW_USERS, "off")),
        )

    def judge(self, claims: Mapping[str, Any]) -> Vouched:
        """Return whom claims speak of; raises AccessError LOGIN_REFUSED."""
        subject, email = claims.get("sub"), claims.get("email")
        if not (isinstance(subject, str) and subject and isinstance(email, str) and email):
            raise refused("The issuer tells no e-mail address.")
        if claims.get("email_verified") is not True:
            raise refused("The issuer has not verified the e-mail address.")
        if self.domains and email.rpartition("@")[2].lower() not in self.domains:
            raise refused("Addresses of this domain are not let in.")
        return Vouched(subject, email, self._role(claims.get(self.claim)))

    def _role(self, groups: object) -> Role | None:
        if self.roles is None:
            return None
        names = [groups] if isinstance(groups, str) else groups
        mine = {one for one in names if isinstance(one, str)} if isinstance(names, list) else set()
        found = [role for group, role in self.roles.items() if group in {*mine, ANYBODY}]
        if not found:
            raise refused("None of the groups is let in.")
        return max(found, key=lambda role: len(RIGHTS[role]))


def is_local_login_off(env: Mapping[str, str]) -> bool:
    """Tell whether passwords are to be of no use any more."""
    return not _is_on(LOCAL_LOGIN, env.get(LOCAL_LOGIN, "on"))


def refused(why: str) -> AccessError:
    """Return what is raised when somebody is not let in, though the issuer knows them."""
    return AccessError("LOGIN_REFUSED", why, mend="Ask an admin to let you in, then sign in again.")


def _roles(text: str) -> Mapping[str, Role] | None:
    """Read GROUP=ROLE, separated by commas; groups may hold spaces."""
    found = {}
    for one in filter(None, (part.strip() for part in text.split(","))):
        group, _, role = one.rpartition("=")
        if not group or role.strip() not in {*Role}:
            raise _wrong(f"{ROLES} is not GROUP=ROLE,GROUP=ROLE with viewer, editor and admin.")
        found[group.strip()] = Role(role.strip())
    return found or None


def _is_on(name: str, text: str) -> bool:
    if text not in {"on", "off"}:
        raise _wrong(f"{name} is neither on nor off.")
    return text == "on"


def _words(text: str) -> list[str]:
    return [one for one in re.split(r"[,\s]+", text) if one]


def _wrong(text: str) -> ConfigError:
    return ConfigError("VALUE_WRONG", text, mend="Correct it in the environment of the service.")
