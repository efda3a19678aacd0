"""What a misspelled name was probably meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return ` Did you mean …?` for the nearest known word, or nothing."""
    known = list(known)
    lower = {name.lower(): name for name in known}
    near = get_close_matches(str(word)[:80].lower(), list(lower), n=1, cutoff=0.6)
    return f' Did you mean "{lower[near[0]]}"?' if near else ""
