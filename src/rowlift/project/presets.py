"""The two families of defaults; whatever a sync's file says wins over them."""

from dataclasses import dataclass
from typing import Literal

from rowlift.core.nouns import Preset


@dataclass(frozen=True, slots=True)
class Defaults:
    """The defaults in which the presets differ; `every` is the schedule's interval."""

    columns: int
    rows: int
    record_bytes: int | None
    on_bad_rows: Literal["stop", "reject"]
    cursor: Literal["strict", "held_rows"]
    every: str | None
    on_busy: Literal["skip", "queue"]


PRESETS = {
    Preset.TRAITS: Defaults(
        columns=25,
        rows=10_000_000,
        record_bytes=16_384,
        on_bad_rows="stop",
        cursor="held_rows",
        every="12h",
        on_busy="queue",
    ),
    Preset.IMPORT: Defaults(
        columns=300,
        rows=100_000_000,
        record_bytes=None,
        on_bad_rows="reject",
        cursor="strict",
        every=None,
        on_busy="skip",
    ),
}
