"""What requests hold."""

import json
import math
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict

from rowlift.core.errors import ConfigError

Value = TypeVar("Value")


class Body(BaseModel):
    """A body in which a member that nobody knows is refused: it may be one that was mistyped."""

    model_config = ConfigDict(extra="forbid")


def parsed(body: bytes, number: Callable[[str], Any] = float) -> Any:
    """Return the value of a JSON text; `number` reads what is no integer.

    Raises ValueError where it is none, or readers differ about it: NaN, Infinity, a member twice.
    """
    return json.loads(body, parse_float=number, parse_constant=_refuse, object_pairs_hook=_members)


async def sound(request: Request) -> None:
    """Raise ConfigError BODY_INVALID for a body that another program may read differently."""
    if not request.scope["route"].body_field:
        return
    try:
        parsed(await request.body() or b"{}", _finite)
    except (ValueError, RecursionError) as error:
        raise no_json(str(error)) from None


def no_json(reason: str) -> ConfigError:
    """Return what is raised where a body is no JSON, or none that all read alike."""
    return ConfigError(
        "BODY_INVALID",
        f"The body cannot be read as JSON: {reason}.",
        mend="Write each member once, and no NaN or Infinity.",
    )


def _finite(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise ValueError(f"{digits[:40]} is too large")
    return value


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _members(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    members: dict[str, Value] = {}
    for name, value in pairs:
        if name in members:
            raise ValueError(f"{name[:40]!r} stands twice in an object")
        members[name] = value
    return members
