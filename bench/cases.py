"""The cases: each is a round of measured commands that can be repeated."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bench import audience, intake, lists, measure, pages, people, project, reading, verifying
from bench.stage import ROWLIFT, Database, Sample, Sink, Stage, sink, took
from bench.standins import WAREHOUSES

MILLION = 1_000_000
SIZES = (100_000, 250_000, 500_000, 750_000, MILLION)
LATENCY_MS = 100
MANY = 100
NO_SOURCE = {"type": "postgres", "host": "127.0.0.1", "database": "none", "user": "none"}
SLOWEST_SCRIPT = 10  # with latency, the script sends this part of the rows: it takes a second each
WIDE = 100
Round = Callable[[Stage], Iterator[Sample]]


@dataclass(frozen=True, slots=True)
class Case:
    """A case by name, with what it is about in the words of the page."""

    name: str
    title: str
    rows: int
    round: Round
    large: bool = False


def short(rows: int) -> str:
    """Return a number of rows as names have it: 250k, 1m."""
    return f"{rows // MILLION}m" if rows % MILLION == 0 else f"{rows // 1000}k"


def cases(rows: int, sizes: Sequence[int]) -> Iterator[Case]:
    """Yield all cases, the quick ones first; `sizes` are those of the workspace's table."""
    yield Case("start", "Starting the program", 0, start)
    yield Case("demo", "The demo", 0, demo)
    yield from to_segment(rows)
    yield Case("many", f"{MANY} syncs of 1,000 rows to Segment in one project", MANY * 1000, many)
    for kind, name in (("mariadb", "MariaDB"), ("postgresql", "PostgreSQL")):
        for size in sizes:
            title = f"{size:,} rows from {name} into the empty workspace on SQLite"
            yield Case(f"{kind}-{short(size)}", title, size, partial(workspace, kind, rows=size))
        title = f"{rows:,} rows from {name} into the empty workspace on PostgreSQL"
        state = partial(workspace_on_postgresql, kind, rows=rows)
        yield Case(f"state-{kind}-{short(rows)}", title, rows, state)
    title = f"{rows:,} rows read from each source into nothing"
    yield Case(f"read-{short(rows)}", title, rows, partial(reading.reading, rows=rows))
    for kind, one in WAREHOUSES.items():
        title = f"{rows:,} rows read from {one.name}'s stand-in into nothing"
        measured = partial(reading.warehouse, kind=one, rows=rows)
        yield Case(f"driver-{kind}-{short(rows)}", title, rows, measured)
    title = f"{rows:,} rows to Segment from the other sources"
    yield Case(f"unchanged-{short(rows)}", title, rows, partial(reading.unchanged, rows=rows))
    title = "Messages sent to the ingest API, in batches of 100"
    yield Case("ingest", title, min(rows, intake.MOST), partial(intake.taking_in, rows=rows))
    title = f"Pages of the API, {rows:,} people and {lists.RUNS:,} runs, while a sync runs"
    yield Case(f"lists-{short(rows)}", title, rows, partial(lists.lists, rows=rows))
    title = f"Pages of the web UI, {rows:,} people and {lists.RUNS:,} runs"
    yield Case(f"pages-{short(rows)}", title, rows, partial(pages.pages, rows=rows))
    yield from in_use(rows)
    yield from large(rows)


def in_use(rows: int) -> Iterator[Case]:
    """Yield the cases of a workspace that is more than empty, or rows that are more than narrow."""
    size, label = short(rows), f"{rows:,} rows"
    for kind, name in (("known", people.SQLITE), ("knownpg", people.POSTGRESQL)):
        title = f"{label} known to the workspace on {name}"
        yield Case(f"{kind}-{size}", title, rows, partial(people.known, name, rows=rows))
    for kind, name in (("audience", people.SQLITE), ("audiencepg", people.POSTGRESQL)):
        title = f"An audience of five conditions, {rows:,} people known, on {name}"
        yield Case(f"{kind}-{size}", title, rows, partial(audience.audience, name, rows=rows))
    title = f"{label} from MariaDB with suppressed people, and with everything switched on"
    yield Case(f"whole-{size}", title, rows, partial(people.whole, rows=rows))
    title = f"{label} read back from files and compared"
    yield Case(f"verify-{size}", title, rows, partial(verifying.verifying, rows=rows))
    few = rows // 10
    title = f"{few:,} rows of {people.COLUMNS} columns from PostgreSQL"
    yield Case(f"columns-{short(few)}", title, few, partial(people.wide, rows=few))


def to_segment(rows: int) -> Iterator[Case]:
    """Yield the cases of deliveries."""
    size, label = short(rows), f"{rows:,} rows"
    title = f"{label} from PostgreSQL to Segment"
    yield Case(f"segment-{size}", title, rows, partial(segment, rows=rows))
    title += f", {LATENCY_MS} ms added to each request"
    yield Case(f"latency-{size}", title, rows, partial(latency, rows=rows))
    title = f"{label} and twice as many to Segment"
    yield Case(f"memory-{size}", title, rows, partial(memory, rows=rows))


def large(rows: int) -> Iterator[Case]:
    """Yield the cases that run on request only."""
    for name, size, columns in (("large", 10 * rows, 10), ("wide", rows, WIDE)):
        label = f"{size:,} rows of {columns} columns from PostgreSQL"
        measured = partial(segment, rows=size, columns=columns)
        yield Case(f"{name}-{short(size)}", f"{label} to Segment", size, measured, large=True)
        measured = partial(workspace, "postgresql", rows=size, columns=columns)
        title = f"{label} into the workspace"
        yield Case(f"{name}-workspace-{short(size)}", title, size, measured, large=True)


