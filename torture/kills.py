"""The real program killed at a random instant, or at the next of all points that a run passes."""

import random
import time
from collections.abc import Callable, Iterator

from crashes.checker import counted
from faults.arena import Arena, changed, ended
from faults.proof import expectation, heal, prove_healed
from faults.shops import Shop, file_shop, mariadb_shop, postgres_shop
from torture.score import Score
from torture.task import Task

MOST_KILLS = 4
AT_POINTS = 0.6  # the share of kills at points, the others are at random instants


def kill_loop(task: Task, source: str, state: str) -> Score:
    """Change the source, kill up to four times in a row, make two clean runs, compare."""
    score = Score(task.part)
    chance = random.Random(f"{task.seed} {source} {state}")  # noqa: S311
    arena = make_arena(task, source, state)
    seconds, ahead = _learn(arena, chance)
    for number in task.rounds():
        arena.replace(changed(arena.rows, chance))
        for _ in range(chance.randint(1, MOST_KILLS)):
            point = next(ahead, "") if chance.random() < AT_POINTS else ""
            score.kills += _kill(arena, point, chance.uniform(0.2, 1.0) * seconds)
        score.rounds = number
        if not judged(task, arena, score, deaths=score.kills):
            break
    return score


def make_arena(task: Task, source: str, state: str) -> Arena:
    """Return a project that never ran, on databases of its own."""
    name = f"{source}_{state}_{task.part.split()[0]}"
    folder = task.folder / name
    folder.mkdir(parents=True)
    makers: dict[str, Callable[[], Shop]] = {
        "sqlite": lambda: file_shop(folder / "shop.db"),
        "postgresql": lambda: postgres_shop(task.postgres, f"{name}_shop"),
        "mariadb": lambda: mariadb_shop(task.mariadb, f"{name}_shop"),
    }
    url = None
    if state == "postgresql":
        url = task.postgres.create_database(f"{name}_state").url
    arena = Arena(folder, makers[source](), url)
    arena.write()
    return arena


def judged(task: Task, arena: Arena, score: Score, *, deaths: int) -> bool:
    """Heal and compare everything; tell whether all held."""
    try:
        heal(arena)
        prove_healed(arena, deaths=deaths)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told with its seed
        text = f"{task.part}, round {score.rounds}, left in {arena.folder}: {error!r}"
        score.failures.append(f"{text}\nreplay: {task.replay(score.rounds)}")
    expected = expectation(arena, deaths)
    score.lost, score.wrong, score.duplicates = counted(expected)
    return not score.failures


def _learn(arena: Arena, chance: random.Random) -> tuple[float, Iterator[str]]:
    """Return how long a run takes, and every point a run with changes passes, shuffled."""
    arena.replace(changed([], chance))
    arena.run()
    arena.replace(changed(arena.rows, chance))
    began = time.monotonic()
    points = arena.points()
    seconds = time.monotonic() - began
    chance.shuffle(points)
    return seconds, iter(points)


def _kill(arena: Arena, point: str, delay: float) -> bool:
    """Start the program and kill it; False when it had ended by itself."""
    if point:
        killed = arena.start("run", "people", ROWLIFT_FAULTS=f"{point}:kill")
    else:
        killed = arena.start("run", "people")
        time.sleep(delay)
        killed.kill()
    return ended(killed).code < 0
