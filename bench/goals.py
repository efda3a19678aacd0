"""What must be reached, judged case by case: a ratio stands only on figures of the same call."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from bench import audience, intake, lists, pages, people, reading, verifying
from bench.results import Figures, Result

MILLION = 1_000_000
# Seconds a hosted service publishes: rows of ten columns, from MySQL into an empty workspace.
HOSTED = {100_000: 260, 250_000: 636, 500_000: 1309, 750_000: 1882, MILLION: 2439}
FASTER = 100
SCRIPT, FIRST, UNCHANGED, FAST = "plain script", "first sync", "unchanged", "fast reader"
NOT_OURS = (SCRIPT, "floor", "dlt ", "drt ")
OF_SCRIPT = 0.4
OF_SCRIPT_UNCHANGED = 0.2
WITH_LATENCY_SECONDS = 30
FLAT = 1.2
OF_DELIVERY = 1  # nobody waits longer for the proof than for the delivery
HELP_SECONDS = 0.4
DEMO_SECONDS = 60
CHANGED_SECONDS = 5
AUDIENCE_SECONDS = 3
PERSON_SECONDS, WHY_SECONDS, SEARCH_SECONDS = 0.05, 1, 1
APPLIED_PER_SECOND = 50_000
MESSAGES_PER_SECOND = 5_000
IMPORT_SECONDS = 24
SUPPRESSED_COST = 1.1
WIDE_MB = 1000
PAGE_SECONDS, SHOWN_SECONDS = 0.1, 0.15
OF_DRIVER = 1.5
MEMORY_MB = {MILLION: 500, 10 * MILLION: 1000}
Steps = Mapping[str, Figures]
Judge = Callable[[Steps], Iterator["Verdict"]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One goal: what was measured, what it must be, what it was."""

    what: str
    goal: str
    figure: str
    met: bool


def verdicts(result: Result) -> Iterator[Verdict]:
    """Yield the verdicts of the goals that a case is about."""
    kind = result.name.partition("-")[0]
    for judge in JUDGES.get(kind, ()):
        yield from judge(result.steps)


def at_most(what: str, most: float, found: float, unit: str, digits: int = 1) -> Verdict:
    """Judge a figure that must not be higher."""
    return Verdict(what, f"≤ {most:g} {unit}", f"{found:.{digits}f} {unit}", found <= most)


def exactly(what: str, expected: int, found: int | None) -> Verdict:
    """Judge a count of messages."""
    return Verdict(what, f"{expected:,} messages", f"{found or 0:,} messages", found == expected)


def hosted(steps: Steps) -> Iterator[Verdict]:
    """Judge an import against the hosted service."""
    fast = steps[FAST]
    if fast.rows in HOSTED:
        times = HOSTED[fast.rows] / fast.wall
        what = f"{fast.rows:,} rows from MariaDB into the workspace, against the hosted service"
        yield Verdict(what, f"≥ {FASTER} times faster", f"{times:.0f} times", times >= FASTER)
    if fast.rows == MILLION:
        what = "1,000,000 rows from MariaDB into the workspace"
        yield at_most(what, IMPORT_SECONDS, fast.wall, "s")


def script(steps: Steps) -> Iterator[Verdict]:
    """Judge deliveries against the plain script of the same call."""
    plain, first, unchanged = steps[SCRIPT], steps[FIRST], steps[UNCHANGED]
    label, times = f"{first.rows:,} rows to Segment", "of the plain script's"
    cpu, wall = first.all_cpu / plain.all_cpu, first.wall / plain.wall
    yield at_most(f"{label}: CPU seconds", OF_SCRIPT, cpu, times, 2)
    yield at_most(f"{label}: wall seconds", OF_SCRIPT, wall, times, 2)
    cpu = unchanged.all_cpu / plain.all_cpu
    yield at_most(f"{label}, unchanged: CPU seconds", OF_SCRIPT_UNCHANGED, cpu, times, 2)


