"""The crash walk: every commit, file write and send of every scenario, one kill after the other."""

import random

from crashes.story import SCENARIOS
from crashes.walk import Places, explore, walk
from torture.score import Score
from torture.task import Task


def crash_walk(task: Task, state: str) -> Score:
    """Kill at each point of each scenario, in an order drawn from the seed."""
    score = Score(task.part)
    places = Places(task.folder / state, task.postgres if state == "postgresql" else None)
    chance = random.Random(f"{task.seed} walk {state}")  # noqa: S311
    scenarios = chance.sample(SCENARIOS, len(SCENARIOS))
    routes = (explore(places, scenario) for scenario in scenarios)
    stops = ((route, point) for route in routes for point in route.points)
    try:
        for number, stop in zip(task.rounds(), stops, strict=False):
            walked = walk(places, [stop])
            score.rounds = number
            score.kills += walked.killed.total()
            score.duplicates += walked.extra
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        text = "\n".join([repr(error), *getattr(error, "__notes__", ())])
        score.failures.append(f"{text}\nreplay: {task.replay(score.rounds + 1)}")
    finally:
        places.close()
    return score
