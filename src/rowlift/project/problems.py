"""What is wrong with a project's files: every problem has a place and a way to mend it."""

import json
from collections.abc import Iterable, Sequence

from rowlift.core.errors import ConfigError, Place
from rowlift.core.rules import rule

SHOWN = 60


class Problem(ConfigError):
    """One problem of one file; a warning does not stop anything."""

    def __init__(
        self, code: str, message: str, *, place: Place | None = None, mend: str = ""
    ) -> None:
        super().__init__(code, message, mend=mend or rule(code).mend, place=place)

    @property
    def is_warning(self) -> bool:
        return rule(self.code).scope == "warning"


class ProjectInvalid(ConfigError):
    """The project cannot be used; `problems` holds all of them in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=_order))
        first = self.problems[0]
        more = len(self.problems) - 1
        super().__init__(
            first.code,
            f"{first.message} (and {more} more)" if more else first.message,
            mend=first.mend,
            place=first.place,
        )


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems by file, line and column."""
    return tuple(sorted(problems, key=_order))


def listed(names: Sequence[str], last: str = "or") -> str:
    """Return `a, b or c`."""
    *head, tail = names
    return f"{', '.join(head)} {last} {tail}" if head else tail


def shown(value: object) -> str:
    """Return a value as any terminal can show it: one line, escaped, at most 60 characters."""
    text = json.dumps(value, ensure_ascii=not str(value).isprintable(), default=str)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _order(problem: Problem) -> tuple[str, int, int]:
    place = problem.place or Place("")
    return place.path, place.line or 0, place.column or 0