def start(stage: Stage) -> Iterator[Sample]:
    """Measure commands that read no warehouse."""
    with stage.project() as folder:
        yield Sample("rowlift --help", 0, measure.run([ROWLIFT, "--help"], folder, {}))
        project.write(folder, NO_SOURCE, {"people": {"sql": "SELECT 1", **project.TO_WORKSPACE}})
        yield Sample("rowlift ls", 0, measure.run([ROWLIFT, "ls"], folder, project.ENV))


def demo(stage: Stage) -> Iterator[Sample]:
    """Measure the demo."""
    with stage.project() as folder:
        yield Sample("rowlift demo", 0, measure.run([ROWLIFT, "demo", "shop"], folder, {}))


def segment(stage: Stage, rows: int, columns: int = 10) -> Iterator[Sample]:
    """Measure PostgreSQL to Segment beside the plain script."""
    database = stage.postgresql
    sql = database.people(rows, columns)
    yield stage.floor(database, rows, sql)
    with sink() as receiver:
        yield stage.script(database, rows, sql, receiver)
        yield from deliveries(stage, sql, rows, receiver)
        yield from stage.rivals(rows, sql, receiver)
        yield delivery(stage, "first sync, base install", sql, rows, receiver, database.plain)


def latency(stage: Stage, rows: int) -> Iterator[Sample]:
    """Measure the same against a slow sink; the plain script sends a part of the rows only."""
    few = rows // SLOWEST_SCRIPT
    with sink(LATENCY_MS) as receiver:
        yield stage.script(stage.postgresql, few, stage.postgresql.people(few), receiver)
        yield from deliveries(stage, stage.postgresql.people(rows), rows, receiver)


def deliveries(stage: Stage, sql: str, rows: int, receiver: Sink) -> Iterator[Sample]:
    """Measure a first sync, an unchanged one, and two with changes."""
    database = stage.postgresql
    with stage.project() as folder:
        source = {**database.source, "reader": database.fast}
        project.write(folder, source, {"people": {"sql": sql, **project.TO_SEGMENT}}, receiver.url)
        cost = stage.run("first sync", folder, {"added": rows}, receiver)
        yield Sample("first sync", rows, cost, took(receiver, rows))
        for percent in (0, 1, 10):
            if percent:
                database.change(sql, percent)
            step = f"{percent} % changed" if percent else "unchanged"
            changed = rows * percent // 100
            cost = stage.run(step, folder, {"changed": changed}, receiver)
            yield Sample(step, rows, cost, took(receiver, changed))


def delivery(stage: Stage, step: str, sql: str, rows: int, receiver: Sink, reader: str) -> Sample:
    """Measure one first sync from PostgreSQL."""
    with stage.project() as folder:
        source = {**stage.postgresql.source, "reader": reader}
        project.write(folder, source, {"people": {"sql": sql, **project.TO_SEGMENT}}, receiver.url)
        cost = stage.run(step, folder, {"added": rows}, receiver)
        return Sample(step, rows, cost, took(receiver, rows))


def memory(stage: Stage, rows: int) -> Iterator[Sample]:
    """Measure whether memory grows with the rows."""
    database = stage.postgresql
    with sink() as receiver:
        for step, size in (("first sync", rows), ("first sync of twice the rows", 2 * rows)):
            sql = database.people(size)
            yield delivery(stage, step, sql, size, receiver, database.fast)


def many(stage: Stage) -> Iterator[Sample]:
    """Measure what a run costs however few its rows are."""
    source = {**stage.postgresql.source, "reader": stage.postgresql.fast}
    sql = stage.postgresql.people(1000)
    rows = MANY * 1000
    syncs = {f"people_{at}": {"sql": sql, **project.TO_SEGMENT} for at in range(MANY)}
    with sink() as receiver, stage.project() as folder:
        project.write(folder, source, syncs, receiver.url)
        cost = stage.run("first sync of each", folder, {"added": rows}, receiver)
        yield Sample("first sync of each", rows, cost, took(receiver, rows))
        cost = stage.run("unchanged", folder, {"unchanged": rows}, receiver)
        yield Sample("unchanged", rows, cost, took(receiver, 0))


def workspace(kind: str, stage: Stage, rows: int, columns: int = 10) -> Iterator[Sample]:
    """Measure a database into an empty workspace, with the fast reader and with the base one."""
    database = stage.database(kind)
    sql = database.people(rows, columns)
    yield stage.floor(database, rows, sql)
    yield stage.script(database, rows, sql, None)
    for step, reader in (("fast reader", database.fast), ("base install", database.plain)):
        yield from imports(stage, database, step, sql, rows, reader)


def workspace_on_postgresql(kind: str, stage: Stage, rows: int) -> Iterator[Sample]:
    """Measure the same where state and workspace are in PostgreSQL."""
    database = stage.database(kind)
    sql = database.people(rows)
    env = {"ROWLIFT_STATE_URL": stage.postgresql.state("state")}
    yield stage.floor(database, rows, sql)
    yield stage.script(database, rows, sql, None)
    yield from imports(stage, database, "fast reader", sql, rows, database.fast, env)


def imports(
    stage: Stage,
    database: Database,
    step: str,
    sql: str,
    rows: int,
    reader: str,
    env: Mapping[str, str] = {},
) -> Iterator[Sample]:
    """Measure a first import and, of the fast reader, an unchanged one."""
    with stage.project() as folder:
        source = {**database.source, "reader": reader}
        project.write(folder, source, {"people": {"sql": sql, **project.TO_WORKSPACE}})
        yield Sample(step, rows, stage.run(step, folder, {"added": rows}, env=env))
        if reader == database.fast:
            again = f"{step}, unchanged"
            yield Sample(again, rows, stage.run(again, folder, {"unchanged": rows}, env=env))
