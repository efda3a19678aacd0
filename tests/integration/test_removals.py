"""What becomes of people, objects and relationships whose rows left, and of what others wrote."""

import pytest

from rowlift.testing.fake import applied
from school import School, project

HEAD = ("id", "email", "plan", "town")


@pytest.fixture
def school(tmp_path, state_url):
    return School(tmp_path, state_url)


def left(school, name, **tables):
    """Runs a sync whose result has shrunk; returns what the workspace cleared and deleted."""
    school.tables(**tables)
    counts = school.run(project, name, allow_removals=True).counts["workspace"]
    return counts["clear"], counts["delete"]


def values(opened):
    found = {one.id: {each.name: each.value for each in one.attributes} for one in opened.people()}
    return dict(sorted(found.items()))


@pytest.mark.door("python")
def test_C12_clear_takes_nothing_that_another_sync_wrote_last(school):
    school.tables(
        people=[("id", "plan", "town"), ("1", "free", "Rome"), ("2", "free", "Bonn")],
        plans=[("id", "plan"), ("1", "pro")],
    )
    school.people(removed="clear")
    school.sync("plans", sql="SELECT * FROM plans")
    for name in ("people", "plans"):
        school.run(project, name)
    school.tables(people=[("id", "plan", "town"), ("2", "free", "Bonn")])
    assert school.run(project, "people").counts["workspace"]["clear"] == 1
    with project(school) as opened:
        kept = [(one.name, one.value, one.sync) for one in opened.person("1").attributes]
    assert kept == [("plan", "pro", "plans")]


@pytest.mark.door("python")
def test_C12_delete_clears_those_of_whom_others_have_something(school):
    rows = [(who, f"{who}@x.org", "free", "Rome") for who in "123456"]
    school.tables(
        people=[HEAD, *rows],
        plans=[("id", "plan"), ("1", "pro"), ("6", "pro")],
        mails=[("email", "id"), ("2@x.org", "2")],
        links=[("id", "object_id"), ("3", "acme")],
    )
    school.people(removed="delete", destinations=[school.crm])
    school.courses()
    links = {"sql": "SELECT * FROM links", "identify_by": "id"}
    school.sync("plans", sql="SELECT * FROM plans", relationships=links)
    school.sync("mails", sql="SELECT * FROM mails", identify_by="email")
    with project(school) as opened:
        opened.run(["people", "courses", "plans", "mails"])
        opened.create_segment("VIP")
        opened.add_to_segment("VIP", ["4"])
    school.tables(people=[HEAD, rows[5]])
    with project(school) as opened:
        foreseen = opened.plan("people", school.folder / "it.plan").targets["workspace"]
        assert (foreseen["clear"], foreseen["delete"]) == (4, 1)
    assert left(school, "people") == (4, 1)
    with project(school) as opened:
        nothing = {}
        assert values(opened) == {
            "1": {"plan": "pro"}, "2": nothing, "3": nothing, "4": nothing,
            "6": {"plan": "pro", "town": "Rome"},
        }  # fmt: skip
        assert opened.person("3").related == 1
        assert [one.id for one in opened.segment_members("VIP")] == ["4"]
        workspace = {who: opened.why(who).syncs[0].targets[0] for who in "135"}
    assert {who: one.standing.value for who, one in workspace.items()} == dict.fromkeys(
        "135", "removed"
    )
    assert [workspace[who].reason for who in "135"] == [
        "The person stays for what plans wrote.",
        "The person stays for its relationships or segments.",
        "",
    ]
    ops = {key: one["op"] for key, one in applied(school.folder / "crm.jsonl").items()}
    assert ops == {**dict.fromkeys("12345", "delete"), "6": "upsert"}


@pytest.mark.door("python")
def test_C12_the_last_of_several_syncs_whose_row_leaves_deletes(school):
    named, one, two = ("id", "email"), ("1", "1@x.org"), ("2", "2@x.org")
    school.tables(people=[("id", "town"), ("1", "Rome"), ("2", "Bonn")], plans=[named, one, two])
    school.people(removed="delete")
    school.sync("plans", sql="SELECT * FROM plans", removed="delete")
    for name in ("people", "plans"):
        school.run(project, name)
    assert left(school, "plans", plans=[named, two]) == (1, 0)
    assert left(school, "people", people=[("id", "town"), ("2", "Bonn")]) == (0, 1)
    assert left(school, "people", people=[("id", "town"), ("3", "Oslo")]) == (1, 0)
    with project(school) as opened:
        assert values(opened) == {"2": {}, "3": {"town": "Oslo"}}


@pytest.mark.door("python")
@pytest.mark.parametrize("removed", ["clear", "delete"])
def test_C12_a_person_named_by_several_rows_leaves_with_the_last(school, removed):
    head, web = ("anonymous_id", "email", "page", "size"), ("web", "ann@x.org", "home", "")
    app, other = ("app", "ann@x.org", "", "9"), ("tv", "bob@x.org", "cart", "")
    school.sync("visits", sql="SELECT * FROM visits", preset="traits", removed=removed,
                identify_by="anonymous_id")  # fmt: skip
    for rows in ([web, other], [web, app, other]):
        assert left(school, "visits", visits=[head, *rows]) == (0, 0)
    assert left(school, "visits", visits=[head, web, other]) == (0, 0)
    with project(school) as opened:
        ann = opened.person("ann@x.org")
    assert {one.name: one.value for one in ann.attributes} == {"page": "home", "size": "9"}
    gone = (1, 0) if removed == "clear" else (0, 1)
    assert left(school, "visits", visits=[head, other]) == gone


@pytest.mark.door("python")
def test_C12_objects_and_relationships_of_others_stay(school):
    links, more = ("id", "object_id", "role"), ("id", "object_id", "since")
    school.tables(
        courses=[("object_id", "title"), *((one, one.upper()) for one in "abcd")],
        prices=[("object_id", "price"), ("a", "7")],
        links=[links, ("1", "b", "pupil"), ("1", "c", "pupil")],
        more=[more, ("1", "b", "2020"), ("2", "d", "2021")],
    )
    school.courses(removed="delete")
    school.sync("prices", kind="object", identify_by="object_id", sql="SELECT * FROM prices")
    school.related(replace_for="person")
    related = {"sql": "SELECT * FROM more", "identify_by": "id"}
    school.sync("again", sql="SELECT '1' AS id, 'x' AS note", relationships=related)
    with project(school) as opened:
        opened.run(["courses", "prices", "people", "again"])
    school.tables(links=[links, ("1", "c", "pupil")])
    school.run(project, "people", allow_removals=True)
    assert sorted(school.links()) == [
        ("1", "b", {"since": "2020"}), ("1", "c", {"role": "pupil"}), ("2", "d", {"since": "2021"}),
    ]  # fmt: skip
    assert left(school, "courses", courses=[("object_id", "title"), ("e", "E")]) == (4, 0)
    school.tables(more=[(*more, "deleted"), ("1", "b", "", "yes")])
    school.run(project, "again")
    assert [one[:2] for one in sorted(school.links())] == [("1", "c"), ("2", "d")]
