"""Records of people and objects, and why a value is there and was sent or was not."""

import csv
import json

import pytest

from doors.cli import run_cli
from rowlift.core.errors import ConfigError, GuardStop, RowliftError, StateError
from rowlift.operations.traces import Standing
from school import COURSES, PEOPLE, School, project


@pytest.fixture
def school(tmp_path):
    return School(tmp_path, f"sqlite:///{tmp_path / 'state.db'}")


@pytest.fixture
def any_school(tmp_path, state_url):
    """On each state database."""
    return School(tmp_path, state_url)


def renamed(project, school, name):
    """Change a name in the source, and import it."""
    school.tables(people=[PEOPLE[0], ("1", "ann@x.org", name), PEOPLE[2]])
    return school.run(project, "people")


def asked(project, school, who="id:1", attribute=None, **how):
    with project(school) as opened:
        return opened.why(who, attribute, **how)


def standing(project, school, who="id:1", target="crm"):
    """How the newest values of somebody stand, by the only sync."""
    (sync,) = asked(project, school, who).syncs
    (one,) = [one for one in sync.targets if one.target == target]
    return one


def sending(project, school, **settings):
    school.destination(**settings)
    school.people(destinations=[school.crm])
    return school.run(project, "people")


def test_a_person_is_found_by_each_identifier(any_school):
    columns = ("anonymous_id", "email", "name")
    any_school.tables(people=[columns, ("web", "ann@x.org", "Ann")])
    any_school.people(identify_by="email")
    run = any_school.run(project, "people")
    ways = ("email:ANN@x.org", "anonymous_id:web", "ann@X.org", "web")
    with project(any_school) as opened:
        found, *others = [opened.person(who) for who in ways]
    assert others == [found] * 3
    assert (found.id, found.email, found.anonymous_ids) == (None, "ann@x.org", ("web",))
    (name,) = found.attributes
    assert (name.name, name.value, name.sync, name.run) == ("name", "Ann", "people", run.id)
    assert (found.first_sync, name.as_of) == ("people", run.last_sync_time)


def test_a_record_shows_relationships_from_both_ends(any_school):
    any_school.courses()
    any_school.run(project, "courses")
    any_school.related()
    run = any_school.run(project, "people")
    with project(any_school) as opened:
        ann, course = opened.person("1"), opened.object("course", "c1")
        everybody, things = opened.people(), opened.objects()
    assert [(one.object_id, one.attributes[0].value) for one in ann.relationships] == [
        ("c1", "pupil")
    ]
    assert [(one.id, one.attributes[0].run) for one in course.relationships] == [
        ("1", run.id),
        ("2", run.id),
    ]
    assert [one.id for one in everybody] == ["1", "2"]
    assert [(one.object_type, one.object_id) for one in things] == [("1", "acme"), ("course", "c1")]


def test_lists_go_on_after_a_number(any_school):
    any_school.people()
    any_school.run(project, "people")
    with project(any_school) as opened:
        (first,) = opened.people(limit=1)
        rest = opened.people(after=first.number)
    assert [first.id, *(one.id for one in rest)] == ["1", "2"]


def test_a_value_that_names_two_people_is_refused_with_both(school):
    school.tables(people=[("id", "email"), ("1", "2@x.org"), ("2@x.org", "bob@x.org")])
    school.people()
    school.run(project, "people")
    with project(school) as opened, pytest.raises(ConfigError) as caught:
        opened.person("2@x.org")
    assert caught.value.code == "WHO_AMBIGUOUS"
    assert "id 1" in caught.value.message
    assert "id 2@x.org" in caught.value.message
    assert "email:2@x.org" in caught.value.mend
    with project(school) as opened:
        assert opened.person("email:2@x.org").id == "1"


def test_who_and_what_is_not_there_is_not_found(school):
    school.people()
    school.run(project, "people")
    with project(school) as opened:
        for ask in (
            lambda: opened.person("9"),
            lambda: opened.object("course", "c9"),
            lambda: opened.why("9"),
            lambda: opened.why("1", "height"),
        ):
            with pytest.raises(StateError) as caught:
                ask()
            assert caught.value.code == "NOT_FOUND"


