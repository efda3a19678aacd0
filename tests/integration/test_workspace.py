import pytest

from models.workspace import Desk, row, spec
from rowlift.core.nouns import Kind, Mode


@pytest.fixture
def desk(state_url, tmp_path):
    desk = Desk(state_url, tmp_path / "files")
    yield desk
    desk.close()


def test_a_row_without_a_match_makes_a_person(desk):
    plan = desk.run(spec(), [row("7", email="Ann@x.org", plan="pro", seats=3)])
    (ann,) = desk.people()
    assert plan["7"]["action"] == "create"
    assert (ann["id"], ann["email"], ann["email_key"]) == ("7", "Ann@x.org", "ann@x.org")
    assert ann["attributes"] == {"plan": "pro", "seats": 3}
    assert (ann["sync_uid"], ann["run_id"], ann["as_of"]) == ("s1", 1, 1_700_000_001)
    assert (ann["first_writer"], ann["other_writers"], ann["origins"]) == ("s1", False, [])


def test_a_row_overrides_removes_and_keeps_attributes(desk):
    desk.run(spec(), [row("7", a=1, b={"x": 1, "y": 2}, c="gone", d=4)])
    desk.run(spec(), [row("7", a=2, b={"x": 3}, c=None)])
    (person,) = desk.people()
    assert person["attributes"] == {"a": 2, "b": {"x": 3}, "d": 4}
    assert person["origins"] == [{"sync": "s1", "run": 1, "as_of": 1_700_000_001, "names": ["d"]}]


def test_every_attribute_keeps_the_run_that_wrote_it(desk):
    desk.run(spec(), [row("7", a=1, b=1, c=1)], sync_uid="s1")
    desk.run(spec(), [row("7", b=2, d=2)], sync_uid="s2")
    desk.run(spec(), [row("7", c=3)], sync_uid="s3")
    (person,) = desk.people()
    assert person["attributes"] == {"a": 1, "b": 2, "c": 3, "d": 2}
    assert {each["sync"]: each["names"] for each in person["origins"]} == {
        "s1": ["a"],
        "s2": ["b", "d"],
    }
    assert (person["first_writer"], bool(person["other_writers"])) == ("s1", True)


def test_clear_removes_only_what_the_sync_wrote_last(desk):
    desk.run(spec(), [row("7", a=1, b=1, email="a@x.org")], sync_uid="s1")
    desk.run(spec(), [row("7", b=2, c=2)], sync_uid="s2")
    desk.run(spec(), [row("7", "clear"), row("8", "clear")], sync_uid="s1")
    (person,) = desk.people()
    assert person["attributes"] == {"b": 2, "c": 2}
    assert person["email"] == "a@x.org"
    desk.run(spec(), [row("7", "clear")], sync_uid="s2")
    assert desk.people()[0]["attributes"] == {}


def test_delete_removes_the_person_and_frees_the_address(desk):
    desk.run(spec(), [row("7", email="a@x.org", anonymous_id="w"), row("8", "delete")])
    desk.run(spec(), [row("7", "delete"), row("9", email="a@x.org", anonymous_id="w")])
    (person,) = desk.people()
    assert (person["id"], person["email"], person["anonymous"]) == ("9", "a@x.org", {"w"})


@pytest.mark.parametrize("slice_rows", [1, 20_000])
def test_who_wrote_without_a_value_keeps_the_person_until_its_row_leaves_too(desk, slice_rows):
    desk.run(spec(), [row("7", a=1, email="a@x.org"), row("8", a=1)], sync_uid="s1")
    desk.run(spec("email"), [row("a@x.org")], sync_uid="s10")
    left = [row("7", "delete"), row("8", "delete"), row("9", email="a@x.org")]
    plan = desk.run(spec(), left, sync_uid="s1", slice_rows=slice_rows)
    assert {key: (each["action"], each["code"]) for key, each in plan.items()} == {
        "7": ("clear", ""), "8": ("delete", ""), "9": ("reject", "EMAIL_TAKEN"),
    }  # fmt: skip
    (kept,) = desk.people()
    assert (kept["id"], kept["email"], kept["attributes"]) == ("7", "a@x.org", {})
    plan = desk.run(spec("email"), [row("a@x.org", "delete")], sync_uid="s10")
    assert (plan["a@x.org"]["action"], desk.people()) == ("delete", [])


