"""What is over and old is forgotten; what is due, newest or in use is not, however old it is."""

import sqlite3
from contextlib import closing

import pytest
import sqlalchemy as sa

from doors.cli import run_cli
from rowlift.core import faults
from rowlift.core.errors import StateError
from rowlift.workspace.tables import events, slices
from school import PEOPLE, School, project

TIMES = {
    "runs": ("created_at", "finished_at"),
    "deliveries": ("created_at", "finished_at"),
    "events": ("at",),
    "files": ("created_at", "dead_at"),
}


@pytest.fixture
def school(tmp_path):
    return School(tmp_path, f"sqlite:///{tmp_path / 'state.db'}")


@pytest.fixture
def any_school(tmp_path, state_url):
    """On each state database."""
    return School(tmp_path, state_url)


def executed(school, *statements):
    engine = sa.create_engine(school.env["ROWLIFT_STATE_URL"])
    with engine.begin() as connection:
        found = [connection.execute(one) for one in statements]
        rows = [one.all() for one in found if one.returns_rows]
    engine.dispose()
    return rows


def pass_days(school, days):
    """Let everything be older."""
    less = (
        sa.text(f"UPDATE {table} SET {column} = {column} - {days * 86_400}")
        for table, columns in TIMES.items()
        for column in columns
    )
    executed(school, *less)


def counted(school, *tables):
    queries = (sa.text(f"SELECT count(*) FROM {one}") for one in tables)
    return [rows[0][0] for rows in executed(school, *queries)]


def renamed(project, school, name):
    school.tables(people=[PEOPLE[0], ("1", "ann@x.org", name), PEOPLE[2]])
    return school.run(project, "people")


def lived_in(school, **destination):
    school.destination(**destination)
    school.people(
        destinations=[school.crm], segment={"name": "Pupils", "create": True},
        cursor="held_rows",
    )  # fmt: skip
    return [renamed(project, school, name).id for name in ("Ann", "Anna", "Anne")]


@pytest.mark.door("python")
def test_S35_what_is_over_goes_and_the_newest_stays(any_school):
    *older, newest = lived_in(any_school)
    assert counted(any_school, "batches", "slices", "events") == [3, 3, 4]
    pass_days(any_school, 8)
    with project(any_school) as opened:
        done = opened.prune()
    assert (done.runs, done.deliveries, done.batches, done.events) == (0, 0, 3, 0)
    assert counted(any_school, "batches", "slices", "events") == [0, 0, 4]
    pass_days(any_school, 365)
    with project(any_school) as opened:
        done = opened.prune()
        assert (done.runs, done.deliveries, done.events) == (2, 2, 4)
        assert opened.prune().runs == 0
        assert [one.id for one in opened.runs()] == [newest]
        for run in older:
            with pytest.raises(StateError, match="no run"):
                opened.run_report(run)
        assert [one.id for one in opened.segment_members("Pupils")] == ["1", "2"]
        (name,) = opened.why("1").attributes
        assert (name.value, name.run) == ("Anne", newest)
    again = any_school.run(project, "people")
    assert (again.counts["unchanged"], again.deliveries[0].counts["due"]) == (2, 0)


def test_what_is_due_or_queued_is_not_touched(school):
    lived_in(school, reject=["1"])
    school.tables(people=[*PEOPLE[:2], ("2", "bob@x.org", "Robert")])
    with project(school) as opened:
        (queued,) = opened.run(["people"], wait=False)
    pass_days(school, 400)
    with project(school) as opened:
        assert opened.prune().runs == 3
        assert opened.run_report(queued.id).deliveries[0].status.value == "Queued"
    school.destination()
    with project(school) as opened:
        opened.run(["people"])
        standings = [opened.why(who).syncs[0].targets[-1].standing.value for who in "12"]
    assert standings == ["unchanged", "unchanged"]  # an older run brought them


def test_a_run_forgets_too_and_may_die_of_it(school):
    lived_in(school)
    pass_days(school, 400)
    for point in ("prune.state.before_commit", "prune.workspace.after_commit"):
        faults.arm(f"{point}:1:raise")
        try:
            with pytest.raises(faults.InjectedFault):
                school.run(project, "people")
        finally:
            faults.arm()
    assert school.run(project, "people").counts["unchanged"] == 2
    assert executed(school, sa.select(events), sa.select(slices)) == [[], []]
    with project(school) as opened:
        assert len(opened.runs()) == 3, "the runs that died of it had ended"


@pytest.mark.door("cli")
def test_C6_a_run_can_be_undone_for_as_long_as_the_files_say(tmp_path):
    school = School(tmp_path, f"sqlite:///{tmp_path / '.rowlift' / 'state.db'}")
    school.people()
    run = [renamed(project, school, name).id for name in ("Ann", "Anna", "Anne")][-1]
    school.tables(people=[PEOPLE[0], ("1", "ann@x.org", "Anne"), ("2", "bob@x.org", "Rob")])
    school.run(project, "people")  # it writes the image anew, so that the run's rows are replaced
    settings = "version: 1\nworkspace: {name: school}\nretention: {undo: 60d, history: 1d}\n"
    (tmp_path / "rowlift.yml").write_text(settings)
    pass_days(school, 59)
    with project(school) as opened:
        opened.prune()
    assert f"it can be undone: rowlift undo {run}" in run_cli("runs", run, cwd=tmp_path).stdout
    with project(school) as opened:
        assert opened.plan_undo(run, tmp_path / "late.plan").counts["changed"] == 1
    pass_days(school, 1)
    late = run_cli("undo", run, cwd=tmp_path)
    assert (late.code, "UNDO_TOO_OLD" in late.stderr) == (2, True)
    pass_days(school, 1)
    with project(school) as opened:
        assert opened.prune().files > 0
    (tmp_path / "rowlift.yml").write_text(settings.replace("60d", "90d"))
    with project(school) as opened:
        assert opened.undone.show(run).reason_code == "UNDO_TOO_OLD"


@pytest.mark.door("cli")
def test_S35_the_files_say_for_how_long(tmp_path):
    school = School(tmp_path, f"sqlite:///{tmp_path / '.rowlift' / 'state.db'}")
    lived_in(school)
    settings = "version: 1\nworkspace: {name: school}\nretention: {runs: 30d, events: 2d}\n"
    (tmp_path / "rowlift.yml").write_text(settings)
    pass_days(school, 31)
    pruned = run_cli("state", "prune", cwd=tmp_path)
    assert pruned.stdout.startswith("✓ forgot 2 runs · 2 deliveries · 3 batches · 4 events")
    assert run_cli("state", "prune", "-o", "json", cwd=tmp_path).json["prune"]["runs"] == 0
    with closing(sqlite3.connect(tmp_path / ".rowlift" / "state.db")) as state:
        assert state.execute("SELECT count(*) FROM people").fetchone() == (2,)
    (tmp_path / "rowlift.yml").write_text(settings.replace("2d", "5m"))
    refused = run_cli("check", cwd=tmp_path)
    assert refused.code == 2
    assert "at least 1d" in refused.stdout + refused.stderr
