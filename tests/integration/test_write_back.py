"""Logs of runs in a warehouse: whole, incremental, resumed, on DuckDB and PostgreSQL."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

import rowlift
from doors.cli import run_cli
from rowlift.core import faults
from rowlift.core.errors import ConfigError, DestinationError
from served import served, until
from world import World

Ask = Callable[[str], list]
IN_A_FILE = pytest.mark.parametrize("warehouse", ["duckdb"], indirect=True)


@pytest.fixture(params=["duckdb", "postgresql"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Ask]]:
    if request.param == "duckdb":
        path = tmp_path / "logs.duckdb"
        yield f"duckdb://{path}", lambda sql: _asked(duckdb.connect(path, read_only=True), sql)
        return
    server = request.getfixturevalue("postgres_server")
    database = server.create_database(f"logs_{uuid.uuid4().hex[:8]}")
    yield database.url, lambda sql: _asked(database.connect(), sql)
    server.drop_database(database.name)


def _asked(connection, sql: str) -> list:
    with closing(connection):
        return connection.execute(sql).fetchall()


@pytest.fixture
def world(tmp_path: Path, warehouse: tuple[str, Ask]) -> World:
    made = World(tmp_path / "acme")
    made.sync["workspace"] = "write"
    made.env = {"ROWLIFT_WRITE_BACK_URL": warehouse[0]}
    made.rows(("ann", "pro"), ("bob", "free"), ("", "free"))
    return made


@pytest.mark.door("cli")
def test_C11_logs_are_written_back_and_only_once(world: World, warehouse) -> None:
    _, ask = warehouse
    world.run()
    world.rows(("ann", "max"), ("bob", "free"))
    world.run()
    done = run_cli("state", "write-back", "-o", "json", cwd=world.folder, env=world.env)
    assert done.json["write_back"] == {"runs": 2, "rows": 6, "open": 0}
    assert ask("SELECT run, sync, status FROM rowlift.runs ORDER BY run") == [
        (1, "people", "Some rows failed"), (2, "people", "Completed"),
    ]  # fmt: skip
    assert ask("SELECT run, destination, status FROM rowlift.deliveries ORDER BY run") == [
        (1, "crm", "Completed"), (2, "crm", "Completed"),
    ]  # fmt: skip
    outcomes = "SELECT run, target, row_number, code FROM rowlift.row_outcomes"
    assert ask(outcomes) == [(1, "", 3, "ID_NULL")]
    changes = "SELECT run, identifier, attribute, before, after FROM rowlift.attribute_changes"
    assert ask(changes) == [(2, "ann", "plan", '"pro"', '"max"')]
    again = run_cli("state", "write-back", cwd=world.folder, env=world.env)
    assert again.stdout == "✓ 0 runs written, 0 rows\n"
    world.run()
    more = run_cli("state", "write-back", cwd=world.folder, env=world.env)
    assert more.stdout == "✓ 1 run written, 2 rows\n"
    assert len(ask("SELECT * FROM rowlift.runs")) == 3


@IN_A_FILE
def test_S34_who_is_suppressed_is_in_no_log(world: World, warehouse) -> None:
    _, ask = warehouse
    others = tuple((f"u{number}", "free") for number in range(8))
    world.rows(("ann", "pro"), ("bob", "free"), ("", "free"), *others)
    world.run()
    world.rows(("ann", "max"), ("bob", "max"), ("bob", "max"), *others)
    world.run()
    world.rows(("ann", "pro"), ("bob", "pro"), *others)
    world.run()
    with world.project() as project:
        project.suppress(["id:bob"])
        project.run()
        project.watch.write_back()
    changes = "SELECT run, identifier, before, after FROM rowlift.attribute_changes ORDER BY run"
    assert ask(changes) == [(2, "ann", '"pro"', '"max"'), (3, "ann", '"max"', '"pro"')]
    outcomes = ask("SELECT run, row_number, identifier, code, reason FROM rowlift.row_outcomes")
    assert {one[3] for one in outcomes} >= {"ID_NULL", "ID_DUPLICATE"}
    assert "bob" not in str(outcomes)
    assert len([one for one in outcomes if one[3] == "ID_DUPLICATE"]) == 2


def test_it_goes_on_after_it_was_cut_off_and_repeats_nothing(world: World, warehouse) -> None:
    _, ask = warehouse
    for _ in range(3):
        world.run()
    faults.arm("meta.remember.before_commit:1:raise")
    try:
        with world.project() as project, pytest.raises(faults.InjectedFault):
            project.watch.write_back()
    finally:
        faults.arm()
    with world.project() as project:
        assert project.watch.write_back().runs == 3
    assert ask("SELECT run FROM rowlift.runs ORDER BY run") == [(1,), (2,), (3,)]


@IN_A_FILE
def test_a_service_writes_them_by_itself(world: World, warehouse) -> None:
    _, ask = warehouse
    world.sync["schedule"] = {"every": "1d"}
    world.save()
    with served(rowlift.Project(world.folder, env=world.env)), world.project() as project:
        until(lambda: [one.is_over for one in project.runs()] == [True])
        until(lambda: project.watch.home.store.recall(mark_of(project)) == "[1, []]")
    assert ask("SELECT run, sync FROM rowlift.runs") == [(1, "people")]


def mark_of(project: rowlift.Project) -> str:
    with project.watch.home.store.database.read() as connection:
        return connection.exec_driver_sql(
            "SELECT coalesce(max(key), '') FROM meta WHERE key LIKE 'write_back:%'"
        ).scalar_one()


@IN_A_FILE
def test_a_run_that_is_not_over_comes_later(world: World, warehouse) -> None:
    _, ask = warehouse
    world.run(wait=False)
    with world.project() as project:
        assert (project.watch.write_back().open, ask("SELECT * FROM rowlift.runs")) == (1, [])
        world.run()
        done = project.watch.write_back()
    assert (done.runs, done.open) == (2, 0)


@IN_A_FILE
def test_what_is_wrong_is_told_without_the_address(world: World, tmp_path: Path) -> None:
    (tmp_path / "no.duckdb").write_text("no database, but a canary")
    world.env["ROWLIFT_WRITE_BACK_URL"] = f"duckdb://{tmp_path}/no.duckdb"
    with world.project() as project, pytest.raises(DestinationError) as failed:
        project.watch.write_back()
    assert failed.value.code == "WRITE_BACK_FAILED"
    assert "no.duckdb" not in str(failed.value)
    for name, wrong in (("URL", "mysql://root:canary@db/x"), ("SCHEMA", 'x"; DROP'), ("URL", "")):
        world.env[f"ROWLIFT_WRITE_BACK_{name}"] = wrong
        with world.project() as project, pytest.raises(ConfigError, match="VALUE_WRONG") as told:
            project.watch.write_back()
        assert "canary" not in str(told.value)
        world.env.pop("ROWLIFT_WRITE_BACK_SCHEMA", None)
