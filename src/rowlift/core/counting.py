"""How many there are of something, in words."""


def counted(count: int, noun: str, many: str = "") -> str:
    """Return a count with its noun: 1 row, 2 rows."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"
