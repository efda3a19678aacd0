"""What is wrong without a run: audiences nobody can compute, definitions that are left out."""

import pytest

import rowlift
from alarms import SQLITE, at, executed, hearing, later, lines, told, wrong
from rowlift.core.errors import DestinationError
from rowlift.testing.sink import Sink


@pytest.fixture
def sink():
    with Sink() as opened:
        yield opened


@pytest.fixture
def world(tmp_path, state_url, sink):
    made = hearing(tmp_path, state_url, sink)
    made.sync["workspace"] = "write"
    (made.folder / "audiences").mkdir()
    return made


@pytest.mark.door("python")
def test_C11_an_audience_that_cannot_be_computed_is_told_once_and_again_when_it_is(world, sink):
    share = {"control": 50}
    world.write("audiences/friends.yml", {
        "audience": "friends", "where": {"segment": "vips"}, "split": share,
    })  # fmt: skip
    world.run()
    (message,) = told(sink)
    (alert,) = [one for one in message["alerts"] if one["sync"] == "audience friends"]
    assert (alert["rule"], alert["code"]) == ("failure", "NAME_UNKNOWN")
    assert alert["text"].startswith("cannot be computed: ")
    with at(world, later(minutes=2)) as project:
        project.audiences.compute()
        assert len(told(sink)) == 1, "it fails again, and is not told again"
        project.create_segment("vips")
        project.audiences.compute()
        assert wrong(project) == []
    assert {one["sync"] for one in told(sink)[1]["alerts"]} == {"audience friends"}
    assert all(one["recovered"] for one in told(sink)[1]["alerts"])
    (world.folder / "audiences" / "friends.yml").unlink()
    executed(world, "UPDATE audiences SET status = 'Failed', reason_code = 'NAME_UNKNOWN'")
    with at(world, later(minutes=4)) as project:
        project.alerts.look()
        assert wrong(project) == [], "nobody declares it any more"


@pytest.mark.door("python")
def test_C10_an_audience_past_its_every_is_told_once_and_again_when_it_is_looked_at(world, sink):
    where = {"attribute": "plan", "is": "free"}
    world.write("audiences/pros.yml", {"audience": "pros", "where": where, "every": "1h"})
    world.run()
    with at(world, later(hours=3)) as project:
        project.alerts.look()
        assert wrong(project) == [], "nobody serves, so nobody was to look by the clock"
        home = project.watch.home
        services = home.store.services
        services.end(services.start(home.workspace_id))
        for _ in range(2):
            project.alerts.look()
            project.alerts.tell(at_once=True)
        assert wrong(project) == [("late", "audience pros", "")]
        assert project.audiences.get("pros").is_late
        (late,) = told(sink)
        assert late["alerts"][0]["text"].endswith("; promised: every 1h")
        project.audiences.compute(["pros"])
        assert wrong(project) == []
        assert not project.audiences.get("pros").is_late
    assert lines(sink) == [("late", "", False, "LATE"), ("late", "", True, "")]


@pytest.mark.door("python")
def test_C11_logs_that_cannot_be_written_are_told_once_and_again_when_they_are(world, sink):
    path = world.folder / "logs.duckdb"
    path.write_text("no database")
    world.env["ROWLIFT_WRITE_BACK_URL"] = f"duckdb://{path}"
    with at(world, later()) as project:
        project.run()
        for _ in range(2):
            with pytest.raises(DestinationError):
                project.watch.write_back()
            project.alerts.look()
            project.alerts.tell(at_once=True)
        assert project.watch.figures().values["rowlift_write_back_failing", ()] == 1
        assert wrong(project) == [("failure", "the logs of runs", "")]
    assert lines(sink) == [("failure", "", False, "WRITE_BACK_FAILED")]
    path.unlink()
    with at(world, later(minutes=2)) as project:
        assert project.watch.write_back().runs == 1
        project.alerts.look()
        project.alerts.tell(at_once=True)
        assert project.watch.figures().values["rowlift_write_back_failing", ()] == 0
    assert lines(sink)[1:] == [("failure", "", True, "")]
    executed(world, "UPDATE meta SET value = 'X' WHERE key LIKE 'write_back_failed:%'")
    with at(world, later(minutes=4)) as project:
        project.alerts.look()
        assert len(wrong(project)) == 1
    del world.env["ROWLIFT_WRITE_BACK_URL"]
    with at(world, later(minutes=6)) as project:
        project.alerts.look()
        assert wrong(project) == [], "nobody wants them any more"


@SQLITE
@pytest.mark.door("python")
def test_C11_a_sync_that_is_left_out_is_told_and_again_when_it_is_in_force(world, sink):
    world.save()
    with rowlift.Project(world.folder, env=world.env) as project:
        project.definitions.create("sync", "made_here", {
            "source": "shop", "sql": "SELECT user_id, plan FROM people",
            "identify_by": "user_id", "preset": "import",
        })  # fmt: skip
    connections = world.folder / "connections.yml"
    kept = connections.read_text()
    connections.write_text(kept.replace('"shop"', '"store"'))
    (world.folder / "syncs" / "people.yml").unlink()
    for _ in range(2):
        with rowlift.Project(world.folder, env=world.env) as project:
            project.alerts.look()
            assert wrong(project) == [("failure", "made_here", "")]
            project.alerts.tell(at_once=True)
    connections.write_text(kept)
    with rowlift.Project(world.folder, env=world.env) as project:
        project.alerts.look()
        assert wrong(project) == []
    with at(world, later(minutes=2)) as project:
        project.alerts.tell(at_once=True)
    assert [(one[0], one[2]) for one in lines(sink)] == [("failure", False), ("failure", True)]
