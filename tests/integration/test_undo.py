"""Undo of a run: what comes back here and in destinations, what stays, and what is pinned."""

import pytest

from rowlift.core.errors import RowliftError
from rowlift.testing.fake import applied
from school import School, project

HEAD = ("id", "plan", "town")


@pytest.fixture
def school(tmp_path, state_url):
    return School(tmp_path, state_url)


def has(school):
    """What the workspace says of everybody, and what the CRM holds of them, without nulls."""
    with project(school) as opened:
        here = {
            one.id: {each.name: each.value for each in one.attributes} for one in opened.people()
        }
    there = {
        key: {name: value for name, value in one["attributes"].items() if value is not None}
        for key, one in applied(school.folder / "crm.jsonl").items()
        if one["op"] == "upsert"
    }
    return {"here": here, "there": there}


def undo(school, run):
    with project(school) as opened:
        return opened.undo(run)


def counted(report):
    return {name: report.counts[name] for name in ("changed", "returned", "removed", "stays")}


@pytest.mark.door("python")
def test_C6_what_a_run_did_comes_back_and_stays_until_the_source_says_something_else(school):
    school.people(removed="delete", destinations=[school.crm | {"removed": "delete"}])
    school.tables(
        people=[HEAD, ("1", "free", "Rome"), ("2", "free", ""), ("3", "pro", "Bonn"),
                ("4", "free", "Oslo")]
    )  # fmt: skip
    school.run(project, "people")
    before = has(school)
    bad = [HEAD, ("1", "BAD", "Rome"), ("2", "BAD", "Bern"), ("4", "free", "Oslo"),
           ("5", "BAD", "Wien")]  # fmt: skip
    school.tables(people=bad)
    run = school.run(project, "people", allow_removals=True)
    undone = undo(school, run.id)
    assert counted(undone) == {"changed": 2, "returned": 1, "removed": 1, "stays": 0}
    assert (undone.undo_of, undone.failed) == (run.id, False)
    assert has(school) == before
    with project(school) as opened:
        assert opened.paused() == ["people"]
        assert opened.undone.show(run.id).undone_by == undone.id
        opened.resume("people")

    held = school.run(project, "people", allow_removals=True)
    assert (held.counts["undone"], held.counts["undone_gone"]) == (3, 1)
    assert held.counts["changed"] == held.counts["removed"] == 0
    assert has(school) == before

    mended = [HEAD, ("1", "pro", "Rome"), ("2", "free", ""), *bad[3:]]
    school.tables(people=mended)
    held = school.run(project, "people", allow_removals=True)
    assert (held.counts["undone"], held.counts["undone_gone"]) == (1, 1)
    now = has(school)
    assert now["here"]["1"]["plan"] == now["there"]["1"]["plan"] == "pro"
    assert now["here"]["2"] == before["here"]["2"]
    assert now["here"]["3"] == before["here"]["3"]

    with project(school) as opened:
        traces = {who: opened.why(who).syncs[0].targets for who in "123"}
        assert [{one.standing.value for one in traces[who]} for who in "123"] == [
            {"delivered"}, {"delivered"}, {"undone"},
        ]  # fmt: skip
        assert opened.undone.unpin("people") == 2
    freed = school.run(project, "people", allow_removals=True)
    assert (freed.counts["returned"], freed.counts["removed"]) == (1, 1)
    assert has(school)["here"].keys() == {"1", "2", "4", "5"}


