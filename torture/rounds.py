"""Rounds of killing: at a random instant, or at the next of all points a run passes."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from crashes.checker import Expected, check_all, counted
from crashes.story import BATCH_ROWS, IN_FLIGHT
from rowlift.testing.fake import deliveries
from torture.arena import POISONED, Arena, Row, changed

MOST_KILLS = 3
AT_POINTS = 0.6  # the share of kills at points, the others are at random instants


@dataclass(frozen=True, slots=True)
class Limits:
    """When to stop: after so many seconds or, unless 0, rounds."""

    seed: int
    seconds: float
    rounds: int


@dataclass(slots=True)
class Score:
    """What was done to one combination and what came of it."""

    name: str
    rounds: int = 0
    kills: int = 0
    points: set[str] = field(default_factory=set)
    known_points: int = 0
    sent: int = 0
    repeated: int = 0
    lost: int = 0
    wrong: int = 0
    faults: list[str] = field(default_factory=list)

    def cells(self) -> tuple[str, ...]:
        """Return its line of the table."""
        points = f"{len(self.points)}/{self.known_points}"
        numbers = (self.rounds, self.kills, points, self.sent, self.repeated, self.lost, self.wrong)
        return (self.name, *(str(one) for one in numbers), str(len(self.faults)))


def torture(arena: Arena, limits: Limits) -> Score:
    """Go on until the time is over or something is wrong."""
    score = Score(arena.what.name)
    chance = random.Random(f"{limits.seed} {arena.what.name}")  # noqa: S311
    until = time.monotonic() + limits.seconds
    rows = changed([], chance)
    arena.replace(rows)
    arena.run()
    rows = changed(rows, chance)
    arena.replace(rows)
    seconds, points = _learn(arena, chance)
    score.known_points = len(points)
    ahead = iter(points)
    for number in count(1):
        if time.monotonic() > until or number - 1 == limits.rounds > 0 or score.faults:
            break
        rows = changed(rows, chance)
        arena.replace(rows)
        _round(arena, rows, chance, seconds, ahead, score)
        score.rounds = number
    for fault in score.faults:
        replay = f"python -m torture --seed {limits.seed} --only {score.name}"
        text = f"{fault}\nround {score.rounds} of {score.name}, left in {arena.folder}"
        score.faults[:] = [f"{text}\nreplay: {replay} --rounds {score.rounds}"]
    return score


def _learn(arena: Arena, chance: random.Random) -> tuple[float, list[str]]:
    """Return how long a run takes and every point it passes, shuffled, as name:occurrence."""
    recorded = arena.folder / "points"
    began = time.monotonic()
    arena.run(ROWLIFT_FAULTS_RECORD=str(recorded))
    seen: Counter[str] = Counter()
    points = []
    for name in recorded.read_text().splitlines():
        seen[name] += 1
        points.append(f"{name}:{seen[name]}")
    chance.shuffle(points)
    return time.monotonic() - began, points


def _round(
    arena: Arena,
    rows: list[Row],
    chance: random.Random,
    seconds: float,
    ahead: Iterator[str],
    score: Score,
) -> None:
    for _ in range(chance.randint(1, MOST_KILLS)):
        point = next(ahead, "") if chance.random() < AT_POINTS else ""
        score.kills += _kill(arena, point, chance.uniform(0.2, 1.0) * seconds, score)
    try:
        arena.run()
        log = arena.folder / "crm.jsonl"
        (arena.folder / "log.size").write_text(str(log.stat().st_size))
        (arena.folder / "report.json").write_text(json.dumps(arena.run()))
        _compare(arena, rows, score)
    except AssertionError as error:
        score.faults.append(str(error))


def _kill(arena: Arena, point: str, delay: float, score: Score) -> bool:
    """Start the program and kill it; False when it had ended by itself."""
    if point:
        killed = arena.start("run", "people", ROWLIFT_FAULTS=f"{point}:kill")
        killed.communicate(timeout=180)
        if killed.returncode < 0:
            score.points.add(point)
    else:
        killed = arena.start("run", "people")
        time.sleep(delay)
        killed.kill()
        killed.communicate()
    return killed.returncode < 0


def _compare(arena: Arena, rows: list[Row], score: Score) -> None:
    source = {
        row[0]: {"email": row[1], "plan": row[2], "orders": row[3]}
        for row in rows
        if row[0] is not None
    }
    most = score.kills * IN_FLIGHT * BATCH_ROWS
    expected = Expected(arena.folder, arena.state_url, frozenset({POISONED}), most, source)
    log = arena.folder / "crm.jsonl"
    score.sent = len(deliveries(log))
    score.lost, score.wrong, score.repeated = counted(expected)
    check_all(expected)
