"""What Rowlift promises, in plain Python: attributes, mapping, image and last_sync_time."""

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from torture.simulation.shop import Row, Shop, Value, email_of

Attributes = dict[str, Value]
Image = dict[str, Attributes]
Pins = dict[str, Attributes | None]  # what was undone of a row; None where that was that it left

MOST_REMOVALS = 3
OVERLAP = 300


@dataclass(slots=True)
class Settings:
    """The sync as it stands in its file; uses by destination."""

    columns: list[str]
    is_incremental: bool
    writes_workspace: bool
    removed: str
    key: str = "user_id"
    holds: bool = False  # cursor: held_rows
    empty_values: str = "ignore"
    empty_strings: str = "keep"
    uses: dict[str, dict[str, Any]] = field(default_factory=dict)

    def sql(self) -> str:
        """Return the query."""
        where = " WHERE updated_at >= {{last_sync_time}}" if self.is_incremental else ""
        return f"SELECT {', '.join([self.key, *self.columns])} FROM people{where}"

    def identity(self, key: str) -> str:
        """Return what identifies the row of a key."""
        return email_of(key) if self.key == "email" else key

    def attributes(self, key: str, row: Row) -> Attributes:
        """Return what a row becomes."""
        found = {name: row[name] for name in self.columns}
        if self.empty_strings == "as_null":
            found = {name: None if value == "" else value for name, value in found.items()}
        if self.empty_values == "ignore":
            found = {name: value for name, value in found.items() if value is not None}
        return found | ({"email": email_of(key)} if self.key == "email" else {})

    def rules(self) -> tuple[object, ...]:
        """Return what decides how a row looks."""
        return (tuple(self.columns), self.key, self.empty_values, self.empty_strings)


def mapped(attributes: Attributes, use: Mapping[str, Any]) -> Attributes:
    """Return how attributes look to one destination."""
    fields: Mapping[str, str] = use.get("fields", {})
    only: Sequence[str] = use.get("only", ())
    return {
        fields.get(name, name): value
        for name, value in attributes.items()
        if (not only or name in only or name in fields) and name not in use.get("exclude", ())
    }


@dataclass(slots=True)
class Expected:
    """What one run must come to; None is not known.

    `refusal` is the code it must stop with, `moves` whether last_sync_time does.
    """

    counts: dict[str, int]
    refusal: str | None
    image: Image
    gone: set[str] | None
    held: dict[str, int]
    moves: bool
    pins: Pins = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """The image before and after one run."""

    before: Image
    after: Image

    @property
    def changed(self) -> set[str]:
        """Return the keys whose rows the run changed."""
        keys = self.before.keys() | self.after.keys()
        return {key for key in keys if self.before.get(key) != self.after.get(key)}


