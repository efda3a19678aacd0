"""Measure the goals of the main job and write docs/benchmarks.md."""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import rowlift  # noqa: E402
from bench import measure, project  # noqa: E402
from servers import postgres  # noqa: E402
from servers.room import Room  # noqa: E402

ROWLIFT = str(Path(sys.executable).with_name("rowlift"))
HELP_CPU_SECONDS = 0.4
FLAT = 1.2
PAGE = ROOT / "docs" / "benchmarks.md"


@dataclass(frozen=True, slots=True)
class Line:
    """One goal: what was measured, what it must be, what it was."""

    what: str
    goal: str
    figure: str
    met: bool
    cost: measure.Cost


@contextmanager
def sink() -> Iterator[str]:
    """Run the local receiver as a process of its own and give its URL."""
    words = [sys.executable, "-m", "rowlift.testing.sink"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().strip() if process.stdout else ""
        yield f"{url}/v1"
    finally:
        process.communicate(timeout=30)


def seconds(what: str, most: float, cost: measure.Cost) -> Line:
    """Return a goal in seconds of wall clock."""
    return Line(what, f"< {most:g} s", f"{cost.wall:.1f} s", cost.wall < most, cost)


def database(rows: int, room: Room) -> tuple[postgres.PostgresServer, dict[str, object]]:
    """Start a PostgreSQL with the table and return it with the source that reads it."""
    found = room.once("postgresql", lambda folder: postgres.launch(room, folder))
    server = postgres.at_port(room, found.port)
    made = server.create_database("bench")
    made.execute(project.SEED.format(rows=rows))
    made.execute(project.READER)
    source = {
        "type": "postgres", "host": server.host, "port": server.port, "database": "bench",
        "user": "rowlift_ro", "password": "${PGPASSWORD}", "sslmode": "disable",
    }  # fmt: skip
    return server, source


def main_job(rows: int, folder: Path) -> Iterator[Line]:
    """Measure PostgreSQL to the workspace and to Segment, first and unchanged."""
    env = {"PGPASSWORD": "reader", "WRITE_KEY": "bench"}
    label = f"{rows:,} x 10 from PostgreSQL"
    room = Room.open()
    try:
        _, source = database(rows, room)
        with sink() as url:
            into = folder / "workspace"
            project.write(into, source, {"destinations": []}, url)
            run = [ROWLIFT, "run", "people"]
            yield seconds(f"{label} into the workspace", 60, measure.run(run, into, env))
            yield seconds(f"{label}, workspace, unchanged", 60, measure.run(run, into, env))
            to = folder / "segment"
            use = {"use": "segment", "match": "user_id"}
            project.write(to, source, {"workspace": "none", "destinations": [use]}, url)
            yield seconds(f"{label} to Segment", 60, measure.run(run, to, env))
            yield seconds(f"{label}, Segment, unchanged", 60, measure.run(run, to, env))
    finally:
        room.close()


def memory(rows: int, folder: Path, peak_mb: float) -> Line:
    """Measure the peak of twice the rows to Segment against that of the rows."""
    room = Room.open()
    try:
        _, source = database(2 * rows, room)
        with sink() as url:
            use = {"use": "segment", "match": "user_id"}
            project.write(folder, source, {"workspace": "none", "destinations": [use]}, url)
            env = {"PGPASSWORD": "reader", "WRITE_KEY": "bench"}
            cost = measure.run([ROWLIFT, "run", "people"], folder, env)
    finally:
        room.close()
    ratio = cost.peak_mb / peak_mb
    what = f"peak memory of {2 * rows:,} rows against {rows:,}"
    return Line(what, f"< {FLAT:g} times", f"{ratio:.2f} times", ratio < FLAT, cost)


def start_up(folder: Path) -> Line:
    """Measure what `rowlift --help` costs, the best of five."""
    cost = min(
        (measure.run([ROWLIFT, "--help"], folder, {}) for _ in range(5)), key=lambda c: c.cpu
    )
    return Line(
        "rowlift --help", "< 0.4 s CPU", f"{cost.cpu:.2f} s CPU", cost.cpu < HELP_CPU_SECONDS, cost
    )


def demo(folder: Path) -> Line:
    """Measure the demo after installation."""
    return seconds("rowlift demo", 60, measure.run([ROWLIFT, "demo", "shop"], folder, {}))


def all_lines(rows: int, folder: Path) -> Iterator[Line]:
    """Measure everything, the quick things first."""
    yield start_up(folder)
    yield demo(folder)
    peak_mb = 1.0
    for line in main_job(rows, folder):
        if line.what.endswith("to Segment"):
            peak_mb = line.cost.peak_mb
        yield line
    yield memory(rows, folder / "twice", peak_mb)


def page(lines: list[Line], rows: int) -> str:
    """Return the page, with the machine it was measured on."""
    head = (
        f"# Benchmarks\n\nWritten by `make bench` on {datetime.now(UTC):%Y-%m-%d}: rowlift "
        f"{rowlift.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"{platform.system()} {platform.release()}. {rows:,} rows of ten columns; the databases "
        "and the receiver run on the same machine, CPU seconds are those of the rowlift process.\n"
    )
    table = ["| what | goal | measured | met | CPU s | peak MB |", "|---|---|---|---|---|---|"]
    table += [
        f"| {one.what} | {one.goal} | {one.figure} | {'yes' if one.met else '**no**'}"
        f" | {one.cost.cpu:.1f} | {one.cost.peak_mb:.0f} |"
        for one in lines
    ]
    return head + "\n" + "\n".join(table) + "\n"


def main() -> int:
    """Measure, print, write the page; exit 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="rowlift-bench-"))
    try:
        lines: list[Line] = []
        for line in all_lines(asked.rows, folder):
            print(f"{'met ' if line.met else 'MISS'}  {line.what}: {line.figure} ({line.goal})")
            lines.append(line)
    finally:
        shutil.rmtree(folder)
    if asked.write:
        PAGE.write_text(page(lines, asked.rows))
    return 0 if all(one.met for one in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
