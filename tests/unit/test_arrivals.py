"""Rows that stand in the image as they came are not judged again; everything else is."""

import pytest

from rowlift.engine.merge import find_changes, load_image, refresh, write_first
from rowlift.engine.validate import judge
from unit.canonforms import duck, field, spec, stage

ID = field("user_id", "text")
EMAIL = field("email", "text")
PLAN = field("plan", "text")
META = field("meta", "json")


@pytest.fixture
def world(tmp_path):
    with duck(tmp_path / "engine") as opened:
        yield World(opened, tmp_path)


class World:
    """An image that was made from some rows, and what a next result looks like beside it."""

    def __init__(self, engine, folder):
        self.engine = engine
        self.folder = folder
        self.present = 0
        self.imports = 0

    def staged(self, fields, rows):
        self.imports += 1
        return stage(self.folder / f"staged-{self.imports}.parquet", fields, rows)

    def first(self, fields, rows, **settings):
        found = judge(self.engine, self.staged(fields, rows), spec(**settings))
        path = self.folder / "image.parquet"
        self.present = write_first(self.engine, path, found.judged.path)
        load_image(self.engine, path, [])

    def then(self, fields, rows, *, full=True, **settings):
        found = judge(
            self.engine, self.staged(fields, rows), spec(**settings), version=2, first=False
        )
        merged = find_changes(
            self.engine, known=found.known, present=self.present, full=full, first=False
        )
        changes = dict(self.engine.rows("SELECT key, change FROM changed_keys"))
        return found.known, changes, merged


ROWS = [("1", "free"), ("2", "pro"), ("3", None)]


def test_what_came_before_is_known(world):
    world.first([ID, PLAN], ROWS)
    known, changes, merged = world.then([ID, PLAN], ROWS[::-1])
    assert (known, changes, merged.unchanged, merged.present) == (3, {}, 3, 3)


def test_only_what_differs_is_judged(world):
    world.first([ID, PLAN], ROWS)
    rows = [("1", "free"), ("2", "free"), ("4", "free")]
    known, changes, merged = world.then([ID, PLAN], rows)
    assert (known, changes) == (1, {"2": "changed", "3": "removed", "4": "added"})
    assert (merged.unchanged, merged.present) == (1, 3)


def test_rows_that_may_have_changed_are_told_of_before_they_are_judged(world):
    told = []

    def ahead(keys):
        told.append(world.engine.rows(f"SELECT key FROM {keys} ORDER BY key"))

    world.first([ID, PLAN], ROWS)
    staged = world.staged([ID, PLAN], [("1", "free"), ("2", "free"), ("4", "free")])
    judge(world.engine, staged, spec(), first=False, ahead=ahead)
    assert told == [[("2",), ("4",)]]


def test_T12_what_only_looks_alike_when_joined_is_a_change(world):
    fields = [ID, PLAN, field("city", "text")]
    world.first(fields, [("1", "ab", "c"), ("2", None, "x"), ("3", "x", ""), ("4", "x", "y")])
    rows = [("1", "a", "bc"), ("2", "", "x"), ("3", "x", None), ("4", "y", "x")]
    known, changes, _ = world.then(fields, rows)
    assert (known, changes) == (0, dict.fromkeys("1234", "changed"))


def test_a_part_of_the_rows_removes_nothing(world):
    world.first([ID, PLAN], ROWS)
    known, changes, _ = world.then([ID, PLAN], ROWS[:1], full=False)
    assert (known, changes) == (1, {})


def test_a_known_row_that_comes_twice_is_rejected_twice_and_not_removed(world):
    world.first([ID, PLAN], ROWS)
    known, changes, merged = world.then([ID, PLAN], [*ROWS, ROWS[0]])
    assert (known, changes, merged.unchanged) == (2, {}, 2)
    codes = world.engine.rows("SELECT row_number, code FROM rejected")
    assert codes == [(1, "ID_DUPLICATE"), (4, "ID_DUPLICATE")]


def test_a_key_whose_row_is_rejected_is_not_removed(world):
    world.first([ID, EMAIL], [("1", "ann@x.yz"), ("2", "bob@x.yz")])
    known, changes, _ = world.then([ID, EMAIL], [("1", "ann@x.yz"), ("2", "nonsense")])
    assert (known, changes) == (1, {})
    assert world.engine.rows("SELECT code FROM rejected") == [("EMAIL_INVALID",)]


@pytest.mark.parametrize(
    ("fields", "rows", "settings"),
    [
        ([ID, PLAN], ROWS, {"empty_values": "delete"}),
        ([ID, PLAN], ROWS, {"empty_strings": "as_null"}),
        ([ID, field("tier", "text")], ROWS, {}),
        ([PLAN, ID], [row[::-1] for row in ROWS], {}),
        ([ID, field("plan", "binary")], [("1", "ff"), ("2", "aa"), ("3", None)], {}),
    ],
)
def test_whatever_a_judgement_depends_on_makes_every_row_be_judged(world, fields, rows, settings):
    world.first([ID, PLAN], ROWS)
    assert world.then(fields, rows, **settings)[0] == 0


def test_other_spellings_of_a_value_are_no_change_and_known_after_a_refresh(world):
    world.first([ID, META], [("1", '{"a": 1, "b": 2}'), ("2", "[]")])
    rows = [("1", '{"b":2,"a":1.0}'), ("2", "[]")]
    known, changes, merged = world.then([ID, META], rows)
    assert (known, changes, merged.unchanged) == (1, {}, 2)
    refresh(world.engine)
    assert world.then([ID, META], rows)[0] == 2


def test_keys_are_compared_as_the_image_spells_them(world):
    world.first([EMAIL, PLAN], [("Ann@x.yz", "a"), ("JÖRG@x.yz", "b")], identify_by="email")
    rows = [("ann@x.yz", "a"), ("JÖRG@x.yz", "b")]
    known, changes, merged = world.then([EMAIL, PLAN], rows, identify_by="email")
    assert (known, changes, merged.removed) == (1, {"ann@x.yz": "changed"}, 0)


def test_identifiers_inside_json_are_known_too(world):
    key = field("user_id", "json")
    world.first([key, PLAN], [('"1"', "a"), ("2", "b")])
    known, changes, _ = world.then([key, PLAN], [('"1"', "a"), ("2.0", "b"), ('"3"', "c")])
    assert (known, changes) == (2, {"3": "added"})


def test_a_removed_row_that_comes_back_as_it_was_returns(world):
    world.first([ID, PLAN], ROWS)
    world.engine.run("CREATE OR REPLACE TEMP VIEW image AS SELECT * REPLACE (key <> '2' AS present)"
                     f" FROM read_parquet('{world.folder / 'image.parquet'}')")  # fmt: skip
    world.present = 2
    known, changes, _ = world.then([ID, PLAN], ROWS)
    assert (known, changes) == (2, {"2": "returned"})
