"""C5: why is asked of anybody, and of every sync: also of those that have no row of a person."""

import json
from pathlib import Path

import pytest

from doors.cli import run_cli
from intake import Inlet
from rowlift import Project
from rowlift.core.errors import SourceError, StateError
from rowlift.operations.traces import Standing, Why
from school import PEOPLE, School, project

PRO = {"audience": "called", "where": {"attribute": "name", "is": "Bob"}}


@pytest.fixture
def school(tmp_path: Path) -> School:
    return School(tmp_path, f"sqlite:///{tmp_path / 'state.db'}")


def absences(told: Why) -> dict[str, list[tuple[str, Standing]]]:
    """Return how each sync without a row stands at each of its targets."""
    return {one.sync: [(each.target, each.standing) for each in one.targets] for one in told.absent}


def at(told: Why, target: str) -> tuple[Standing, str]:
    """Return how the only row stands at a target, with its code."""
    (found,) = [each for one in told.syncs for each in one.targets if each.target == target]
    return found.standing, found.code


@pytest.mark.door("python")
def test_C5_every_sync_without_a_row_of_somebody_says_why(school: School) -> None:
    crm = [{"use": "crm", "match": "user_id"}]
    few = "SELECT * FROM people WHERE name = 'Bob'"
    school.tables(people=[PEOPLE[0], ("1", "", "Ann"), PEOPLE[2]])
    (school.folder / "audiences").mkdir()
    (school.folder / "audiences" / "called.yml").write_text(json.dumps(PRO))
    school.people(segment={"name": "Pupils", "create": True})
    school.sync("few", sql=few, destinations=crm)
    school.sync("letters", sql=few, identify_by="email", destinations=crm)
    school.sync("calls", sql="SELECT * FROM nowhere", destinations=crm, workspace="none")
    school.sync("idle", sql=few, destinations=crm)
    school.sync("planned", sql=few)
    (school.folder / "syncs" / "feed.yml").write_text(
        json.dumps({"sync": "feed", "audience": "called", "destinations": crm[:1]})
    )
    with project(school) as opened:
        run, _ = opened.run(["people", "few"])
        opened.run(["feed"])
        with pytest.raises(SourceError) as failed:
            opened.run(["calls"])
        opened.pause("idle")
        assert opened.plans.make("planned", by="ann").sync == "planned"
        told = opened.why("id:1")
        asked = opened.why("id:1", destination="crm")
        opened.plans.discard(opened.plans.list()[0].id)
        later = opened.why("id:1")
    there = [("workspace", Standing.NOT_IN_QUERY), ("crm", Standing.NOT_IN_QUERY)]
    assert absences(told) == {
        "calls": [("crm", Standing.STOPPED)],
        "feed": [("crm", Standing.NOT_A_MEMBER)],
        "few": there,
        "idle": [("workspace", Standing.PAUSED), ("crm", Standing.PAUSED)],
        "letters": [(name, Standing.NO_IDENTIFIER) for name in ("workspace", "crm")],
        "planned": [("workspace", Standing.PLAN_WAITS)],
    }
    assert absences(later)["planned"] == [("workspace", Standing.NEVER_RAN)]
    by_sync = {one.sync: one.targets[-1] for one in told.absent}
    assert by_sync["calls"].code == failed.value.code
    assert "by ann" in by_sync["planned"].reason
    assert by_sync["idle"].code == "PAUSED"
    assert absences(asked) == {
        name: found[-1:] for name, found in absences(told).items() if found[-1][0] == "crm"
    }
    (pupils,) = told.segments
    assert (pupils.segment, pupils.sync, pupils.run, pupils.left_at) == (
        "Pupils", "people", run.id, None,
    )  # fmt: skip