def test_no_database_fails_at_a_text_that_it_cannot_keep(any_school):
    any_school.people()
    with project(any_school) as opened, pytest.raises(RowliftError) as refused:
        opened.person("id:\0")
    assert refused.value.code in {"NOT_FOUND", "VALUE_WRONG"}


@pytest.mark.door("python")
def test_C5_each_attribute_tells_what_set_it_and_what_it_was_before(any_school):
    others = [(str(number), "", "") for number in range(3, 13)]
    any_school.tables(people=[*PEOPLE, *others])
    any_school.people()
    first = any_school.run(project, "people")
    any_school.tables(people=[PEOPLE[0], ("1", "ann@x.org", "Anna"), PEOPLE[2], *others])
    second = any_school.run(project, "people")
    any_school.sync("towns", sql="SELECT id, 'Rome' AS town FROM people")
    third = any_school.run(project, "towns")
    name, town = asked(project, any_school).attributes
    assert (name.value, name.sync, name.run) == ("Anna", "people", second.id)
    assert [(one.run, one.before, one.after) for one in name.changes] == [
        (second.id, "Ann", "Anna"),
        (first.id, None, "Ann"),
    ]
    assert (town.value, town.sync, town.run) == ("Rome", "towns", third.id)
    newest = name.changes[0]
    assert (newest.sync, newest.row_number, newest.at) == ("people", 1, second.created_at)
    assert newest.query == name.changes[1].query != town.changes[0].query


@pytest.mark.door("python")
def test_B4_an_object_tells_what_set_each_attribute_and_what_it_was_before(any_school):
    others = [("course", f"o{number}", "Art") for number in range(10)]
    any_school.tables(courses=[*COURSES, *others])
    any_school.courses()
    first = any_school.run(project, "courses")
    any_school.tables(courses=[COURSES[0], ("course", "c1", "Data"), COURSES[2], *others])
    second = any_school.run(project, "courses")
    sql = "SELECT 'acme' AS group_id, 12 AS size FROM courses LIMIT 1"
    any_school.sync("sizes", kind="account", identify_by="group_id", sql=sql)
    third = any_school.run(project, "sizes")
    with project(any_school) as opened:
        (title,) = opened.object("course", "c1", history=True).attributes
        size, name = opened.object("1", "acme", history=True).attributes
        assert opened.object("1", "acme").attributes[0].changes == ()
    assert [(one.run, one.before, one.after) for one in title.changes] == [
        (second.id, "SQL", "Data"),
        (first.id, None, "SQL"),
    ]
    assert (title.value, title.sync, title.run) == ("Data", "courses", second.id)
    assert [(one.sync, one.run, one.after) for one in (*size.changes, *name.changes)] == [
        ("sizes", third.id, 12),
        ("courses", first.id, "Acme"),
    ]


def test_the_history_of_an_attribute_outlives_compactions_and_a_reset(school):
    school.people()
    for name in ("Anna", "Anne", "Annie"):
        renamed(project, school, name)
    with project(school) as opened:
        opened.reset("people")
    renamed(project, school, "Ann")
    with project(school) as opened:
        (name,) = opened.person("1", history=True).attributes
    assert [(one.before, one.after) for one in name.changes] == [
        ("Annie", "Ann"),
        ("Anne", "Annie"),
        ("Anna", "Anne"),
    ]


def test_an_attribute_that_is_gone_still_has_its_history(school):
    school.people(empty_values="delete")
    school.run(project, "people")
    run = renamed(project, school, "")
    (name,) = asked(project, school, attribute="name").attributes
    assert (name.value, name.run) == (None, run.id)
    assert (name.changes[0].before, name.changes[0].after) == ("Ann", None)


@pytest.mark.door("python")
def test_C5_what_was_acknowledged_is_told_with_its_delivery(any_school):
    run = sending(project, any_school)
    (delivery,) = run.deliveries
    one = standing(project, any_school)
    assert (one.standing, one.run, one.delivery) == (Standing.DELIVERED, run.id, delivery.id)
    assert one.at >= run.created_at
    assert standing(project, any_school, target="workspace").standing is Standing.DELIVERED


@pytest.mark.door("python")
def test_C5_not_sent_because_nothing_changed(school):
    first = sending(project, school)
    school.tables(people=[*PEOPLE[:2], ("2", "bob@x.org", "Robert")])
    school.run(project, "people")
    one = standing(project, school)
    assert (one.standing, one.run) == (Standing.UNCHANGED, first.id)
    assert standing(project, school, "id:2").standing is Standing.DELIVERED


