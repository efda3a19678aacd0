"""What a sync would take, told at the terminal before it is saved."""

import pytest

HOURLY = {"schedule": {"every": "1h"}}


@pytest.mark.door("cli")
def test_C7_what_a_schedule_would_take_is_told_before_it_is_saved(cli, shop, sandbox):
    shop.sync("traits", "SELECT user_id, plan FROM people LIMIT 2", sandbox, **HOURLY)
    shown = cli("apply", "--dry-run")
    assert shown.code == 0, "advice stops nothing"
    assert "a run       takes an unknown time" in shown.stdout
    assert "schedule    24 a day" in shown.stdout
    assert "crm         at most 2 messages, 1 call, " in shown.stdout
    assert "at most 24 calls a day" in shown.stdout
    assert "Rows beyond the LIMIT are never read" in shown.stdout
    assert cli("check").stdout.count("1 warning") == 1
    (sync,) = [one for one in cli("apply", "-o", "json").json["changes"] if one["kind"] == "sync"]
    assert [one["code"] for one in sync["estimate"]["advice"]] == ["LIMIT_LOSES_ROWS"]
    assert cli("run", "traits").code == 0
    told = cli("preview", "traits", "-o", "json").json["preview"]["estimate"]
    assert (told["duration"]["basis"], told["duration"]["runs"]) == ("runs", 1)
    assert told["cadence"]["skipped"] == 0
    assert told["traffic"][0]["usual"] == 2


@pytest.mark.door("cli")
def test_A17_a_plan_tells_calls_and_bytes_of_each_destination(cli, shop, sandbox):
    shop.sync("traits", "SELECT user_id, plan FROM people", sandbox)
    planned = cli("plan", "traits", "-o", "json").json["plan"]
    (crm,) = planned["estimate"]["traffic"]
    assert (crm["destination"], crm["messages"], crm["calls"]) == ("crm", 3, 1)
    assert crm["bytes"] == planned["targets"]["crm"]["bytes"]
    assert f"1 requests · {crm['bytes']} bytes" in cli("plan", "traits").stdout


@pytest.fixture
def sandbox(shop):
    """The name of a destination."""
    shop.destinations["crm"] = {"type": "sandbox", "path": str(shop.folder / "crm.jsonl")}
    shop.save()
    return "crm"
