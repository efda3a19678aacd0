"""Lists in pages, each with a cursor to the next one."""

import base64
import json
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

from rowlift.core.digits import IN_64_BITS, number_of
from rowlift.core.errors import ConfigError

Item = TypeVar("Item")
MOST = 200

Limit = Annotated[int, Query(ge=1, le=MOST, description="How many at most.")]
Cursor = Annotated[
    str | None, Query(max_length=100, description="`next` of the page before; none for the first.")
]


NamesCursor = Annotated[
    str | None, Query(max_length=2000, description="`next` of the page before; none for the first.")
]


class Page(BaseModel, Generic[Item]):
    """One page of a list; `next` is the cursor to the page after it, null at the end."""

    items: Sequence[Item]
    next: str | None


def place(cursor: str | None) -> int | None:
    """Return the number that a cursor holds; raises ConfigError CURSOR_WRONG."""
    if cursor is None:
        return None
    (number,) = _held(cursor, "n")
    return int(number)


def place_in_time(cursor: str | None) -> tuple[float, int] | None:
    """Return the moment and the number that a cursor holds; raises ConfigError CURSOR_WRONG."""
    if cursor is None:
        return None
    number, moment = _held(cursor, "t")
    return float(moment), int(number)


def place_by_names(cursor: str | None, number: int) -> Sequence[str] | None:
    """Return the names that a cursor holds, so many of them; raises ConfigError CURSOR_WRONG."""
    if cursor is None:
        return None
    try:
        kind, found = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        is_ours = kind == "s" and isinstance(found, list) and len(found) == number
        if is_ours and all(isinstance(one, str) and "\0" not in one for one in found):
            "".join(found).encode()
            return list(found)
    except (ValueError, TypeError, RecursionError):
        pass
    raise _wrong()


def _wrong() -> ConfigError:
    return ConfigError(
        "CURSOR_WRONG", "This is no cursor.", mend="Send `next` of the page before as it is."
    )


def _held(cursor: str, kind: str) -> Sequence[str]:
    """Return the parts of a cursor, of which the first is a number and others are moments."""
    try:
        found, number, *moments = base64.urlsafe_b64decode(cursor.encode()).decode().split(":")
        is_number = number_of(number, IN_64_BITS) is not None
        is_ours = found == kind and len(moments) == (kind == "t")
        if is_number and is_ours and all(math.isfinite(float(one)) for one in moments):
            return [number, *moments]
    except ValueError:
        pass
    raise _wrong()


def page(found: Sequence[Item], limit: int, number: Callable[[Item], int]) -> Page[Item]:
    """Return a page of what was found; `number` tells the place of one in the whole list."""
    following = f"n:{number(found[-1])}" if len(found) == limit else None
    return Page(items=found, next=_cursor(following))


def page_in_time(
    found: Sequence[Item], limit: int, at: Callable[[Item], tuple[float, int]]
) -> Page[Item]:
    """Return a page of a list in the order of time; `at` tells moment and number of one."""
    following = None
    if len(found) == limit:
        moment, number = at(found[-1])
        following = f"t:{number}:{moment!r}"
    return Page(items=found, next=_cursor(following))


def page_by_names(
    found: Sequence[Item], limit: int, names: Callable[[Item], Sequence[str]]
) -> Page[Item]:
    """Return a page of a list in the order of names; `names` tells the place of one in it."""
    following = None
    if len(found) == limit:
        following = json.dumps(["s", [*names(found[-1])]], ensure_ascii=False)
    return Page(items=found, next=_cursor(following))


def whole(found: Sequence[Item]) -> Page[Item]:
    """Return a list that has one page."""
    return Page(items=found, next=None)


def _cursor(text: str | None) -> str | None:
    return None if text is None else base64.urlsafe_b64encode(text.encode()).decode()
