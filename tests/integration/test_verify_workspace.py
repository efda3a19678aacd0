"""What the workspace holds of a sync beside what others write: empty values, identifiers, once."""

import pytest

from rowlift.operations.identifying import Identifiers
from school import School, project

PEOPLE = [
    ("id", "email", "name", "phone", "source"),
    ("1", "ann@x.org", "", "", "ads"),
    ("2", "bob@x.org", "Bob", "22", "ads"),
    ("3", "cy@x.org", "Cy", "", "ads"),
    ("d4", "dee@x.org", "Dee", "44", ""),
]
PLANS = [("id", "name", "phone", "source"), ("1", "Anna", "11", ""), ("3", "", "33", "")]
NAMES = [("email", "anonymous_id"), ("dee@x.org", "web"), ("Cy@X.org", "box")]
OWN = [("email", "id"), ("ANN@x.org", "1"), ("dee@x.org", "d4")]
VISITS = [
    ("anonymous_id", "email", "page"),
    ("app", "eve@x.org", "/"), ("tab", "Eve@x.org", "/plans"), ("web", "", "/"),
]  # fmt: skip
RULES = {"phone": "delete", "source": "set_if_empty"}


@pytest.fixture
def school(tmp_path, state_url):
    return School(tmp_path, state_url)


def found(opened, sync):
    (one,) = opened.verifications.verify("workspace", sync).syncs
    told = {(each.key, each.attribute, each.ours, each.theirs, each.wrote) for each in one.samples}
    return one, told


@pytest.mark.door("python")
def test_C14_the_workspace_is_compared_by_what_each_column_says(school):
    school.settings(allow_email_change_by_id=True)
    bob = ("2", "", "", "web")
    school.tables(people=PEOPLE, plans=[PLANS[0], bob], names=NAMES, own=OWN, visits=VISITS)
    ways = {"visits": "anonymous_id", "plans": "id", "names": "email", "own": "email"}
    for name, by in ways.items():
        preset = "traits" if name == "visits" else "import"
        sql, usual = f"SELECT * FROM {name}", {"empty_strings": "as_null"}
        school.sync(name, sql=sql, identify_by=by, preset=preset, **usual)
    school.people(attributes=RULES, **usual)
    with project(school) as opened:
        opened.run(["visits", "plans", "people", "names", "own"])
        for sync in ("people", *ways):  # several rows of Eve; Bob's source was there before
            one, told = found(opened, sync)
            assert (one.checked > 0, told) == (True, set()), sync
        school.tables(plans=[*PLANS, bob])
        opened.run(["plans"])
        opened.change_identifiers("id:1", Identifiers("one", "ann@x.org"))
        opened.change_identifiers("id:3", Identifiers("3", "cyd@x.org"))
        opened.change_identifiers("id:2", Identifiers("2", "BOB@x.org"))
        opened.undo_merge(opened.merges()[0].number)
        opened.change_identifiers("id:d4", Identifiers("D4", "dee@x.org"))
        assert found(opened, "own")[1] == {
            ("ann@x.org", "id", "1", "one", ""), ("dee@x.org", "id", "d4", "D4", ""),
        }  # fmt: skip
        assert found(opened, "visits")[1] == set()
        assert found(opened, "names")[1] == {
            ("dee@x.org", "anonymous_id", "web", None, ""), ("cy@x.org", "", None, None, ""),
            ("cyd@x.org", "", None, None, "plans, run 6"),
        }  # fmt: skip
        one, told = found(opened, "people")
        assert (one.equal, one.drifted, one.missing) == (1, 1, 2)
        assert told == {
            ("1", "", None, None, ""), ("3", "email", "cy@x.org", "cyd@x.org", ""),
            ("3", "phone", None, "33", "plans, run 6"), ("one", "", None, None, "plans, run 6"),
            ("d4", "", None, None, ""), ("D4", "", None, None, "own, run 5"),
        }  # fmt: skip
        # What repairs them is the next run, which meets people by the same rules.
        opened.change_identifiers("id:one", Identifiers("1", "ann@x.org"))
        opened.change_identifiers("id:D4", Identifiers("d4", "dee@x.org"))
        assert opened.verifications.repair("workspace", "people").due == 3
        opened.run(["people"])
        assert found(opened, "people")[1] == set()
        assert opened.person("2").email == "BOB@x.org"


@pytest.mark.door("python")
def test_C14_a_value_that_is_set_once_must_be_there_and_may_be_anothers(school):
    school.tables(people=PEOPLE[:3], plans=[("id", "source"), ("1", "")])
    usual = {"empty_strings": "as_null"}
    school.people(attributes=RULES, **usual)
    school.sync("plans", sql="SELECT * FROM plans", empty_values="delete", **usual)
    with project(school) as opened:
        opened.run(["people", "plans"])
        assert found(opened, "people")[1] == {("1", "source", "ads", None, "")}
        school.tables(plans=[("id", "source"), ("1", "web"), ("2", "web")])
        opened.run(["plans"])
        assert found(opened, "people")[1] == set()
        school.people(attributes={"phone": "delete"})  # what was withheld is due with the next run
    with project(school) as opened:
        assert found(opened, "people")[1] == set()
        opened.run(["people"])
        assert found(opened, "people")[1] == set()
        assert found(opened, "plans")[1] == {
            (key, "source", "web", "ads", "people, run 4") for key in "12"
        }


@pytest.mark.door("python")
def test_C14_attributes_of_accounts_are_none_of_a_persons_identifiers(school):
    rows = [("group_id", "email", "deleted"), ("acme", "hi@acme.org", "no")]
    school.tables(accounts=rows, others=[("group_id", "email"), ("acme", "info@acme.org")])
    for name in ("accounts", "others"):
        sql = f"SELECT * FROM {name}"
        school.sync(name, kind="account", identify_by="group_id", sql=sql)
    with project(school) as opened:
        opened.run(["accounts", "others"])
        assert found(opened, "accounts")[1] == {
            ("acme", "email", "hi@acme.org", "info@acme.org", "others, run 2")
        }
