"""Rounds of a workspace in use: with all there is switched on, and with a million people known."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench import measure, project
from bench.databases import table_of
from bench.measure import Cost
from bench.stage import ROWLIFT, Sample, Stage, sink, took

INSIDE = (sys.executable, str(Path(__file__).with_name("inside.py")))
CHANGED = 10  # percent
ASKED = 20
SUPPRESSED = 10  # rows for each suppressed identifier
MET = 1000  # rows for each that is one of theirs
THINGS = 100  # rows for each object
TYPES = 5
RELATED = 10  # rows for each relationship
COLUMNS = 300

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
FIRST, APPLIED = "first import", "of that, into the workspace"
FULL, ALONE = f"{CHANGED} % changed", f"{CHANGED} % changed, asked for alone"
SHOW, PERSON, WHY = "rowlift people show", "a person, within", "why, within"
SEARCHED = "people searched, within"
PLAIN, SUPPRESS, LEFT_OUT, WHOLE = "plain", "rowlift suppress", "suppressed", "everything"
INTO_WORKSPACE, INTO_SEGMENT = "into the workspace", "to Segment"


def known(state: str, stage: Stage, rows: int) -> Iterator[Sample]:
    """Measure what comes after a first import into a workspace on SQLite or PostgreSQL."""
    database = stage.postgresql
    sql = database.people(rows)
    env = {"ROWLIFT_STATE_URL": database.state("known")} if state == POSTGRESQL else {}
    source = {**database.source, "reader": database.fast}
    with stage.project() as folder:
        project.write(folder, source, {"people": {"sql": sql, **project.TO_WORKSPACE}})
        cost = stage.run(FIRST, folder, {"added": rows}, env=env, program=INSIDE)
        yield Sample(FIRST, rows, cost)
        yield Sample(APPLIED, rows, within(folder, "people workspace", "people write"))
        changed = rows * CHANGED // 100
        few = f"{sql} WHERE {incremental()}"
        for step, query, read in ((FULL, sql, rows), (ALONE, few, changed)):
            project.write(folder, source, {"people": {"sql": query, **project.TO_WORKSPACE}})
            database.change(sql, CHANGED)
            cost = stage.run(step, folder, {"read": read, "changed": changed}, env=env)
            yield Sample(step, read, cost)
        yield from asked(stage, folder, rows, env)


def incremental() -> str:
    """Return a condition that, once there was a run, only changed rows meet."""
    return f"n % 100 < {CHANGED} OR {{{{last_sync_time}}}} = 0"


def asked(stage: Stage, folder: Path, rows: int, env: Mapping[str, str]) -> Iterator[Sample]:
    """Measure one person's record, why it is what it is, and who else begins so."""
    env = {**project.ENV, **env}
    who = [f"id:u{1 + at * rows // ASKED}" for at in range(ASKED)]
    words = [ROWLIFT, "people", "show", who[0]]
    yield Sample(SHOW, 0, measure.run(words, folder, env, stage.around()))
    measure.run([*INSIDE, "ask", *who], folder, env, stage.around(), folder / "stdout.json")
    for step, name in ((PERSON, "person"), (WHY, "why"), (SEARCHED, "search")):
        yield Sample(step, 0, within(folder, name))


def within(folder: Path, *names: str) -> Cost:
    """Return what the last process of inside.py spent on some things."""
    spent = json.loads((folder / "stdout.json").read_text())["spent"]
    wall, cpu = (sum(spent[name][clock] for name in names) for clock in ("wall", "cpu"))
    nothing = {"served": 0, "others": 0, "peak_mb": 0, "children_mb": 0, "together_mb": 0}
    return Cost(wall, cpu, **nothing)


def whole(stage: Stage, rows: int) -> Iterator[Sample]:
    """Measure what suppression, and then all there is, add to a first import from MariaDB."""
    database = stage.database("mariadb")
    people = {"sql": database.people(rows), **project.TO_WORKSPACE}
    source = {**database.source, "reader": database.fast}
    for step in (PLAIN, LEFT_OUT, WHOLE):
        syncs = everything(people) if step == WHOLE else {"people": people}
        with stage.project() as folder:
            project.write(folder, source, syncs)
            if step != PLAIN:
                cost = suppress(stage, folder, rows)
            if step == LEFT_OUT:
                yield Sample(SUPPRESS, rows // SUPPRESSED, cost)
            if step == WHOLE:
                stage.run("things", folder, {"added": rows // THINGS}, only=["things"])
            cost = stage.run(step, folder, {"added": rows}, only=["people"])
            yield Sample(step, rows, cost)


def suppress(stage: Stage, folder: Path, rows: int) -> Cost:
    """Suppress a tenth as many ids as there are rows, hardly any of them among the rows."""
    met = [f"id:u{at}" for at in range(1, rows + 1, MET)]
    strangers = [f"id:x{at}" for at in range(rows // SUPPRESSED - len(met))]
    (folder / "names.txt").write_text("\n".join([*met, *strangers]))
    words = [ROWLIFT, "suppress", "--file", "names.txt"]
    return measure.run(words, folder, project.ENV, stage.around())


def everything(people: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return syncs of people and of typed objects, with relationships and a segment."""
    table = table_of(people["sql"])
    things = f"""SELECT concat('t', n % {TYPES}) AS object_type, concat('o', n) AS object_id,
        first_name AS title FROM {table} WHERE n % {THINGS} = 0"""
    related = f"""SELECT user_id AS id, concat('t', n DIV {THINGS} * {THINGS} % {TYPES})
        AS object_type, concat('o', n DIV {THINGS} * {THINGS}) AS object_id, plan
        FROM {table} WHERE n % {RELATED} = 0 AND n >= {THINGS}"""
    of_objects = {"kind": "object", "identify_by": "object_id", **project.TO_WORKSPACE}
    more = {
        "segment": {"name": "Everybody", "create": True},
        "relationships": {"sql": related, "identify_by": "id"},
    }
    return {"people": {**people, **more}, "things": {"sql": things, **of_objects}}


def wide(stage: Stage, rows: int) -> Iterator[Sample]:
    """Measure many columns, into the workspace and to Segment."""
    database = stage.postgresql
    sql = database.people(rows, COLUMNS)
    source = {**database.source, "reader": database.fast}
    with sink() as receiver:
        for step, to in (
            (INTO_WORKSPACE, project.TO_WORKSPACE),
            (INTO_SEGMENT, project.TO_SEGMENT),
        ):
            with stage.project() as folder:
                project.write(folder, source, {"people": {"sql": sql, **to}}, receiver.url)
                cost = stage.run(step, folder, {"added": rows}, receiver)
                sent = took(receiver, rows if step == INTO_SEGMENT else 0)
            yield Sample(step, rows, cost, sent or None)