@pytest.mark.door("python")
def test_C5_not_sent_because_the_destination_rejected_it(school):
    run = sending(project, school, reject=["1"])
    one = standing(project, school)
    assert (one.standing, one.code, one.run) == (Standing.REJECTED, "REFUSED", None)
    assert one.reason
    assert standing(project, school, "id:2").run == run.id


@pytest.mark.door("python")
def test_C5_not_sent_because_the_row_broke_a_rule(school):
    first = sending(project, school)
    school.tables(people=[PEOPLE[0], ("1", "nonsense", "Anna"), PEOPLE[2]])
    school.run(project, "people")
    for target in ("crm", "workspace"):
        one = standing(project, school, target=target)
        assert (one.standing, one.code) == (Standing.REJECTED, "EMAIL_INVALID")
        assert "Row 1" in one.reason
    assert standing(project, school).run == first.id


@pytest.mark.door("python")
def test_C5_not_written_because_the_workspace_refused_it(school):
    school.sync("others", sql="SELECT '9' AS id, 'ann@x.org' AS email FROM people LIMIT 1")
    school.run(project, "others")
    school.people()
    school.run(project, "people")
    one = standing(project, school, target="workspace")
    assert (one.standing, one.code) == (Standing.REJECTED, "EMAIL_TAKEN")
    assert "Row 1" in one.reason


@pytest.mark.door("python")
def test_C5_in_doubt_because_the_reply_was_lost(school):
    sending(project, school, lost_replies=0.99)
    one = standing(project, school)
    assert (one.standing, one.code, one.run) == (Standing.IN_DOUBT, "UNREACHABLE", None)


@pytest.mark.door("python")
def test_C5_pending_because_the_circuit_opened(school):
    sending(project, school, unavailable=0.999, batch_rows=1, in_flight=1)
    one = standing(project, school)
    assert (one.standing, one.code) == (Standing.PENDING, "CIRCUIT_OPEN")


@pytest.mark.door("python")
def test_C5_pending_because_nobody_delivers_now(school):
    school.destination()
    school.people(destinations=[school.crm])
    with project(school) as opened:
        opened.run(["people"], wait=False)
    assert standing(project, school).standing is Standing.PENDING


@pytest.mark.door("python")
def test_C5_never_delivered_because_the_destination_is_new(school):
    school.people()
    school.run(project, "people")
    school.people(destinations=[school.crm])
    assert standing(project, school).standing is Standing.NEVER


@pytest.mark.door("python")
def test_C5_skipped_because_of_the_mode_of_the_sync(school):
    school.sync("others", sql="SELECT '1' AS id, 'Rome' AS town FROM people LIMIT 1")
    school.run(project, "others")
    school.people(mode="create")
    school.run(project, "people")
    (one,) = [
        one
        for sync in asked(project, school).syncs
        if sync.sync == "people"
        for one in sync.targets
    ]
    assert (one.standing, one.target) == (Standing.SKIPPED, "workspace")
    assert "create" in one.reason


@pytest.mark.door("python")
@pytest.mark.parametrize(
    ("removed", "expected"), [("keep", Standing.LEFT), ("delete", Standing.REMOVED)]
)
def test_C5_not_sent_because_the_query_does_not_return_it_any_more(school, removed, expected):
    school.crm |= {"removed": removed}
    sending(project, school)
    school.tables(people=[PEOPLE[0], PEOPLE[2]])
    school.run(project, "people", allow_removals=True)
    (sync,) = asked(project, school).syncs
    assert not sync.present
    assert standing(project, school).standing is expected


@pytest.mark.door("python")
def test_C5_not_sent_because_a_guard_stopped_the_run(school):
    first = sending(project, school)
    school.tables(people=PEOPLE[:1])
    with pytest.raises(GuardStop):
        school.run(project, "people")
    one = standing(project, school)
    assert (one.standing, one.code, one.run) == (Standing.STOPPED, "EMPTIED", first.id)


