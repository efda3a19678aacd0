"""A run is undone on the command line."""

import signal

import pytest

from doors.cli import ended, standing_cli

pytestmark = pytest.mark.door("cli")


def test_C6_a_run_is_undone_after_its_plan_was_shown(cli, shop):
    shop.destinations["lake"] = {"type": "files", "path": "lake"}
    shop.save()
    shop.sync("traits", "SELECT user_id, plan, seats FROM people", {"use": "lake"})
    assert cli("run", "traits").code == 0
    before = shop.people()
    shop.sql(
        "UPDATE people SET plan = 'BAD' WHERE user_id <> 'u3'",
        "INSERT INTO people VALUES ('u4', 'dan@example.com', 'BAD', 1)",
    )
    run = cli("-o", "json", "run", "traits").json["runs"][0]["id"]
    bad = shop.people()

    asked = cli("undo", run)
    assert asked.code == 2
    for told in (
        f"undo of run {run}", "3 rows: 3 set back", "u1  changed", "files that were written stay",
        "Who is new stays", "takes about", "Type yes",
    ):  # fmt: skip
        assert told in asked.stdout + asked.stderr
    assert shop.people() == bad
    told = cli("-o", "json", "runs", run).json
    assert told["undo"]["until"] == told["runs"][0]["created_at"] + 30 * 86_400

    undone = cli("-o", "json", "undo", run, "--yes")
    assert undone.code == 0
    estimate = undone.json["plan"]["estimate"]
    assert (estimate["rows"], estimate["duration"]["basis"]) == (3, "other runs")
    assert undone.json["plan"]["undo_of"] == undone.json["runs"][0]["undo_of"] == run
    assert shop.people() == before | {"u4": {}}
    assert "paused" in cli("run", "traits").stdout
    assert cli("-o", "json", "ls").json["syncs"][0]["undone"] == 3
    assert "traits: 3 rows kept as an undo left them" in cli("status").stdout
    assert cli("-o", "json", "status", "traits").json["undone"] == {"traits": 3}
    assert f"traits, undo of {run}" in cli("runs").stdout
    assert "NOTHING_LEFT" in cli("undo", run).stderr

    assert cli("resume", "traits").code == 0
    assert "3 rows, kept as the undo left them" in cli("run", "traits").stdout
    assert shop.people() == before | {"u4": {}}
    assert "3 rows may come back" in cli("resume", "traits", "--unpin").stdout
    assert cli("run", "traits").code == 0
    assert shop.people() == bad


def test_C6_an_undo_is_cancelled_before_or_after_it_took_effect(cli, shop, tmp_path):
    shop.destinations["lake"] = {"type": "files", "path": "lake"}
    shop.save()
    shop.sync("traits", "SELECT user_id, plan FROM people", {"use": "lake"})
    assert cli("run", "traits").code == 0
    before = shop.people()
    shop.sql("UPDATE people SET plan = 'BAD'")
    assert cli("run", "traits").code == 0
    bad = shop.people()

    env = {"ROWLIFT_FAULTS": "run.open.after_commit:1:kill"}
    assert cli("undo", 2, "--yes", env=env).code != 0
    assert cli("cancel", 3).code == 0
    assert shop.people() == bad
    (sync,) = cli("-o", "json", "ls").json["syncs"]
    assert (sync["paused"], sync["undone"]) == (False, 0)
    assert cli("-o", "json", "run", "traits").json["runs"][0]["counts"]["unchanged"] == 3

    undo = standing_cli(
        "undo", "2", "--yes", point="run.merge.after_commit:1", cwd=tmp_path, env={}
    )
    with undo as running:
        assert cli("cancel", 5).code == 0
        assert "CANCELLED" in ended(running, signal.SIGCONT).stderr
    assert shop.people() == bad
    (sync,) = cli("-o", "json", "ls").json["syncs"]
    assert (sync["paused"], sync["paused_by_undo"], sync["undone"]) == (True, 5, 3)
    assert sync["last_run"]["status"] == "Cancelled"
    assert cli("resume", "traits").code == 0
    (ran,) = cli("-o", "json", "run", "traits").json["runs"]
    assert (ran["counts"]["undone"], ran["deliveries"][0]["counts"]["delivered"]) == (3, 3)
    assert shop.people() == before
