"""The demo, as `make demo` runs it."""

import json
import re
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from doors.cli import PROGRAM, CliResult, clean_environment, run_cli
from e2e.jsonschema import faults

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
OPEN = """
SELECT count(*), count(u.external_id), count(DISTINCT u.external_id)
FROM zendesk.tickets t JOIN zendesk.users u ON u.id = t.requester_id
WHERE t.status IN ('new', 'open', 'pending', 'hold')
"""


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """The demo once: its home and what it said."""
    home = tmp_path_factory.mktemp("demo")
    return home, run_cli("demo", cwd=home)


def step(played: tuple[Path, CliResult], title: str) -> str:
    """What the demo says of one step."""
    found = re.search(rf"^\d\. {title}\n(.*?)^$", played[1].stdout, re.MULTILINE | re.DOTALL)
    assert found, played[1].stdout + played[1].stderr
    return found[1]


def test_the_demo_ends_well_and_seeds_at_least_20000_people(played):
    home, done = played
    assert done.code == 0
    assert "Traceback" not in done.stderr
    with duckdb.connect(home / "rowlift-demo" / "warehouse.duckdb", read_only=True) as warehouse:
        (people,) = warehouse.execute("SELECT count(*) FROM shop.customers").fetchone()
    assert people >= 20_000
    assert f"{people - 2:,} customers" in step(played, "A sample warehouse")


def test_the_import_rejects_its_planted_faults(played):
    said = step(played, "Import all customers")
    assert "20,000 created · 2 rejected" in said
    for code, count in (("EMAIL_INVALID", 3), ("EMAIL_TAKEN", 2), ("ID_DUPLICATE", 2)):
        assert f"{code} {count}" in said
    assert "ID_NULL 2" in said
    assert "exit code 1" in said


def test_the_first_query_is_stopped_and_the_mended_one_runs(played):
    home, _ = played
    said = step(played, "A first query for a trait")
    assert "BAD_ROWS" in said
    assert "ID_NULL" in said
    assert "ID_DUPLICATE" in said
    assert "exit code 4" in said
    with duckdb.connect(home / "rowlift-demo" / "warehouse.duckdb", read_only=True) as warehouse:
        _, _, people = warehouse.execute(OPEN).fetchone()
    preview = step(played, "The mended query")
    assert "known" in preview
    assert "No rule is broken" in preview
    assert f"{people:,} rows" in preview
    assert f"got {people:,} signed records" in step(played, "Run it")


def test_a_second_run_sends_nothing_and_a_third_exactly_the_change(played):
    again = step(played, "Run everything again")
    assert again.count("nothing to send") == 3
    assert "got 0 signed records" in again
    third = step(played, "The next day")
    assert "2 added · 3 changed" in third
    assert "1 added · 0 changed · 1 removed" in third
    assert "got 2 signed records" in third


def test_what_it_says_is_what_lies_there(played):
    home, _ = played
    folder = home / "rowlift-demo"
    lines = [
        line
        for path in (folder / "out" / "customers").glob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert len(lines) == 20_002 + 5
    with closing(sqlite3.connect(folder / ".rowlift" / "state.db")) as state:
        (people,) = state.execute("SELECT count(*) FROM people WHERE id LIKE 'c%'").fetchone()
        (nora,) = state.execute("SELECT attributes FROM people WHERE id = 'c20001'").fetchone()
    assert people == 20_002
    assert json.loads(nora)["has_open_ticket"] is True


def test_its_folder_is_a_project_to_go_on_with(played):
    home, _ = played
    checked = run_cli("-C", "rowlift-demo", "check", cwd=home)
    assert (checked.code, checked.stderr) == (0, "")
    assert run_cli("-C", "rowlift-demo", "run", "open_tickets", cwd=home).code == 0
    listed = run_cli("-C", "rowlift-demo", "runs", "1", "--errors", cwd=home).stdout
    assert len(listed.splitlines()) == 9


def test_a_receiver_takes_what_later_runs_send(played):
    home, _ = played
    folder = home / "rowlift-demo"
    env = clean_environment(home)
    receiver = subprocess.Popen(
        [PROGRAM, "demo", "--receive", "rowlift-demo"], cwd=home, env=env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert "until Ctrl-C" in receiver.stderr.readline()
    run_cli("-C", folder, "state", "reset", "open_tickets", "--target", "helpdesk", "--yes",
            cwd=home)  # fmt: skip
    done = run_cli("-C", folder, "run", "open_tickets", cwd=home)
    receiver.send_signal(signal.SIGINT)
    said, _ = receiver.communicate(timeout=30)
    assert done.code == 0, done.stdout + done.stderr
    taken = sum(int(number.replace(",", "")) for number in re.findall(r"([\d,]+) signed", said))
    assert f"helpdesk   {taken:,} delivered of {taken:,} due" in done.stdout
    assert taken > 5_000
    assert receiver.returncode == 0


def test_again_starts_over_but_never_over_what_somebody_changed(played):
    home, _ = played
    (home / "mine").mkdir()
    (home / "mine" / "note.txt").write_text("keep")
    refused = run_cli("demo", "mine", cwd=home)
    assert refused.code == 2
    assert "was not made by the demo" in refused.stderr
    assert (home / "mine" / "note.txt").read_text() == "keep"
    again = run_cli("demo", "-o", "json", cwd=home)
    assert again.code == 0
    schema = json.loads((REFERENCE / "json" / "demo.schema.json").read_text())
    assert list(faults(again.json, schema)) == []
    codes = [one["exit_code"] for one in again.json["steps"]]
    assert codes == [0, 1, 4, 0, 0, 1, 1]
    model = home / "rowlift-demo" / "models" / "customers.sql"
    model.write_text("SELECT 1")
    refused = run_cli("demo", cwd=home)
    assert refused.code == 2
    assert "you changed models/customers.sql" in refused.stderr
    assert model.read_text() == "SELECT 1"