@pytest.mark.door("python")
def test_C5_not_sent_because_the_person_is_suppressed(school):
    sending(project, school)
    with project(school) as opened:
        opened.suppress(["ann@x.org"])
    one = standing(project, school)
    assert (one.standing, one.code) == (Standing.SUPPRESSED, "PERSON_SUPPRESSED")


@pytest.mark.door("python")
def test_C5_not_sent_because_the_sync_is_paused(school):
    sending(project, school, reject=["1"])
    with project(school) as opened:
        opened.pause("people")
    assert standing(project, school).standing is Standing.PAUSED


@pytest.mark.door("python")
def test_C5_somebody_outside_the_workspace_is_explained_too(school):
    school.people(workspace="none", destinations=[school.crm])
    run = school.run(project, "people")
    found = asked(project, school, "1", destination="crm")
    assert [(one.name, one.value) for one in found.attributes][-1] == ("name", "Ann")
    ((sync,), (one,)) = found.syncs, found.syncs[0].targets
    assert (sync.row_number, one.standing, one.run) == (1, Standing.DELIVERED, run.id)
    with project(school) as opened, pytest.raises(ConfigError) as caught:
        opened.why("1", destination="moon")
    assert caught.value.code == "NAME_UNKNOWN"


def test_an_export_has_everybody_with_origins(school):
    school.people()
    school.run(project, "people")
    with project(school) as opened:
        found = [(one.id, one.attributes[0].value) for one in opened.export_people()]
    assert found == [("1", "Ann"), ("2", "Bob")]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The folder of a school after a run of each sync."""
    school = School(tmp_path_factory.mktemp("school"), "")
    school.env = {}
    school.tables(people=[*PEOPLE[:2], ("2", "bob@x.org", "=Bob")])
    school.courses()
    school.related()
    school.people(destinations=[school.crm])
    for name in ("courses", "people"):
        school.run(project, name)
    return school.folder


@pytest.mark.door("cli")
def test_C5_the_program_says_why(told):
    seen = run_cli("why", "ann@x.org", "name", "--destination", "crm", cwd=told)
    assert seen.code == 0
    assert 'none → "Ann"  people, run 2 at ' in seen.stdout
    assert "row 1, query " in seen.stdout
    assert "✓ crm: has the newest version" in seen.stdout
    assert "acknowledged: the values of run 2, by delivery " in seen.stdout


@pytest.mark.door("cli")
def test_the_program_shows_records(told):
    seen = run_cli("people", "show", "1", "--history", cwd=told)
    assert seen.code == 0
    assert "id 1  email ann@x.org" in seen.stdout
    assert 'course c1  role "pupil"' in seen.stdout
    assert 'none → "Ann"' in seen.stdout
    assert run_cli("people", "show", "9", cwd=told).code == 1
    thing = run_cli("objects", "show", "course", "c1", "-o", "json", cwd=told).json["object"]
    assert [one["id"] for one in thing["relationships"]] == ["1", "2"]
    assert (
        'none → "SQL"' in run_cli("objects", "show", "course", "c1", "--history", cwd=told).stdout
    )


@pytest.mark.door("cli")
def test_an_export_is_private_whole_and_safe_for_spreadsheets(told, tmp_path):
    lines = run_cli("people", "export", cwd=told).stdout.splitlines()
    ann = json.loads(lines[0])
    assert (len(lines), ann["id"], ann["attributes"]["name"]["sync"]) == (2, "1", "people")
    file = tmp_path / "people.csv"
    seen = run_cli("people", "export", file, "--format", "csv", "--only", "2", cwd=told)
    assert (seen.code, file.stat().st_mode & 0o077) == (0, 0)
    (row,) = csv.DictReader(file.read_text().splitlines())
    assert (row["id"], row["attribute"], row["value"]) == ("2", "name", "'=Bob")


@pytest.mark.door("cli")
def test_the_program_deletes_who_is_typed_again(told):
    seen = run_cli("people", "delete", "2", cwd=told, stdin="1\n")
    assert (seen.code, "nothing was forgotten" in seen.stderr) == (2, True)
    seen = run_cli("people", "delete", "2", cwd=told, stdin="2\n")
    assert (seen.code, "✓ erased 2: 1 in the workspace" in seen.stdout) == (0, True)
    assert "unless it is suppressed" in seen.stderr
    assert run_cli("people", "show", "2", cwd=told).code == 1
