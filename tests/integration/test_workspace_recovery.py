"""A run that dies between or within slices, and people who change while it writes."""

import multiprocessing
import signal

import pytest
import sqlalchemy as sa

from models.workspace import Desk, anybody, row, spec
from rowlift.core import faults
from rowlift.core.errors import Fenced
from rowlift.engine import apply
from rowlift.engine.writing import write_one_by_one, write_side_by_side
from rowlift.workspace.lookup import count, marks
from rowlift.workspace.numbers import reserve
from rowlift.workspace.records import list_people, person_by_email, person_by_id
from rowlift.workspace.tables import people

ROWS = [row(str(n), email=f"p{n}@x.org", anonymous_id=f"w{n}", v=n) for n in range(7)]
MOVED = [row("0", email="p1@x.org"), row("1", email="p0@x.org")] + [
    row(str(n), "delete" if n == 6 else "upsert", v=-n) for n in range(2, 7)
]


@pytest.fixture
def desk(state_url, tmp_path):
    desk = Desk(state_url, tmp_path / "files")
    yield desk
    desk.close()


def strip(found):
    """Without what tells one process from another."""
    changing = ("created_at", "updated_at")
    return [{k: v for k, v in each.items() if k not in changing} for each in found]


def killed_child(url, scratch, path, writer, fault):
    faults.arm(fault)
    desk = Desk(url, scratch)
    desk.apply(path, writer)


