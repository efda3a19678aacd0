"""What was done in one part of the torture, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

COUNTS = ("rounds", "seeds", "inputs", "kills", "faults", "lost", "wrong", "duplicates")
HEAD = ("part", *COUNTS, "verdict")
LEGEND = """\
rounds: comparisons of everything after something was broken, and cases of the fault matrix.
seeds: stories of the simulator, sequences of 50 steps, histories of imports.
inputs: values of the corpora. kills: processes killed. faults: crashes in the simulator, planted
mutants, failed calls, processes stopped, full disks, hours without a service.
lost, wrong: rows that did not arrive, and rows removed or changed that should not be; must be 0.
duplicates: rows that arrived again, each under the message id it had before, so that a receiver
drops them; after a kill there are at most as many as were in flight."""


@dataclass(slots=True)
class Score:
    """One line of the table; `failures` say what to look at and how to do it again."""

    part: str
    rounds: int = 0
    seeds: int = 0
    inputs: int = 0
    kills: int = 0
    faults: int = 0
    lost: int = 0
    wrong: int = 0
    duplicates: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """Return `held` if something was tried and nothing went wrong, else what to say instead."""
        if self.lost or self.wrong or self.failures:
            return f"{max(1, len(self.failures))} FAILED"
        return "held" if self.rounds or self.seeds or self.inputs else "not tried"

    @property
    def held(self) -> bool:
        """Tell whether something was tried and nothing went wrong."""
        return self.verdict == "held"

    def counts(self) -> dict[str, int]:
        """Return its figures by the names of the table's columns."""
        return {name: getattr(self, name) for name in COUNTS}

    def cells(self) -> tuple[str, ...]:
        """Return its line of the table."""
        return (self.part, *(f"{one:,}" for one in self.counts().values()), self.verdict)

    def add(self, other: "Score") -> None:
        """Count another share of the same part in."""
        self.seconds += other.seconds
        for name, count in other.counts().items():
            setattr(self, name, getattr(self, name) + count)
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
