"""Kill the real program at random instants and at every point, and compare everything each time.

    python -m torture [--seconds 120] [--seed 1] [--rounds N] [--only COMBINATION]

Four combinations of source and state are tortured, two at a time. A round changes the source, kills
the program one to three times in a row, lets it end, and checks. Exits 1 on any fault.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from servers import PostgresServer, postgres
from servers.room import Room
from torture.arena import COMBINATIONS, Arena, Combination
from torture.rounds import Limits, Score, torture

AT_ONCE = 2
HEAD = (
    "source → state", "rounds", "kills", "points", "sent", "repeated", "lost", "wrong", "faults",
)  # fmt: skip


def main() -> int:
    """Torture, print one table, and tell by the exit code whether all held."""
    given = arguments()
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="rowlift-torture-"))
    chosen = [one for one in COMBINATIONS if given.only in ("", one.name)]
    turns = -(-len(chosen) // AT_ONCE)
    limits = Limits(given.seed, given.seconds / turns, given.rounds)
    room = Room.open()
    try:
        found = room.once("postgresql", lambda at: postgres.launch(room, at))
        one = partial(tortured, folder, postgres.at_port(room, found.port), limits)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            scores = list(pool.map(one, chosen))
    finally:
        room.close()
    show(scores, given.seed, time.monotonic() - began)
    faults = [fault for score in scores for fault in score.faults]
    for fault in faults:
        print(f"\n{fault}")
    if not faults:
        shutil.rmtree(folder)
    return int(bool(faults) or not all(score.kills for score in scores))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="torture")
    parser.add_argument("--seconds", type=float, default=120, help="how long to go on")
    parser.add_argument("--seed", type=int, default=1, help="what everything random is drawn from")
    parser.add_argument("--rounds", type=int, default=0, help="end after so many rounds each")
    parser.add_argument("--only", default="", help="one combination, as the table names it")
    return parser.parse_args()


def tortured(folder: Path, server: PostgresServer, limits: Limits, what: Combination) -> Score:
    """Torture one combination in a folder of its own."""
    return torture(Arena.make(folder, server, what), limits)


def show(scores: Sequence[Score], seed: int, seconds: float) -> None:
    """Print the table."""
    rows = [HEAD, *(score.cells() for score in scores)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(cells))
    print(f"seed {seed}, {seconds:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
