"""What the workspace promises a user: addresses that move, second identifiers, removals, lists."""

from itertools import permutations

import pytest

from doors.cli import run_cli
from rowlift.core.errors import GuardStop
from rowlift.core.nouns import Status
from rowlift.workspace.tables import people
from school import School, project

NAMED = ("id", "email")


@pytest.fixture
def school(tmp_path):
    return School(tmp_path, f"sqlite:///{tmp_path / 'state.db'}")


def addresses(school):
    return dict(school.stored(people, "id", "email"))


@pytest.mark.door("python")
def test_B23_people_swap_addresses_and_pass_them_along_in_any_order(school):
    school.settings(allow_email_change_by_id=True)
    school.people(removed="delete")
    school.tables(people=[NAMED, *((one, f"{one}@x.org") for one in "abcdz")])
    school.run(project, "people")
    for order in permutations(["a", "b", "c"]):
        ring = dict(zip("abc", order, strict=True))
        school.tables(people=[NAMED, *((one, f"{ring[one]}@x.org") for one in reversed("abc")),
                              ("d", "new@x.org"), ("e", "d@x.org"), ("f", "z@x.org")])  # fmt: skip
        run = school.run(project, "people", allow_removals=True)
        assert run.status is Status.COMPLETED
        wanted = {one: f"{to}@x.org" for one, to in ring.items()}
        wanted |= {"d": "new@x.org", "e": "d@x.org", "f": "z@x.org"}
        assert addresses(school) == wanted


@pytest.mark.door("python")
def test_B23_one_row_that_cannot_move_holds_the_whole_chain(school):
    school.settings(allow_email_change_by_id=True)
    school.people()
    school.tables(people=[NAMED, *((one, f"{one}@x.org") for one in "abcd")])
    school.run(project, "people")
    school.tables(people=[NAMED, ("a", "b@x.org"), ("b", "c@x.org"), ("c", "d@x.org")])
    run = school.run(project, "people")
    assert run.counts["workspace"]["codes"] == {"EMAIL_TAKEN": 3}
    with project(school) as opened:
        said = {one["identifier"]: one["reason"] for one in opened.rejects(run.id)}
    assert said["c"] == "It belongs to id d."
    assert addresses(school) == {one: f"{one}@x.org" for one in "abcd"}


@pytest.mark.door("python")
@pytest.mark.parametrize("choice", ["attach", "reject"])
def test_B23_a_second_identifier_joins_whose_own_is_blank_or_is_rejected(school, choice):
    school.tables(mails=[("email", "plan"), ("ann@x.org", "pro"), ("bob@x.org", "free")])
    school.sync("mails", sql="SELECT * FROM mails", identify_by="email")
    school.run(project, "mails")
    school.people(second_identifier=choice)
    run = school.run(project, "people")
    attached = choice == "attach"
    assert run.counts["workspace"]["codes"] == ({} if attached else {"IDENTIFIER_MATCHES_OTHER": 2})
    with project(school) as opened:
        found = [(one.id, one.email) for one in opened.people()]
    assert found == [
        ("1" if attached else None, "ann@x.org"), ("2" if attached else None, "bob@x.org"),
    ]  # fmt: skip


@pytest.mark.door("python")
def test_A16_A22_B10_history_goes_to_whom_an_address_finds_and_makes_the_others(school):
    school.tables(
        ids=[NAMED, ("1", "ann@x.org")],
        people=[("email", "signed_up"), ("ANN@x.org", "1999-12-31"), ("zoe@x.org", "2001-01-01")],
    )
    school.sync("ids", sql="SELECT * FROM ids")
    school.run(project, "ids")
    school.people(identify_by="email")
    written = school.run(project, "people").counts["workspace"]
    assert (written["create"], written["update"]) == (1, 1)
    with project(school) as opened:
        found = [(one.id, one.email, one.attributes[0].value) for one in opened.people()]
    assert found == [("1", "ANN@x.org", "1999-12-31"), (None, "zoe@x.org", "2001-01-01")]


@pytest.mark.door("python")
def test_B6_B21_columns_of_select_star_are_attributes_as_they_are_named(school):
    school.tables(people=[("id", "Plan Name", "größe"), ("1", "pro", "7")])
    school.people()
    with project(school) as opened:
        assert "COLUMN_UPPER_CASE" in [one.code for one in opened.preview("people").findings]
        opened.run(["people"])
        found = [(one.name, one.value) for one in opened.person("1").attributes]
    assert found == [("Plan Name", "pro"), ("größe", "7")]
    for column, code, mend in (
        ("ID", "IDENTIFIER_CASE", '"ID" AS "id"'),
        ("customer_id", "NO_IDENTIFIER", 'customer_id AS "user_id"'),
    ):
        school.tables(people=[(column, "plan"), ("1", "max")])
        with project(school) as opened, pytest.raises(GuardStop) as caught:
            opened.run(["people"])
        assert caught.value.code == code
        assert mend in caught.value.mend
    assert "max" not in str(school.stored(people, "attributes"))


@pytest.mark.door("cli")
def test_C9_people_are_suppressed_listed_and_let_back_at_the_command_line(school):
    school.people(destinations=[school.crm])
    (school.folder / "names.txt").write_text("id:2\n\nzoe@x.org\n")

    def cli(*words):
        return run_cli(*words, cwd=school.folder, env=school.env)

    assert cli("run").code == 0
    done = cli("-o", "json", "suppress", "ANN@x.org", "--file", "names.txt", "--note", "asked")
    assert (done.code, done.json["suppression"]) == (0, {"identifiers": 5, "people": 2})
    listed = cli("-o", "json", "suppress", "--list").json["suppressions"]
    assert sorted(one["kind"] for one in listed) == ["email", "email", "email", "id", "id"]
    assert {one["note"] for one in listed} == {"asked"}
    assert "ann" not in cli("suppress", "--list").stdout.lower()
    assert cli("people", "export").stdout == ""
    assert cli("suppress", "--undo", "ann@x.org").code == 0
    assert "Ann" in cli("people", "export").stdout
    assert cli("suppress").code == 2
