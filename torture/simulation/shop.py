"""What the source really holds, in plain Python, and how it changes."""

import math
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

Value = str | int | float | None
Row = dict[str, Value]
Rows = dict[str, Row]

COLUMNS = ("plan", "score", "city", "rate")
_VALUES: dict[str, Sequence[Value]] = {
    "plan": ("free", "pro", "team", "", None),
    "score": (0, 1, 2, -7, 10**12, None),
    "city": ("Bonn", "Žižkov ", 'a"b\\c', "naïve\nline", "", None),
    "rate": (0.5, 1.25, 2.0, -0.0, 1e-7, 0.1 + 0.2, None),
}
_TABLES = """
DROP TABLE IF EXISTS people;
DROP TABLE IF EXISTS clock;
CREATE TABLE people (
    user_id TEXT, email TEXT, plan TEXT, score INTEGER, city TEXT, rate REAL, updated_at REAL
);
CREATE TABLE clock (now REAL, cut INTEGER);
"""


def email_of(key: str) -> str:
    """Return the address of the person with a key."""
    return f"{key}@example.com"


@dataclass(slots=True)
class Shop:
    """Rows by key, when each was last touched, and everything that is wrong with the table."""

    path: Path
    chance: Random
    now: float
    pause: float = 0  # seconds more between two runs, unless a row is late
    rows: Rows = field(default_factory=dict)
    stamps: dict[str, float] = field(default_factory=dict)
    twice: set[str] = field(default_factory=set)
    nobody: int = 0
    is_empty: bool = False
    cut: int | None = None
    before: Rows = field(default_factory=dict)  # as the run before the last one found them
    ever: Rows = field(default_factory=dict)
    _start: Rows = field(default_factory=dict)
    _late: dict[str, tuple[Row, float]] = field(default_factory=dict)
    _born: int = 0
    _order: list[tuple[str, float]] = field(default_factory=list)

    def pass_time(self) -> None:
        """Let some seconds pass; what was written late becomes visible."""
        self.now += self.chance.uniform(0.3, 90) + (0 if self._late else self.pause)
        for key, (row, stamp) in self._late.items():
            if key in self.rows and self.stamps[key] < stamp:
                self._put(key, row, stamp)
        self._late.clear()
        self.before, self._start = self._start, dict(self.rows)

    def save(self) -> None:
        """Write the file, the rows in any order."""
        with closing(sqlite3.connect(self.path)) as shop, shop:
            shop.execute("PRAGMA synchronous = OFF")
            shop.executescript(_TABLES)
            shop.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?)", self._lines())
            shop.execute("INSERT INTO clock VALUES (?, ?)", (self.now, self.cut))

    def _lines(self) -> list[tuple[Value, ...]]:
        self._order = []
        if self.is_empty:
            return []
        lines: list[tuple[Value, ...]] = []
        for key, row in self.rows.items():
            copies = 2 if key in self.twice else 1
            values = (row[name] for name in COLUMNS)
            lines += [(key, email_of(key), *values, self.stamps[key])] * copies
        lines += [(None, None, "free", 0, "", 0.5, self.now)] * self.nobody
        self.chance.shuffle(lines)
        self._order = [(str(line[0]), float(line[-1] or 0)) for line in lines]
        return lines

    def places(self, since: float) -> dict[str, int]:
        """Return where each row stood in what a query saw last, from 1 on."""
        seen = (key for key, stamp in self._order if stamp >= since)
        return {key: at for at, key in enumerate(seen, 1)}

    def visible(self, since: float) -> tuple[Rows, set[str], int]:
        """Return what a query sees: good rows, keys of rejected ones, and how many rows in all."""
        if self.is_empty:
            return {}, set(), 0
        seen = {key: row for key, row in self.rows.items() if self.stamps[key] >= since}
        held = self.twice & seen.keys()
        good = {key: row for key, row in seen.items() if key not in held}
        return good, held, len(seen) + len(held) + self.nobody

    def heal(self) -> None:
        """Leave nothing wrong."""
        self.mend_rows()
        self.is_empty, self.cut = False, None
        self.pass_time()

    def mend_rows(self) -> None:
        """Take the rows away that a run rejects."""
        for key in self.twice:
            self.touch(key)
        self.twice.clear()
        self.nobody = 0

    def touched(self) -> list[str]:
        """Return the keys written since time last passed."""
        return sorted(key for key in self.rows if self.stamps[key] == self.now)

    # changes

    def touch(self, key: str) -> None:
        self.stamps[key] = self.now

    def _put(self, key: str, row: Row, stamp: float) -> None:
        self.rows[key], self.stamps[key] = row, stamp
        self.ever[key] = row

    def insert(self) -> str:
        self._born += 1
        key = f"k{self._born}"
        self._put(key, {name: self.chance.choice(_VALUES[name]) for name in COLUMNS}, self.now)
        return key

    def change(self, columns: Sequence[str]) -> str:
        """Give a row another value, soonest in a column that is selected."""
        if not self.rows:
            return self.insert()
        key = self.chance.choice(sorted(self.rows))
        self._put(key, self._changed(key, columns), self.now)
        return key

    def _changed(self, key: str, columns: Sequence[str]) -> Row:
        name = self.chance.choice(list(columns))
        others = [value for value in _VALUES[name] if value != self.rows[key][name]]
        return {**self.rows[key], name: self.chance.choice(others)}

    def change_late(self, columns: Sequence[str]) -> str:
        """Change a row now, in a transaction that commits only after the next run."""
        if not self.rows:
            return self.insert()
        key = self.chance.choice(sorted(self.rows))
        self._late[key] = (self._changed(key, columns), math.floor(self.now))
        return key

    def delete(self) -> str:
        if not self.rows:
            return self.insert()
        key = self.chance.choice(sorted(self.rows))
        self.lose(key)
        return key

    def lose(self, key: str) -> None:
        self.rows.pop(key)
        self.stamps.pop(key)
        self.twice.discard(key)

    def revert(self) -> list[str]:
        """Put back everything as it was before the last run."""
        if not self.before:
            return []
        changed = [key for key in sorted(self.ever) if self.rows.get(key) != self.before.get(key)]
        for key in changed:
            if key in self.before:
                self._put(key, dict(self.before[key]), self.now)
            else:
                self.lose(key)
        return changed

    def leave(self) -> list[str]:
        """Let the rows go that changed before the last run; not so many that a guard stops it."""
        changed = [key for key in sorted(self.rows) if self.rows[key] != self.before.get(key)]
        for key in changed[:3]:
            self.lose(key)
        return changed[:3]

    def bring_back(self) -> str:
        """Let a key return that vanished, with the values it had."""
        gone = sorted(self.ever.keys() - self.rows.keys())
        if not gone:
            return self.insert()
        key = self.chance.choice(gone)
        self._put(key, dict(self.ever[key]), self.now)
        return key

    def touch_all(self) -> None:
        """Rewrite every row, as a change of the table does."""
        for key in self.rows:
            self.touch(key)
