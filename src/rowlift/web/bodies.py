"""What requests hold."""

import json
import math
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict

from rowlift.core.errors import ConfigError

Value = TypeVar("Value")
MOST_DIGITS = 4000  # of an integer; Python reads 4,300


class Body(BaseModel):
    """A body in which a member that nobody knows is refused: it may be one that was mistyped."""

    model_config = ConfigDict(extra="forbid")


def parsed(body: bytes, **hooks: Any) -> Any:
    """Return the value of a JSON text; `hooks` are those of json.loads.

    Raises ValueError where it is none, and says why in words for whoever sent it.
    """
    try:
        return json.loads(body, parse_constant=_refuse, **hooks)
    except (ValueError, RecursionError) as error:
        raise ValueError(reason(error)) from None


def reason(error: BaseException) -> str:
    """Return why a text is no JSON, in words for whoever sent it."""
    if isinstance(error, RecursionError):
        return "it nests too deep"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1:,} is no {error.encoding}"
    if str(error).startswith("Exceeds the limit"):
        return "a number has too many digits"
    return str(error)


async def sound(request: Request) -> None:
    """Raise ConfigError BODY_INVALID for a body that another program may read differently."""
    if not request.scope["route"].body_field:
        return
    try:
        body = await request.body() or b"{}"
        value = parsed(body, parse_int=_integer, parse_float=_finite, object_pairs_hook=_members)
        if b"\\u" in body:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise no_json("a text holds half a character, a lone surrogate") from None
    except ValueError as error:
        raise no_json(str(error)) from None


def no_json(why: str) -> ConfigError:
    """Return what is raised where a body is no JSON, or none that all read alike."""
    return ConfigError(
        "BODY_INVALID",
        f"The body cannot be read as JSON: {why}.",
        mend="Write it as UTF-8, each member once, and no NaN or Infinity.",
    )


def _finite(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise ValueError(f"{digits[:40]} is too large")
    return value


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number has more than {MOST_DIGITS:,} digits")
    return int(digits)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _members(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    members: dict[str, Value] = {}
    for name, value in pairs:
        if name in members:
            raise ValueError(f"{name[:40]!r} stands twice in an object")
        members[name] = value
    return members
