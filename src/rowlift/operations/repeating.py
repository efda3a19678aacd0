"""Requests that come again, because their answer was lost, begin nothing a second time."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from rowlift.core.errors import Busy, ConfigError, RowliftError, StateError
from rowlift.core.rules import rule
from rowlift.operations.callers import Caller
from rowlift.operations.home import Home
from rowlift.state.answers import AnswerStore

_VOID: set[str] = set()  # requests that began nothing, which the state could not forget then


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and whether it is that of before."""

    text: str
    again: bool


@dataclass(frozen=True, slots=True)
class Repeats:
    """The requests of the last day that named a key."""

    home: Home

    def once(self, by: Caller, key: str, request: str, do: Callable[[], str]) -> Answered:
        """Do what a request asks for, or return what was answered when it came before.

        `key` is the caller's own, `request` tells one request from another. What is refused may be
        asked for again. What was cut off by the end of its process is never done again. Raises
        ConfigError KEY_REUSED, Busy REQUEST_UNDER_WAY, and what `do` raises.
        """
        store = AnswerStore(self.home.store.database, self.home.workspace_id)
        place = _digest(f"{self.home.workspace_id}\n{by.name}\n{key}")
        known = store.note(place, _digest(request))
        if known is None:
            return Answered(_kept(store, place, do), again=False)
        if known.request != _digest(request):
            raise ConfigError(
                "KEY_REUSED",
                "Another request had this key within a day.",
                mend=rule("KEY_REUSED").mend,
            )
        if known.text is None and _is_void(place):
            return Answered(_kept(store, place, do), again=False)
        if known.text is None:
            raise Busy(
                "REQUEST_UNDER_WAY",
                "The request of this key is under way, or was cut off by the end of its process.",
                mend=rule("REQUEST_UNDER_WAY").mend,
            )
        return Answered(known.text, again=True)


def _kept(store: AnswerStore, place: str, do: Callable[[], str]) -> str:
    try:
        text = do()
    except RowliftError:
        _forget(store, place)
        raise
    store.end(place, text)
    return text


def _forget(store: AnswerStore, place: str) -> None:
    try:
        store.forget(place)
    except StateError:
        _VOID.add(place)


def _is_void(place: str) -> bool:
    """Tell, to one who asks, whether a request began nothing."""
    try:
        _VOID.remove(place)
    except KeyError:
        return False
    return True


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
