"""The texts inside a document's values, each with its path."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rowlift.project.documents import KeyPath


def texts(value: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Yield every text of a value."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from texts(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from texts(inner, (*path, index))


def mapped(value: Any, change: Callable[[KeyPath, str], str], path: KeyPath = ()) -> Any:
    """Return a value with every text changed."""
    if isinstance(value, str):
        return change(path, value)
    if isinstance(value, Mapping):
        return {key: mapped(inner, change, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [mapped(inner, change, (*path, index)) for index, inner in enumerate(value)]
    return value
