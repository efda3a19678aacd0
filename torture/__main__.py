"""Break everything that can break, and compare everything each time.

    python -m torture [--seconds 600] [--seed 20261121] [--only PART …] [--rounds N] [--write]

Without --seconds it goes on until each part has reached its figure, such as 200 kills and 1,000
seeds. Prints one table; exits 1 if anything was lost, wrong or left untried. --write keeps each
part that was done whole in docs/torture.md, as it ends. Ctrl-C lets each part end its round and
prints the table of what was done.
"""

import argparse
import functools
import multiprocessing
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from servers import mariadb, postgres
from servers.room import Room
from torture import ROOT, drawn, fsyncs, keep, kills, messages, months, stops, suites, walks
from torture.score import LEGEND, Score, merged, plain
from torture.task import Task, timed

AT_ONCE = 2
PAGE = ROOT / "docs" / "torture.md"
COMBINATIONS = (
    ("postgresql", "sqlite"),
    ("postgresql", "postgresql"),
    ("mariadb", "sqlite"),
    ("sqlite", "postgresql"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """A line of the table: what is done, in how many shares, for which share of the time."""

    name: str
    do: Callable[[Task], Score]
    figure: int  # rounds, of all shares together, where no time is given; 0: what there is
    weight: float
    shares: int = 1
    least_kills: int = 0  # where no time is given; fewer of them are a failure


PARTS = (
    *(
        Part(
            f"kill {source} → {state}",
            functools.partial(kills.kill_loop, source=source, state=state),
            figure=36,
            weight=8,
            least_kills=50,
        )
        for source, state in COMBINATIONS
    ),
    Part("simulator", drawn.simulate, figure=1_000, weight=40, shares=4),
    Part("planted mutants", drawn.hunt_mutants, figure=0, weight=6),
    Part("state machine", drawn.do_anything, figure=24, weight=8, shares=2),
    Part("import histories", drawn.live_histories, figure=40, weight=6, shares=2),
    *(
        Part(
            f"crash walk, {state}",
            functools.partial(walks.crash_walk, state=state),
            figure=0,
            weight=8,
        )
        for state in ("sqlite", "postgresql")
    ),
    *(
        Part(
            f"messages, {state}",
            functools.partial(messages.message_loop, state=state),
            figure=40,
            weight=4,
        )
        for state in ("sqlite", "postgresql")
    ),
    Part("month of schedules", months.month, figure=30, weight=8),
    Part("stopped past a lease", stops.stop_loop, figure=20, weight=5),
    Part("failing fsync", fsyncs.fsync_walk, figure=60, weight=4),
    *(
        Part(
            "fault matrix",
            functools.partial(suites.fault_matrix, suite=suite),
            figure=0,
            weight=3,
        )
        for suite in suites.FAULTS
    ),
    Part("bad input", suites.corpora, figure=1, weight=12),
)
NAMES = [*dict.fromkeys(one.name for one in PARTS)]


def main() -> int:
    """Torture, print one table, and tell by the exit code whether all held."""
    given = arguments()
    os.environ.setdefault("ROWLIFT_THREADS", "1")  # few rows: threads cost more than they bring
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="rowlift-torture-"))
    chosen = [one for one in PARTS if not given.only or one.name in given.only]
    room = Room.open()
    try:
        at = room.once("postgresql", lambda at: postgres.launch(room, at))
        beside = room.once("mariadb", lambda at: mariadb.launch(room, at))
        servers = postgres.at_port(room, at.port), mariadb.at_port(room, beside.port)
        scores = merged([*tortured(chosen, given, folder, *servers)])
    finally:
        room.close()
    foot = footing(given.seed, time.monotonic() - began)
    print(plain(scores), foot, LEGEND, sep="\n")
    if not scores[-1].failures:
        shutil.rmtree(folder)
    return int(not all(score.held for score in scores))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    today = int(time.strftime("%Y%m%d", time.gmtime()))
    parser = argparse.ArgumentParser(prog="torture")
    parser.add_argument("--seconds", type=float, default=0, help="about how long to go on")
    parser.add_argument("--seed", type=int, default=today, help="what is drawn; default: the date")
    parser.add_argument("--rounds", type=int, default=0, help="end each part after so many")
    parser.add_argument(
        "--only", action="append", metavar="PART", choices=NAMES,
        help=f"a part, as the table names it; may be given again: {', '.join(NAMES)}",
    )  # fmt: skip
    parser.add_argument("--write", action="store_true", help="keep whole parts in docs/torture.md")
    given = parser.parse_args()
    if given.write and (given.seconds or given.rounds):
        parser.error("--write keeps parts that were done whole: leave out --seconds and --rounds")
    return given


def tortured(
    chosen: Sequence[Part],
    given: argparse.Namespace,
    folder: Path,
    postgresql: postgres.PostgresServer,
    mariadb_server: mariadb.MariaDbServer,
) -> Iterator[Score]:
    """Do all parts, two at a time, and yield their scores in the order of the table."""
    per_weight = given.seconds * AT_ONCE / sum(one.weight for one in chosen)
    started: list[tuple[Part, Future[Score]]] = []
    spawn = multiprocessing.get_context("spawn")
    stop = folder / "stop"
    # Sessions of their own: Ctrl-C is for this process, which asks the others to end in order.
    with ProcessPoolExecutor(AT_ONCE, mp_context=spawn, initializer=os.setsid) as pool:
        for part in chosen:
            shares = 1 if given.rounds else part.shares
            each = -(-part.figure // shares)
            for share in range(shares):
                figure = given.rounds or (0 if given.seconds else each)
                task = Task(
                    part.name, given.seed + share * 1_000_000, part.weight * per_weight / shares,
                    figure, folder / f"{share + 1}", postgresql, mariadb_server, stop,
                )  # fmt: skip
                started.append((part, pool.submit(timed, part.do, task)))
        for name, of_part in groupby(started, lambda one: one[0].name):
            score = Score(name)
            for part, future in of_part:
                score.add(_told(part, future, stop))
            is_whole = not (given.seconds or given.rounds or stop.exists())
            if is_whole and score.kills < part.least_kills:
                score.failures.append(f"{name}: {score.kills} kills, not {part.least_kills}")
            if is_whole and given.write:
                keep.put(PAGE, NAMES, keep.Kept.of(score, given.seed))
            yield score


def _told(part: Part, future: Future[Score], stop: Path) -> Score:
    try:
        score = _awaited(future, stop)
    except Exception as error:  # noqa: BLE001 - whatever it is, it fails this part alone
        score = Score(part.name, failures=[f"{part.name}: {error!r}"])
    line = f"{time.strftime('%H:%M:%S')}  {plain([score]).splitlines()[1]}"
    print(line, *score.failures, sep="\n", file=sys.stderr)
    return score


def _awaited(future: Future[Score], stop: Path) -> Score:
    """Wait; when interrupted let every part end its round, when interrupted again end them all."""
    try:
        if not stop.exists():
            return future.result()
    except KeyboardInterrupt:
        stop.touch()
        print("Each part ends its round; Ctrl-C again ends at once.", file=sys.stderr)
    try:
        return future.result()
    except KeyboardInterrupt:
        for child in multiprocessing.active_children():
            os.killpg(child.pid or 0, signal.SIGKILL)
        raise


def footing(seed: int, seconds: float) -> str:
    """Return what the table was made with."""
    date = time.strftime("%Y-%m-%d", time.gmtime())
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    return f"{date}, seed {seed}, {seconds:,.0f} s, {machine}, Python {platform.python_version()}"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
