"""A disk that fails at the first fsync, at the second, … until a run passes untouched."""

import random

from faults.arena import changed
from faults.disks import failing
from torture.kills import judged, make_arena
from torture.score import Score
from torture.task import Task


def fsync_walk(task: Task) -> Score:
    """Let one fsync of a run fail, then every one from there on, and go on with the next."""
    score = Score(task.part)
    chance = random.Random(f"{task.seed} fsyncs")  # noqa: S311
    arena = make_arena(task, "sqlite", "sqlite")
    arena.replace(changed([], chance))
    arena.run()
    at, untouched = 1, 0
    for number in task.rounds():
        once = number % 2
        arena.replace(changed(arena.rows, chance))
        before = failing("fsync,fdatasync", "EIO", f"{at}" if once else f"{at}+")
        done = arena.cli("run", "people", before=before)
        failed = "STATE_FULL" in done.stderr
        score.rounds = number
        score.faults += failed
        untouched += not failed
        at += not once
        if not judged(task, arena, score, deaths=number) or untouched > 1:
            break
    return score
