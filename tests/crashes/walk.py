"""Walk every point that an unkilled run passes: kill there, start again, compare everything."""

import shutil
import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from zlib import crc32

from crashes.checker import check
from crashes.child import KILLED, failure, in_child
from crashes.story import STEPS, Scenario, run_twice, write_project
from rowlift.core import faults
from servers import PostgresDatabase, PostgresServer

# Points with nothing between them and another one: dying there is dying at the other.
SAME_MOMENT = {
    "file.before_write": "file.announce.after_commit",
    "fake.before_send": "deliver.before_send",
    "fake.after_send": "deliver.after_send",
}

# How many commits write batches down depends on which replies come together.
BY_THE_CLOCK = "heartbeat."  # passed in a thread of its own, as often as a step is slow
UNSTEADY = frozenset({"delivery.batch.before_commit", "delivery.batch.after_commit"})


@dataclass(frozen=True, slots=True)
class Place:
    """One copy of a project, and its state database if that is a server's."""

    folder: Path
    url: str | None
    database: str | None


class Places:
    """Copies of prepared projects: a folder, and a database made from a template."""

    def __init__(self, root: Path, server: PostgresServer | None) -> None:
        self._root = root
        self._server = server
        self._made: list[str] = []
        self._after: dict[tuple[str, ...], Place] = {}

    def after(self, steps: tuple[str, ...]) -> Place:
        """Return the project as some steps leave it: a template, made once."""
        if steps not in self._after:
            place = self.copy(self.after(steps[:-1])) if steps else self.fresh()
            for step in steps[-1:]:
                STEPS[step](place.folder, place.url)
            self._after[steps] = place
        return self._after[steps]

    def fresh(self) -> Place:
        folder = self._root / uuid.uuid4().hex[:8] / "acme"
        write_project(folder)
        return self._place(folder, None)

    def copy(self, template: Place) -> Place:
        folder = self._root / uuid.uuid4().hex[:8] / "acme"
        shutil.copytree(template.folder, folder)
        return self._place(folder, template.database)

    def _place(self, folder: Path, template: str | None) -> Place:
        if self._server is None:
            return Place(folder, None, None)
        name = f"walk_{uuid.uuid4().hex[:12]}"
        like = f" TEMPLATE {template}" if template else ""
        with self._server.connect() as admin:
            admin.execute(f"CREATE DATABASE {name}{like}".encode())
        self._made.append(name)
        found = PostgresDatabase(self._server, name)
        return Place(folder, found.url, name)

    def drop(self, place: Place) -> None:
        shutil.rmtree(place.folder.parent)
        if self._server and place.database:
            self._made.remove(place.database)
            self._server.drop_database(place.database)

    def close(self) -> None:
        for name in self._made if self._server else ():
            self._server.drop_database(name)


def prepare(places: Places, scenario: Scenario) -> Place:
    """Bring a project to where the scenario's step begins."""
    place = places.copy(places.after(scenario.before))
    scenario.shop_before(place.folder)
    if scenario.first_kill:
        code = in_child("run", place.folder, place.url, spec=f"{scenario.first_kill}:kill")
        assert code == KILLED, f"{scenario.first_kill}: {failure(place.folder, code)}"
    return place


@dataclass(frozen=True, slots=True)
class Route:
    """A scenario, where its step begins, and every point that the unkilled step passes.

    `passed` has the names, `points` each place to be killed at as name:occurrence, in their order.
    """

    scenario: Scenario
    template: Place
    passed: tuple[str, ...]
    points: tuple[str, ...]


def explore(places: Places, scenario: Scenario) -> Route:
    """Prepare a scenario and let its step pass unkilled."""
    template = prepare(places, scenario)
    place = places.copy(template)
    names = _passed(scenario, place)
    places.drop(place)
    return Route(scenario, template, names, tuple(_points(scenario, names)))


def _passed(scenario: Scenario, place: Place) -> tuple[str, ...]:
    recorded = place.folder / "points"
    faults.arm(record=str(recorded))
    try:
        STEPS[scenario.act](place.folder, place.url)
    finally:
        faults.arm()
    names = recorded.read_text().splitlines()
    return tuple(name for name in names if not name.startswith(BY_THE_CLOCK))


def _points(scenario: Scenario, names: Sequence[str]) -> Iterator[str]:
    """Of points that are one moment take one, and of `only` a few the first occurrence of those."""
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        if name not in SAME_MOMENT and (not scenario.only or _is_wanted(scenario, name, seen)):
            yield f"{name}:{seen[name]}"
        if name == scenario.until:
            break


def _is_wanted(scenario: Scenario, name: str, seen: Counter[str]) -> bool:
    return name in scenario.only and seen[name] == 1


@dataclass(slots=True)
class Walked:
    """What a walk did."""

    killed: Counter[str] = field(default_factory=Counter)
    unreached: list[str] = field(default_factory=list)
    extra: int = 0


Stop = tuple[Route, str]


def outline(routes: Sequence[Route], always: Collection[str], turn: int) -> list[Stop]:
    """Return the first and last place of half of the named points, and of those that are `always`.

    A place is on the first route that has its point; turns 0 and 1 have every point between them.
    """
    owners: dict[str, Route] = {}
    ends: dict[str, list[str]] = {}
    for route in routes:
        for point in route.points:
            name = point.partition(":")[0]
            if owners.setdefault(name, route) is route:
                ends[name] = [ends.get(name, [point])[0], point]
    names = [name for name in ends if name in always or crc32(name.encode()) % 2 == turn]
    return [(owners[name], point) for name in names for point in dict.fromkeys(ends[name])]


def sample(routes: Sequence[Route], chance: Random) -> list[Stop]:
    """Return one place of each route, drawn by chance."""
    return [(route, chance.choice(route.points)) for route in routes]


def walk(places: Places, stops: Sequence[Stop]) -> Walked:
    """Kill at each of the stops in turn, start again, and check."""
    walked = Walked()
    for route, point in stops:
        scenario = route.scenario
        place = places.copy(route.template)
        _kill(scenario, point, place, walked)
        kills = 1 + bool(scenario.first_kill)
        try:
            run_twice(place.folder, place.url)
            found = check(place.folder, place.url, poisoned=scenario.poisoned, kills=kills)
        except Exception as error:
            error.add_note(f"killed at {point} of: {scenario.name}; left in {place.folder}")
            raise
        walked.extra += found.extra_deliveries
        places.drop(place)
    return walked


def _kill(scenario: Scenario, point: str, place: Place, walked: Walked) -> None:
    code = in_child(scenario.act, place.folder, place.url, spec=f"{point}:kill")
    name = point.partition(":")[0]
    if code == KILLED:
        walked.killed[name] += 1
    else:
        assert code == 0, failure(place.folder, code)
        assert name in UNSTEADY, f"{point} was recorded and not passed again"
        walked.unreached.append(point)
    scenario.shop_after_kill(place.folder)
