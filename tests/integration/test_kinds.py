"""Objects of any type, relationships, modes and rules of single attributes, by whole runs."""

import json

import pytest

from rowlift.core.errors import GuardStop
from rowlift.core.nouns import Status
from rowlift.testing.fake import applied
from rowlift.workspace.tables import objects, people
from school import LINKS, PEOPLE, School, project


@pytest.fixture
def school(tmp_path, state_url):
    return School(tmp_path, state_url)


def sent(school):
    return {key: one["op"] for key, one in applied(school.folder / "crm.jsonl").items()}


@pytest.mark.door("python")
def test_B5_an_object_has_a_type_and_it_is_1_unless_the_row_says_another(school):
    school.courses()
    first, second = school.run(project, "courses"), school.run(project, "courses")
    assert first.counts["workspace"]["create"] == 2
    assert second.counts["unchanged"] == 2
    found = school.stored(objects, "object_type", "object_id", "attributes")
    assert sorted(found) == [
        ("1", "acme", '{"title":"Acme"}'),
        ("course", "c1", '{"title":"SQL"}'),
    ]


@pytest.mark.door("python")
def test_B5_rows_without_a_type_have_the_one_of_the_sync(school):
    school.tables(courses=[("object_id", "title"), ("c1", "SQL"), ("", "none"), ("c1", "twice")])
    school.courses(object_type="course")
    run = school.run(project, "courses")
    assert run.status is Status.SOME_ROWS_FAILED
    assert run.counts["codes"] == {"ID_DUPLICATE": 2, "ID_NULL": 1}
    school.tables(courses=[("object_id", "title"), ("c1", "SQL")])
    school.run(project, "courses")
    assert school.stored(objects, "object_type", "object_id") == [("course", "c1")]


@pytest.mark.door("python")
def test_B4_B14_a_second_query_relates_people_and_objects(school):
    school.courses()
    school.run(project, "courses")
    school.related()
    run = school.run(project, "people")
    assert run.status is Status.COMPLETED
    assert run.counts["relationships"]["workspace"]["create"] == 2
    assert school.links() == [("1", "c1", {"role": "pupil"}), ("2", "c1", {"role": "teacher"})]
    again = school.run(project, "people")
    assert again.counts["relationships"]["unchanged"] == 2


@pytest.mark.door("python")
@pytest.mark.parametrize(
    ("kind", "key", "thing"),
    [("object", "object_id", ("course", "c9")), ("account", "group_id", ("1", "c9"))],
)
def test_B4_a_sync_of_objects_relates_people_to_what_it_has_just_made(school, kind, key, thing):
    object_type, object_id = thing
    typed = f"'{object_type}' AS object_type, " if kind == "object" else ""
    links = f"SELECT id, '{object_type}' AS object_type, '{object_id}' AS object_id FROM people"
    school.people()
    school.run(project, "people")
    sql = f"SELECT {typed}'{object_id}' AS {key}, 'Art' AS title FROM people LIMIT 1"
    related = {"sql": links, "identify_by": "id"}
    school.sync("things", kind=kind, identify_by=key, sql=sql, relationships=related)
    run = school.run(project, "things")
    assert run.status is Status.COMPLETED
    assert run.counts["workspace"]["create"] == 1
    assert run.counts["relationships"]["workspace"]["create"] == 2
    with project(school) as opened:
        assert [one.id for one in opened.object(*thing).relationships] == ["1", "2"]


@pytest.mark.door("python")
@pytest.mark.parametrize("gone", ["true", "1", "T", "Yes"])
def test_B14_deleted_ends_a_relationship_and_takes_back_nothing_else(school, gone):
    school.courses()
    school.run(project, "courses")
    school.related()
    school.run(project, "people")
    school.tables(links=[LINKS[0], (*LINKS[1][:4], gone), LINKS[2]])
    run = school.run(project, "people")
    assert run.counts["relationships"]["workspace"]["delete"] == 1
    assert school.links() == [("2", "c1", {"role": "teacher"})]
    assert len(school.stored(people, "id")) == 2
    school.tables(links=LINKS)
    school.run(project, "people")
    assert len(school.links()) == 2


