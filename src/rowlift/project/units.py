"""Durations and shares as people write them: 12h, 5m, 1d, 10%."""

import re

from rowlift.core.specs import Threshold

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
LONGEST = 3660 * SECONDS["d"]
DURATION = r"[0-9]{1,9}\s?[smhdw]"
PERCENT = r"[0-9]{1,3}(\.[0-9]{1,6})?\s?%"


def seconds(text: object) -> int:
    """Return the seconds of a duration such as 90s, 5m, 12h, 1d or 2w.

    Raises ValueError with words for the reader; ten years are the most, and 0s is allowed.
    """
    if not isinstance(text, str) or not re.fullmatch(DURATION, text.strip(), re.ASCII):
        raise ValueError(
            "must be a duration: a whole number and s, m, h, d or w, for example 90s, 5m, 12h or 1d"
        )
    text = text.strip()
    total = int(text[:-1]) * SECONDS[text[-1]]
    if total > LONGEST:
        raise ValueError("must be at most ten years")
    return total


def duration(total: int) -> str:
    """Return the shortest text of a number of seconds, such as 12h."""
    unit = next(name for name in "wdhms" if total % SECONDS[name] == 0)
    return f"{total // SECONDS[unit]}{unit}"


def percent(share: float) -> str:
    """Return a share as people read it, such as 99.2 %: never 100 % where anything is missing."""
    return "100 %" if share >= 1 else f"{min(share, 0.999) * 100:.1f} %"


def threshold(value: object) -> Threshold | None:
    """Return how much a guard lets pass, None for off; raises ValueError with words."""
    if value == "off":
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Threshold(rows=value)
    if isinstance(value, str) and re.fullmatch(PERCENT, value.strip(), re.ASCII):
        percent = float(value.strip().rstrip("%"))
        if percent <= 100:  # noqa: PLR2004
            return Threshold(percent=percent)
    raise ValueError("must be a share such as 10%, a number of rows such as 500, or off")