@pytest.mark.door("python")
def test_C5_a_row_is_held_a_plan_waits_and_a_column_is_left_out(school: School) -> None:
    sql = "SELECT * FROM people WHERE {{last_sync_time}} >= 0"
    school.sync(
        "people", sql=sql, cursor="held_rows", destinations=[{**school.crm, "exclude": ["name"]}]
    )
    school.tables(people=[*PEOPLE, ("3", "nonsense", "Cid")])
    first = school.run(project, "people")
    with project(school) as opened:
        assert at(opened.why("id:3"), "crm") == (Standing.HELD, "EMAIL_INVALID")
        told = opened.why("id:1")
        (name,) = told.attributes
        assert told.syncs[0].targets[-1].left_out == ("name",)
        assert (name.run, name.row_number, name.query) == (first.id, 1, name.changes[0].query)
    school.sync("people", sql="SELECT * FROM nowhere", cursor="strict")
    with project(school) as opened, pytest.raises(SourceError):
        opened.run(["people"])
    school.sync("people", sql="SELECT * FROM people")
    with project(school) as opened:
        code = opened.runs("people", limit=1)[0].reason_code
        assert at(opened.why("id:1"), "crm") == (Standing.STOPPED, code)
        opened.plans.make("people")
        assert at(opened.why("id:1"), "crm") == (Standing.PLAN_WAITS, code)


@pytest.mark.door("python")
def test_C5_who_is_suppressed_and_erased_is_told_so_and_nobody_else_is(school: School) -> None:
    school.people(destinations=[school.crm])
    school.run(project, "people")
    with project(school) as opened:
        opened.suppress(["id:1", "id:stranger"])
        assert opened.why("id:1").suppressed_since
        opened.erase("id:1")
        for who in ("id:1", "id:stranger"):
            told = opened.why(who)
            assert told.suppressed_since
            assert (told.attributes, told.syncs, told.segments) == ([], [], [])
            assert absences(told)["people"] == [
                ("workspace", Standing.SUPPRESSED), ("crm", Standing.SUPPRESSED),
            ]  # fmt: skip
        with pytest.raises(StateError) as unknown:
            opened.why("id:nobody")
        assert unknown.value.code == "NOT_FOUND"
        assert opened.why("id:2").suppressed_since is None


@pytest.mark.door("python")
def test_C5_what_came_by_messages_and_by_hand_is_explained(tmp_path: Path) -> None:
    inlet = Inlet(tmp_path / "acme")
    with inlet.opened() as asked:
        project = asked.project
        asked.send({"type": "identify", "userId": "ann", "traits": {"plan": "free"}})
        asked.send({"type": "identify", "anonymousId": "web", "traits": {"page": "/"}})
        project.create_segment("Friends")
        project.add_to_segment("Friends", ["ann"])
        project.create_segment("Foes")
        project.add_to_segment("Foes", ["ann"])
        project.remove_from_segment("Foes", ["ann"])
        ann, stranger = project.why("ann"), project.why("anonymous_id:web")
    (plan,), (page,) = ann.attributes, stranger.attributes
    assert (plan.value, plan.sync, plan.run, plan.changes) == ("free", "ingest", None, ())
    assert (page.value, page.sync) == ("/", "ingest")
    foes, friends = ann.segments
    assert (friends.sync, friends.is_audience, friends.left_at) == (None, False, None)
    assert foes.left_at >= friends.entered_at > 0
    assert absences(ann)["people"][0] == ("workspace", Standing.NEVER_RAN)
    assert absences(stranger)["people"][0] == ("workspace", Standing.NO_IDENTIFIER)
    shown = run_cli("why", "ann", cwd=inlet.folder)
    assert "last written by messages" in shown.stdout
    assert "segment Friends, since" in shown.stdout
    assert "the sync never ran" in shown.stdout


@pytest.mark.door("cli")
def test_C5_an_object_has_its_way_to_destinations_and_who_sends_no_people_is_told(
    school: School,
) -> None:
    school.people()
    school.courses(destinations=[{"use": "crm", "match": "object_id"}], removed="delete")
    courses = [("object_type", "object_id", "title"), ("course", "c1", "SQL"), ("", "acme", "Acme")]
    with project(school) as opened:
        first = opened.run(["courses"])[0].id
        opened.run(["people"])
        assert opened.why("id:1").unreached == ["crm"]
        assert opened.why("id:1", destination="crm").unreached == ["crm"]
        assert object_stands(opened, "course", "c1") == [
            ("workspace", Standing.DELIVERED, first), ("crm", Standing.DELIVERED, first),
        ]  # fmt: skip
        school.tables(courses=[courses[0], ("course", "c1", "SQL, again"), courses[2]])
        school.destination(reject=["c1", '["course","c1"]'])
    with project(school) as opened:
        second = opened.run(["courses"])[0].id
        assert object_stands(opened, "course", "c1") == [
            ("workspace", Standing.DELIVERED, second), ("crm", Standing.REJECTED, first),
        ]  # fmt: skip
        (row,) = opened.why_object("course", "c1")
        delivered, rejected = row.targets[0], row.targets[1]
        assert (row.sync, row.run, row.row_number, row.present) == ("courses", second, 1, True)
        assert (delivered.code, rejected.delivery is not None, rejected.at is not None) == (
            "", True, True,
        )  # fmt: skip
        with pytest.raises(StateError, match="NOT_FOUND"):
            opened.why_object("course", "c9")
    told = run_cli("objects", "why", "course", "c1", cwd=school.folder, env=school.env)
    assert told.code == 0
    assert "crm: rejected" in told.stdout
    assert f"acknowledged: the values of run {first}, by delivery" in told.stdout
    asked = run_cli("why", "id:1", cwd=school.folder, env=school.env)
    assert "No sync sends people to crm." in asked.stdout