@pytest.mark.door("python")
def test_C6_what_changed_since_and_what_others_wrote_stays(school):
    school.people(destinations=[school.crm])
    school.sync("plans", sql="SELECT * FROM plans")
    school.tables(
        people=[HEAD, ("1", "free", "Rome"), ("2", "free", "Rome")],
        plans=[("id", "plan"), ("2", "gold")],
    )
    school.run(project, "people")
    school.tables(people=[HEAD, ("1", "BAD", "Bern"), ("2", "BAD", "Bern"), ("3", "BAD", "")])
    run = school.run(project, "people")
    school.tables(people=[HEAD, ("1", "good", "Bern"), ("2", "BAD", "Bern"), ("3", "BAD", "")])
    school.run(project, "people")
    school.run(project, "plans")
    undone = undo(school, run.id)
    assert counted(undone) == {"changed": 2, "returned": 0, "removed": 0, "stays": 1}
    now = has(school)
    assert now["here"] == {
        "1": {"plan": "good", "town": "Bern"}, "2": {"plan": "gold", "town": "Rome"}, "3": {},
    }  # fmt: skip
    assert now["there"] == {
        "1": {"plan": "good", "town": "Bern"}, "2": {"plan": "free", "town": "Rome"}, "3": {},
    }  # fmt: skip

    again = undo(school, undone.id)
    assert again.undo_of == undone.id
    now = has(school)
    assert now["there"]["2"] == {"plan": "BAD", "town": "Bern"}
    assert now["here"]["2"] == {"plan": "gold", "town": "Bern"}
    assert now["here"]["3"] == {"plan": "BAD"}
    with project(school) as opened:
        opened.resume("people")
    assert "undone" not in school.run(project, "people").counts


@pytest.mark.door("python")
@pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
def test_C6_what_an_empty_value_left_comes_back_from_the_history(school):
    school.people(destinations=[school.crm], empty_values="ignore")
    for town in ("Rome", "", "Bern"):
        school.tables(people=[HEAD, ("1", "free", town)])
        run = school.run(project, "people")
    undo(school, run.id)
    assert has(school)["here"] == {"1": {"plan": "free", "town": "Rome"}}


@pytest.mark.door("python")
@pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
def test_C6_what_is_undone_comes_back_with_other_columns_and_a_preview_says_so(school):
    school.people()
    school.tables(people=[HEAD, ("1", "free", "Rome"), ("2", "free", "Oslo")])
    school.run(project, "people")
    school.tables(people=[HEAD, ("1", "BAD", "Rome"), ("2", "BAD", "Oslo")])
    undo(school, school.run(project, "people").id)
    advice = {}
    for columns in ("*", "town, id, plan", "id, plan, 'x' AS since"):
        school.sync("people", sql=f"SELECT {columns} FROM people")
        with project(school) as opened:
            advice[columns] = opened.preview("people").estimate.advice
    (told,) = advice.pop("id, plan, 'x' AS since")
    assert told.code == "UNDONE_COMES_BACK"
    assert told.message.endswith("come back with other columns. New: since. Gone: town.")
    assert [*advice.values()] == [(), ()]
    with project(school) as opened:
        document = {key: value for key, value in school.syncs["people"].items() if key != "sync"}
        assert opened.definitions.estimate("people", document).advice == (told,)
        opened.resume("people")
    assert "undone" not in school.run(project, "people").counts
    assert {one["plan"] for one in has(school)["here"].values()} == {"BAD"}


@pytest.mark.door("python")
@pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
def test_C6_nothing_comes_back_from_before_a_reset(school):
    school.people(destinations=[school.crm], empty_values="ignore")
    for key, town in (("2", "Oslo"), ("1", "Rome")):
        school.tables(people=[HEAD, (key, "free", town)])
        first = school.run(project, "people")
    with project(school) as opened:
        assert opened.undone.show(first.id).reason_code == ""
        opened.reset("people")
        assert opened.undone.show(first.id).reason_code == "NOTHING_LEFT"
    for town in ("", "Bern"):
        school.tables(people=[HEAD, ("1", "free", town), ("2", "free", town)])
        run = school.run(project, "people")
    with pytest.raises(RowliftError, match="NOTHING_LEFT"):
        undo(school, first.id)
    assert counted(undo(school, run.id))["changed"] == 2
    assert has(school)["here"] == {"1": {"plan": "free"}, "2": {"plan": "free"}}
    assert has(school)["there"] == {"1": {"plan": "free"}, "2": {"plan": "free"}}


@pytest.mark.door("python")
@pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
def test_C6_a_run_that_cannot_be_undone_says_why(school):
    school.people()
    first = school.run(project, "people")
    idle = school.run(project, "people")
    with project(school) as opened:
        assert opened.undone.show(first.id).reason_code == ""
        assert opened.undone.show(idle.id).reason_code == "NOTHING_LEFT"
    with pytest.raises(RowliftError, match="NOTHING_LEFT"):
        undo(school, idle.id)
    undo(school, first.id)
    with pytest.raises(RowliftError, match="NOTHING_LEFT"):
        undo(school, first.id)


