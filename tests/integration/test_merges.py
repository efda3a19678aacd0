"""Somebody known by an anonymous id only turns out to be somebody known: merged, told, undone."""

import pytest
import sqlalchemy as sa

from doors.cli import run_cli
from rowlift.core import faults
from rowlift.core.errors import StateError
from rowlift.core.nouns import Status
from rowlift.workspace.tables import merges, relationships
from school import School, project

ANN, BOB = "ann@x.org", "bob@x.org"
VISITS = [("anonymous_id", "page", "plan"), ("web", "/pricing", "free"), ("app", "/home", "trial")]
PEOPLE = [("email", "anonymous_id", "plan"), (ANN, "", "pro")]
NAMED = [PEOPLE[0], (ANN, "web", "pro")]
SEEN = {"page": "/pricing", "plan": "pro"}


@pytest.fixture
def school(tmp_path):
    return visited(School(tmp_path, f"sqlite:///{tmp_path / 'state.db'}"))


@pytest.fixture
def any_school(tmp_path, state_url):
    """On each state database."""
    return visited(School(tmp_path, state_url))


def visited(school):
    """Two strangers by a sync of visits, in its segment, and Ann by a sync of people."""
    school.tables(visits=VISITS, people=PEOPLE)
    school.sync(
        "visits", sql="SELECT * FROM visits", preset="traits", identify_by="anonymous_id",
        segment={"name": "Visitors", "create": True},
    )  # fmt: skip
    school.people(identify_by="email")
    school.run(project, "visits")
    school.run(project, "people")
    return school


def identified(school):
    school.tables(people=NAMED)
    return school.run(project, "people")


def values(person):
    return {one.name: one.value for one in person.attributes}


def origins(person):
    return {one.name: (one.sync, one.run, one.as_of) for one in person.attributes}


def members(opened):
    return {one.number for one in opened.segment_members("Visitors")}


@pytest.mark.door("python")
def test_B23_a_row_that_names_both_merges_the_anonymous_person_into_the_known(any_school):
    with project(any_school) as opened:
        stranger, ann = opened.person("web"), opened.person(ANN)
        assert members(opened) == {stranger.number, opened.person("app").number}
    run = identified(any_school)
    assert (run.counts["workspace"]["update"], run.counts["workspace"]["rejected"]) == (1, 0)
    with project(any_school) as opened:
        merged = opened.person("web")
        assert [one.number for one in opened.people()] == [opened.person("app").number, ann.number]
        assert members(opened) == {ann.number, opened.person("app").number}
        (merge,) = opened.merges()
        assert opened.why(ANN).merges == merged.merges == [merge]
    assert (merged.number, merged.email, merged.anonymous_ids) == (ann.number, ANN, ("web",))
    assert values(merged) == SEEN
    assert origins(merged)["page"] == origins(stranger)["page"]
    assert origins(merged)["plan"] == ("people", run.id, run.last_sync_time)
    assert (merge.email, merge.anonymous_ids, merge.attributes) == (ANN, ("web",), ("page",))
    assert (merge.run, merge.segments, merge.undone_at) == (run.id, 1, None)


@pytest.mark.door("python")
def test_B23_an_undone_merge_parts_both_as_they_were(any_school):
    with project(any_school) as opened:
        stranger, ann = opened.person("web"), opened.person(ANN)
    identified(any_school)
    with project(any_school) as opened:
        parted = opened.undo_merge(opened.merges()[0].number)
        again, left = opened.person("web"), opened.person(ANN)
        assert members(opened) == {stranger.number, opened.person("app").number}
        assert (opened.merges(), left.merges) == ([parted], [])
        with pytest.raises(StateError) as caught:
            opened.undo_merge(parted.number)
    assert caught.value.code == "NOT_FOUND"
    assert parted.undone_at is not None
    assert (again.number, values(again)) == (stranger.number, values(stranger))
    assert origins(again) == origins(stranger)
    assert (left.number, left.anonymous_ids, values(left)) == (ann.number, (), {"plan": "pro"})
    assert any_school.run(project, "visits").counts["unchanged"] == 2


@pytest.mark.door("cli")
def test_B23_merges_are_listed_and_undone_at_the_command_line(school):
    identified(school)

    def people(*words):
        return run_cli("people", *words, cwd=school.folder, env=school.env)

    assert "Nobody was merged" not in people("merges").stdout
    assert "merge 1: anonymous id web by people" in people("show", ANN).stdout
    parted = people("merges", "--undo", "1", "-o", "json")
    assert parted.json["merge"]["anonymous_ids"] == ["web"]
    again = people("merges", "--undo", "1")
    assert (again.code, "NOT_FOUND" in again.stderr) == (1, True)
    assert "undone" in people("merges").stdout


@pytest.mark.door("python")
@pytest.mark.parametrize("allowed", [False, True])
def test_T22_two_known_people_never_merge(school, allowed):
    school.settings(allow_email_change_by_id=allowed)
    identified(school)
    school.tables(staff=[("id", "email"), ("7", BOB)])
    school.sync("staff", sql="SELECT * FROM staff")
    school.run(project, "staff")
    school.tables(staff=[("id", "email"), ("7", ANN)], people=[*NAMED, (BOB, "web", "pro")])
    codes = [school.rejects(project, school.run(project, name).id) for name in ("staff", "people")]
    assert codes == [[("", 1, "EMAIL_TAKEN")], [("", 2, "ANONYMOUS_ID_TAKEN")]]
    with project(school) as opened:
        assert [one.email for one in opened.people()] == [None, ANN, BOB]
        assert len(opened.merges()) == 1


