"""Whole numbers as others write them."""

IN_32_BITS, IN_64_BITS = 9, 18  # digits that always fit


def number_of(text: str, digits: int = IN_32_BITS) -> int | None:
    """Return a number of at most so many ASCII digits, and None for any other text."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None