@pytest.mark.door("python")
@pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
def test_C6_relationships_and_objects_come_back_and_those_of_others_stay(school):
    school.courses(removed="clear")
    school.related()
    school.sync("others", sql="SELECT id, name AS called FROM people", relationships={
        "sql": "SELECT * FROM more", "identify_by": "id"})  # fmt: skip
    school.tables(more=[("id", "object_id"), ("2", "acme")])
    for name in ("courses", "people", "others"):
        school.run(project, name)
    before = school.links()
    school.tables(
        links=[
            ("id", "object_type", "object_id", "role", "deleted"),
            ("1", "course", "c1", "BAD", ""), ("2", "course", "c1", "teacher", "yes"),
            ("1", "", "acme", "BAD", ""), ("2", "", "acme", "BAD", ""),
        ],
        courses=[("object_type", "object_id", "title"), ("course", "c1", "BAD")],
    )  # fmt: skip
    runs = [school.run(project, name) for name in ("people", "courses")]
    undone = undo(school, runs[0].id)
    second = undone.counts["relationships"]
    assert counted(undone) == {"changed": 0, "returned": 0, "removed": 0, "stays": 0}
    assert (second["changed"], second["workspace"]["clear"]) == (4, 1)
    assert sorted(school.links(), key=str) == sorted(before, key=str)
    assert undo(school, runs[1].id).counts["returned"] == 1
    with project(school) as opened:
        found = [(one.object_id, {each.name: each.value for each in one.attributes})
                 for one in opened.objects()]  # fmt: skip
    assert sorted(found) == [("acme", {"title": "Acme"}), ("c1", {"title": "SQL"})]


@pytest.mark.door("python")
@pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
def test_C6_an_undo_brings_back_nobody_who_was_erased_or_suppressed(school):
    school.people(destinations=[school.crm | {"removed": "delete"}], removed="delete")
    school.tables(people=[HEAD, *((who, "free", "Rome") for who in "1234")])
    school.run(project, "people")
    school.tables(people=[HEAD, ("1", "BAD", "Rome"), ("2", "BAD", "Rome")])
    run = school.run(project, "people", allow_removals=True)
    with project(school) as opened:
        opened.erase("1")
        opened.suppress(["id:3"])
    undone = undo(school, run.id)
    assert counted(undone)["stays"] == 1
    now = has(school)
    assert now["here"] == {
        "2": {"plan": "free", "town": "Rome"},
        "4": {"plan": "free", "town": "Rome"},
    }
    assert now["there"].keys() == {"1", "2", "4"}  # who is erased stays where they were sent
    assert now["there"]["1"]["plan"] == "BAD"
    with project(school) as opened:
        opened.erase("2")
    folder = school.folder / ".rowlift" / "files"
    assert not [path for path in folder.rglob("pins-*") if b"BAD" in path.read_bytes()]


@pytest.mark.door("python")
@pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
def test_C6_straight_to_destinations_and_with_increments(school):
    crm = school.crm | {"removed": "clear"}
    school.sync(
        "people", sql="SELECT * FROM people WHERE seen::BIGINT >= {{ last_sync_time }}",
        workspace="none", destinations=[crm], empty_values="delete",
    )  # fmt: skip
    head = ("id", "plan", "seen")
    far = 2**40
    school.tables(people=[head, ("1", "free", far), ("2", "free", far)])
    school.run(project, "people")
    school.tables(people=[head, ("1", "BAD", far), ("3", "BAD", far)])
    run = school.run(project, "people")
    assert counted(undo(school, run.id)) == {"changed": 1, "returned": 0, "removed": 1, "stays": 0}
    there = has(school)["there"]
    assert {key: one.get("plan") for key, one in there.items()} == {"1": "free", "2": "free"}
    with project(school) as opened:
        opened.resume("people")
    school.tables(people=[head, ("1", "BAD", far)])
    held = school.run(project, "people")
    assert (held.counts["undone"], held.counts["changed"]) == (1, 0)
    school.tables(people=[head, ("1", "pro", far), ("3", "BAD", far)])
    held = school.run(project, "people")
    assert (held.counts["undone"], held.counts["changed"]) == (1, 1)
    assert has(school)["there"]["1"]["plan"] == "pro"
