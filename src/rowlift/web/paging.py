"""Lists in pages, each with a cursor to the next one."""

import base64
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

from rowlift.core.errors import ConfigError

Item = TypeVar("Item")
MOST = 200

Limit = Annotated[int, Query(ge=1, le=MOST, description="How many at most.")]
Cursor = Annotated[
    str | None, Query(max_length=100, description="`next` of the page before; none for the first.")
]


class Page(BaseModel, Generic[Item]):
    """One page of a list; `next` is the cursor to the page after it, null at the end."""

    items: Sequence[Item]
    next: str | None


def place(cursor: str | None) -> int | None:
    """Return the number that a cursor holds; raises ConfigError CURSOR_WRONG."""
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor.encode()).decode()
        kind, number = text.split(":")
        if kind == "n" and number.isdecimal() and len(number) < 19:  # noqa: PLR2004 - 64 bits
            return int(number)
    except ValueError:
        pass
    raise ConfigError(
        "CURSOR_WRONG", "This is no cursor.", mend="Send `next` of the page before as it is."
    )


def page(found: Sequence[Item], limit: int, number: Callable[[Item], int]) -> Page[Item]:
    """Return a page of what was found; `number` tells the place of one in the whole list."""
    return Page(items=found, next=_cursor(number(found[-1])) if len(found) == limit else None)


def whole(found: Sequence[Item]) -> Page[Item]:
    """Return a list that has one page."""
    return Page(items=found, next=None)


def _cursor(number: int) -> str:
    return base64.urlsafe_b64encode(f"n:{number}".encode()).decode()