@pytest.mark.parametrize("moment", ["before_commit", "after_commit"])
@pytest.mark.parametrize("nth", [1, 2, 4])
def test_a_run_killed_at_a_slice_goes_on_to_the_same_end(desk, state_url, tmp_path, moment, nth):
    desk.run(spec(), ROWS)
    path, writer = desk.plan(spec(), MOVED, allow_change=True, slice_rows=1)
    fault = f"apply.slice.{moment}:{nth}:kill"
    desk.database.close()
    process = multiprocessing.get_context("fork").Process(
        target=killed_child, args=(state_url, tmp_path / "child", path, writer, fault)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert len({each["email"] for each in desk.people()} - {None}) >= 6
    assert desk.apply(path, writer) == []
    assert desk.apply(path, writer) == []
    found = {each["id"]: each for each in desk.people()}
    assert {key: each["email"] for key, each in found.items()} == {
        "0": "p1@x.org",
        "1": "p0@x.org",
    } | {str(n): f"p{n}@x.org" for n in range(2, 6)}
    assert {key: each["revision"] for key, each in found.items()} == dict.fromkeys("012345", 2)
    assert {key: each["attributes"]["v"] for key, each in found.items()} == {
        "0": 0, "1": 1, "2": -2, "3": -3, "4": -4, "5": -5,
    }  # fmt: skip


def edit(desk, person_id, **values):
    with desk.database.transaction("test.edit") as connection:
        connection.execute(
            people.update()
            .where(people.c.id == person_id)
            .values(revision=people.c.revision + 1, **values)
        )


def test_a_person_edited_meanwhile_is_left_for_the_next_run(desk):
    desk.run(spec(), ROWS)
    rows = [row("1", v="new"), row("2", v="new")]
    path, writer = desk.plan(spec(), rows)
    edit(desk, "1", attributes='{"v":"by hand"}')
    late = desk.apply(path, writer)
    assert [(each.identifier, each.code) for each in late] == [("1", "RECORD_CHANGED")]
    with desk.database.read() as connection:
        from_checkpoint = desk.late(connection, writer)
    assert from_checkpoint == late
    values = {each["id"]: each["attributes"]["v"] for each in desk.people()}
    assert (values["1"], values["2"]) == ("by hand", "new")
    desk.run(spec(), rows)
    assert {each["attributes"]["v"] for each in desk.people() if each["id"] in "12"} == {"new"}


def test_an_address_taken_meanwhile_is_not_taken_twice(desk):
    desk.run(spec(), ROWS)
    rows = [row("new", email="free@x.org"), row("other", email="also@x.org"), row("2", v=0)]
    path, writer = desk.plan(spec(), rows)
    edit(desk, "5", email="free@x.org", email_key="free@x.org")
    late = desk.apply(path, writer)
    assert [(each.identifier, each.code) for each in late] == [("new", "EMAIL_TAKEN")]
    assert {each["id"] for each in desk.people()} == {*"0123456", "other"}


def test_who_counted_on_a_late_row_is_late_too(desk):
    desk.run(spec(), ROWS)
    path, writer = desk.plan(spec(), MOVED, allow_change=True)
    edit(desk, "1", attributes="{}")
    late = desk.apply(path, writer)
    assert {each.identifier: each.code for each in late} == {
        "0": "EMAIL_TAKEN",
        "1": "RECORD_CHANGED",
    }
    emails = {each["id"]: each["email"] for each in desk.people()}
    assert emails == {str(n): f"p{n}@x.org" for n in range(6)}


def test_numbers_are_never_handed_out_twice(desk):
    assert reserve(desk.database, "people", 5) == 1
    assert reserve(desk.database, "people", 1) == 6
    assert reserve(desk.database, "objects", 2) == 1
    desk.run(spec(), [row("1", a=1)])
    desk.run(spec(), [row("1", "delete")])
    desk.run(spec(), [row("1", a=1)])
    assert [each["pid"] for each in desk.people()] == [8]


def test_marks_tell_who_made_a_person_known(desk):
    desk.run(spec(), [row("1", email="A@x.org", anonymous_id="w"), row("2", a=1)], sync_uid="s1")
    desk.run(spec(), [row("2", a=2), row("3", a=3)], sync_uid="s2")
    found = marks(desk.workspace()).read_all().to_pylist()
    assert sorted((each["id"], each["first_writer"], each["other_writers"]) for each in found) == [
        ("1", "s1", False),
        ("2", "s1", True),
        ("3", "s2", False),
    ]
    (ann,) = [each for each in found if each["id"] == "1"]
    assert (ann["email_key"], ann["anonymous_id"]) == ("a@x.org", "w")
    assert count(desk.workspace()) == 3
    assert count(desk.workspace(), besides="s1") == 2


def test_a_person_is_found_by_id_and_by_address(desk):
    desk.run(spec(), [row("1", email="Ann@x.org", anonymous_id="w", a=1, b=1)], sync_uid="s1")
    desk.run(spec(), [row("1", b=2), row("2", b=2)], sync_uid="s2")
    ann = person_by_email(desk.workspace(), "ANN@X.org")
    assert ann == person_by_id(desk.workspace(), "1")
    assert (ann.email, ann.anonymous_ids) == ("Ann@x.org", ("w",))
    assert ann.record.attributes == {"a": 1, "b": 2}
    origins = ann.record.origins
    assert (origins["a"].sync_uid, origins["b"].sync_uid) == ("s1", "s2")
    assert person_by_id(desk.workspace(), "no") is None
    first, second = list_people(desk.workspace(), 10)
    assert (first, second.id) == (ann, "2")
    assert list_people(desk.workspace(), 1, after=first.record.pid) == [second]


def test_two_workspaces_share_a_database_and_nothing_else(desk):
    desk.run(spec(), [row("1", email="a@x.org")])
    with desk.database.transaction("test.move") as connection:
        connection.execute(sa.update(people).values(workspace_id=2))
    desk.run(spec(), [row("1", email="a@x.org")])
    assert [(each["workspace_id"], each["id"]) for each in desk.people()] == [(2, "1"), (1, "1")]
    assert count(desk.workspace()) == 1


def test_people_changed_side_by_side_are_as_changed_one_by_one(desk):
    desk.run(spec(), ROWS)
    path, writer = desk.plan(spec(), [row(str(n), v=-n) for n in range(7)], slice_rows=1)
    edit(desk, "3", attributes='{"v":"by hand"}')

    def write(number, rows):
        with desk.database.transaction("apply.slice") as connection:
            return apply.apply_slice(
                connection, desk.workspace(), writer, number, rows, hold=anybody
            )

    write_all = write_one_by_one if desk.database.is_sqlite else write_side_by_side
    done = dict(write_all(apply.slices(path), write))
    assert list(done) == list(range(7))
    late = [one for each in done.values() for one in each.late]
    assert [(each.identifier, each.code) for each in late] == [("3", "RECORD_CHANGED")]
    assert desk.apply(path, writer) == late
    values = {each["id"]: each["attributes"]["v"] for each in desk.people()}
    assert values == {str(n): -n for n in range(7)} | {"3": "by hand"}


def test_who_holds_no_lease_leaves_nothing(desk):
    desk.run(spec(), ROWS)
    path, writer = desk.plan(spec(), [row("1", v="late")])

    def refuse(_connection):
        raise Fenced("FENCED", "Another process took over.")

    ((number, rows),) = apply.slices(path)
    with pytest.raises(Fenced), desk.database.transaction("apply.slice") as connection:
        apply.apply_slice(connection, desk.workspace(), writer, number, rows, hold=refuse)
    assert {each["attributes"]["v"] for each in desk.people()} == set(range(7))
    assert desk.apply(path, writer) == []


EARLY = 40  # people, so that a few rows are few beside them
MOVING = ("pid", "run_id", "as_of", "origins", "created_at", "updated_at")


@pytest.mark.parametrize("own", ["user_id", "email"])
def test_who_is_looked_up_early_becomes_the_same(desk, own):
    key = "{}@x.org" if own == "email" else "{}"
    other = "id" if own == "email" else "email"
    rows = [
        row(key.format(1), a="new"),
        row(key.format(2), b=None),
        row(key.format(3), **{other: "3@y.org", "a": 0}),
        row(key.format(4), anonymous_id="w4", c=[1]),
        row(key.format(5), "delete"),
        row(key.format(6), "clear"),
        row(key.format("new"), a=1),
    ]
    found = []
    for slice_rows in (1, 20_000):  # of the former five rows are too many to be asked for early
        desk.clear()
        desk.run(spec(own), [row(key.format(n), a=n, b=n) for n in range(EARLY)])
        desk.run(spec(own), rows, slice_rows=slice_rows)
        found.append([each | dict.fromkeys(MOVING, 0) for each in desk.people()])
    assert found[0] == found[1]
    assert {each[other] for each in found[1]} == {None, "3@y.org"}
