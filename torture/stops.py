"""Two programs on one state: the first stands still past its lease, the second takes over."""

import os
import random
import signal
import time

from faults.arena import Arena, changed, ended
from faults.snapshot import everything
from torture.kills import judged, make_arena
from torture.score import Score
from torture.task import Task

LEASE = 1.5  # seconds
OVER = 5  # exit code: another process took it over


def stop_loop(task: Task) -> Score:
    """Stop a run anywhere, let another one end, wake the first, and look for stale writes."""
    score = Score(task.part)
    chance = random.Random(f"{task.seed} stops")  # noqa: S311
    arena = make_arena(task, "sqlite", "postgresql")
    arena.replace(changed([], chance))
    arena.run()
    arena.replace(changed(arena.rows, chance))
    began = time.monotonic()
    arena.cli("run", "people")
    seconds = time.monotonic() - began
    for number in task.rounds():
        arena.replace(changed(arena.rows, chance))
        score.rounds = number
        score.faults += _stop(arena, chance.uniform(0.3, 1.0) * seconds, score)
        if not judged(task, arena, score, deaths=number):
            break
    return score


def _stop(arena: Arena, delay: float, score: Score) -> bool:
    lease = {"ROWLIFT_LEASE_SECONDS": str(LEASE)}
    first = arena.start("run", "people", **lease)
    time.sleep(delay)
    if first.poll() is not None:
        ended(first)
        return False
    os.kill(first.pid, signal.SIGSTOP)
    time.sleep(LEASE + 0.1)
    arena.cli("run", "people", **lease)
    before = everything(arena.state_url or "")
    late = ended(first, signal.SIGCONT)
    if late.code == OVER and everything(arena.state_url or "") != before:
        score.failures.append(f"round {score.rounds}: a stale write, left in {arena.folder}")
    return True
