"""What a part of the torture is given."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from servers import MariaDbServer, PostgresServer


@dataclass(frozen=True, slots=True)
class Task:
    """One share of one part: its seed and folder, the servers, and when it ends.

    It ends after so many seconds or, where they are 0, after `figure` rounds.
    """

    part: str
    seed: int
    seconds: float
    figure: int
    folder: Path
    postgres: PostgresServer
    mariadb: MariaDbServer

    def rounds(self) -> Iterator[int]:
        """Yield 1, 2, … until it is time to end."""
        until = time.monotonic() + self.seconds
        for number in count(1):
            if self.seconds and time.monotonic() > until and number > 1:
                return
            if self.figure and number > self.figure:
                return
            yield number

    def replay(self, rounds: int) -> str:
        """Return the command that does the same again."""
        return f"python -m torture --only '{self.part}' --seed {self.seed} --rounds {rounds}"
