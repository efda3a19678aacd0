"""What one begins with in a project that is there: templates, demo data, one connection's test."""

import json
from pathlib import Path

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
    listed = run_cli("templates", "shop", "-o", "json", cwd=world.folder).json["templates"]
    assert len(listed) >= 3
    name, sql = listed[0]["name"], listed[0]["sql"]
    printed = run_cli("templates", "shop", name, cwd=world.folder)
    assert (printed.code, printed.stdout.strip()) == (0, sql)
    assert name in run_cli("templates", "shop", cwd=world.folder).stdout
    unknown = run_cli("templates", "shop", "zendesk", cwd=world.folder)
    assert (unknown.code, name in unknown.stderr) == (2, True)
    assert run_cli("templates", "shops", cwd=world.folder).code == 2


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
