"""Words and numbers as a terminal shows them; nothing from a warehouse may steer the terminal."""

from collections.abc import Mapping
from datetime import UTC, datetime

from rowlift.core import counting

LONGEST_CELL = 40
_MINUTE, _HOUR = 60, 3600

counted = counting.counted


def safe(text: object, kept: str = "") -> str:
    """Return a text without control and invisible characters: they are shown as escapes."""
    plain = str(text)
    if plain.isprintable():
        return plain
    return "".join(one if one.isprintable() or one in kept else ascii(one)[1:-1] for one in plain)


def cell(value: object) -> str:
    """Return a value for a table: one line, at most 40 characters, null as null."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = safe(value)
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"


def number(value: object) -> str:
    """Return a count with separators between thousands."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def listed(counts: Mapping[str, object], *, zeros: tuple[str, ...] = ()) -> str:
    """Return `3 added · 1 changed`, leaving out zeros that are not asked for."""
    shown = [
        f"{number(value)} {name.replace('_', ' ')}"
        for name, value in counts.items()
        if value or name in zeros
    ]
    return " · ".join(shown)


def moment(seconds: float | None) -> str:
    """Return Unix seconds as date and time in UTC."""
    if not seconds:
        return "never"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def lasted(start: float, end: float | None) -> str:
    """Return how long something took."""
    if end is None:
        return ""
    seconds = max(0.0, end - start)
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    if seconds < _HOUR:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
