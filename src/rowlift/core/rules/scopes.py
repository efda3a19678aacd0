"""What a rule is, and what it can be about."""

from dataclasses import dataclass
from typing import Literal

Scope = Literal[
    "file",
    "source",
    "column",
    "row",
    "message",
    "run",
    "guard",
    "destination",
    "state",
    "access",
    "warning",
]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `mend` is one line for the person who wrote the query or the file."""

    code: str
    scope: Scope
    title: str
    mend: str
