"""Manual segments: who enters and leaves by a sync and by hand, and what is told of it."""

import json
from pathlib import Path

import pytest

from doors.cli import run_cli
from rowlift.core.errors import ConfigError
from rowlift.core.nouns import Status
from world import World

ADDRESS = "{}@x.org"
OPEN = {"name": "Open tickets", "create": True}


class Desk(World):
    """A help desk whose tickets are synced into the workspace only."""

    def __init__(self, folder: Path, state_url: str) -> None:
        super().__init__(folder, ("user_id", "email", "plan"))
        self.env = {"ROWLIFT_STATE_URL": state_url}
        self.sync |= {"workspace": "write", "segment": OPEN}
        self.use["removed"] = "keep"

    def people(self, **plans: str) -> None:
        self.rows(*((key, ADDRESS.format(key), plan) for key, plan in plans.items()))


def inside(project, name=OPEN["name"]) -> list[str | None]:
    return [one.id for one in project.segment_members(name)]


def told(project, name=OPEN["name"]) -> list[tuple[str | None, str]]:
    events = project.segment_events(name, limit=1000)
    return [(one.id, one.kind.removeprefix("segment_")) for one in events]


@pytest.fixture
def desk(tmp_path: Path, state_url: str) -> Desk:
    return Desk(tmp_path / "acme", state_url)


@pytest.mark.door("python")
def test_B11_people_who_are_written_enter_and_each_change_touches(desk: Desk) -> None:
    desk.people(ann="free", bob="free")
    run = desk.run()
    with desk.project() as project:
        assert inside(project) == ["ann", "bob"]
        assert told(project) == [("ann", "entered"), ("bob", "entered")]
        (event, _) = project.segment_events(OPEN["name"])
        assert (event.sync, event.run) == ("people", run.id)
        project.run()
        desk.people(ann="pro", bob="free", cid="free")
        project.run()
        assert inside(project) == ["ann", "bob", "cid"]
        assert sorted(told(project)[2:]) == [("ann", "touched"), ("cid", "entered")]


@pytest.mark.door("python")
def test_B11_only_who_is_written_enters(desk: Desk) -> None:
    desk.rows(("ann", "ann@x.org", "free"), ("bob", "no address", "free"), ("", "e@x.org", "pro"))
    with desk.project() as project:
        (run,) = project.run(["people"])
        assert run.status is Status.SOME_ROWS_FAILED
        assert inside(project) == ["ann"]
    desk.people(ann="free", bob="free")
    desk.sync["mode"] = "update"
    with desk.project() as project:
        (run,) = project.run(["people"])
        assert run.counts["workspace"]["skipped"] == 1
        assert inside(project) == ["ann"]
    desk.sync["mode"] = "upsert"
    with desk.project() as project:
        project.run(["people"])
        assert inside(project) == ["ann", "bob"]
        assert told(project) == [("ann", "entered"), ("bob", "entered")]


@pytest.mark.door("python")
def test_B11_suppressed_people_do_not_enter(desk: Desk) -> None:
    del desk.sync["segment"]
    desk.people(ann="free", bob="free")
    with desk.project() as project:
        project.run()
        project.suppress(["email:bob@x.org", "id:cid"])
    desk.people(ann="free", bob="free", cid="free")
    desk.sync["segment"] = OPEN
    with desk.project() as project:
        (run,) = project.run()
        assert run.counts["workspace"]["suppressed"] == 2
        assert inside(project) == ["ann"]


@pytest.mark.door("python")
def test_B11_what_is_written_again_unchanged_is_not_told_again(desk: Desk) -> None:
    desk.people(ann="free")
    with desk.project() as project:
        project.run()
        project.reset("people", target="workspace")
        (run,) = project.run()
        assert run.counts["workspace"]["update"] == 1
        assert told(project) == [("ann", "entered")]


@pytest.mark.door("python")
def test_B11_a_segment_given_later_takes_all_whom_the_sync_has(desk: Desk) -> None:
    del desk.sync["segment"]
    desk.people(ann="free", bob="free")
    desk.run()
    desk.sync["segment"] = OPEN
    with desk.project() as project:
        (run,) = project.run()
        assert run.counts["workspace"]["enter"] == run.counts["workspace"]["due"] == 2
        assert (run.counts["unchanged"], run.counts["workspace"]["update"]) == (2, 0)
        assert told(project) == [("ann", "entered"), ("bob", "entered")]
        (again,) = project.run()
        assert again.counts["workspace"]["due"] == 0
    desk.sync["segment"] = {"name": "Tickets", "create": True}
    with desk.project() as project:
        project.run()
        assert inside(project) == inside(project, "Tickets") == ["ann", "bob"]
    del desk.sync["segment"]
    desk.people(ann="pro", bob="free", cid="free")
    with desk.project() as project:
        project.run()
        assert inside(project, "Tickets") == ["ann", "bob"]
        assert len(told(project, "Tickets")) == 2


@pytest.mark.door("python")
def test_B11_a_segment_that_is_not_there_stops_the_run_before_the_query(desk: Desk) -> None:
    desk.people(ann="free")
    desk.sync["segment"] = {"name": "Open tikets"}
    with desk.project() as project:
        project.create_segment("Open tickets")
        with pytest.raises(ConfigError, match='Did you mean "Open tickets"') as caught:
            project.run(["people"])
        with pytest.raises(ConfigError):
            project.plan("people", desk.folder / "people.plan")
        assert caught.value.code == "NAME_UNKNOWN"
        assert project.runs()[0].counts == {}
        assert [(one.name, one.members) for one in project.segments()] == [("Open tickets", 0)]
    desk.sync["segment"] = {"name": "Open tickets"}
    with desk.project() as project:
        plan = project.plan("people", desk.folder / "people.plan")
        assert (plan.targets["workspace"]["create"], inside(project)) == (1, [])
        project.run(plan=desk.folder / "people.plan")
        assert inside(project) == ["ann"]


