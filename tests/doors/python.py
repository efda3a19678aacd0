"""The Python door: what can be called, by name."""

from collections.abc import Iterator
from typing import get_type_hints

from rowlift.operations.access import Access

FACADES = set(get_type_hints(Access).values())


def operations(facade: type, prefix: str = "") -> Iterator[str]:
    """Every public method of a facade and of those it leads to, as routes declare them."""
    ours = [one for one in reversed(facade.__mro__) if one.__module__.startswith("rowlift.")]
    members = {name: member for base in ours for name, member in vars(base).items()}
    for name, member in members.items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            yield from operations(get_type_hints(member.fget)["return"], f"{prefix}{name}.")
        elif callable(member) and not isinstance(member, type):
            yield prefix + name
        elif isinstance(kind := get_type_hints(facade).get(name), type) and kind in FACADES:
            yield from operations(kind, f"{prefix}{name}.")