@dataclass(slots=True)
class Memory:
    """The image, how many rows of each key are held, and what is pinned.

    None is not known, after a crash. `steps` are the runs since all was known, `brought` the one
    that changed a row last, `undos` those that undid another; they are `whole` from the first on.
    """

    image: Image | None = field(default_factory=dict)
    gone: set[str] | None = field(default_factory=set)
    held: dict[str, int] | None = field(default_factory=dict)
    last_sync_time: int | None = 0
    pins: Pins | None = field(default_factory=dict)
    steps: dict[int, Step] = field(default_factory=dict)
    brought: dict[str, int] = field(default_factory=dict)
    undos: set[int] = field(default_factory=set)
    is_whole: bool = True

    def forget(self) -> None:
        """Know nothing until a run has ended well."""
        self.image = self.gone = self.held = self.last_sync_time = None
        self.pins = None if self.pins is None or self.pins else {}
        self._forget_steps()

    def reset(self) -> None:
        """Follow a reset of the sync."""
        self.image, self.gone, self.held, self.last_sync_time = {}, set(), {}, 0
        self.pins = {}
        self._forget_steps()

    def _forget_steps(self) -> None:
        self.steps, self.brought, self.is_whole = {}, {}, False

    def note(self, run: int, expected: Expected) -> None:
        """Write down what a run makes of the image, before the memory follows it."""
        if self.image is None:
            return
        self.steps[run] = step = Step(self.image, expected.image)
        self.brought |= dict.fromkeys(step.changed, run)

    def expect(self, shop: Shop, settings: Settings, *, allow: bool) -> Expected | None:
        """Return what the next run must do; None where that is not known."""
        since = 0
        if settings.is_incremental:
            if self.last_sync_time is None:
                return None
            since = max(0, self.last_sync_time - OVERLAP)
        good, held, read = shop.visible(since)
        rows = {settings.identity(key): settings.attributes(key, row) for key, row in good.items()}
        kept = {settings.identity(key) for key in held}
        waiting = self._waiting(settings, rows.keys() | kept)
        if waiting is None or self.pins is None:
            return None
        retried, bad = sum(waiting.values()), read - len(rows)
        holding = waiting | (dict.fromkeys(kept, 2) if settings.holds else {})
        counts = {"read": read, "retried": retried, "rejected": bad + retried}
        counts["held"] = sum(holding.values())
        moves = counts["rejected"] == counts["held"]
        if self.image is None:  # a full result without rejects says what it is from here on
            if settings.is_incremental or bad:
                return None
            return Expected(counts, None, rows, None, holding, moves)
        came, is_full = rows.keys() | kept, not settings.is_incremental
        undone = {key for key, row in rows.items() if key in self.pins and self.pins[key] == row}
        stay = {key for key, one in self.pins.items() if one is None and key not in came}
        counts |= {"undone": len(undone), "undone_gone": len(stay) if is_full else 0}
        pins = self._lasting(undone, rows.keys(), kept, is_full=is_full)
        rows = {key: row for key, row in rows.items() if key not in undone}
        left = self.image.keys() - came - stay if is_full else set()
        counts |= _changes(rows, self.image, self.gone) | {"removed": len(left)}
        image = {key: one for key, one in self.image.items() if key not in left} | rows
        gone = None if self.gone is None else (self.gone | left) - rows.keys()
        refusal = "" if allow or not self.image else _refusal(read, len(left))
        return Expected(counts, refusal, image, gone, holding, moves, pins)

    def _lasting(
        self, undone: set[str], good: AbstractSet[str], bad: set[str], *, is_full: bool
    ) -> Pins:
        """Return the pins that a run leaves; a row that breaks a rule says nothing about its own.

        Who had left and comes, in whatever form, is there again.
        """
        lasting: Pins = {}
        for key, one in (self.pins or {}).items():
            if one is None:
                lasts = key not in good and key not in bad
            else:
                lasts = key in undone or key in bad or not (key in good or is_full)
            if lasts:
                lasting[key] = one
        return lasting

    def _waiting(self, settings: Settings, came: AbstractSet[str]) -> dict[str, int] | None:
        """Return what is judged again: a full result says everything."""
        if not settings.is_incremental:
            return {}
        if self.held is None:
            return None
        return {key: rows for key, rows in self.held.items() if key not in came}

    def follow(self, expected: Expected | None, shop: Shop) -> None:
        """Take over what a run that ended well has made."""
        if expected is None:
            self.forget()
            return
        self.image, self.gone, self.held = expected.image, expected.gone, expected.held
        self.pins = expected.pins
        if expected.moves:
            self.last_sync_time = math.floor(shop.now)


def _changes(rows: Image, image: Image, gone: set[str] | None) -> dict[str, int]:
    met, new = rows.keys() & image.keys(), rows.keys() - image.keys()
    changed = sum(1 for key in met if rows[key] != image[key])
    counts = {"changed": changed, "unchanged": len(met) - changed, "new": len(new)}
    return counts if gone is None else counts | {"returned": len(new & gone)}


def _refusal(read: int, removed: int) -> str:
    if not removed:
        return ""
    if read == 0:
        return "EMPTIED"
    return "MASS_REMOVAL" if removed > MOST_REMOVALS else ""