@pytest.mark.door("python")
def test_B14_who_is_unknown_is_a_reject_that_is_tried_again(school):
    school.related()
    run = school.run(project, "people")
    assert run.status is Status.SOME_ROWS_FAILED
    assert run.counts["relationships"]["workspace"]["codes"] == {"OBJECT_UNKNOWN": 2}
    assert school.rejects(project, run.id) == [
        ("relationships", 1, "OBJECT_UNKNOWN"),
        ("relationships", 2, "OBJECT_UNKNOWN"),
    ]
    assert run.last_sync_time == 0
    school.courses()
    school.run(project, "courses")
    again = school.run(project, "people")
    assert again.status is Status.COMPLETED
    assert again.last_sync_time > 0
    assert len(school.links()) == 2


@pytest.mark.door("python")
def test_B14_odd_rows_of_relationships_are_rejected_alone(school):
    school.courses()
    school.run(project, "courses")
    head = LINKS[0]
    school.tables(
        links=[
            head,
            LINKS[1],
            ("", "course", "c1", "nobody", ""),
            ("2", "course", "", "nothing", ""),
            ("2", "course", "c1", "", "perhaps"),
            ("9", "course", "c1", "", ""),
            ("9", "course", "c9", "", "true"),
        ]
    )
    school.related()
    run = school.run(project, "people")
    assert school.rejects(project, run.id) == [
        ("relationships", 2, "ID_NULL"),
        ("relationships", 3, "ID_NULL"),
        ("relationships", 4, "VALUE_INVALID"),
        ("relationships", 5, "PERSON_UNKNOWN"),
    ]
    assert school.links() == [("1", "c1", {"role": "pupil"})]


@pytest.mark.door("python")
@pytest.mark.parametrize(("parent", "left"), [("person", ["1", "2"]), ("object", ["1"])])
def test_B14_the_set_of_one_parent_is_replaced_and_others_stay(school, parent, left):
    school.courses()
    school.run(project, "courses")
    school.related(replace_for=parent)
    school.run(project, "people")
    school.tables(links=LINKS[:2])
    run = school.run(project, "people", allow_removals=True)
    assert run.status is Status.COMPLETED
    assert [person for person, *_ in school.links()] == left


@pytest.mark.door("python")
def test_B14_relationships_reach_a_destination_that_takes_them(school):
    school.courses()
    school.run(project, "courses")
    school.crm = {"use": "crm", "match": "user_id"}
    school.people(destinations=[school.crm])
    school.related()
    run = school.run(project, "people")
    assert [(one.query, one.counts["delivered"]) for one in run.deliveries] == [
        ("", 2),
        ("relationships", 2),
    ]
    ann = '["course","c1","1"]'
    assert sent(school)[ann] == "upsert"
    school.tables(links=[LINKS[0], (*LINKS[1][:4], "true"), LINKS[2]])
    run = school.run(project, "people")
    assert [one.counts["due"] for one in run.deliveries] == [0, 1]
    assert sent(school)[ann] == "delete"
    assert sum(one.counts["due"] for one in school.run(project, "people").deliveries) == 0


@pytest.mark.door("python")
def test_C2_a_plan_foresees_relationships_of_people_it_would_make(school, tmp_path):
    school.courses()
    school.run(project, "courses")
    school.people(destinations=[school.crm])
    school.related()
    with project(school) as opened:
        plan = opened.plan("people", tmp_path / "people.plan")
    assert plan.targets["workspace"]["create"] == 2
    assert plan.targets["workspace relationships"]["create"] == 2
    assert plan.targets["crm relationships"]["due"] == 2
    assert school.links() == []
    school.tables(links=LINKS[:1])
    with project(school) as opened:
        (run,) = opened.run(plan=tmp_path / "people.plan")
    assert run.counts["relationships"]["workspace"]["create"] == 2
    assert len(school.links()) == 2


