"""What is wrong with a query: in words, and where in its text."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rowlift.core.errors import Place, RowliftError
from rowlift.engine.mistakes import place_of
from rowlift.project.problems import ProjectInvalid
from rowlift.web.problems import problem

_AROUND = 60  # characters of the line on either side
_WORD = re.compile(r"\w+|.")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A line of a query around a marked place."""

    before: str
    marked: str
    after: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong; line and column of the query count from 1, 0 is nowhere."""

    code: str
    text: str
    mend: str
    line: int = 0
    column: int = 0
    excerpt: Excerpt | None = None


def wrong(error: RowliftError, sql: str) -> list[Wrong]:
    """Return all that an error says, each with its place in the query where it has one."""
    problems = error.problems if isinstance(error, ProjectInvalid) else [error]
    return list(_told(problems, sql))


def _told(problems: Sequence[RowliftError], sql: str) -> Iterator[Wrong]:
    for one in problems:
        found, place = problem(one), one.place
        if not (place and place.line and place.path.endswith(("sql", "query"))):
            place = place_of(one, sql)
        if place and place.line:
            column, around = place.column or 1, excerpt(sql, place)
            yield Wrong(found.code, found.detail, found.mend, place.line, column, around)
        else:
            yield Wrong(found.code, found.detail, found.mend)


def excerpt(sql: str, place: Place) -> Excerpt | None:
    """Return the line of a place, with the word there apart; None where there is no such line."""
    lines = sql.splitlines()
    if not place.line or place.line > len(lines):
        return None
    line, at = lines[place.line - 1], max(0, (place.column or 1) - 1)
    word = _WORD.match(line, at)
    end = word.end() if word else at
    return Excerpt(line[max(0, at - _AROUND) : at], line[at:end] or " ", line[end : end + _AROUND])
