"""Results with hostile columns, as queries of constants."""

from collections.abc import Sequence

from corpus import Sample, samples
from rowlift.core.rules import RULES


def results_of_text(engine: str) -> list[Sample]:
    """The first result of each kind, of those that an engine can return for a query."""
    found = [one for one in samples("columns.toml") if _can_be_asked_for(one, engine)]
    return [*{(one.group, *one["codes"]): one for one in reversed(found)}.values()][::-1]


def _can_be_asked_for(sample: Sample, engine: str) -> bool:
    names = columns(sample)
    is_text = not (sample.get("types") or sample.get("by"))
    return is_text and engine not in sample.get("not_in", ()) and "\0" not in "".join(names or "\0")


def columns(sample: Sample) -> Sequence[str]:
    """The names of a result's columns."""
    if many := sample.get("many"):
        return ["id", *(f"c{number}" for number in range(1, many))]
    return list(sample["names"])


def select(sample: Sample, quote: str = '"') -> str:
    """A query with these columns, in an engine that quotes names so."""
    named = (
        f"'{at}' AS {quote}{name.replace(quote, quote * 2)}{quote}"
        for at, name in enumerate(columns(sample))
    )
    return f"SELECT {', '.join(named)}"


def first_error(sample: Sample) -> str:
    """The code that a run stops with; empty if nothing is wrong."""
    wrong = (code for code in sample["codes"] if RULES[code].scope != "warning")
    return next(wrong, "")