@pytest.mark.door("cli")
def test_C5_relationships_have_their_way_to_destinations(school: School) -> None:
    school.people(destinations=[school.crm])
    school.related()
    school.courses()
    links = [
        ("id", "object_type", "object_id", "role", "deleted"),
        ("1", "course", "c1", "pupil", ""),
    ]
    bob = ("2", "course", "c1", "teacher", "")
    school.tables(links=[*links, bob])
    with project(school) as opened:
        first = opened.run(["courses", "people"])[1].id
        assert links_of(opened, "1") == {"1": [
            ("workspace", Standing.DELIVERED, first), ("crm", Standing.DELIVERED, first),
        ]}  # fmt: skip
        (row,) = opened.why("id:2").relationships
        assert (row.sync, row.relates, row.run, row.row_number, row.present) == (
            "people", ["course", "c1", "2"], first, 2, True,
        )  # fmt: skip
        own = opened.why("id:2").syncs[0]
        assert (row.query is not None, row.query == own.query) == (True, False)
        assert {one.delivery is not None for one in row.targets if one.target == "crm"} == {True}
        school.tables(links=[(*links[0][:4], "deleted"), ("1", "course", "c1", "tutor", ""), bob])
        second = opened.run(["people"])[0].id
        school.tables(links=[links[0], ("1", "course", "c1", "tutor", ""), (*bob[:4], "yes")])
        assert links_of(opened, "1")["1"] == [
            ("workspace", Standing.DELIVERED, second), ("crm", Standing.DELIVERED, second),
        ]  # fmt: skip
        assert links_of(opened, "2")["2"] == [
            ("workspace", Standing.UNCHANGED, first), ("crm", Standing.UNCHANGED, first),
        ]  # fmt: skip
        third = opened.run(["people"])[0].id
        _, *found = opened.why_object("course", "c1")
        stands = {one.relates[-1]: {each.standing for each in one.targets} for one in found}
        assert stands == {"1": {Standing.UNCHANGED}, "2": {Standing.REMOVED}}
        assert found[0].run == third  # what changed last comes first
        school.tables(links=[*links, (*bob[:4], "yes"), ("3", "course", "c1", "guest", "")])
        opened.run(["people"])
        (stranger,) = opened.why("id:3").relationships
        assert [(one.target, one.standing, one.code) for one in stranger.targets] == [
            ("workspace", Standing.REJECTED, "PERSON_UNKNOWN"), ("crm", Standing.DELIVERED, ""),
        ]  # fmt: skip
        opened.suppress(["id:1"])
        (told,) = opened.why("id:1").relationships
        assert {one.standing for one in told.targets} == {Standing.SUPPRESSED}
    told = run_cli("why", "id:2", cwd=school.folder, env=school.env)
    assert f"sync people, relationship course · c1 · 2, newest from run {third}" in told.stdout
    assert (
        "crm: not in the query any more; taken back: The source says that it is over."
        in told.stdout
    )


def links_of(opened: Project, who: str) -> dict[str, list[tuple[str, Standing, int | None]]]:
    """Return how somebody's relationships stand at each target, and of which run each is there."""
    found = opened.why(f"id:{who}").relationships
    return {
        one.relates[-1]: [(each.target, each.standing, each.run) for each in one.targets]
        for one in found
    }


def object_stands(opened: Project, *names: str) -> list[tuple[str, Standing, int | None]]:
    """Return how the only row of an object stands at each target, and of which run it is there."""
    (found,) = opened.why_object(*names)
    return [(one.target, one.standing, one.run) for one in found.targets]
