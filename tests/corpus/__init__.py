"""Hostile input as data: what is put in stands beside what must come of it (see README.md)."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Sample:
    """One input of a numbered group: `given` is its table in the file, recipes carried out."""

    file: str
    group: int
    title: str
    list: str
    number: int
    given: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Where it stands: its group, and its place in the group's list."""
        return f"g{self.group}_{self.list}_{self.number}"

    @property
    def code(self) -> str:
        """The code of its refusal; empty if it is kept."""
        return str(self.given.get("code", ""))

    def __getitem__(self, key: str) -> Any:
        return self.given[key]

    def get(self, key: str, default: Any = None) -> Any:
        return self.given.get(key, default)


@cache
def everything(file: str) -> tuple[Sample, ...]:
    """All samples of a file below this folder, such as emails.toml."""
    document = tomllib.loads((FOLDER / file).read_text(encoding="utf-8"))
    return tuple(sample for group in document["group"] for sample in _samples(file, group))


def samples(file: str, kind: str = "samples") -> list[Sample]:
    """The samples of a file that stand in lists of one name."""
    return [sample for sample in everything(file) if sample.list == kind]


def files() -> list[str]:
    return sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.toml"))


def ident(sample: object) -> str | None:
    """A sample's name, for the ids of parametrised tests."""
    return sample.name if isinstance(sample, Sample) else None


def _samples(file: str, group: Mapping[str, Any]) -> Iterator[Sample]:
    for kind, tables in group.items():
        if isinstance(tables, list):
            for number, table in enumerate(tables, 1):
                given = {key: _built(value) for key, value in table.items()}
                yield Sample(file, group["number"], group["title"], kind, number, given)


def _built(value: Any) -> Any:
    """Carry out the recipes in a value; README.md lists them."""
    match value:
        case list():
            return [_built(one) for one in value]
        case {"repeat": part, "times": times}:
            return _built(part) * times
        case {"numbered": part, "times": times}:
            return ",".join(part % number for number in range(times))
        case {"join": parts}:
            return "".join(map(_built, parts))
        case {"hex": digits}:
            return bytes.fromhex(digits)
        case {"null": True}:
            return None
        case dict():
            return {key: _built(inner) for key, inner in value.items()}
    return value
