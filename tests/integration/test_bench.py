"""The benchmarks run, on real servers, and keep what was measured before."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from bench import people, results, verifying
from bench.measure import WrongResult
from bench.results import Figures, Result
from bench.stage import Stage
from bench.standins import Warehouse, launch_snowflake

ROOT = Path(__file__).parents[2]


def bench(*words):
    command = [sys.executable, "-m", "bench", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_deliveries_are_measured_beside_the_floor_and_the_script():
    done = bench("--only", "segment", "--rows", "500", "--repeat", "1")
    steps = [line.split(" | ")[0].strip("| ") for line in done.stdout.splitlines() if "|" in line]
    assert steps[2:] == [
        "floor", "plain script", "first sync", "unchanged", "1 % changed", "10 % changed",
        "first sync, base install",
    ]  # fmt: skip
    assert "met   500 rows to Segment, unchanged: 0 messages" in done.stdout
    assert done.returncode == 1  # so few rows cannot pay for a start


def test_people_who_are_known_change_and_are_asked_about():
    done = bench("--only", "known-", "--rows", "500", "--repeat", "1")
    steps = [line.split(" | ")[0].strip("| ") for line in done.stdout.splitlines() if "|" in line]
    assert steps[2:] == [
        people.FIRST, people.APPLIED, people.FULL, people.ALONE,
        people.SHOW, people.PERSON, people.WHY, people.SEARCHED,
    ]  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_what_was_delivered_to_files_is_read_back():
    done = bench("--only", "verify-", "--rows", "500", "--repeat", "1")
    steps = [line.split(" | ")[0].strip("| ") for line in done.stdout.splitlines() if "|" in line]
    assert {*map(verifying.verified, verifying.FORMS), verifying.twice("jsonl")} <= {*steps[2:]}
    assert len(steps[2:]) == 8
    assert "500 rows verified, parquet: CPU seconds" in done.stdout, done.stderr


def test_a_part_measured_again_leaves_the_others_as_they_were(tmp_path):
    page, kept = tmp_path / "page.md", tmp_path / "page.json"
    step = Figures(1, 2, 3, 4, 5, 6, 7, 8, 9, [10])
    before = Result("many", "Measured before", "2026-01-02", "abc", 0.5, 3, [], {"step": step})
    results.save(kept, {"many": before})
    done = bench("--only", "start", "--write", str(page))
    assert done.returncode in {0, 1}, done.stderr
    assert results.load(kept)["many"] == before
    titles = [line for line in page.read_text().splitlines() if line.startswith("## ")]
    assert titles == ["## Goals", "## Starting the program", "## Measured before"]


def test_a_single_run_does_not_become_the_page(tmp_path):
    done = bench("--quick", "--write", str(tmp_path / "page.md"))
    assert done.returncode == 2
    assert "medians of at least 3 runs" in done.stderr


def test_a_warehouse_is_read_from_its_stand_in_beside_its_driver_alone():
    done = bench("--only", "driver-snowflake", "--rows", "500", "--repeat", "1")
    lines = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if "|" in line]
    name = "snowflake-connector-python"
    assert [line[:2] for line in lines[2:]] == [
        [f"{name}, its driver alone, one row", "1"], [f"{name}, one row", "1"],
        [f"{name}, its driver alone", "500"], [f"{name}, its driver alone, once loaded", "500"],
        [name, "500"], [f"{name}, once loaded", "500"],
    ]  # fmt: skip
    assert f"500 rows read by {name}: CPU seconds" in done.stdout


def test_a_stand_in_without_its_environment_is_told_how_to_get_it(tmp_path):
    missing = Warehouse("Snowflake", partial(launch_snowflake, python=tmp_path / "python"), [])
    with Stage.open(tmp_path) as stage, pytest.raises(WrongResult, match="make stand-ins"):
        stage.stand_in(missing, 1)