@pytest.mark.door("python")
@pytest.mark.parametrize("removed", ["leave_segment", "clear", "delete", "keep"])
def test_C12_who_left_a_full_query_leaves_the_segment(desk: Desk, removed: str) -> None:
    desk.sync["removed"] = removed
    desk.people(ann="free", bob="free")
    desk.run()
    desk.people(bob="free")
    with desk.project() as project:
        (run,) = project.run(allow_removals=True)
        assert inside(project) == (["ann", "bob"] if removed == "keep" else ["bob"])
        op = {"leave_segment": "leave", "keep": "due"}.get(removed, removed)
        assert run.counts["workspace"][op] == (removed != "keep")
        assert project.run()[0].counts["workspace"]["due"] == 0
    desk.people(ann="free", bob="free")
    with desk.project() as project:
        project.run()
        assert sorted(inside(project)) == ["ann", "bob"]
        is_kept = removed in ("leave_segment", "clear")
        again = [("ann", "left"), ("ann", "entered")] if is_kept else []
        assert [one for one in told(project) if one[0] == "ann"][1:] == again


@pytest.mark.door("python")
def test_C12_nobody_leaves_by_a_sync_that_did_not_put_them_in(desk: Desk) -> None:
    desk.sync |= {"removed": "leave_segment", "segment": {"name": "Open tickets"}}
    desk.people(ann="free", bob="free")
    with desk.project() as project:
        project.create_segment("Open tickets")
        project.run()
        project.remove_from_segment("Open tickets", ["bob"])
        project.add_to_segment("Open tickets", ["BOB@x.org"])
    desk.people(cid="free")
    with desk.project() as project:
        project.run(allow_removals=True)
        assert inside(project) == ["bob", "cid"]
        assert [one.id for one in project.people()] == ["ann", "bob", "cid"]


@pytest.mark.door("python")
def test_B11_people_enter_and_leave_by_hand(desk: Desk) -> None:
    desk.people(ann="free", bob="free")
    with desk.project() as project:
        project.run()
        assert project.create_segment("VIP") == project.create_segment("VIP")
        done = project.add_to_segment("VIP", ["ann", "BOB@X.org", "bob", "zoe"])
        assert (done.changed, done.unchanged, done.unknown) == (2, 0, ["zoe"])
        again = project.add_to_segment("VIP", ["ann"])
        assert (again.changed, again.unchanged) == (0, 1)
        assert told(project, "VIP") == [("ann", "entered"), ("bob", "entered")]
        (first,) = project.segment_members("VIP", limit=1)
        (second,) = project.segment_members("VIP", after=first.number)
        assert (first.id, first.sync, second.id) == ("ann", None, "bob")
        assert project.person("ann").segments == ["Open tickets", "VIP"]
        assert project.remove_from_segment("VIP", ["ann@x.org"]).changed == 1
        assert [one.id for one in project.export_segment("VIP")] == ["bob"]
        assert told(project, "VIP")[2:] == [("ann", "left")]
        assert [(one.name, one.members) for one in project.segments()] == [
            ("Open tickets", 2), ("VIP", 1),
        ]  # fmt: skip
        with pytest.raises(ConfigError, match="printable"):
            project.create_segment(" ")


@pytest.mark.door("cli")
def test_B11_segments_are_made_filled_shown_and_exported(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "acme", "")
    desk.rows(("=ann", "ann@x.org", "free"), ("bob", "bob@x.org", "free"))
    desk.save()
    (desk.folder / "names.txt").write_text("=ann\n\nzoe\n")

    def cli(*words: str):
        return run_cli(*words, cwd=desk.folder)

    assert cli("run").code == 0
    assert cli("segments", "create", "VIP").code == 0
    added = cli("segments", "add", "VIP", "--ids", "names.txt", "-o", "json")
    change = {"segment": "VIP", "changed": 1, "unchanged": 0, "unknown": ["zoe"], "suppressed": []}
    assert (added.code, added.json["change"]) == (1, change)
    assert "Open tickets  2" in cli("segments").stdout
    assert "segments Open tickets, VIP" in cli("people", "show", "=ann").stdout
    shown = cli("segments", "show", "VIP").stdout
    assert "VIP: 1 person" in shown
    assert "by hand" in shown
    events = cli("segments", "events", "Open tickets", "-o", "json").json["events"]
    assert [(one["id"], one["kind"]) for one in events] == [
        ("=ann", "segment_entered"), ("bob", "segment_entered"),
    ]  # fmt: skip
    table = cli("segments", "export", "VIP", "--format", "csv").stdout.splitlines()
    assert [line.split(",")[1] for line in table] == ["id", "'=ann"]
    assert cli("segments", "export", "Open tickets", "out.jsonl").code == 0
    lines = (desk.folder / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["=ann", "bob"]
    removed = cli("segments", "remove", "VIP", "--ids", "names.txt", "-o", "json")
    assert (removed.code, removed.json["change"]["changed"]) == (1, 1)
    events = cli("segments", "events", "VIP", "-o", "json").json["events"]
    assert [one["kind"] for one in events] == ["segment_entered", "segment_left"]
    (desk.folder / "names.txt").write_bytes(b"ann\0")
    assert cli("segments", "add", "VIP", "--ids", "names.txt").code == 2
    assert cli("segments", "show", "Vip").code == cli("segments", "add", "VIP").code == 2
