"""Whose rows arrive is looked up while they are judged, and decided from one snapshot."""

from dataclasses import replace

import pytest

from models.workspace import Desk, by_key, due, row, spec
from rowlift.core.nouns import Kind
from rowlift.engine import apply
from rowlift.engine.early import LookAhead
from rowlift.workspace.workspace import Writer

KNOWN = 20
MOST = 3
WRITER = Writer("s1", 100, 1_700_000_100)
CHANGED = [row("1", plan="pro", email="p1@x.org"), row("2", plan="pro", email="p2@x.org")]


@pytest.fixture
def desk(state_url, tmp_path):
    desk = Desk(state_url, tmp_path / "files")
    known = [row(str(n), plan="free", email=f"p{n}@x.org") for n in range(KNOWN)]
    desk.run(spec(), known)
    yield desk
    desk.close()


@pytest.fixture
def people(desk):
    with LookAhead(desk.workspace(), spec()) as people:
        yield people


def ask(desk, people, rows):
    desk.duck.register("mine", due(rows))
    people.ask(desk.duck, "mine", MOST)


def apply_early(desk, people):
    """Decide from what was looked up, and write; returns the late rejects and the plan."""
    path = desk.scratch / "early.parquet"
    given = replace(apply.Due("mine"), early=people.of(desk.duck, "mine"))
    apply.decide(desk.duck, people.workspace, spec(), given, WRITER)
    people.close()
    apply.write_plan(desk.duck, path)
    return desk.apply(path, WRITER), by_key(path)


def plans(desk):
    return {one["id"]: one["attributes"]["plan"] for one in desk.people()}


def test_who_was_looked_up_is_written(desk, people):
    ask(desk, people, CHANGED)
    assert people.of(desk.duck, "mine").keys == len(CHANGED)
    late, plan = apply_early(desk, people)
    assert (late, {each["action"] for each in plan.values()}) == ([], {"update"})
    told = plans(desk)
    assert (told["0"], told["1"], told["2"]) == ("free", "pro", "pro")


def test_of_those_looked_up_a_part_may_be_due(desk, people):
    ask(desk, people, CHANGED)
    desk.duck.register("mine", due(CHANGED[1:]))
    late, plan = apply_early(desk, people)
    assert (late, list(plan)) == ([], ["2"])
    assert plans(desk)["1"] == "free"


def test_who_is_due_besides_is_looked_up_too(desk, people):
    ask(desk, people, CHANGED)
    desk.duck.register("mine", due([*CHANGED, row("3", plan="pro")]))
    late, plan = apply_early(desk, people)
    assert (late, sorted(plan)) == ([], ["1", "2", "3"])
    told = plans(desk)
    assert [told[each] for each in "1234"] == ["pro", "pro", "pro", "free"]


def test_too_many_besides_make_it_void(desk, people):
    ask(desk, people, CHANGED)
    desk.duck.register("mine", due([*CHANGED, row("3", plan="pro"), row("4", plan="pro")]))
    assert people.of(desk.duck, "mine") is None
    assert apply_early(desk, people)[0] == []
    told = plans(desk)
    assert [told[each] for each in "1234"] == ["pro"] * 4


@pytest.mark.parametrize("odd", ["\0", "é", "1" * 501], ids=["NUL", "accent", "long"])
def test_what_a_database_may_refuse_is_not_looked_up_before_it_was_judged(desk, people, odd):
    ask(desk, people, [*CHANGED, row(odd)])
    desk.duck.register("mine", due(CHANGED))
    assert people.of(desk.duck, "mine").keys == len(CHANGED)
    assert apply_early(desk, people)[0] == []


def test_what_others_write_meanwhile_is_not_overwritten(desk, people):
    ask(desk, people, CHANGED)
    desk.run(spec(), [row("1", plan="vip")], sync_uid="s2")
    late, _ = apply_early(desk, people)
    assert [one.identifier for one in late] == ["1"]
    told = plans(desk)
    assert (told["1"], told["2"]) == ("vip", "pro")


def test_an_address_is_judged_by_its_owner_of_the_same_moment(desk, people):
    ask(desk, people, [row("1", plan="pro", email="p2@x.org")])
    desk.run(spec(), [row("2", "delete")])
    late, plan = apply_early(desk, people)
    assert (late, plan["1"]["code"]) == ([], "EMAIL_TAKEN")


@pytest.mark.parametrize(
    "rows", [[], [row(str(n)) for n in range(MOST + 1)]], ids=["none", "too many"]
)
def test_nobody_is_looked_up_where_it_does_not_pay(desk, people, rows):
    ask(desk, people, rows)
    assert people.of(desk.duck, "mine") is None


def test_objects_are_not_looked_up_as_people(desk):
    with LookAhead(desk.workspace(), spec("object_id", Kind.OBJECT)) as people:
        ask(desk, people, CHANGED)
        assert people.of(desk.duck, "mine") is None