def messages(steps: Steps) -> Iterator[Verdict]:
    """Judge that what did not change is not sent."""
    rows = steps[FIRST].rows
    label = f"{rows:,} rows to Segment"
    yield exactly(f"{label}, unchanged", 0, steps[UNCHANGED].messages)
    yield exactly(f"{label}, 1 % changed", rows // 100, steps["1 % changed"].messages)


def slow_sink(steps: Steps) -> Iterator[Verdict]:
    """Judge deliveries where each request takes long."""
    first = steps[FIRST]
    if first.rows == MILLION:
        what = "1,000,000 rows to Segment, each request 100 ms slower"
        yield at_most(what, WITH_LATENCY_SECONDS, first.wall, "s")


def peak(steps: Steps) -> Iterator[Verdict]:
    """Judge the highest memory of any of a case's runs of Rowlift, children included."""
    ours = [one for step, one in steps.items() if not step.startswith(NOT_OURS)]
    rows = max(one.rows for one in ours)
    if rows in MEMORY_MB:
        what = f"peak memory at {rows:,} rows"
        yield at_most(what, MEMORY_MB[rows], max(one.together_mb for one in ours), "MB", 0)


def flat(steps: Steps) -> Iterator[Verdict]:
    """Judge the memory of twice the rows."""
    once, twice = steps[FIRST], steps["first sync of twice the rows"]
    what = f"peak memory of {twice.rows:,} rows"
    ratio = twice.together_mb / once.together_mb
    yield at_most(what, FLAT, ratio, f"of that of {once.rows:,}", 2)


def taking_in(steps: Steps) -> Iterator[Verdict]:
    """Judge the ingest API, from its start to the last message written."""
    found = steps[intake.WRITTEN]
    speed = found.rows / found.wall
    goal, met = f"≥ {MESSAGES_PER_SECOND:,} messages/s", speed >= MESSAGES_PER_SECOND
    what = f"{found.rows:,} messages to the ingest API, taken in and written"
    yield Verdict(what, goal, f"{speed:,.0f} messages/s", met)


def known(state: str, steps: Steps) -> Iterator[Verdict]:
    """Judge a first import into a workspace on SQLite or PostgreSQL, and what comes after it."""
    first, applied = steps[people.FIRST], steps[people.APPLIED]
    if first.rows != MILLION:
        return
    speed = applied.rows / applied.wall
    goal, met = f"≥ {APPLIED_PER_SECOND:,} rows/s", speed >= APPLIED_PER_SECOND
    label = f"1,000,000 people on {state}"
    yield Verdict(f"{label}, new", goal, f"{speed:,.0f} rows/s", met)
    for step in (people.FULL, people.ALONE):
        yield at_most(f"{label}, {step}", CHANGED_SECONDS, steps[step].wall, "s")
    yield at_most(f"{label}, one of them", PERSON_SECONDS, steps[people.PERSON].wall, "s", 3)
    yield at_most(f"{label}, why", WHY_SECONDS, steps[people.WHY].wall, "s", 3)
    if searched := steps.get(people.SEARCHED):  # results of before have none
        yield at_most(f"{label}, searched", SEARCH_SECONDS, searched.wall, "s", 3)


def whole(steps: Steps) -> Iterator[Verdict]:
    """Judge what suppression costs, and whether the hosted service is still beaten with all on."""
    plain, less, all_ = steps[people.PLAIN], steps[people.LEFT_OUT], steps[people.WHOLE]
    if plain.rows != MILLION:
        return
    listed = steps[people.SUPPRESS].rows
    what = f"1,000,000 rows with {listed:,} suppressed identifiers: CPU seconds"
    ratio = less.all_cpu / plain.all_cpu
    yield at_most(what, SUPPRESSED_COST, ratio, "of those without", 2)
    yield at_most("1,000,000 rows with everything on", IMPORT_SECONDS, all_.wall, "s")


def columns(steps: Steps) -> Iterator[Verdict]:
    """Judge the memory of many columns."""
    for step, one in steps.items():
        what = f"peak memory of {one.rows:,} rows of {people.COLUMNS} columns {step}"
        yield at_most(what, WIDE_MB, one.together_mb, "MB", 0)


def listed(steps: Steps) -> Iterator[Verdict]:
    """Judge what 99 of 100 pages of each list take while a sync runs."""
    for name in lists.LISTS:
        what = f"99 of 100 pages of {name}, while {steps[name].rows:,} rows are read"
        yield at_most(what, PAGE_SECONDS, steps[name].wall, "s", 3)


def shown(steps: Steps) -> Iterator[Verdict]:
    """Judge what 95 of 100 answers with each page of the web UI take."""
    for name in pages.PAGES:
        what = f"95 of 100 answers with the page of {name}, {steps[name].rows:,} people"
        yield at_most(what, SHOWN_SECONDS, steps[name].wall, "s", 3)


def starting(steps: Steps) -> Iterator[Verdict]:
    """Judge the start of the program."""
    yield at_most("rowlift --help", HELP_SECONDS, steps["rowlift --help"].cpu, "s CPU", 2)


def trying(steps: Steps) -> Iterator[Verdict]:
    """Judge the demo."""
    yield at_most("rowlift demo", DEMO_SECONDS, steps["rowlift demo"].wall, "s")


def read(steps: Steps) -> Iterator[Verdict]:
    """Judge how fast servers are read beside their drivers alone.

    The drivers of files alone are not exact: SQLite's columns may hold values of any type.
    """
    for step in reading.SERVERS.values():
        what = f"{steps[step].rows:,} rows read from {step}"
        yield _beside(what, steps, step, lambda one: one.wall, "its driver's time")


def drivers(steps: Steps) -> Iterator[Verdict]:
    """Judge what reading costs beside the driver alone, where the time is a stand-in's."""
    for step, one in steps.items():
        if reading.alone(step) in steps:
            what = f"{one.rows:,} rows read by {step}: CPU seconds"
            yield _beside(what, steps, step, lambda one: one.cpu, "the driver's")


def _beside(
    what: str, steps: Steps, step: str, spent: Callable[[Figures], float], whose: str
) -> Verdict:
    """Judge a reader by what it takes once loaded; that of whole processes is told beside it.

    Figures that were kept from before that was measured are judged by whole processes.
    """
    ratios = [
        spent(steps[step + ending]) / spent(steps[reading.alone(step) + ending])
        for ending in (reading.LOADED, "")
        if step + ending in steps
    ]
    figure = f"{ratios[0]:.2f} of {whose} alone"
    figure += f"; {ratios[1]:.2f} with the start of both" if ratios[1:] else ""
    return Verdict(what, f"≤ {OF_DRIVER:g} of {whose} alone", figure, ratios[0] <= OF_DRIVER)


def quiet(steps: Steps) -> Iterator[Verdict]:
    """Judge that nothing looks changed where nothing did."""
    for step, one in steps.items():
        if step.endswith(reading.UNCHANGED):
            yield exactly(f"{one.rows:,} rows from {step}", 0, one.messages)


def followed(steps: Steps) -> Iterator[Verdict]:
    """Judge how soon an audience is looked at again."""
    for step in (audience.AGAIN, audience.UNCHANGED):
        yield at_most(f"an audience, {step}", AUDIENCE_SECONDS, steps[step].wall, "s")


def read_back(steps: Steps) -> Iterator[Verdict]:
    """Judge verifications beside the first sync that wrote the same files, and their memory."""
    for form in verifying.FORMS:
        first, found = steps[verifying.delivered(form)], steps[verifying.verified(form)]
        label, whose = f"{found.rows:,} rows verified, {form}", "of the first sync's"
        yield at_most(f"{label}: CPU seconds", OF_DELIVERY, found.cpu / first.cpu, whose, 2)
        yield at_most(f"{label}: wall seconds", OF_DELIVERY, found.wall / first.wall, whose, 2)
        if found.rows in MEMORY_MB:
            yield at_most(f"{label}: peak", MEMORY_MB[found.rows], found.together_mb, "MB", 0)
    form = verifying.FORMS[0]
    once, more = steps[verifying.verified(form)], steps[verifying.twice(form)]
    what, ratio = f"peak memory of {more.rows:,} rows verified", more.together_mb / once.together_mb
    yield at_most(what, FLAT, ratio, f"of that of {once.rows:,}", 2)


JUDGES: Mapping[str, tuple[Judge, ...]] = {
    "start": (starting,),
    "demo": (trying,),
    "segment": (script, messages, peak),
    "latency": (slow_sink,),
    "memory": (flat,),
    "mariadb": (hosted, peak),
    "postgresql": (peak,),
    "state": (peak,),
    "known": (partial(known, people.SQLITE), peak),
    "knownpg": (partial(known, people.POSTGRESQL), peak),
    "audience": (followed, peak),
    "audiencepg": (followed, peak),
    "whole": (whole, peak),
    "verify": (read_back,),
    "columns": (columns,),
    "ingest": (taking_in,),
    "lists": (listed,),
    "pages": (shown,),
    "read": (read,),
    "driver": (drivers,),
    "unchanged": (quiet,),
    "large": (peak,),
}
