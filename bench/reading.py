"""Rounds of sources: how fast each is read, and that nothing looks changed where nothing did."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench import files, measure, project
from bench.measure import Cost, WrongResult
from bench.stage import Sample, Stage, sink, took
from bench.standins import PEOPLE, Warehouse

ROOT = Path(__file__).parents[1]
SERVERS = {"postgresql": "PostgreSQL", "mariadb": "MariaDB"}
FIRST, UNCHANGED, ONE, LOADED = ", first", ", unchanged", ", one row", ", once loaded"
READERS = (sys.executable, "-m", "bench.readers")


@dataclass(frozen=True, slots=True)
class Read:
    """A source to read, by the name of its reader, and the driver alone that it is held against."""

    name: str
    alone: str
    connection: Mapping[str, Any]
    sql: str
    env: Mapping[str, str] = field(default_factory=dict)


def alone(name: str) -> str:
    """Return the step that a source's own is held against."""
    return f"{name}, its driver alone"


def sources(stage: Stage, rows: int) -> Iterator[Read]:
    """Yield each source with its fastest reader."""
    for kind, label in SERVERS.items():
        database = stage.database(kind)
        connection = {**database.source, "reader": database.fast}
        yield Read(label, database.fast, connection, database.people(rows))
    for kind, label in (("duckdb", "DuckDB"), ("sqlite", "SQLite")):
        yield Read(label, kind, files.source(kind, stage.folder, rows), files.PEOPLE)


def reading(stage: Stage, rows: int) -> Iterator[Sample]:
    """Measure each source read into nothing, by Rowlift and by its driver alone.

    Servers are read with the driver of the base install too.
    """
    for one in sources(stage, rows):
        yield from _beside(stage, one, rows)
    for kind, label in SERVERS.items():
        database = stage.database(kind)
        connection = {**database.source, "reader": database.plain}
        base = Read(f"{label}, base install", "", connection, database.people(rows))
        yield from _read(stage, base.name, "rowlift", base, rows)


def warehouse(stage: Stage, kind: Warehouse, rows: int) -> Iterator[Sample]:
    """Measure a warehouse's stand-in read into nothing, by Rowlift and by each driver alone."""
    found = stage.stand_in(kind, rows)
    for driver in kind.drivers:
        connection = {**found.connection, **driver.option}
        one = Read(driver.package, driver.package, connection, PEOPLE, found.env)
        yield from _beside(stage, one, rows)


def unchanged(stage: Stage, rows: int) -> Iterator[Sample]:
    """Measure a first sync and an unchanged one of each source but PostgreSQL, which is elsewhere.

    Raises WrongResult where anything looks changed.
    """
    for one in sources(stage, rows):
        if one.name != "PostgreSQL":
            yield from _twice(stage, one, rows)


def _twice(stage: Stage, one: Read, rows: int) -> Iterator[Sample]:
    with sink() as receiver, stage.project() as folder:
        syncs = {"people": {"sql": one.sql, **project.TO_SEGMENT}}
        project.write(folder, one.connection, syncs, receiver.url)
        for ending, count, sent in ((FIRST, "added", rows), (UNCHANGED, "unchanged", 0)):
            step = one.name + ending
            cost = stage.run(step, folder, {count: rows}, receiver)
            yield Sample(step, rows, cost, took(receiver, sent))


def _beside(stage: Stage, one: Read, rows: int) -> Iterator[Sample]:
    """Measure a source beside its driver alone; one row costs the start, and little else.

    Of all rows it is also said what they cost once both are loaded.
    """
    first = replace(one, sql=f"{one.sql} WHERE n = 1")
    for ending, asked, expected in ((ONE, first, 1), ("", one, rows)):
        for step, reader in ((alone(one.name), one.alone), (one.name, "rowlift")):
            whole, loaded = _read(stage, step + ending, reader, asked, expected)
            yield whole
            if not ending:
                yield loaded


def _read(stage: Stage, step: str, reader: str, one: Read, rows: int) -> tuple[Sample, Sample]:
    """Return what the process cost, and what it says of itself from where it was loaded."""
    words = [*READERS, reader, json.dumps(one.connection), one.sql]
    out = stage.folder / "rows.txt"
    cost = measure.run(words, ROOT, {**project.ENV, **one.env}, stage.around(), out)
    found = json.loads(out.read_text())
    if found["rows"] != rows:
        raise WrongResult(f"{step}: {found['rows']} rows came, not {rows}")
    within = Cost(found["wall"], found["cpu"], 0, 0, 0, 0, 0)
    return Sample(step, rows, cost), Sample(step + LOADED, rows, within)
