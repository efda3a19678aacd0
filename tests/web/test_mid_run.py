"""A sync that is paused, edited and deleted while its run is under way, by each hand."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import rowlift
from doors.api import serving
from doors.cli import CliResult, run_cli
from rowlift.core.nouns import Status
from rowlift.core.rights import Role
from rowlift.operations.opening import found
from rowlift.state.definitions import Author
from rowlift.testing.clock import QuickClock
from served import Gate, served, until
from world import World

TEAM = "SELECT user_id, plan FROM people WHERE plan = 'team'"


class Hand(ABC):
    """What somebody does to the sync by one door."""

    def __init__(self, world: World) -> None:
        self.world = world

    @abstractmethod
    def pause(self, *, paused: bool) -> None: ...

    @abstractmethod
    def refuses_to_run(self) -> bool: ...

    @abstractmethod
    def edit(self) -> None: ...

    @abstractmethod
    def delete(self) -> None: ...


class ByFiles(Hand):
    """The command line, and files."""

    def __init__(self, world: World, cli: Callable[..., CliResult]) -> None:
        super().__init__(world)
        self._cli = cli

    def pause(self, *, paused: bool) -> None:
        done = self._cli("pause" if paused else "resume", "people")
        assert done.code == 0, done

    def refuses_to_run(self) -> bool:
        done = self._cli("trigger", "people")
        return done.code == 4 and "PAUSED" in done.stderr

    def edit(self) -> None:
        self.world.sync["sql"] = TEAM
        self.world.save()

    def delete(self) -> None:
        (self.world.folder / "syncs" / "people.yml").unlink()


class OverHttp(Hand):
    """The API, and definitions that are kept in the state."""

    def __init__(self, world: World, api: Any) -> None:
        super().__init__(world)
        self._api = api
        shop = {"name": "shop", "document": {"type": "files", "root": "data"}}
        crm = {"name": "crm", "document": {"type": "sandbox", "path": str(world.log())}}
        self._sync = {key: value for key, value in world.sync.items() if key != "sync"}
        self._sync |= {"destinations": [world.use]}
        sync = {"name": "people", "document": self._sync}
        for kind, made in (("source", shop), ("destination", crm), ("sync", sync)):
            assert api.post(f"/definitions/{kind}", json=made).status_code == 201

    def pause(self, *, paused: bool) -> None:
        self._api.put("/syncs/people/paused", json={"paused": paused}).raise_for_status()

    def refuses_to_run(self) -> bool:
        answer = self._api.post("/syncs/people/runs", json={})
        return (answer.status_code, answer.json()["code"]) == (409, "PAUSED")

    def edit(self) -> None:
        document = {"document": self._sync | {"sql": TEAM}}
        path, tag = "/definitions/sync/people", {"if-match": '"1"'}
        self._api.put(path, json=document, headers=tag).raise_for_status()

    def delete(self) -> None:
        path, tag = "/definitions/sync/people", {"if-match": '"2"'}
        self._api.delete(path, headers=tag).raise_for_status()


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "acme")
    made.sync["workspace"] = "write"
    made.rows(("u1", "free"), ("u2", "team"), ("u3", "team"))
    return made


@pytest.mark.door("cli")
def test_F63_a_sync_is_paused_edited_and_deleted_while_it_runs(world: World) -> None:
    world.save()
    live_through(ByFiles(world, partial(run_cli, cwd=world.folder)))


@pytest.mark.door("api")
def test_F63_a_sync_is_paused_edited_and_deleted_over_http_while_it_runs(world: World) -> None:
    found(world.folder, {}, "acme", Author("console", "cli"))
    with serving(world.folder) as api, api.as_user(Role.ADMIN) as admin:
        live_through(OverHttp(world, admin))


def live_through(hand: Hand) -> None:
    """Pause and edit the sync in its first run, let it go on, and delete it in its second one."""
    world = hand.world
    gate, clock = Gate(), QuickClock()
    with (
        served(rowlift.Project(world.folder, env={}, clock=clock, progress=gate)),
        rowlift.Project(world.folder, env={}) as project,
    ):
        until(project.service.status)
        project.service.trigger(["people"])
        with gate.holding():
            hand.pause(paused=True)
            hand.edit()
            assert hand.refuses_to_run()
        until(lambda: project.runs()[0].status is Status.COMPLETED)
        (run,) = project.runs()
        assert run.counts["read"] == 3, "as it began"
        assert [one.status for one in run.deliveries] == [Status.QUEUED]
        assert world.applied() == {}, "what is due waits for a sync that is paused"
        hand.pause(paused=False)
        until(lambda: len(world.applied()) == 3)

        clock.sleep(10)  # after which files are looked at again
        project.refresh()
        project.service.trigger(["people"])
        with gate.holding():
            assert project.runs()[0].counts["read"] == 2, "as it was edited"
            hand.delete()
            clock.sleep(10)
            until(lambda: project.watch.home.run(2).cancelled_by)
        until(lambda: project.runs()[0].status is Status.CANCELLED)
        assert "by the deletion of its sync" in project.runs()[0].reason
        assert {person.id for person in project.people()} == {"u1", "u2", "u3"}
    assert len(world.applied()) == 3