@pytest.mark.door("python")
def test_B23_two_people_who_claim_one_anonymous_person_are_both_rejected(school):
    school.tables(people=[*NAMED, (BOB, "web", "pro")])
    run = school.run(project, "people")
    assert school.rejects(project, run.id) == [
        ("", 1, "MERGE_CONTESTED"),
        ("", 2, "MERGE_CONTESTED"),
    ]
    with project(school) as opened:
        assert (opened.merges(), opened.person("web").email) == ([], None)
    school.tables(people=NAMED)
    assert school.run(project, "people").status == Status.COMPLETED


def test_rows_of_an_anonymous_person_go_on_to_the_known_one(any_school):
    """By anonymous id: two strangers are Ann; what the last by key says goes before the others."""
    columns = (*VISITS[0], "email")
    rows = [("web", "/a", "x", ANN), ("app", "/b", "y", ANN)]
    any_school.tables(visits=[columns, *rows])
    run = any_school.run(project, "visits")
    assert run.counts["workspace"]["rejected"] == 0
    with project(any_school) as opened:
        (ann,) = opened.people()
        assert [one.anonymous_ids for one in opened.merges()] == [("web",), ("app",)]
    assert (ann.email, ann.anonymous_ids) == (ANN, ("app", "web"))
    assert values(ann) == {"page": "/a", "plan": "x"}
    any_school.tables(visits=[VISITS[0], ("web", "/c", "z")])
    any_school.sync("visits", guards={"removals": "off"}, removed="clear")
    any_school.run(project, "visits")
    with project(any_school) as opened:
        assert values(opened.person(ANN)) == {"page": "/c", "plan": "z"}


def test_what_joins_the_anonymous_person_and_objects_moves_and_comes_back(any_school):
    """Only the tables can say it: no sync relates somebody who has neither id nor address."""
    school = any_school
    school.courses()
    school.run(project, "courses")
    school.tables(
        links=[("email", "object_type", "object_id", "role"), (ANN, "course", "c1", "pupil")]
    )
    school.related(identify_by="email")
    school.run(project, "people")
    with project(school) as opened:
        web = opened.person("web").number
        course, acme = (opened.object(*one).number for one in (("course", "c1"), ("1", "acme")))
    relate(school, [(101, web, course), (102, web, acme)])
    before = school.stored(relationships, "pid", "person_pid", "object_pid", "attributes")
    identified(school)
    with project(school) as opened:
        related = opened.person(ANN).relationships
        assert [(one.object_id, values(one)) for one in related] == [
            ("c1", {"role": "pupil"}),
            ("acme", {"role": "visitor"}),
        ]
        assert opened.merges()[0].relationships == 2
        opened.undo_merge(1)
        assert [one.number for one in opened.people()] == sorted(
            [web, *(one.number for one in opened.people() if one.number != web)]
        )
    assert school.stored(relationships, "pid", "person_pid", "object_pid", "attributes") == before


def relate(school, rows):
    shared = {
        "workspace_id": 1, "attributes": '{"role":"visitor"}', "origins": "[]", "sync_uid": "s",
        "run_id": 1, "as_of": 1, "first_writer": "s", "other_writers": False, "contributors": "|s|",
        "revision": 1, "created_at": 1.0, "updated_at": 1.0,
    }  # fmt: skip
    ends = ("pid", "person_pid", "object_pid")
    engine = sa.create_engine(school.env["ROWLIFT_STATE_URL"])
    with engine.begin() as connection:
        connection.execute(
            relationships.insert(), [shared | dict(zip(ends, row, strict=True)) for row in rows]
        )
    engine.dispose()


def test_a_merge_dies_with_its_slice_and_is_made_once(any_school):
    for point in (
        "apply.plan.after_commit",
        "apply.slice.before_commit",
        "apply.slice.after_commit",
    ):
        faults.arm(f"{point}:1:raise")
        try:
            with pytest.raises(faults.InjectedFault):
                identified(any_school)
        finally:
            faults.arm()
    with project(any_school) as opened:
        opened.run(["people"])
        assert values(opened.person(ANN)) == SEEN
        assert len(opened.merges()) == 1


def test_who_is_suppressed_is_not_merged_and_a_merged_person_is_suppressed_whole(school):
    with project(school) as opened:
        opened.suppress(["anonymous_id:web"])
    assert identified(school).counts["workspace"]["suppressed"] == 1
    with project(school) as opened:
        assert (opened.merges(), opened.person("web").email) == ([], None)
        opened.unsuppress(["anonymous_id:web"])
    school.run(project, "people")
    with project(school) as opened:
        assert len(opened.merges()) == 1
        assert opened.suppress([ANN]).identifiers == 2
        assert opened.suppress(["anonymous_id:web"]).identifiers == 0


@pytest.mark.parametrize("undone", [False, True])
def test_erasing_either_erases_the_merge(any_school, undone):
    identified(any_school)
    with project(any_school) as opened:
        if undone:
            opened.undo_merge(1)
        opened.erase("web" if undone else ANN)
        assert opened.merges() == []
        left = [one.anonymous_ids for one in opened.people()]
    assert left == ([("app",), ()] if undone else [("app",)])
    assert any_school.stored(merges, "id") == []
