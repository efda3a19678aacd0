"""The round of an audience: a million people looked at for five conditions, again and again."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import measure, project
from bench.measure import WrongResult
from bench.people import CHANGED, POSTGRESQL
from bench.stage import ROWLIFT, Sample, Stage

NAME = "worth_a_call"
FIRST, AGAIN, UNCHANGED = "first look", f"again after {CHANGED} % changed", "again, nothing changed"
WHERE: dict[str, Any] = {
    "all": [
        {"attribute": "plan", "one_of": ["plan1", "plan2"]},
        {"attribute": "score", "present": True},  # which a change makes true for some
        {"attribute": "created_at", "since": "2024-01-01T01:00"},
        {"attribute": "flag", "is": True},
        {"attribute": "first_name", "is_not": "first7"},
    ]
}


def audience(state: str, stage: Stage, rows: int) -> Iterator[Sample]:
    """Measure looks at everybody, with the state on SQLite or PostgreSQL."""
    database = stage.postgresql
    sql = database.people(rows)
    env = {"ROWLIFT_STATE_URL": database.state("audience")} if state == POSTGRESQL else {}
    people = {"people": {"sql": sql, **project.TO_WORKSPACE}}
    with stage.project() as folder:
        project.write(folder, {**database.source, "reader": database.fast}, people)
        stage.run("first import", folder, {"added": rows}, env=env)
        yield from _looked(stage, folder, env, FIRST)
        yield from _looked(stage, folder, env, UNCHANGED)
        database.change(sql, CHANGED)
        (folder / "audiences" / f"{NAME}.yml").unlink()  # or the run itself would look
        stage.run("changed", folder, {"changed": rows * CHANGED // 100}, env=env)
        yield from _looked(stage, folder, env, AGAIN)


def _looked(stage: Stage, folder: Path, env: dict[str, str], step: str) -> Iterator[Sample]:
    """Yield what a whole process takes that looks."""
    (folder / "audiences").mkdir(exist_ok=True)
    document = {"audience": NAME, "where": WHERE}
    (folder / "audiences" / f"{NAME}.yml").write_text(json.dumps(document))
    out = folder / "stdout.json"
    words = [ROWLIFT, "--output", "json", "audiences", "compute", NAME]
    cost = measure.run(words, folder, {**project.ENV, **env}, stage.around(), out)
    (found,) = json.loads(out.read_text())["audiences"]
    if not found["members"]:
        raise WrongResult(f"{step}: nobody is in the audience")
    yield Sample(step, found["members"], cost)