@pytest.mark.door("python")
def test_B7_the_second_query_has_a_preview_of_its_own(school):
    school.tables(links=[*LINKS, LINKS[1]])
    school.related()
    with project(school) as opened:
        found = opened.preview("people", relationships=True)
    assert (found.key, found.counts["rows"]) == ("object_type, object_id, id", 3)
    assert [(one.code, one.count) for one in found.problems] == [("ID_DUPLICATE", 2)]
    assert found.rows[0].identifier == "course / c1 / 1"


@pytest.mark.door("python")
def test_B5_a_relationship_without_its_columns_is_stopped_with_the_as_to_write(school):
    school.related(sql="SELECT id, role FROM links")
    with pytest.raises(GuardStop) as caught:
        school.run(project, "people")
    assert caught.value.code == "NO_IDENTIFIER"
    assert 'AS "object_id"' in caught.value.mend
    assert school.stored(people, "id") == []


@pytest.mark.door("python")
def test_B9_update_only_makes_nobody_and_takes_who_comes_later(school):
    school.people(mode="update")
    run = school.run(project, "people")
    assert (run.status, run.counts["workspace"]["skipped"]) == (Status.COMPLETED, 2)
    assert school.stored(people, "id") == []
    school.sync("others", sql="SELECT id, 'x' AS town FROM people WHERE id = '2'")
    school.run(project, "others")
    run = school.run(project, "people")
    assert (run.counts["workspace"]["update"], run.counts["workspace"]["skipped"]) == (1, 1)
    assert school.stored(people, "email", "attributes") == [
        ("bob@x.org", '{"name":"Bob","town":"x"}')
    ]


@pytest.mark.door("python")
def test_B9_add_only_changes_nobody(school):
    school.sync("others", sql="SELECT id, 'Robert' AS name FROM people WHERE id = '2'")
    school.run(project, "others")
    school.people(mode="create")
    run = school.run(project, "people")
    assert (run.counts["workspace"]["create"], run.counts["workspace"]["skipped"]) == (1, 1)
    school.tables(people=[PEOPLE[0], ("1", "ann@x.org", "Anna"), PEOPLE[2]])
    run = school.run(project, "people")
    assert (run.counts["workspace"]["skipped"], run.counts["workspace"]["update"]) == (2, 0)
    names = [json.loads(text)["name"] for (text,) in school.stored(people, "attributes")]
    assert sorted(names) == ["Ann", "Robert"]
    school.people(mode="upsert")
    run = school.run(project, "people")
    assert run.counts["workspace"]["update"] == 2


@pytest.mark.door("python")
def test_B12_an_attribute_may_have_a_rule_of_its_own(school):
    columns = ("id", "first", "plan", "town")
    school.tables(people=[columns, ("1", "ads", "pro", "Rome")])
    rules = {"first": "set_if_empty", "plan": "delete"}
    school.people(attributes=rules)
    school.run(project, "people")
    school.tables(people=[columns, ("1", "mail", "", "")])
    school.run(project, "people")
    held = {"first": "ads", "town": "Rome"}
    assert json.loads(school.stored(people, "attributes")[0][0]) == held
    school.people(attributes={"plan": "delete", "town": "delete"})
    run = school.run(project, "people")
    assert run.counts["workspace"]["update"] == 1
    assert json.loads(school.stored(people, "attributes")[0][0]) == {"first": "mail"}


MANY = [("id", "name"), *((f"n{number}", "x") for number in range(300))]


