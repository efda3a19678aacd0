"""Whether a source's clock and ours agree."""

from rowlift.core.nouns import Finding

DRIFT = 30  # seconds from which on it is worth a warning; a slow answer may take some


def clocks(theirs: float, ours: float, note: str = "") -> Finding:
    """Compare two clocks, in Unix seconds; the note is said beside what is found."""
    ahead = theirs - ours
    if abs(ahead) < DRIFT:
        return Finding("clock", "ok", f"The clocks agree.{note}")
    direction = "ahead of" if ahead > 0 else "behind"
    return Finding(
        "clock",
        "warning",
        f"The source's clock is {abs(ahead):.0f} seconds {direction} ours.{note}",
        "Set the wrong one right. Nothing breaks: last_sync_time is the source's own.",
    )
