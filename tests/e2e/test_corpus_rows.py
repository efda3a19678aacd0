"""The corpus through the program: every hostile row and result is named, none brings it down."""

import csv
import io
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from corpus import Sample
from corpus.results import first_error, results_of_text, select
from corpus.tables import NAME, Hostile, arrived, write_project
from doors.cli import run_cli


@pytest.mark.door("cli")
def test_B22_T8_the_program_names_every_hostile_row(tmp_path: Path) -> None:
    hostile = Hostile.of("parquet")
    (tmp_path / "data").mkdir()
    hostile.to_parquet(tmp_path / "data" / f"{NAME}.parquet")
    write_project(tmp_path, {"type": "files", "root": "data"})
    ran = run_cli("run", cwd=tmp_path)
    assert (ran.code, "Traceback" in ran.stdout + ran.stderr) == (1, False)
    listed = run_cli("-o", "json", "runs", "1", "--errors", cwd=tmp_path)
    came = {row["row_number"]: row["code"] for row in listed.json["rejects"]}
    assert came | arrived(tmp_path) == hostile.outcomes()
    table = run_cli("runs", "1", "--csv", "--rows", cwd=tmp_path).stdout
    assert [row[2] for row in csv.reader(io.StringIO(table))] == ["code", *came.values()]


@pytest.mark.door("cli")
def test_B6_T11_the_program_names_what_is_wrong_with_columns(tmp_path: Path) -> None:
    results = {f"c{number}": sample for number, sample in enumerate(results_of_text("sqlite"))}
    _write(tmp_path, results)
    ran = run_cli("-o", "json", "run", cwd=tmp_path)
    assert "Traceback" not in ran.stderr
    came = {one["sync"]: one["reason_code"] for one in ran.json["runs"]}
    assert came == {name: first_error(sample) for name, sample in results.items()}


def _write(folder: Path, results: Mapping[str, Sample]) -> None:
    with closing(sqlite3.connect(folder / "shop.db")):
        pass
    source = {"type": "sqlite", "path": "shop.db"}
    (folder / "syncs").mkdir()
    _dump(folder / "rowlift.yml", {"version": 1, "workspace": {"name": "acme"}})
    _dump(folder / "connections.yml", {"profiles": {"dev": {"sources": {"w": source}}}})
    usual = {"preset": "import", "source": "w", "identify_by": "user_id"}
    for name, sample in results.items():
        sync = usual | {"sync": name, "sql": select(sample)}
        _dump(folder / "syncs" / f"{name}.yml", sync)


def _dump(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML
