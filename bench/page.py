"""docs/benchmarks.md, written from the kept results."""

from collections.abc import Mapping, Sequence

from bench.goals import HOSTED, SCRIPT, verdicts
from bench.lists import LISTS
from bench.pages import PAGES
from bench.results import Figures, Result, machine

ABOUT = """\
Medians. The databases, the sink and the measured program share the machine; the sink is one and the
same for all and is never counted. Rows have ten columns unless said. Every run is checked: it must
count, and the sink must get, exactly the rows it should, or nothing is written.

- **CPU s** is user and system time of the program with its children, **database** that of the
  servers meanwhile: all processes of PostgreSQL or MariaDB, connections that ended included (their
  time is in the one that started them), and their background work, which on an idle server is next
  to nothing. Autovacuum is off for the measured tables.
- **peak MB** is the highest resident memory of the process (`VmHWM`); after the plus, that of its
  children that lived at the same time (one that is gone within a fifth of a second may be missed).
  The two need not fall together: goals are judged by the most there can have been **at once**, the
  highest sum of the children's peaks and the process's own up to then. Pages that both share count
  twice.
- **others** is how many cores anything else on the machine kept busy meanwhile: where it is not
  near 0, wall seconds are upper bounds.
- **floor** is the database's own client reading the same query into nothing: `psql` with `COPY … TO
  STDOUT (FORMAT binary)`, `mariadb --quick --batch`. Nothing that reads all rows can be faster.
- **plain script** is `bench/baseline.py`: psycopg's (PyMySQL's) server-side cursor, a dict and
  `json` for each row; to Segment a `requests` session with retries, batches of 100, one after the
  other; beside imports an upsert into one SQLite table. It keeps no state: run again, it sends
  everything again. **of script** is CPU seconds with the database's, of the same call.
- **dlt** and **drt** are other open-source programs on the same rows, where they were installed
  (`--rivals`): dlt with a generator and a destination function, drt with its destination
  `rest_api`. On this job neither compares rows: run again, they too send everything, unless a
  column tells what is new.
- **within** is what one question took in a process that had everything open, the median of twenty
  people; **of that, into the workspace** is one phase of the run above it. Both are of the process
  alone.
- **its driver alone** reads the same rows into nothing with the fastest exact driver of that
  source, in a process that imports nothing else: no columns described, no rights looked at.
  Beside it stands the source that a run opens, without the state and the workspace of a run.
  **one row** of the same query costs next to nothing but the start: our parser of SQL and the
  checks of configuration, loaded once in a run. **once loaded** is what the same process takes
  from where all is imported, and nobody has connected, to the last row; a child that reads for us
  counts from its own start. Reading is judged by it since the evening of 2026-11-22, and by whole
  processes before; the ratio of whole processes stands beside it, and what a start costs by itself
  is measured by `start` and `many`. Infinite moments and those before year 1 are more
  than the driver of DuckDB hands over, and SQLite's columns hold values of any type: of files the
  driver alone is not exact.
- **a stand-in** speaks a warehouse's protocol to its vendor's driver, encrypted, from a process of
  its own ([warehouses](warehouses.md)). Wall seconds, and what stands under **database**, are the
  stand-in's and say nothing of the warehouse; goals are judged by the CPU seconds of the reading
  process with its child. Each driver alone reads in its fastest exact way: Snowflake's,
  Microsoft's and Google's into Arrow, the last through the Storage Read API; Amazon's from a
  cursor, 10,000 rows at once as ours does, and python-tds in tuples, both put into Arrow column by
  column. python-tds reads through our TLS, as its own wants a package that is not installed; the
  stand-in for SQL Server has encoded its rows before.
- **fast reader** is connectorx for MariaDB and ADBC for PostgreSQL (extras), **base install**
  PyMySQL and `COPY`.
"""
HEAD = (
    "step", "rows", "wall s", "CPU s", "database", "of script", "rows/s", "peak MB", "messages",
    "others",
)  # fmt: skip
MOMENT_SECONDS = 0.1
TABLE = ("rows", "hosted service", "fast reader", "times faster", "base install", "times faster ")


def page(kept: Mapping[str, Result], names: Sequence[str]) -> str:
    """Return the page; cases stand in the order of the names, then those of other sizes."""
    results = [kept[name] for name in [*names, *sorted(kept.keys() - set(names))] if name in kept]
    parts = ["# Benchmarks", head(results), ABOUT.rstrip(), "## Goals", goals(results)]
    if missing := [name for name in names if name not in kept]:
        parts.append(f"Not measured yet: {', '.join(missing)}.")
    if table := against_hosted(results):
        parts += ["## Into the empty workspace, beside a hosted service", table]
    for one in results:
        parts += [f"## {one.title}", steps(one)]
    return "\n\n".join(parts) + "\n"


def head(results: Sequence[Result]) -> str:
    """Return what was measured on what."""
    at = machine()
    versions = sorted({version for one in results for version in one.versions})
    days = sorted({one.measured[:10] for one in results})
    return (
        f"Written by `make bench`, measured {' to '.join(sorted({days[0], days[-1]}))}: "
        f"{at['processor']}, {at['cores']} cores, {at['memory_gb']} GB, {at['system']}, "
        f"Python {at['python']}, {', '.join(versions)}."
    )


def rows_of(*lines: Sequence[str]) -> str:
    """Return a table whose first line is its head."""
    first, *rest = lines
    shown = [first, ["---", *["---:"] * (len(first) - 1)], *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in shown)


def goals(results: Sequence[Result]) -> str:
    """Return the table of goals."""
    judged = [one for result in results for one in verdicts(result)]
    lines = [(one.what, one.goal, one.figure, "yes" if one.met else "**no**") for one in judged]
    return rows_of(("what", "goal", "measured", "met"), *lines)


def against_hosted(results: Sequence[Result]) -> str:
    """Return the table of imports from MariaDB, empty when there are none."""
    lines = []
    for one in results:
        fast, base = one.steps.get("fast reader"), one.steps.get("base install")
        if one.name.startswith("mariadb-") and fast and base and fast.rows in HOSTED:
            theirs = HOSTED[fast.rows]
            ours = (f"{theirs / fast.wall:.0f}", f"{base.wall:.1f} s", f"{theirs / base.wall:.0f}")
            minutes = f"{theirs // 60}:{theirs % 60:02}"
            lines.append((f"{fast.rows:,}", minutes, f"{fast.wall:.1f} s", *ours))
    return rows_of(TABLE, *lines) if lines else ""


def steps(result: Result) -> str:
    """Return a case's table and when it was measured."""
    plain = result.steps.get(SCRIPT)
    lines = [cells(step, one, plain) for step, one in result.steps.items()]
    said = (
        f"{result.measured}, revision {result.revision}, medians of {result.runs}, load average "
        f"at start {result.load:.1f}."
    )
    return f"{rows_of(HEAD, *lines)}\n\n{said}"


def cells(step: str, one: Figures, plain: Figures | None) -> tuple[str, ...]:
    """Return one line of a case's table."""
    low, high = min(one.walls), max(one.walls)
    spread = f" ({seconds(low)}-{seconds(high)})" if len(one.walls) > 1 else ""
    share = f"{one.all_cpu / plain.all_cpu:.2f}" if plain and plain.rows == one.rows else ""
    is_page = step in {*LISTS, *PAGES}  # its rows lie around it
    speed = f"{one.rows / one.wall:,.0f}" if one.rows > 1 and not is_page else ""
    return (
        step,
        f"{one.rows:,}" if one.rows else "",
        f"{seconds(one.wall)}{spread}",
        seconds(one.cpu),
        f"{one.served:.2f}" if one.served else "",
        share,
        speed,
        megabytes(one),
        "" if one.messages is None else f"{one.messages:,}",
        f"{one.others:.1f}",
    )


def megabytes(one: Figures) -> str:
    """Return the peaks of a step, without those of children where there were none."""
    if not one.children_mb:
        return f"{one.peak_mb:.0f}" if one.peak_mb else ""
    return f"{one.peak_mb:.0f} + {one.children_mb:.0f}, {one.together_mb:.0f} at once"


def seconds(figure: float) -> str:
    """Return seconds with as many digits as tell something."""
    return f"{figure:.2f}" if figure >= MOMENT_SECONDS else f"{figure:.3f}"
