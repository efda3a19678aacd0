"""Sources and destinations one by one: what there is, who uses them, whether they work."""

from pathlib import Path

import pytest

import rowlift
from rowlift.core.errors import ConfigError
from rowlift.project.problems import ProjectInvalid
from world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "acme")
    world.rows(("ann", "pro"))
    return world


@pytest.mark.door("python")
def test_B30_every_type_is_told_in_a_sentence(world: World) -> None:
    with world.project() as project:
        sources = {one.type: one for one in project.connections.kinds("source")}
        destinations = {one.type: one for one in project.connections.kinds("destination")}
        with pytest.raises(ConfigError, match="no kind of connection"):
            project.connections.kinds("sync")
    assert {"postgres", "mysql", "snowflake", "bigquery", "files"} <= sources.keys()
    assert {"segment", "customerio", "webhook", "files"} <= destinations.keys()
    assert "sandbox" not in destinations
    assert all(one.about.endswith(".") for one in (*sources.values(), *destinations.values()))
    assert "person" in destinations["segment"].rows
    assert sources["mysql"].dialect == "mysql"


@pytest.mark.door("python")
def test_B3_what_a_test_found_is_kept_with_what_uses_the_connection(world: World) -> None:
    with world.project() as project:
        (before,) = project.connections.list("source")
        assert (before.name, before.type, before.syncs) == ("shop", "files", ["people"])
        assert before.place == str(world.folder / "data")
        assert before.tested is None
        tested = project.connections.test("source", "shop")
        assert {one.step for one in tested.findings} == {"login", "privileges"}
        assert tested.level == "ok"
    with rowlift.Project(world.folder, env={}) as again:
        assert again.connections.get("source", "shop").tested == tested
        (crm,) = again.connections.list("destination")
        assert (crm.syncs, crm.forwards) == (["people"], [])
        with pytest.raises(ConfigError, match="shop"):
            again.connections.test("source", "shap")


@pytest.mark.door("python")
def test_B3_a_connection_is_tested_before_it_is_kept(world: World) -> None:
    with world.project() as project:
        good = {"type": "files", "root": "data"}
        found = project.connections.attempt("source", good)
        assert {one.level for one in found} == {"ok"}
        (missing,) = project.connections.attempt("source", {"type": "files", "root": "nowhere"})
        assert (missing.level, missing.code) == ("error", "FILE_MISSING")
        with pytest.raises(ProjectInvalid, match='"root" is missing'):
            project.connections.attempt("source", {"type": "files"})
        with pytest.raises(ConfigError, match="managed in files"):
            project.connections.attempt("source", good, "shop")
        assert [one.name for one in project.connections.list("source")] == ["shop"]


@pytest.mark.door("python")
def test_S9_an_address_is_told_without_what_may_be_secret(world: World) -> None:
    world.others["hook"] = {"type": "webhook", "url": "https://hooks.example.com/T0KEN"}
    with world.project() as project:
        hook = project.connections.get("destination", "hook")
    assert hook.place == "hooks.example.com"
