"""Stories of the simulator and sequences of the state machine, from one seed to the next."""

import time

from machine.examples import run_examples
from torture.score import Score
from torture.simulation.live import live
from torture.simulation.mutants import LONGEST_HUNT, hunt, mutants
from torture.task import Task

STEPS = 50  # of each sequence of the state machine
AT_ONCE = 3  # sequences from one seed


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
