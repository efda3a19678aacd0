"""Broken rules as people read them: how many rows, which ones, and how to mend it."""

from collections.abc import Sequence
from dataclasses import dataclass

from rowlift.core.errors import GuardStop
from rowlift.core.rules import rule
from rowlift.engine.duck import Duck
from rowlift.engine.duck import text as literal

EXAMPLES = 5
SHOWN = 80  # characters of an identifier

_COUNTS = "SELECT code, count(*) FROM rejected GROUP BY code ORDER BY code"
_EXAMPLES = """
SELECT identifier, count(*), min(row_number) FROM rejected
WHERE code = {code} GROUP BY identifier ORDER BY min(row_number) LIMIT {most}
"""


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule: how many rows, the first examples and how to mend it."""

    code: str
    title: str
    count: int
    examples: tuple[str, ...]
    mend: str

    def __str__(self) -> str:
        rows = "row" if self.count == 1 else "rows"
        shown = f" ({'; '.join(self.examples)})" if self.examples else ""
        return f"{self.code}: {self.title} in {self.count:,} {rows}{shown}."


def problem(code: str, count: int, key: str, examples: Sequence[str] = ()) -> Problem:
    """Return a broken rule; its mend names the key column at hand."""
    known = rule(code)
    mend = known.mend.replace("user_id", key)
    return Problem(code, known.title, count, tuple(examples), mend)


def codes(duck: Duck) -> dict[str, int]:
    """Return how many rows the relation `rejected` holds, by code."""
    return dict(duck.rows(_COUNTS))


def problems(duck: Duck, key: str) -> tuple[Problem, ...]:
    """Return what the relation `rejected` holds, by code."""
    return tuple(
        problem(code, count, key, _examples(duck, code)) for code, count in codes(duck).items()
    )


def bad_rows(found: Sequence[Problem], read: int) -> GuardStop:
    """Return the refusal that lists each broken rule."""
    count = sum(one.count for one in found)
    listed = "\n".join(f"  {one}\n    {one.mend}" for one in found)
    return GuardStop(
        "BAD_ROWS",
        f"{count:,} of {read:,} rows break the rules; nothing was changed or sent.\n{listed}",
        mend=rule("BAD_ROWS").mend,
        examples=tuple(example for one in found for example in one.examples),
    )


def shown(identifier: str | None, count: int, row: int | None = None) -> str:
    """Return one example: the identifier and where or how often it stands."""
    text = "null" if identifier is None else repr(identifier[:SHOWN])
    return f"{text} in row {row:,}" if row and count == 1 else f"{text} in {count:,} rows"


def _examples(duck: Duck, code: str) -> list[str]:
    rows = duck.rows(_EXAMPLES.format(code=literal(code), most=EXAMPLES))
    return [shown(identifier, count, row) for identifier, count, row in rows]
