"""What a process spends within itself, through the Python door: on phases, and on questions.

python -m bench.inside run [SYNC ...]    # as `rowlift run`, with the cost of each phase
python -m bench.inside ask WHO ...       # who that is, why, and who else begins so; the medians
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from rowlift import Project


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of wall clock and CPU."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> "Spent":
        """Read both clocks."""
        return cls(time.perf_counter(), time.process_time())

    @classmethod
    def since(cls, start: "Spent") -> "Spent":
        """Return what was spent from then on."""
        now = cls.now()
        return cls(now.wall - start.wall, now.cpu - start.cpu)


@dataclass(slots=True)
class Laps:
    """The cost of each phase of a run, by task and phase."""

    spent: dict[str, Spent] = field(default_factory=dict)
    _name: str = ""
    _start: Spent = field(default_factory=Spent.now)

    def phase(self, task: str, phase: str, total: int | None = None) -> None:
        """End the phase before this one."""
        if self._name:
            self.spent[self._name] = Spent.since(self._start)
        self._name, self._start = f"{task} {phase}", Spent.now()

    def advance(self, task: str, rows: int) -> None: ...

    def note(self, task: str, text: str, detail: str = "") -> None: ...


def run(names: Sequence[str]) -> dict[str, Any]:
    """Run syncs and return their counts and what each phase but the last took."""
    laps = Laps()
    with Project(progress=laps) as project:
        reports = project.run(names)
    if any(one.failed for one in reports):
        raise SystemExit(f"A run failed: {reports}")
    return {"runs": [{"counts": dict(one.counts)} for one in reports], "spent": told(laps.spent)}


def ask(people: Sequence[str]) -> dict[str, Any]:
    """Look people up and return the median cost of each question."""
    with Project() as project:
        project.ls()
        questions: dict[str, Callable[[str], object]] = {"person": project.person}
        questions["why"] = project.why
        questions["search"] = lambda who: project.search_people(beginning(who))
        spent = {name: middle(question, people) for name, question in questions.items()}
    return {"spent": told(spent)}


def beginning(who: str) -> str:
    """Return all of an id but its last digit, as somebody types it."""
    return who.removeprefix("id:")[:-1]


def middle(question: Callable[[str], object], people: Sequence[str]) -> Spent:
    """Return the medians of asking about each of some people."""
    found = [once(question, one) for one in people]
    return Spent(median(one.wall for one in found), median(one.cpu for one in found))


def once(question: Callable[[str], object], who: str) -> Spent:
    """Return what one answer costs."""
    start = Spent.now()
    question(who)
    return Spent.since(start)


def told(spent: dict[str, Spent]) -> dict[str, Any]:
    """Return costs as JSON has them."""
    return {name: asdict(one) for name, one in spent.items()}


if __name__ == "__main__":
    what, *given = sys.argv[1:]
    json.dump({"run": run, "ask": ask}[what](given), sys.stdout)
