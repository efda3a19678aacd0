"""What each part came to when it was last done whole, kept in a file beside the page it is on.

A part is kept as it ends, so that the whole can be done in several goes, a part at a time.
"""

import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tools.revision import revision

from torture.score import LEGEND, Score, markdown, merged


@dataclass(frozen=True, slots=True)
class Kept:
    """A part that was done: when, of which revision, drawn from which seed."""

    score: Score
    done: str
    revision: str
    seed: int
    machine: str

    @classmethod
    def of(cls, score: Score, seed: int) -> "Kept":
        """Return what is kept of a part that has just ended."""
        date = time.strftime("%Y-%m-%d", time.gmtime())
        machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
        return cls(score, date, revision(), seed, machine)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Kept":
        """Read one part of the file."""
        return cls(**{**stored, "score": Score(**stored["score"])})

    def cells(self) -> tuple[str, ...]:
        """Return its line of the table that tells when."""
        part, seconds = self.score.part, f"{self.score.seconds:,.0f}"
        return part, self.done, self.revision, str(self.seed), seconds, self.machine


def load(file: Path) -> dict[str, Kept]:
    """Return the kept parts by name."""
    if not file.exists():
        return {}
    return {name: Kept.from_json(one) for name, one in json.loads(file.read_text()).items()}


def put(page: Path, names: Sequence[str], one: Kept) -> None:
    """Keep a part, and write the page with all that are kept, in the order of `names`."""
    file = page.with_suffix(".json")
    kept = load(file) | {one.score.part: one}
    kept = {name: kept[name] for name in names if name in kept}
    stored = {name: asdict(part) for name, part in kept.items()}
    file.write_text(json.dumps(stored, indent=1) + "\n")
    page.write_text(as_page([*kept.values()]), encoding="utf-8")


def as_page(parts: Sequence[Kept]) -> str:
    """Return the page: what was done and came of it, and when and of which revision."""
    head = ("part", "day", "revision", "seed", "seconds", "machine")
    rows = [head, ("---", "---", "---", "---:", "---:", "---"), *(one.cells() for one in parts)]
    when = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"""\
# Torture

`make torture` breaks what can break and compares source, image, ledger, destination, workspace and
report each time; `python -m torture --write` wrote this page, each part as it ended.

{markdown(merged([one.score for one in parts]))}

{LEGEND}

## When each part was done

Two parts, or shares of one, go on at a time, on a machine that may have had other work; the seconds
are those of all shares of a part.

{when}
"""
