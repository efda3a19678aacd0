"""The round of a verification: what was delivered to files is read back and compared."""

import json
from collections.abc import Iterator
from pathlib import Path

from bench import files, measure, project
from bench.measure import WrongResult
from bench.stage import ROWLIFT, Sample, Stage

FORMS = ("jsonl", "csv", "parquet")
NAME = "people"


def delivered(form: str) -> str:
    """Return the step that writes the files."""
    return f"first sync, {form}"


def verified(form: str) -> str:
    """Return the step that reads them back."""
    return f"verified, {form}"


def twice(form: str) -> str:
    """Return the step that reads back twice the rows."""
    return f"{verified(form)}, twice the rows"


def verifying(stage: Stage, rows: int) -> Iterator[Sample]:
    """Measure each format beside the delivery that wrote it; the first also with twice the rows."""
    for form in FORMS:
        yield from _form(stage, form, rows, (delivered(form), verified(form)))
    form = FORMS[0]
    yield from _form(stage, form, 2 * rows, (f"{delivered(form)}, twice the rows", twice(form)))


def _form(stage: Stage, form: str, rows: int, steps: tuple[str, str]) -> Iterator[Sample]:
    with stage.project() as folder:
        lake = {"type": "files", "path": str(folder / "lake"), "format": form}
        sync = {
            "sql": files.PEOPLE, "workspace": "none",
            "destinations": [{"use": "lake", "match": "user_id"}],
        }  # fmt: skip
        source = files.source("duckdb", stage.folder, rows)
        project.write(folder, source, {NAME: sync}, destinations={"lake": lake})
        yield Sample(steps[0], rows, stage.run(steps[0], folder, {"added": rows}))
        yield Sample(steps[1], rows, _verified(stage, folder, steps[1], rows))


def _verified(stage: Stage, folder: Path, step: str, rows: int) -> measure.Cost:
    """Measure a verification; raises WrongResult unless all is there as it was delivered."""
    out = folder / "stdout.json"
    words = [ROWLIFT, "--output", "json", "verify", "lake"]
    cost = measure.run(words, folder, project.ENV, stage.around(), out)
    (found,) = json.loads(out.read_text())["verification"]["syncs"]
    if (found["equal"], found["checked"], found["strangers"]) != (rows, rows, 0):
        raise WrongResult(f"{step}: {found['words']}")
    return cost
