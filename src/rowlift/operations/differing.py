"""What a row of a plan would change, attribute by attribute."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Difference:
    """One attribute before and after as JSON; empty is not there."""

    name: str
    before: str
    after: str


def differences(sample: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield by name the attributes that a sampled row would not have as before."""
    before, after = (json.loads(sample[side] or "{}") for side in ("before", "after"))
    for name in sorted({*before, *after}):
        was, now = (_text(side, name) for side in (before, after))
        if was != now:
            yield Difference(name, was, now)


def _text(values: Mapping[str, Any], name: str) -> str:
    return json.dumps(values[name], ensure_ascii=False) if name in values else ""
