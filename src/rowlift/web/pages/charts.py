"""Bars of runs and days, in the units of their drawings; a table beside each says the same."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, log10

from rowlift.core.counting import counted
from rowlift.operations.reports import RunReport
from rowlift.state.audiences import AudienceSize
from rowlift.state.history import Day
from rowlift.web.pages.words import day, exact, moved, number, rejected, short, tone

HEIGHT = 100
STEP = 10  # from one column to the next
LABELS = 6  # below the columns, at most
PLACES = 24  # for columns, at least, so that few of them stay slim
LEAST = 3  # of a bar that stands for anything


@dataclass(frozen=True, slots=True)
class Bar:
    """One run in a row of bars, by how many rows it moved."""

    x: int
    height: int
    tone: str
    title: str


@dataclass(frozen=True, slots=True)
class Column:
    """Rows that went and rows that did not, one above the other; `top` is where they end."""

    x: int
    good: float
    bad: float
    title: str
    counts: tuple[str, int, int]

    @property
    def top(self) -> float:
        """Return where the column ends, from above."""
        return HEIGHT - self.good - self.bad


@dataclass(frozen=True, slots=True)
class Columns:
    """A chart: its columns, the marks of its axis from above, and the labels below."""

    columns: Sequence[Column]
    marks: Sequence[str]
    labels: Sequence[str]

    @property
    def width(self) -> int:
        """Return how wide the drawing is."""
        return len(self.labels) * STEP

    @property
    def has_bad(self) -> bool:
        """Tell whether any row did not go."""
        return any(one.bad for one in self.columns)


def bars(runs: Sequence[RunReport], places: int = 20) -> list[Bar]:
    """Return the newest runs at the right end of as many places."""
    most = max((moved(one) + rejected(one) for one in runs), default=0) or 1
    first = places - len(runs)
    return [
        Bar(
            (first + index) * STEP,
            max(22, ceil((moved(one) + rejected(one)) * HEIGHT / most)),
            tone(one.outcome),
            f"Run {one.id}: {one.outcome.value}, {number(moved(one))} rows moved",
        )
        for index, one in enumerate(runs)
    ]


def sent_per_run(runs: Sequence[RunReport]) -> Columns:
    """Return how many rows each run moved, and how many did not go."""
    told = [
        (f"#{one.id}", moved(one), rejected(one), f"Run {one.id}: {one.outcome.value}")
        for one in runs
    ]
    return _columns(told, PLACES)


def days(found: Sequence[Day]) -> Columns:
    """Return how many rows each day moved, and how many did not go."""
    return _columns(
        [
            (day(one.at), one.moved, one.rejected, f"{day(one.at)}: {number(one.runs)} runs")
            for one in found
        ]
    )


def sizes_over_time(sizes: Sequence[AudienceSize]) -> Columns:
    """Return how many people an audience had whenever that changed, the oldest first."""
    told = [
        (
            day(one.at),
            one.members,
            0,
            f"{exact(one.at)}: {counted(one.members, 'person', 'people')}",
        )
        for one in reversed(sizes)
    ]
    found = _columns(told, PLACES)
    columns = [replace(one, title=it[3]) for one, it in zip(found.columns, told, strict=True)]
    return replace(found, columns=columns)


def _columns(told: Sequence[tuple[str, int, int, str]], least: int = 0) -> Columns:
    most = _round(max((good + bad for _, good, bad, _ in told), default=0))
    free = max(0, least - len(told))
    columns = [
        Column(
            (free + index) * STEP, _height(good, most), _height(bad, most),
            f"{title}, {number(good)} rows moved, {number(bad)} rejected", (label, good, bad),
        )
        for index, (label, good, bad, title) in enumerate(told)
    ]  # fmt: skip
    every = max(1, ceil(len(told) / LABELS))
    shown = [one[0] if (len(told) - 1 - at) % every == 0 else "" for at, one in enumerate(told)]
    labels = [""] * free + shown
    return Columns(columns, [short(most), short(most // 2), "0"], labels)


def _height(rows: int, most: int) -> float:
    return round(max(LEAST, rows * HEIGHT / most), 1) if rows else 0


def _round(most: int) -> int:
    """Return the end of an axis: the next number of 1, 2, 4, 6 or 10 and zeros."""
    if most <= 10:  # noqa: PLR2004 - halves of it are whole
        return 10
    size: int = 10 ** int(log10(most))
    return min(size * step for step in (1, 2, 4, 6, 10) if size * step >= most)
