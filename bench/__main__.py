"""Measure Rowlift beside the floor and a plain script, judge it, and write docs/benchmarks.md.

    python -m bench [--quick] [--only CASE] [--repeat 3] [--rows N] [--large] [--write]

`--write` keeps each case's figures in docs/benchmarks.json as soon as it is measured and writes the
page from all that is kept, so a part can be measured again by itself.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from tools.revision import revision  # noqa: E402

import rowlift  # noqa: E402
from bench import results  # noqa: E402
from bench.cases import MILLION, SIZES, Case, cases  # noqa: E402
from bench.goals import verdicts  # noqa: E402
from bench.measure import WrongResult  # noqa: E402
from bench.page import page, steps  # noqa: E402
from bench.results import Figures, Result  # noqa: E402
from bench.stage import Sample, Stage  # noqa: E402

PAGE = ROOT / "docs" / "benchmarks.md"
QUICK_ROWS = 100_000
ENOUGH = 3


def main() -> int:
    """Measure, print, write the page; exit 1 when a goal is missed or a run went wrong."""
    given = arguments()
    every = list(cases(given.rows, SIZES if given.rows == MILLION else (given.rows,)))
    chosen = [one for one in every if given.only in one.name and (given.large or not one.large)]
    if given.list or not chosen:
        print("\n".join(one.name for one in every))
        return 0 if given.list else 2
    keeper = Keeper(given.write, [one.name for one in every]) if given.write else None
    met = True
    with Stage.open(given.rivals) as stage:
        for case in chosen:
            try:
                result = measured(stage, case, given.repeat)
            except WrongResult as error:
                tell(f"{case.name}: {error}")
                met = False
                continue
            met &= show(result)
            if keeper:
                keeper.keep(result)
    return 0 if met else 1


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--quick", action="store_true", help="one run of 100,000 rows, to try")
    parser.add_argument("--only", default="", metavar="CASE", help="cases with this in their name")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    parser.add_argument("--repeat", type=int, default=ENOUGH, help="runs of each case")
    parser.add_argument("--rows", type=int, default=MILLION, help="rows instead of a million")
    parser.add_argument("--large", action="store_true", help="also ten times the rows or columns")
    parser.add_argument(
        "--write", nargs="?", type=Path, const=PAGE, help="write docs/benchmarks.md, or this page"
    )
    parser.add_argument(
        "--rivals", type=Path, default=sys.prefix, metavar="VENV",
        help="environment where dlt and drt-core may be installed, with psycopg and requests",
    )  # fmt: skip
    given = parser.parse_args()
    if given.quick:
        given.repeat, given.rows = 1, QUICK_ROWS
    if given.write and given.repeat < ENOUGH:
        parser.error(f"the page has medians of at least {ENOUGH} runs")
    return given


class Keeper:
    """Keeps results beside a page and writes the page from all that is kept."""

    def __init__(self, page_file: Path, names: Sequence[str]) -> None:
        """Read what was kept before; raises OtherMachine."""
        self._page, self._kept_file = page_file, page_file.with_suffix(".json")
        self._names = names
        self._kept = results.load(self._kept_file)

    def keep(self, result: Result) -> None:
        """Replace a case's figures and write both files."""
        self._kept[result.name] = result
        results.save(self._kept_file, self._kept)
        self._page.write_text(page(self._kept, self._names))


def measured(stage: Stage, case: Case, runs: int) -> Result:
    """Measure a case so many times over."""
    load, commit = os.getloadavg()[0], revision()
    samples: dict[str, list[Sample]] = {}
    for number in range(runs):
        tell(f"{case.name}, run {number + 1} of {runs}")
        for one in case.round(stage):
            tell(f"  {one.step}: {one.cost.wall:.2f} s, CPU {one.cost.cpu:.2f} s")
            samples.setdefault(one.step, []).append(one)
    return Result(
        case.name,
        case.title,
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        commit,
        round(load, 2),
        runs,
        [f"rowlift {rowlift.__version__}", *stage.versions()],
        {step: Figures.of(several) for step, several in samples.items()},
    )


def show(result: Result) -> bool:
    """Print a case and its verdicts; returns whether all goals are met."""
    print(f"\n{result.title}\n\n{steps(result)}\n")
    judged = list(verdicts(result))
    for one in judged:
        print(f"{'met ' if one.met else 'MISS'}  {one.what}: {one.figure} ({one.goal})")
    return all(one.met for one in judged)


def tell(text: str) -> None:
    """Say on standard error how far it is."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except results.OtherMachine as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
