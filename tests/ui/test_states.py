"""Every page in each of its states: of 100,000 people, of nothing, wrong, while a run goes on."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from tools.pagestates import (
    ACTS,
    EMPTY,
    ENTRANCES,
    ENV,
    FULL,
    PAGES,
    RUNNING,
    WRONG,
    began,
    furnished,
    is_going_on,
    played,
    routes,
    scheduled,
    walk,
)

from doors.api import PASSWORD, Api, served_by
from rowlift import Project
from rowlift.core.rights import Role
from rowlift.operations.callers import CONSOLE
from served import until
from ui.conftest import Reader
from ui.looks import broken, too_wide

Readers = Callable[..., Reader]

ENDS = (390, 1440)  # pixels


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """What was made for the addresses of the table."""
    return {}


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory,
    gate: tuple[str, threading.Event],
    made: dict[str, str],
) -> Iterator[Api]:
    """100,000 people, and a run that waits at the gate."""
    folder = tmp_path_factory.mktemp("states") / "acme"
    played(folder)

    def make() -> Project:
        return Project(folder, env=ENV)

    with make() as project, served_by(make) as url:
        access, password = project.access, PASSWORD.format("admin")
        admin = access.accounts.create_user("admin@example.com", Role.ADMIN, password, by=CONSOLE)
        access.accounts.admit("ann@example.com", Role.ADMIN, by=CONSOLE)
        session = access.sessions.sign_in(admin, address="127.0.0.1")
        made |= furnished(project, access.sessions.caller(session), gate[0])
        with scheduled(project):
            made["live"] = began(project)
            try:
                yield Api(url, project)
            finally:
                gate[1].set()


def test_every_page_has_its_states() -> None:
    assert {*PAGES, *ENTRANCES} == {*routes()}
    assert all(FULL in one for one in PAGES.values())
    assert {*ACTS} <= {route for route, one in PAGES.items() if WRONG in one}


def test_no_page_in_any_state_breaks_a_rule_of_accessibility_or_is_wider_than_its_window(
    readers: Readers, served: Api, made: Mapping[str, str], gate: tuple[str, threading.Event]
) -> None:
    reader, wrong = readers(), []
    for route, state, path in walk((RUNNING, FULL, EMPTY, WRONG)):
        if state != RUNNING and not gate[1].is_set():
            gate[1].set()
            until(lambda: not is_going_on(served.project))
        page = reader.see(path.format(**made))
        if state == WRONG and (act := ACTS.get(route)):
            act.on(page)
        else:
            assert _is_told(_twin(reader, path.format(**made)), route, state), (route, state)
        name = f"{route}, {state}"
        wrong += [*broken(page, name), *too_wide(page, name, ENDS)]
    assert not wrong, "\n".join(map(str, wrong))


def _twin(reader: Reader, path: str) -> dict[str, Any]:
    """What a page tells programs."""
    answer = reader.page.request.get(path, headers={"accept": "application/json"})
    told: dict[str, Any] = answer.json()
    return told


def _is_told(twin: Mapping[str, Any], route: str, state: str) -> bool:
    """Tell whether the twin of a page is in the state that the page is looked at in."""
    if state == EMPTY:
        return not twin.get("items") and not twin.get("syncs") and not twin.get("findings")
    if state == RUNNING and "run" in twin:
        return any(one["status"] == "Running" for one in twin["run"]["deliveries"])
    return state != FULL or "code" not in twin or route == "/codes/{code}"
