"""What was done in one part of the torture, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

HEAD = ("part", "rounds", "kills", "faults", "lost", "wrong", "repeats", "verdict")
LEGEND = """\
rounds: comparisons after a kill, seeds lived through, mutants hunted, sequences of 50 steps,
cases of the fault matrix, values of the corpora.
faults: processes stopped, crashes in the simulator, planted mutants, failed calls, full disks.
lost, wrong: rows that did not arrive, and rows removed or changed that should not be; must be 0.
repeats: rows that arrived again under the message id they had before, so that a receiver drops
them; after a kill there are at most as many as were in flight."""


@dataclass(slots=True)
class Score:
    """One line of the table; `failures` say what to look at and how to do it again."""

    part: str
    rounds: int = 0
    kills: int = 0
    faults: int = 0
    lost: int = 0
    wrong: int = 0
    repeats: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Tell whether something was tried and nothing went wrong."""
        return bool(self.rounds) and not (self.lost or self.wrong or self.failures)

    def cells(self) -> tuple[str, ...]:
        """Return its line of the table."""
        numbers = (self.rounds, self.kills, self.faults, self.lost, self.wrong, self.repeats)
        verdict = "held" if self.held else f"{max(1, len(self.failures))} FAILED"
        return (self.part, *(f"{one:,}" for one in numbers), verdict)

    def add(self, other: "Score") -> None:
        """Count another share of the same part in."""
        self.rounds += other.rounds
        self.kills += other.kills
        self.faults += other.faults
        self.lost += other.lost
        self.wrong += other.wrong
        self.repeats += other.repeats
        self.failures += other.failures


def merged(scores: Sequence[Score]) -> list[Score]:
    """Return one score for each part, and the sum of all."""
    parts: dict[str, Score] = {}
    total = Score("all")
    for score in scores:
        parts.setdefault(score.part, Score(score.part)).add(score)
        total.add(score)
    return [*parts.values(), total]


def plain(scores: Sequence[Score]) -> str:
    """Return the table for a terminal."""
    rows = [HEAD, *(score.cells() for score in scores)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    lines = []
    for row in rows:
        middle = [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *middle, row[-1]]))
    return "\n".join(lines)


def markdown(scores: Sequence[Score]) -> str:
    """Return the table for a page."""
    rows = [HEAD, ("---", *["---:"] * (len(HEAD) - 2), "---"), *(one.cells() for one in scores)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