@pytest.mark.door("python")
def test_C1_a_new_query_of_unknown_people_stops_before_anything_is_written(school):
    school.people()
    school.run(project, "people")
    school.tables(many=MANY)
    school.sync("many", sql="SELECT * FROM many")
    with pytest.raises(GuardStop) as caught:
        school.run(project, "many")
    assert caught.value.code == "MOSTLY_UNKNOWN"
    assert "300 of 300 rows" in caught.value.message
    assert len(school.stored(people, "id")) == 2
    school.sync("many", guards={"unknown": "off"})
    assert school.run(project, "many").counts["workspace"]["create"] == 300
    school.sync("many", sql="SELECT id, 'y' AS name FROM many", guards={"unknown": 0})
    assert school.run(project, "many").counts["workspace"]["update"] == 300


@pytest.mark.door("python")
@pytest.mark.parametrize(
    ("rows", "unknown", "stops"), [(200, 200, False), (300, 294, False), (300, 295, True)]
)
def test_C1_the_guard_is_for_more_than_200_rows_of_which_over_98_percent_are_unknown(
    school, rows, unknown, stops
):
    known = [f"k{number}" for number in range(rows - unknown)]
    others = [(who, "x") for who in ("elsewhere", *known)]
    found = [(who, "y") for who in (*known, *(f"n{number}" for number in range(unknown)))]
    school.tables(others=[MANY[0], *others], many=[MANY[0], *found])
    school.sync("others", sql="SELECT * FROM others")
    school.run(project, "others")
    school.sync("many", sql="SELECT * FROM many")
    if stops:
        with pytest.raises(GuardStop) as caught:
            school.run(project, "many")
        assert (caught.value.code, len(school.stored(people, "id"))) == ("MOSTLY_UNKNOWN", 6)
    else:
        assert school.run(project, "many").counts["workspace"]["create"] == unknown


@pytest.mark.door("python")
def test_C1_an_edited_query_of_unknown_people_stops_too(school):
    school.people()
    school.run(project, "people")
    school.tables(many=MANY)
    school.sync("many", sql="SELECT * FROM many", guards={"unknown": "off"})
    school.run(project, "many")
    edited = "SELECT 'x' || id AS id, name FROM many"
    school.sync("many", sql=edited, guards={"removals": "off"})
    with pytest.raises(GuardStop) as caught:
        school.run(project, "many")
    assert caught.value.code == "MOSTLY_UNKNOWN"
    assert len(school.stored(people, "id")) == 302


@pytest.mark.door("python")
def test_C1_a_plan_that_was_looked_at_brings_unknown_people(school, tmp_path):
    school.people()
    school.run(project, "people")
    school.tables(many=MANY)
    school.sync("many", sql="SELECT * FROM many")
    with project(school) as opened:
        plan = opened.plan("many", tmp_path / "many.plan")
        assert plan.targets["workspace"]["create"] == 300
        (run,) = opened.run(plan=tmp_path / "many.plan")
    assert run.counts["workspace"]["create"] == 300


@pytest.mark.door("python")
def test_B15_an_overlap_is_taken_off_last_sync_time(school):
    sql = "SELECT id, {{last_sync_time}} AS since FROM people"
    school.sync("people", sql=sql, overlap="1m")
    first = school.run(project, "people").last_sync_time
    assert school.stored(people, "attributes") == [('{"since":0}',)] * 2
    school.run(project, "people")
    assert school.stored(people, "attributes") == [(f'{{"since":{first - 60}}}',)] * 2


@pytest.mark.door("python")
def test_B15_last_sync_time_works_in_both_queries(school):
    school.tables(
        links=[("id", "object_id", "seen"), ("1", "acme", "1000"), ("2", "acme", "9999999999")]
    )
    school.courses()
    school.run(project, "courses")
    sql = "SELECT id, object_id FROM links WHERE CAST(seen AS BIGINT) > {{last_sync_time}}"
    school.related(sql=sql)
    first, second = school.run(project, "people"), school.run(project, "people")
    assert first.counts["relationships"]["read"] == 2
    assert second.counts["relationships"]["read"] == 1
    assert len(school.links()) == 2
