"""What an operator does to syncs, and what must outlive it: pause, delete, erase, clocks."""

import sqlite3
from contextlib import closing

import pytest
from torture.simulation.source import KIND, installed

import rowlift
from doors.cli import run_cli
from rowlift.testing.clock import QuickClock
from school import LINKS, PEOPLE, School, project
from world import World

NOON = 1_760_000_000


@pytest.fixture
def school(tmp_path):
    return School(tmp_path, f"sqlite:///{tmp_path / '.rowlift' / 'state.db'}")


@pytest.mark.door("cli")
def test_B17_a_paused_sync_is_left_out_until_it_is_resumed(school):
    school.people(destinations=[school.crm])
    school.sync("others", sql="SELECT id, 'Rome' AS town FROM people")

    def cli(*words: str):
        return run_cli(*words, cwd=school.folder)

    assert cli("plan", "people").code == 0
    assert "no run of it begins" in cli("pause", "people").stdout
    assert "Paused; never" in cli("ls").stdout
    done = cli("-q", "run")
    assert (done.code, done.stdout.count("people is paused and was left out")) == (0, 1)
    assert [one["sync"] for one in cli("runs", "-o", "json").json["runs"]] == ["others"]
    assert cli("run", "people", "-o", "json").json["runs"] == []
    refused = cli("run", "--plan", "people.plan")
    assert (refused.code, "PAUSED" in refused.stderr) == (4, True)
    assert cli("resume", "people", "-o", "json").json["syncs"][0]["paused"] is False
    assert cli("run", "people").code == 0
    assert cli("pause", "nobody").code == 2


@pytest.mark.door("python")
def test_B19_T23_a_deleted_sync_keeps_what_it_imported_until_it_is_erased(school):
    school.people(destinations=[school.crm])
    run = school.run(project, "people")
    school.sync("others", sql="SELECT id, 'Rome' AS town FROM people")
    (school.folder / "syncs" / "people.yml").unlink()
    with project(school) as opened:
        opened.run(["others"])
        ann = opened.person("1")
        assert [(one.name, one.sync) for one in ann.attributes] == [
            ("name", "people"), ("town", "others"),
        ]  # fmt: skip
        (trace, _) = sorted(opened.why("1").syncs, key=lambda one: one.sync != "people")
        assert (trace.sync, trace.targets[-1].standing.value) == ("people", "delivered")
        opened.suppress(["1"])
        assert opened.erase("1").people == 1
    school.people(destinations=[school.crm])
    with project(school) as opened:
        (again,) = opened.run(["people"])
        assert (again.counts["added"], again.counts["unchanged"]) == (1, 1)
        assert again.counts["workspace"]["suppressed"] == 1
        delivery = again.deliveries[0].counts
        assert (delivery["suppressed"], delivery["delivered"]) == (1, 0), "its ledger was kept"
        assert [one.id for one in opened.people()] == ["2"], "nobody is made again"
    assert run.deliveries[0].counts["delivered"] == 2


@pytest.mark.door("python")
def test_B14_what_the_workspace_rejects_still_goes_to_destinations(school):
    """Destinations are fed from the image; the workspace is one consumer of it."""
    school.tables(
        everybody=[*PEOPLE, ("9", "ann@x.org", "Nina")],
        links=[LINKS[0], ("404", "course", "c1", "pupil", "")],
    )
    school.related()
    sql = "SELECT * FROM everybody"
    school.sync("people", sql=sql, destinations=[school.crm])
    school.sync("ann", sql="SELECT * FROM people WHERE id = '1'")
    school.run(project, "ann")
    run = school.run(project, "people")
    rejected = school.rejects(project, run.id)
    assert rejected == [("", 3, "EMAIL_TAKEN"), ("relationships", 1, "PERSON_UNKNOWN")]
    assert [one.counts["delivered"] for one in run.deliveries] == [3, 1]


class Notes:
    """Keeps what a run says on the way."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def phase(self, task: str, phase: str, total: int | None = None) -> None: ...

    def advance(self, task: str, rows: int) -> None: ...

    def note(self, task: str, text: str, detail: str = "") -> None:
        self.told.append(text)


def test_F40_last_sync_time_is_the_sources_and_a_clock_that_goes_back_is_told(tmp_path):
    world = World(tmp_path / "acme")
    shop = world.folder / "shop.db"
    world.shop = {"type": KIND, "path": str(shop)}
    world.sync["sql"] = "SELECT user_id, plan FROM people WHERE at >= {{last_sync_time}}"
    with closing(sqlite3.connect(shop)) as source, source:
        source.execute("CREATE TABLE people (user_id TEXT, plan TEXT, at INTEGER)")
        source.execute("INSERT INTO people VALUES ('1', 'free', ?)", [NOON])
        source.execute("CREATE TABLE clock (now REAL, cut INTEGER)")
        source.execute("INSERT INTO clock VALUES (?, NULL)", [NOON])
    world.save()
    times, notes = [], Notes()
    with installed():
        for moment in (NOON, NOON + 3600, NOON - 3600):
            with closing(sqlite3.connect(shop)) as source, source:
                source.execute("UPDATE clock SET now = ?", [moment])
            with rowlift.Project(world.folder, clock=QuickClock(), progress=notes) as opened:
                (run,) = opened.run(["people"])
            times.append(run.last_sync_time)
            told = [text for text in notes.told if "7,200 s behind" in text]
            assert bool(told) == (moment < NOON)
    assert times == [NOON, NOON + 3600, NOON - 3600]
