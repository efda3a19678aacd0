"""Rows that only go wrong together, through whole runs into the workspace."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import rowlift
from corpus import KEPT, Sample, ident, samples
from rowlift.core.rules import RULES
from rowlift.testing.clock import QuickClock


@pytest.mark.parametrize("scene", samples("people.toml", "scenes"), ids=ident)
def test_T22_rows_that_fight_end_as_the_corpus_says(tmp_path: Path, scene: Sample) -> None:
    write(tmp_path, scene.get("by", "id"))
    for rows in scene["runs"]:
        columns = [[row[at] or None if row[at] == {} else row[at] for row in rows]
                   for at in range(len(scene["columns"]))]  # fmt: skip
        arrays = [pa.array(column, pa.string()) for column in columns]
        pq.write_table(pa.table(arrays, scene["columns"]), tmp_path / "data" / "people.parquet")
        with rowlift.Project(tmp_path, clock=QuickClock(), env={}) as opened:
            (report,) = opened.run(["people"])
            found = list(opened.rejects(report.id))
    came = {row["row_number"]: row["code"] for row in found}
    assert [came.get(number, KEPT) for number in range(1, len(rows) + 1)] == scene["last"]
    assert report.counts["read"] == len(rows)
    assert all(row["reason"] and row["code"] in RULES for row in found)


def write(folder: Path, identify_by: str) -> None:
    source = {"type": "files", "root": "data"}
    documents = {
        "rowlift.yml": {"version": 1, "workspace": {"name": "acme"}},
        "connections.yml": {"profiles": {"dev": {"sources": {"w": source}}}},
        "syncs/people.yml": {
            "sync": "people", "preset": "import", "source": "w", "identify_by": identify_by,
            "kind": "object" if identify_by == "object_id" else "person",
            "sql": "SELECT * FROM people", "guards": {"rejects": "off"},
        },
    }  # fmt: skip
    for name in ("syncs", "data"):
        (folder / name).mkdir()
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML
