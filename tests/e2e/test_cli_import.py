"""What a database sync promises, through the command line."""

import csv
import io
import os
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from doors.cli import PROGRAM, clean_environment

pytestmark = pytest.mark.door("cli")

ALL = "SELECT user_id AS id, email, plan, seats FROM people"


def run_of(result):
    return result.json["runs"][0]


def imported(shop, sql=ALL, *to, **keys):
    return shop.sync("people", sql, *to, preset="import", **{"identify_by": "id"} | keys)


def last_sync_time(cli, name="people"):
    return cli("state", name, "-o", "json").json["state"]["last_sync_time"]


def test_B5_identify_by_must_be_what_the_workspace_identifies_by(cli, shop):
    shop.settings["identifiers"] = ["email"]
    shop.save()
    imported(shop)
    for command in (["check"], ["run", "people"]):
        seen = cli(*command)
        assert seen.code == 2
        assert "IDENTIFIER_NOT_ALLOWED" in seen.stderr
        assert "workspace.identifiers" in seen.stderr
    imported(shop, identify_by="email")
    assert cli("run", "people").code == 0
    assert set(shop.people()) == {"u1", "u2", "u3"}


def test_B6_select_star_is_fine_with_an_identifier_column(cli, shop):
    imported(shop, "SELECT * FROM people")
    assert cli("run", "people").code == 0
    assert shop.people()["u2"] == {"email": "ben@example.com", "plan": "free", "seats": 1}


def test_B6_without_one_the_error_shows_the_as_to_write(cli, shop):
    shop.sql("CREATE TABLE customers AS SELECT user_id AS customer_id, plan FROM people")
    imported(shop, "SELECT * FROM customers")
    seen = cli("preview", "people")
    assert seen.code == 4
    assert 'SELECT customer_id AS "user_id"' in seen.stdout
    assert "u1" in seen.stdout  # the columns and rows are shown all the same


def test_B7_preview_shows_at_most_a_hundred_rows_of_select_star(cli, shop):
    shop.sql("CREATE TABLE many AS SELECT i AS id, i * 2 AS twice FROM range(1000) AS t(i)")
    imported(shop, "SELECT * FROM many")
    found = cli("preview", "people", "--sample", "-o", "json").json["preview"]
    assert len(found["rows"]) == 100
    assert [column["name"] for column in found["columns"]] == ["id", "twice"]
    assert found["whole"] is False
    assert cli("preview", "people", "-o", "json").json["preview"]["counts"]["rows"] == 1000


@pytest.mark.parametrize("identify_by", ["id", "email"])
def test_B10_people_are_identified_by_id_or_by_email(cli, shop, identify_by):
    imported(shop, "SELECT user_id AS id, email FROM people")
    assert cli("run", "people").code == 0
    shop.sql("UPDATE people SET plan = 'max'")
    column = "user_id AS id" if identify_by == "id" else "upper(email) AS email"
    shop.sync("plans", f"SELECT {column}, plan FROM people", preset="import",
              identify_by=identify_by)  # fmt: skip
    done = run_of(cli("run", "plans", "-o", "json"))
    assert (done["counts"]["workspace"]["create"], done["counts"]["workspace"]["update"]) == (0, 3)
    assert {one["plan"] for one in shop.people().values()} == {"max"}


@pytest.mark.parametrize(("empty_values", "left"), [("ignore", "pro"), ("delete", None)])
def test_B12_empty_values_are_ignored_or_delete_the_attribute(cli, shop, empty_values, left):
    imported(shop, empty_values=empty_values)
    assert cli("run", "people").code == 0
    shop.sql("UPDATE people SET plan = NULL WHERE user_id = 'u1'")
    assert cli("run", "people").code == 0
    assert shop.people()["u1"].get("plan") == left


def test_B12_the_empty_string_is_a_value_unless_told_otherwise(cli, shop):
    shop.sql("UPDATE people SET plan = '' WHERE user_id = 'u1'")
    imported(shop, empty_values="delete")
    assert cli("run", "people").code == 0
    assert shop.people()["u1"]["plan"] == ""
    imported(shop, empty_values="delete", empty_strings="as_null")
    assert cli("run", "people").code == 0
    assert "plan" not in shop.people()["u1"]


def test_B15_last_sync_time_moves_when_no_row_failed_and_is_rendered(cli, shop):
    sql = "SELECT user_id AS id, {{last_sync_time}} AS since FROM people"
    imported(shop, sql)
    assert last_sync_time(cli) == 0
    assert cli("run", "people").code == 0
    first = last_sync_time(cli)
    assert first > 1_700_000_000
    assert shop.people()["u1"]["since"] == 0
    assert cli("run", "people").code == 0
    assert shop.people()["u1"]["since"] == first
    assert last_sync_time(cli) >= first
    rendered = cli("preview", "people", "-o", "json").json["preview"]["rows"][0]["values"]
    assert rendered == ["u1", 0]
    told = cli("preview", "people", "--last-sync-time", "77", "-o", "json").json["preview"]
    assert told["rows"][0]["values"] == ["u1", 77]


def test_B15_last_sync_time_stays_when_a_row_failed(cli, shop):
    shop.sql("UPDATE people SET email = 'no address' WHERE user_id = 'u2'")
    imported(shop)
    assert cli("run", "people").code == 1
    assert last_sync_time(cli) == 0
    shop.sql("UPDATE people SET email = 'ben@example.com' WHERE user_id = 'u2'")
    assert cli("run", "people").code == 0
    assert last_sync_time(cli) > 0


def test_B15_held_rows_let_it_move(cli, shop):
    shop.sql("UPDATE people SET email = 'no address' WHERE user_id = 'u2'")
    imported(shop, cursor="held_rows")
    assert cli("run", "people").code == 1
    assert last_sync_time(cli) > 0


def test_B16_history_tells_status_counts_duration_and_errors(cli, shop):
    imported(shop)
    assert cli("run", "people").code == 0
    shop.sql("INSERT INTO people VALUES ('u4', 'nobody', 'pro', 1)")
    failed = cli("run", "people")
    assert failed.code == 1
    assert "Some rows failed" in failed.stdout
    lines = cli("runs").stdout.splitlines()
    assert lines[1].split()[:2] == ["2", "people"]
    assert "Some rows failed" in lines[1]
    assert "Completed" in lines[2]
    only = cli("runs", "--failed").stdout
    assert "Some rows failed" in only
    assert "Completed" not in only
    one = run_of(cli("runs", "2", "-o", "json"))
    assert one["counts"]["rejected"] == 1
    assert one["finished_at"] >= one["created_at"]


def test_B18_an_edit_takes_effect_at_the_next_run(cli, shop):
    imported(shop, "SELECT user_id AS id, plan FROM people")
    assert cli("run", "people").code == 0
    imported(shop, "SELECT user_id AS id, plan, seats FROM people")
    assert cli("run", "people").code == 0
    assert shop.people()["u1"] == {"plan": "pro", "seats": 3}


def test_B19_deleting_a_sync_keeps_what_it_imported(cli, shop):
    imported(shop, "SELECT user_id AS id, plan FROM people")
    assert cli("run", "people").code == 0
    (shop.folder / "syncs" / "people.yml").unlink()
    shop.sync("other", "SELECT user_id, seats FROM people")
    assert cli("run").code == 0
    assert shop.people()["u1"] == {"plan": "pro", "seats": 3}


def stopped_at(point: str, folder: Path) -> subprocess.Popen:
    """Start a run that stops itself, alive, at a named point; returns when it stands there."""
    env = clean_environment(folder, {"ROWLIFT_FAULTS": f"{point}:1:stop"})
    words = [PROGRAM, "run", "people"]
    started = subprocess.Popen(words, cwd=folder, env=env, stdout=subprocess.DEVNULL)
    _, status = os.waitpid(started.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), status
    return started


def test_B20_a_second_run_is_skipped_and_recorded(cli, shop):
    imported(shop)
    first = stopped_at("run.read.after_commit", shop.folder)
    try:
        second = cli("run", "people")
        assert second.code == 5
        assert "BUSY" in second.stderr
    finally:
        os.kill(first.pid, signal.SIGCONT)
        code = first.wait(60)
    assert code == 0
    listed = cli("runs").stdout
    assert "Skipped" in listed
    assert "Completed" in listed
    assert len(shop.people()) == 3


def test_B21_columns_are_attributes_exactly_as_named_and_upper_case_warns(cli, shop):
    imported(shop, 'SELECT user_id AS id, plan AS "Plan Name", seats AS "größe" FROM people')
    seen = cli("preview", "people")
    assert seen.code == 0
    assert "COLUMN_UPPER_CASE" in seen.stdout
    assert cli("run", "people").code == 0
    assert shop.people()["u1"] == {"Plan Name": "pro", "größe": 3}


def test_B21_an_identifier_that_differs_only_in_case_is_an_error(cli, shop):
    imported(shop, 'SELECT user_id AS "ID", plan FROM people')
    seen = cli("run", "people")
    assert seen.code == 4
    assert "IDENTIFIER_CASE" in seen.stderr
    assert 'SELECT "ID" AS "id"' in seen.stderr


def test_B22_failed_rows_are_counted_and_come_as_csv(cli, shop):
    shop.sql(
        "INSERT INTO people VALUES (NULL, 'x@example.com', 'pro', 1), "
        "('=HYPERLINK(\"http://evil\")', 'a,\"b\n', 'pro', 1), ('@u9', 'bad', 'pro', 1)"
    )
    imported(shop, f"{ALL} ORDER BY seats DESC, id")
    done = cli("run", "people")
    assert done.code == 1
    assert "3 rows rejected: EMAIL_INVALID 2 · ID_NULL 1" in done.stdout
    raw = subprocess.run(
        [PROGRAM, "runs", "1", "--errors", "--csv"], cwd=shop.folder, check=True,
        env=clean_environment(shop.folder), capture_output=True,
    ).stdout  # fmt: skip
    assert raw.count(b"\r\n") == 4
    rows = list(csv.DictReader(io.StringIO(raw.decode(), newline="")))
    found = {row["code"]: row for row in rows}
    assert list(rows[0]) == ["row_number", "identifier", "code", "reason", "target", "query"]
    assert {row["identifier"] for row in rows} == {"", '\'=HYPERLINK("http://evil")', "'@u9"}
    assert found["ID_NULL"]["reason"]
    numbers = [int(row["row_number"]) for row in rows]
    assert len(set(numbers)) == 3
    assert min(numbers) > 2
    assert max(numbers) <= 6


def test_B23_an_address_of_somebody_else_is_refused(cli, shop):
    imported(shop)
    assert cli("run", "people").code == 0
    shop.sql("INSERT INTO people VALUES ('u9', 'ADA@example.com', 'pro', 1)")
    imported(shop, f"{ALL} WHERE user_id = 'u9'")
    assert cli("run", "people", "--allow-removals").code == 1
    listed = cli("runs", "2", "--errors").stdout
    assert "EMAIL_TAKEN" in listed
    assert "u9" not in shop.people()


@pytest.mark.parametrize("allowed", [False, True])
def test_B23_an_address_that_is_set_changes_only_if_allowed(cli, shop, allowed):
    shop.settings["allow_email_change_by_id"] = allowed
    shop.save()
    imported(shop)
    assert cli("run", "people").code == 0
    shop.sql("UPDATE people SET email = 'new@example.com' WHERE user_id = 'u1'")
    done = cli("run", "people")
    assert done.code == (0 if allowed else 1)
    assert shop.people()["u1"]["email"] == ("new" if allowed else "ada") + "@example.com"
    if not allowed:
        assert "EMAIL_IMMUTABLE" in cli("runs", "2", "--errors").stdout


def test_B23_invalid_addresses_and_our_own_id_are_refused(cli, shop):
    shop.sql("UPDATE people SET email = 'ben@@example.com' WHERE user_id = 'u2'")
    imported(shop)
    assert cli("run", "people").code == 1
    assert "EMAIL_INVALID" in cli("runs", "1", "--errors").stdout
    assert set(shop.people()) == {"u1", "u3"}
    imported(shop, "SELECT user_id AS id, 1 AS rowlift_id FROM people")
    seen = cli("run", "people")
    assert seen.code == 4
    assert "RESERVED_COLUMN" in seen.stderr


def test_B24_at_most_300_columns(cli, shop):
    columns = [f"{i} AS c{i}" for i in range(300)]
    imported(shop, f"SELECT user_id AS id, {', '.join(columns)} FROM people")
    seen = cli("run", "people")
    assert seen.code == 4
    assert "TOO_MANY_COLUMNS" in seen.stderr
    imported(shop, f"SELECT user_id AS id, {', '.join(columns[1:])} FROM people")
    assert cli("run", "people").code == 0
    assert len(shop.people()["u1"]) == 299


def test_B1_sqlite_and_csv_files_are_sources_too(cli, shop):
    with closing(sqlite3.connect(shop.folder / "shop.sqlite")) as database:
        database.execute("CREATE TABLE buyers (id TEXT, score INTEGER)")
        database.execute("INSERT INTO buyers VALUES ('s1', 9007199254740993)")
        database.commit()
    (shop.folder / "drop").mkdir()
    (shop.folder / "drop" / "leads.csv").write_text("id,score\nc1,007\n")
    shop.sources["lite"] = {"type": "sqlite", "path": "shop.sqlite"}
    shop.sources["drop"] = {"type": "files", "root": "drop"}
    shop.save()
    shop.sync("lite", "SELECT id, score FROM buyers", source="lite")
    shop.sync("drop", "SELECT id, score FROM leads", source="drop")
    assert cli("run").code == 0
    assert shop.people()["s1"] == {"score": "9007199254740993"}
    assert shop.people()["c1"]["score"] in ("007", 7)


@pytest.mark.parametrize("removed", ["clear", "delete"])
def test_C12_people_who_leave_lose_the_attributes_or_go(cli, shop, sink, removed):
    imported(shop, "SELECT user_id AS id, plan FROM people", shop.webhook(sink.url),
             removed=removed)  # fmt: skip
    assert cli("run", "people").code == 0
    shop.sql("DELETE FROM people WHERE user_id = 'u2'")
    done = run_of(cli("run", "people", "-o", "json"))
    assert done["counts"]["removed"] == 1
    assert sink.taken.by_key["u2"]["op"] == removed
    assert shop.people().get("u2") == ({} if removed == "clear" else None)


def test_C12_people_who_leave_are_kept_by_default(cli, shop, sink):
    imported(shop, "SELECT user_id AS id, plan FROM people", shop.webhook(sink.url))
    assert cli("run", "people").code == 0
    shop.sql("DELETE FROM people WHERE user_id = 'u2'")
    assert cli("run", "people").code == 0
    assert len(sink.taken.records) == 3
    assert shop.people()["u2"] == {"plan": "free"}


def test_C4_an_emptied_result_and_mass_removal_stop_the_run(cli, shop, sink):
    shop.sql("CREATE TABLE many AS SELECT i AS id, i AS n FROM range(500) AS t(i)")
    imported(shop, "SELECT id, n FROM many", shop.webhook(sink.url), removed="delete")
    assert cli("run", "people").code == 0
    shop.sql("DELETE FROM many WHERE id < 200")
    stopped = cli("run", "people")
    assert stopped.code == 4
    assert "MASS_REMOVAL" in stopped.stderr
    assert "--allow-removals" in stopped.stderr
    shop.sql("CREATE TABLE kept AS SELECT * FROM many", "DELETE FROM many")
    emptied = cli("run", "people")
    assert emptied.code == 4
    assert "EMPTIED" in emptied.stderr
    assert len(sink.taken.records) == 500
    shop.sql("INSERT INTO many SELECT * FROM kept")
    assert cli("run", "people", "--allow-removals").code == 0
    assert len(shop.people()) == 300
    assert sink.taken.by_key["7"]["op"] == "delete"


def test_C4_a_changed_key_and_mass_rejects_stop_the_run(cli, shop):
    imported(shop)
    assert cli("run", "people").code == 0
    imported(shop, identify_by="email")
    stopped = cli("run", "people")
    assert stopped.code == 4
    assert "KEY_CHANGED" in stopped.stderr
    shop.sql("CREATE TABLE bad AS SELECT CASE WHEN i > 20 THEN i END AS id, i FROM range(100) t(i)")
    shop.sync("bad", "SELECT CASE WHEN i > 80 THEN i END AS id, i FROM bad", preset="import",
              identify_by="id")  # fmt: skip
    stopped = cli("run", "bad")
    assert stopped.code == 4
    assert "MASS_REJECT" in stopped.stderr


def test_C2_a_plan_is_exact_and_applied_without_a_new_query(cli, shop, sink):
    imported(shop, ALL, shop.webhook(sink.url))
    planned = cli("plan", "people", "--out", "people.plan", "-o", "json")
    assert planned.code == 0
    plan = planned.json["plan"]
    assert plan["counts"]["added"] == 3
    assert sink.seen == []
    assert shop.people() == {}
    shop.sql("UPDATE people SET plan = 'after the plan'")
    done = run_of(cli("run", "--plan", "people.plan", "-o", "json"))
    assert done["counts"]["added"] == plan["counts"]["added"]
    assert {one["plan"] for one in shop.people().values()} == {"pro", "free"}
    assert len(sink.taken.records) == 3


def test_C2_a_plan_is_written_as_markdown_for_a_pull_request(cli, shop):
    imported(shop)
    assert cli("run", "people").code == 0
    shop.sql("UPDATE people SET plan = 'next' WHERE user_id = 'u1'")
    shop.sql("DELETE FROM people WHERE user_id = 'u2'")
    told = cli("plan", "people", "--markdown", "-", "--values")
    assert told.code == 0
    assert '| `u1` | changed | `plan` | `"pro"` | `"next"` |' in told.stdout
    assert "### Some of those that left\n\n`u2`" in told.stdout
    assert cli("plan", "people", "--markdown", "plan.md").code == 0
    kept = (shop.folder / "plan.md").read_text()
    assert "| rows |" in kept
    assert "next" not in kept  # values go into a pull request only where somebody says so
    assert "u1" not in kept
    away = cli("plan", "people", "--markdown", "nowhere/plan.md")
    assert away.code != 0
    assert "nowhere/plan.md" in away.stderr
    assert "Traceback" not in away.stderr


def test_C2_a_plan_is_refused_when_something_moved(cli, shop):
    imported(shop)
    assert cli("plan", "people", "--out", "people.plan").code == 0
    assert cli("run", "people").code == 0
    refused = cli("run", "--plan", "people.plan")
    assert refused.code == 4
    assert "PLAN_STALE" in refused.stderr
    assert "rowlift plan people" in refused.stderr
