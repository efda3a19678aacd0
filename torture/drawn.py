"""Stories of the simulator, sequences of the state machine and histories of imports, by seeds."""

import time

from machine.examples import run_examples
from models.histories import HISTORIES, History
from torture.score import Score
from torture.simulation.live import live
from torture.simulation.mutants import LONGEST_HUNT, hunt, mutants
from torture.task import Task

STEPS = 50  # of each sequence of the state machine
AT_ONCE = 3  # sequences from one seed
POSTGRESQL = 5  # every so many projects of imports has its state there


def simulate(task: Task) -> Score:
    """Live through the stories of seeds in a row."""
    score = Score(task.part)
    for number in task.rounds():
        lived = live(task.seed + number - 1)
        score.seeds += 1
        score.faults += lived.crashes
        score.duplicates += lived.repeats
        if lived.failure:
            score.failures.append(lived.failure)
    return score


def hunt_mutants(task: Task) -> Score:
    """Plant one fault in a copy of the engine after the other; each must be found."""
    score = Score(task.part)
    until = task.until()
    for _, mutant in zip(task.rounds(), mutants(), strict=False):
        hunted = hunt(mutant, seconds=min(LONGEST_HUNT, until - time.monotonic()))
        if not hunted.found and task.is_over(until):
            break
        score.rounds += 1
        score.faults += 1
        if not hunted.found:
            score.failures.append(f"The mutant {mutant.name} ({mutant.breaks}) was not found.")
    return score


def do_anything(task: Task) -> Score:
    """Run sequences of 50 steps, three from each seed."""
    score = Score(task.part)
    for number in task.rounds():
        seed = task.seed + number - 1
        score.seeds += AT_ONCE
        try:
            score.kills += run_examples(examples=AT_ONCE, steps=STEPS, seed=seed)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told with its seed
            text = "\n".join([repr(error), *getattr(error, "__notes__", ())])
            replay = f"python -m torture --only '{task.part}' --seed {seed} --rounds 1"
            score.failures.append(f"{text}\nreplay: {replay}")
    return score


def live_histories(task: Task) -> Score:
    """Live through histories of imports, fifty side by side, and through the plain model's."""
    score = Score(task.part)
    for number in task.rounds():
        seed, folder = task.seed + number - 1, task.folder / f"history{number}"
        folder.mkdir(parents=True)
        url = f"sqlite:///{folder / 'state.db'}"
        if number % POSTGRESQL == 0:
            url = task.postgres.create_database(f"history_{seed}").url
        try:
            History(seed, folder, url).live()
        except AssertionError as error:
            score.failures.append(
                f"{error}\nreplay: python -m torture --only '{task.part}' --seed {seed} --rounds 1"
            )
        score.seeds += HISTORIES
    return score
