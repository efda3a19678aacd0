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
from rowlift.web.server import HttpServer

PASSWORD = "a sentence of {}'s own"


class Api:
    """A served project; `as_user` and `by_token` are clients of its JSON API."""

    def __init__(self, url: str, project: rowlift.Project) -> None:
        self.url = url
        self.project = project
        self.base = f"{url}/api/v1"

    def anybody(self, **given: Any) -> httpx.Client:
        """Somebody who has not signed in."""
        return httpx.Client(base_url=self.base, trust_env=False, timeout=60, **given)

    def as_user(self, role: Role) -> httpx.Client:
        """A user of a role, made when first asked for, signed in as a browser is."""
        email = f"{role.value}@example.com"
        password = PASSWORD.format(role.value)
        if email not in {user.email for user in self.project.access.accounts.users()}:
            self.project.access.accounts.create_user(email, role, password, by=CONSOLE)
        with self.anybody() as client:
            client.post("/session", json={"email": email, "password": password}).raise_for_status()
            csrf = client.get("/session").json()["csrf"]
            return self.anybody(cookies=dict(client.cookies), headers={"x-csrf-token": csrf})

    def by_token(self, role: Role, rights: Sequence[Right]) -> httpx.Client:
        """A program that speaks for a user."""
        with self.as_user(role) as user:
            wanted = {"name": "test", "rights": list(rights)}
            made = user.post("/tokens", json=wanted).raise_for_status().json()
        return self.anybody(headers={"authorization": f"Bearer {made['secret']}"})


@contextmanager
def serving(folder: Path, clock: Clock | None = None, **env: str) -> Iterator[Api]:
    """Serve a project folder on a free port of the loopback."""

    def make() -> rowlift.Project:
        return rowlift.Project(folder, clock=clock, env=env)

    with served_by(make) as url, make() as project:
        yield Api(url, project)


@contextmanager
def served_by(make: Callable[[], Any]) -> Iterator[str]:
    """Serve what a function opens; yields the address."""
    with HttpServer(application(Office(make))) as server:
        yield server.url
