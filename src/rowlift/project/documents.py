"""The values of one YAML file and where each of them stands."""

from dataclasses import dataclass, field
from typing import Any

from rowlift.core.errors import Place
from rowlift.project.problems import Problem

KeyPath = tuple[str | int, ...]


@dataclass(slots=True)
class Document:
    """The values of one file; `private` files may hold secrets, so no value of theirs is shown."""

    path: str
    private: bool = False
    value: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, Place] = field(default_factory=dict)
    keys: dict[KeyPath, Place] = field(default_factory=dict)
    spoiled: set[KeyPath] = field(default_factory=set)  # reported already, with all below
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: KeyPath) -> Place:
        """Return where the value of a path stands, or the nearest thing around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(self.path, 1, 1))

    def key_place(self, path: KeyPath) -> Place:
        """Return where the key of a path stands."""
        return self.keys.get(path) or self.place(path)

    def report(self, code: str, message: str, path: KeyPath = (), mend: str = "") -> None:
        """Note a problem with the value at a path."""
        self.problems.append(Problem(code, message, place=self.place(path), mend=mend))

    def is_spoiled(self, path: KeyPath) -> bool:
        """Tell whether a value at or around a path was reported already."""
        return any(path[: len(one)] == one for one in self.spoiled)