@pytest.mark.parametrize("slice_rows", [1, 2, 20_000])
def test_addresses_are_swapped_and_passed_along_a_chain(desk, slice_rows):
    rows = [row(str(n), email=f"p{n}@x.org") for n in range(6)]
    desk.run(spec(), rows)
    moved = {0: 1, 1: 0, 2: 3, 3: 4, 4: 9, 5: 5}
    rows = [row(str(n), email=f"p{to}@x.org") for n, to in moved.items()]
    rows.append(row("new", email="p2@x.org"))
    plan = desk.run(spec(), rows, allow_change=True, slice_rows=slice_rows)
    assert {each["code"] for each in plan.values()} == {""}
    emails = {each["id"]: each["email"] for each in desk.people()}
    assert emails == {str(n): f"p{to}@x.org" for n, to in moved.items()} | {"new": "p2@x.org"}


def test_a_broken_chain_is_rejected_to_its_end(desk):
    desk.run(spec(), [row(str(n), email=f"p{n}@x.org") for n in range(4)])
    rows = [row("0", email="p1@x.org"), row("1", email="p2@x.org"), row("2", email="p3@x.org")]
    plan = desk.run(spec(), rows, allow_change=True)
    assert {key: each["code"] for key, each in plan.items()} == dict.fromkeys("012", "EMAIL_TAKEN")
    assert "id 3" in plan["2"]["reason"]


def test_modes_leave_rows_out(desk):
    desk.run(spec(), [row("1", a=1)])
    plan = desk.run(spec(mode=Mode.UPDATE), [row("1", a=2), row("2", a=2)])
    assert {key: each["action"] for key, each in plan.items()} == {"1": "update", "2": "skip"}
    plan = desk.run(spec(mode=Mode.CREATE), [row("1", a=3), row("2", a=3)])
    assert {key: each["action"] for key, each in plan.items()} == {"1": "skip", "2": "create"}
    assert [each["attributes"] for each in desk.people()] == [{"a": 2}, {"a": 3}]


def test_accounts_are_objects_with_the_same_provenance(desk):
    account = spec("group_id", Kind.ACCOUNT)
    desk.run(account, [row("g1", name="Acme", email="x@x.org"), row("g2", name="Beta")])
    desk.run(account, [row("g1", seats=5)], sync_uid="s2")
    desk.run(account, [row("g2", "delete")])
    (acme,) = desk.objects()
    assert (acme["object_type"], acme["object_id"]) == ("1", "g1")
    assert acme["attributes"] == '{"email":"x@x.org","name":"Acme","seats":5}'
    assert acme["sync_uid"] == "s2"
    assert '"names":["email","name"]' in acme["origins"]


HARD = {
    "float": 1e22,
    "huge": "123456789012345678901234567890",
    "nested": {"email": "in@x.org", "id": 4, "list": [{"email": None}]},
    'quote"d': 'a "b" \\ /',
    "a/b~c": 1,
    "": "empty name",
    "nul": "\x01\u2028é😀",
    "text": '":null,"email":"fake@x.org"',
}


def test_texts_that_only_look_like_members_survive(desk):
    desk.run(spec("email"), [row("a@x.org", email="A@x.org", id="7", user_id="u", **HARD)])
    (person,) = desk.people()
    assert person["attributes"] == HARD | {"user_id": "u"}
    assert (person["id"], person["email"]) == ("7", "A@x.org")
    desk.run(spec("email"), [row("a@x.org", email="a@x.org", new=None, added=1.5)])
    (person,) = desk.people()
    assert person["attributes"] == HARD | {"user_id": "u", "added": 1.5}
    assert person["email"] == "a@x.org"


