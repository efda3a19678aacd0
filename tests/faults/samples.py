"""How many cases of a fault are tried: a few in `make test`, all of them in `make torture`."""

import os
from typing import TypeVar

EVERY = "ROWLIFT_TEST_EVERY_FAULT"

Case = TypeVar("Case")


def cases(*values: Case, few: int = 1) -> tuple[Case, ...]:
    """Return the first few of the values, or all if the environment asks for every fault."""
    return values if os.environ.get(EVERY) else values[:few]
