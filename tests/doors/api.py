"""The HTTP door: a served project, and clients that ask it over a socket."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

import rowlift
from rowlift.core.clock import Clock
from rowlift.core.rights import Right, Role
from rowlift.operations.callers import CONSOLE
from rowlift.web.app import application
from rowlift.web.office import Office
from rowlift.web.rights import COOKIE, csrf_token
from rowlift.web.server import GRACE_SECONDS, HttpServer

PASSWORD = "a sentence of {}'s own"


class Api:
    """A served project; `as_user` and `by_token` are clients of its JSON API."""

    def __init__(self, url: str, project: rowlift.Project) -> None:
        self.url = url
        self.project = project
        self.base = f"{url}/api/v1"

    def anybody(self, **given: Any) -> httpx.Client:
        """Somebody who has not signed in, and loads no authorities to speak plain HTTP."""
        return httpx.Client(base_url=self.base, trust_env=False, verify=False, timeout=60, **given)

    def with_password(self, role: Role) -> dict[str, str]:
        """Make the user of a role; returns what they sign in with."""
        who = {"email": _email(role), "password": PASSWORD.format(role.value)}
        self.project.access.accounts.create_user(who["email"], role, who["password"], by=CONSOLE)
        return who

    def as_user(self, role: Role) -> httpx.Client:
        """A user of a role in a browser, signed in elsewhere: a password's hash is dear.

        Unless there is one, the user is made.
        """
        access = self.project.access
        known = {user.email: user for user in access.accounts.users()}
        user = known.get(_email(role)) or access.accounts.admit(_email(role), role, by=CONSOLE)
        session = access.sessions.sign_in(user, address="127.0.0.1")
        return self.anybody(
            cookies={COOKIE: session}, headers={"x-csrf-token": csrf_token(session)}
        )

    def by_token(self, role: Role, rights: Sequence[Right]) -> httpx.Client:
        """A program that speaks for a user."""
        with self.as_user(role) as user:
            wanted = {"name": "test", "rights": list(rights)}
            made = user.post("/tokens", json=wanted).raise_for_status().json()
        return self.anybody(headers={"authorization": f"Bearer {made['secret']}"})


def _email(role: Role) -> str:
    return f"{role.value}@example.com"


@contextmanager
def serving(
    folder: Path, clock: Clock | None = None, grace: float = GRACE_SECONDS, **env: str
) -> Iterator[Api]:
    """Serve a project folder on a free port of the loopback."""

    def make() -> rowlift.Project:
        return rowlift.Project(folder, clock=clock, env=env)

    with served_by(make, grace) as url, make() as project:
        yield Api(url, project)


@contextmanager
def served_by(make: Callable[[], Any], grace: float = GRACE_SECONDS) -> Iterator[str]:
    """Serve what a function opens; yields the address."""
    with HttpServer(application(Office(make)), grace=grace) as server:
        yield server.url
