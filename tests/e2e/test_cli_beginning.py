"""What one begins with in a project that is there: templates, demo data, one connection's test."""

import json
from pathlib import Path

import duckdb
import pytest

from doors.cli import run_cli
from world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "acme", ("user_id", "plan"))
    made.rows(("ann", "pro"))
    made.save()
    return made


@pytest.mark.door("cli")
def test_A4_templates_are_listed_and_printed_for_a_source(world: World) -> None:
    bought = "SELECT 'ann' AS person, DATE '2026-01-02' AS day, 10 AS total"
    duckdb.sql(f"COPY ({bought}) TO '{world.folder}/data/bought.parquet'")
    (world.folder / "data" / "events.csv").write_text("user_id,event,occurred_at\n")
    listed = run_cli("templates", "--source", "shop", "-o", "json", cwd=world.folder)
    fits = {one["name"]: one["fits"] for one in listed.json["templates"]}
    assert (fits["last_seen"], fits["rfm"], fits["stripe_mrr"]) == (True, False, False)
    assert list(fits.values()) == sorted(fits.values(), reverse=True)
    assert "needs shop.orders" in run_cli("templates", "--source", "shop", cwd=world.folder).stdout
    begun = ("templates", "--source", "shop", "--show", "lifetime_value")
    wrong = run_cli(*begun, "--set", "table=bought", cwd=world.folder)
    assert wrong.code == 2
    assert "bought.customer_id" in wrong.stderr
    assert "orders.customer_id=NAME. main.bought has: person, day, total." in wrong.stderr
    places = ("table=bought", "customer_id=person", "ordered_at=day", "orders.amount=total")
    made = run_cli(*begun, *(part for one in places for part in ("--set", one)), cwd=world.folder)
    assert (made.code, "sum(o.total)" in made.stdout) == (0, True)
    (world.folder / "models").mkdir()
    (world.folder / "models" / "ltv.sql").write_text(made.stdout)
    sync = {"sync": "ltv", "preset": "traits", "source": "shop", "kind": "person"}
    sync |= {"query": "models/ltv.sql", "identify_by": "user_id"}
    world.write("syncs/ltv.yml", sync)
    assert run_cli("run", "ltv", cwd=world.folder).code == 0
    unknown = run_cli("templates", "--show", "zendesk", cwd=world.folder)
    assert (unknown.code, "zendesk_open_ticket" in unknown.stderr) == (2, True)
    assert run_cli("templates", "--source", "shops", cwd=world.folder).code == 2
    everything = run_cli("templates", "--show", "stripe_mrr", cwd=world.folder)
    assert "--layout fivetran: stripe.subscription_history" in everything.stderr


@pytest.mark.door("cli")
def test_demo_data_is_added_to_a_project_that_is_there(world: World) -> None:
    done = run_cli("demo", "--here", "-o", "json", cwd=world.folder)
    made = done.json["samples"]
    assert (done.code, made["asked"]) == (0, False)
    assert "20,009 customers" in done.stderr
    listed = run_cli("ls", "-o", "json", cwd=world.folder).json["syncs"]
    assert {one["name"] for one in listed} == {"people", *made["syncs"]}
    again = run_cli("demo", "--here", cwd=world.folder)
    assert (again.code, "Seeded" in again.stderr) == (0, False)
    assert run_cli("run", "demo_open_tickets", cwd=world.folder).code == 0


@pytest.mark.door("cli")
def test_B3_one_connection_is_tested_alone(world: World) -> None:
    one = run_cli("debug", "shop", "-o", "json", cwd=world.folder)
    assert (one.code, list(json.loads(one.stdout)["connections"])) == (0, ["shop"])
    unknown = run_cli("debug", "shp", cwd=world.folder)
    assert (unknown.code, 'Did you mean "shop"?' in unknown.stderr) == (2, True)
