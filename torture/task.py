"""What a part of the torture is given."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from servers import MariaDbServer, PostgresServer
from torture.score import Score


@dataclass(frozen=True, slots=True)
class Task:
    """One share of one part: its seed and folder, the servers, and when it ends.

    It ends after so many seconds or, where they are 0, after `figure` rounds; and after the round
    in which somebody made the file `stop`.
    """

    part: str
    seed: int
    seconds: float
    figure: int
    folder: Path
    postgres: PostgresServer
    mariadb: MariaDbServer
    stop: Path

    def rounds(self) -> Iterator[int]:
        """Yield 1, 2, … until it is time to end."""
        until = self.until()
        for number in count(1):
            if (self.figure and number > self.figure) or self.stop.exists():
                return
            if number > 1 and self.is_over(until):
                return
            yield number

    def until(self) -> float:
        """Return when a part that begins now has to end, by the monotonic clock."""
        return time.monotonic() + (self.seconds or math.inf)

    def is_over(self, until: float) -> bool:
        """Tell whether its time has passed or everything is to stop."""
        return time.monotonic() > until or self.stop.exists()

    def replay(self, rounds: int) -> str:
        """Return the command that does the same again."""
        return f"python -m torture --only '{self.part}' --seed {self.seed} --rounds {rounds}"


def timed(do: Callable[[Task], Score], task: Task) -> Score:
    """Do a share of a part, and note its seconds."""
    began = time.monotonic()
    score = do(task)
    score.seconds = time.monotonic() - began
    return score
