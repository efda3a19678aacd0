"""A month of schedules under a clock that hurries: fifty syncs that are due every minute."""

import random
import sys
from datetime import datetime, timedelta

from days import START, Days
from torture.score import Score
from torture.task import Task

SYNCS = 50
DAY = timedelta(days=1)
LONGEST_ABSENCE = 180  # minutes
FAIR = 120  # minutes until each sync had its turn
_CELLS = 30


def month(task: Task) -> Score:
    """Serve day after day, some of them with the service away for a while, and judge each slot."""
    score = Score(task.part)
    chance = random.Random(f"{task.seed} month")  # noqa: S311
    days = Days(task.folder / "month", syncs=SYNCS, seed=task.seed)
    for number in task.rounds():
        begin = START + (number - 1) * DAY
        away = _serve(days, begin, chance)
        score.rounds = number
        score.faults += away > 0
        try:
            days.check(begin + DAY, fair_minutes=FAIR + away, begin=begin)
        except AssertionError as wrong:
            score.failures.append(f"day {number}: {wrong}; again: {task.replay(number)}")
            break
        _show(task, number)
    return score


def _serve(days: Days, begin: datetime, chance: random.Random) -> int:
    """Serve a day; return for how many minutes of it nobody was there."""
    if chance.random() < 2 / 3:
        days.serve(begin + DAY)
        return 0
    hours, away = timedelta(hours=chance.randrange(4, 18)), chance.randrange(2, LONGEST_ABSENCE)
    days.serve(begin + hours)
    days.clock.set(begin + hours + timedelta(minutes=away))
    days.serve(begin + DAY)
    return away


def _show(task: Task, number: int) -> None:
    if task.figure and sys.stderr.isatty():
        done = "█" * (_CELLS * number // task.figure)
        print(f"\r{task.part} [{done:<{_CELLS}}] day {number}", end="", file=sys.stderr)