def test_a_thousand_columns_merge(desk):
    wide = {f"c{n:04}": n for n in range(1000)}
    desk.run(spec(), [row("7", **wide)])
    desk.run(spec(), [row("7", c0001="x", more=True)])
    assert desk.people()[0]["attributes"] == wide | {"c0001": "x", "more": True}


def test_rows_of_one_person_by_anonymous_id_write_together(desk):
    desk.run(spec("anonymous_id"), [row("w", email="a@x.org", v=1)])
    rows = [row("x", email="a@x.org", v=2, x=1), row("w", v=3, x=None, w=1)]
    plan = desk.run(spec("anonymous_id"), rows)
    (person,) = desk.people()
    assert person["anonymous"] == {"w", "x"}
    assert person["attributes"] == {"v": 2, "w": 1, "x": 1}
    assert {key: each["action"] for key, each in plan.items()} == {"w": "none", "x": "update"}


def test_rows_of_one_person_by_anonymous_id_give_identifiers_together(desk):
    desk.run(spec(), [row("7", email="a@x.org", anonymous_id="x")])
    desk.run(spec("email"), [row("a@x.org", email="a@x.org", anonymous_id="w")])
    rows = [row("w", email="A@x.org", v=1), row("x", v=2)]
    desk.run(spec("anonymous_id"), rows)
    (person,) = desk.people()
    assert (person["id"], person["email"], person["attributes"]) == ("7", "A@x.org", {"v": 2})


def test_addresses_beyond_ascii_are_folded_and_judged(desk):
    rows = [row("1", email="STRASSE@x.org"), row("2", email="not an address")]
    plan = desk.run(spec(), rows)
    assert {key: each["code"] for key, each in plan.items()} == {"1": "", "2": "EMAIL_INVALID"}
    plan = desk.run(spec(), [row("3", email="straße@x.org"), row("4", email="ÉMILE@x.org")])
    assert plan["3"]["code"] == "EMAIL_TAKEN"
    assert {each["email_key"] for each in desk.people()} == {"strasse@x.org", "émile@x.org"}


def test_few_rows_in_a_large_workspace_find_their_people(desk):
    desk.run(spec(), [row(str(n), email=f"p{n}@x.org", anonymous_id=f"w{n}") for n in range(40)])
    rows = [
        row("5", a=1),
        row("50", email="P6@x.org"),
        row("51", anonymous_id="w7"),
        row("52", email="new@x.org"),
    ]
    plan = desk.run(spec(), rows)
    codes = {key: each["code"] for key, each in plan.items()}
    assert codes == {"5": "", "50": "EMAIL_TAKEN", "51": "ANONYMOUS_ID_TAKEN", "52": ""}


@pytest.mark.parametrize("identify_by", ["user_id", "email"])
def test_familiar_people_are_updated_part_by_part_in_the_order_they_came(desk, identify_by):
    def rows(plan):
        second = "email" if identify_by == "user_id" else "id"
        return [row(f"p{n}@x.org", **{second: f"P{n}@x.org"}, plan=plan) for n in range(40, 0, -1)]

    desk.run(spec(identify_by), [*rows("free"), row("q@x.org", plan="free")])
    plan = desk.run(spec(identify_by), [*rows("pro"), row("new@x.org")], slice_rows=2)
    updates = [each for each in plan.values() if each["action"] == "update"]
    assert [each["slice"] for each in updates] == [1 + at // 2 for at in range(40)]
    assert [each["pid"] for each in updates] == sorted(each["pid"] for each in updates)
    plans = [person["attributes"].get("plan") for person in desk.people()]
    assert plans == ["pro"] * 40 + ["free", None]
