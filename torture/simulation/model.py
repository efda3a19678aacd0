"""What Rowlift promises, in plain Python: attributes, mapping, image and last_sync_time."""

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from torture.simulation.shop import Row, Shop, Value, email_of

Attributes = dict[str, Value]

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
    image: dict[str, Attributes]
    gone: set[str] | None
    held: dict[str, int]
    moves: bool


@dataclass(slots=True)
class Memory:
    """The image, and how many rows of each key are held; None is not known, after a crash."""

    image: dict[str, Attributes] | None = field(default_factory=dict)
    gone: set[str] | None = field(default_factory=set)
    held: dict[str, int] | None = field(default_factory=dict)
    last_sync_time: int | None = 0

    def forget(self) -> None:
        """Know nothing until a run has ended well."""
        self.image = self.gone = self.held = self.last_sync_time = None

    def reset(self) -> None:
        """Follow a reset of the sync."""
        self.image, self.gone, self.held, self.last_sync_time = {}, set(), {}, 0

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
        if waiting is None:
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
        left = set() if settings.is_incremental else self.image.keys() - rows.keys() - kept
        counts |= _changes(rows, self.image, self.gone) | {"removed": len(left)}
        image = {key: one for key, one in self.image.items() if key not in left} | rows
        gone = None if self.gone is None else (self.gone | left) - rows.keys()
        refusal = "" if allow or not self.image else _refusal(read, len(left))
        return Expected(counts, refusal, image, gone, holding, moves)

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
        if expected.moves:
            self.last_sync_time = math.floor(shop.now)


def _changes(
    rows: Mapping[str, Attributes], image: Mapping[str, Attributes], gone: set[str] | None
) -> dict[str, int]:
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
