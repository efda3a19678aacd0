"""The form of an audience and its document: the way there and back changes nothing."""

import random
from dataclasses import replace

import hypothesis
import pytest
from hypothesis import strategies as st
from pydantic import ValidationError

from rowlift.core.errors import ConfigError
from rowlift.operations.callers import CONSOLE
from rowlift.operations.glance import About
from rowlift.project.audiences import AudienceFile
from rowlift.web.pages.audience_form import beginning, pressed, read, shown, written
from rowlift.web.pages.building import Writing
from rowlift.web.pages.condition_rows import Group, NotRows, Row, scalar, text, word
from rowlift.web.pages.render import Frame
from rowlift.web.pages.render import text as page_of
from sheets import Sheet

FRAME = Frame(About("acme", "0", None, 0, 0, 0), CONSOLE, "", "/new/audience", "system", "", True)
HOSTILE = [
    "pro", "5", "-1e3", "true", "false", "null", '"', '"5"', '"x', "a\nb", " ", " pro ", "\u2028",
    "<img src=x onerror=alert(1)>\"'{{7*7}}", "</textarea>", "&amp;", "\x00", "größe", "1" * 60,
]  # fmt: skip
TEXTS = st.sampled_from(HOSTILE) | st.text(min_size=1, max_size=12)
NUMBERS = st.integers(-(10**14), 10**14) | st.sampled_from([0.5, -2.25, 1e-7, 1e300, 12.5])
SCALARS = TEXTS | NUMBERS | st.booleans()
SPANS = st.sampled_from(["30d", "12h", "0s"])
MOMENTS = st.sampled_from(["2026-11-21", "2026-11-21T08:00:00", "2026-11-21T08:00Z"])
TESTS = {
    "is": SCALARS, "is_not": SCALARS, "one_of": st.lists(SCALARS, min_size=1, max_size=3),
    "contains": SCALARS, "starts_with": TEXTS, "ends_with": TEXTS, "more_than": NUMBERS,
    "at_least": NUMBERS, "less_than": NUMBERS, "at_most": NUMBERS, "since": MOMENTS,
    "before": MOMENTS, "within_last": SPANS, "within_next": SPANS, "present": st.just(True),
    "missing": st.just(True),
}  # fmt: skip
NAMES = st.sampled_from(["plan", "id", "a b", " led", "5", "größe 'x'", "<b>", "x" * 100])
VALUED = st.builds(
    lambda name, tests: {"attribute": name, **tests},
    NAMES, st.lists(st.sampled_from(list(TESTS)), min_size=1, max_size=3, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({one: TESTS[one] for one in names})
    ),
)  # fmt: skip


def joined(of):
    lists = st.lists(of, max_size=3)
    joins = st.sampled_from(["all", "any", "none"])
    return st.builds(lambda join, found: {join: found}, joins, lists)


INNER = st.recursive(VALUED, joined, max_leaves=4)
COUNTS = st.integers(0, 9)
DID = st.fixed_dictionaries(
    {"event": TEXTS},
    optional={
        "type": st.sampled_from(["track", "page", "screen"]), "at_least": COUNTS, "at_most": COUNTS,
        "within_last": SPANS, "where": INNER,
    },
)  # fmt: skip
RELATED = st.fixed_dictionaries(
    {"related": st.sampled_from(["1", 1, "course", "<i>"])},
    optional={"where": INNER, "relationship": INNER},
)
SEGMENT = st.fixed_dictionaries({"segment": st.sampled_from(["Beta", "5", "<b>'\"", "true"])})
CONDITIONS = st.recursive(VALUED | DID | RELATED | SEGMENT, joined, max_leaves=6)
PRINTED = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20)
DOCUMENTS = st.fixed_dictionaries(
    {"where": CONDITIONS},
    optional={
        "exclude": CONDITIONS, "description": PRINTED, "every": st.just("2h"),
        "limit": st.fixed_dictionaries(
            {"most": st.integers(1, 10**6), "by": NAMES},
            optional={"order": st.sampled_from(["highest", "lowest"])},
        ),
        "waterfall": st.fixed_dictionaries({"name": st.just("care"), "place": st.integers(1, 9)}),
        "split": st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from([10, 12.5, 33])),
        "renamed_from": st.just("before"),
    },
)  # fmt: skip


def meaning(document):
    """The spec of a document, None where it has none."""
    try:
        return AudienceFile.model_validate({"audience": "a", **document}).spec()
    except ValidationError:
        return None


def sent(form, document=""):
    """What a browser sends of the page with a form."""
    writing = Writing("a", document, 1, form)
    page = page_of("audience_edit.html", page=writing, frame=FRAME, wrong=None)
    return Sheet(page, "audience").fields


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(DOCUMENTS)
def test_a_document_comes_back_from_its_form_as_it_was(document):
    before = meaning(document)
    hypothesis.assume(before is not None)
    form = shown(document)
    assert meaning(written(form)) == before
    assert shown(written(form)) == form
    found = sent(form)
    assert read(found) == form
    assert found.get("mode") == "rows"


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(SCALARS)
def test_a_value_is_typed_so_that_it_is_read_as_what_it_is(value):
    assert (scalar(word(value)), type(scalar(word(value)))) == (value, type(value))
    assert "\n" not in word(value)


def test_values_are_typed_as_one_would_write_them():
    assert [scalar(one) for one in ("pro", "5", "-0.5", "true", '"5"', "1.2.3", "")] == [
        "pro", 5, -0.5, True, "5", "1.2.3", "",
    ]  # fmt: skip
    assert text('"half') == '"half'


@pytest.mark.parametrize(
    "document",
    [
        {}, {"where": {}}, {"where": "plan is pro"}, {"where": {"plan": "pro"}},
        {"where": {"all": {"segment": "a"}}}, {"where": {"attribute": "plan", "is": {"a": 1}}},
        {"where": {"all": [], "any": []}}, {"where": {"segment": None}},
        {"where": {"attribute": "x", "one_of": "pro"}},
        {"where": {"segment": "a"}, "limit": {"most": 5, "by": "mrr", "of": "x"}},
        {"where": {"segment": "a"}, "split": [1]},
        {"where": {"attribute": "x", "one_of": [str(one) for one in range(101)]}},
    ],
)  # fmt: skip
def test_what_rows_would_not_show_as_it_is_stays_yaml(document):
    with pytest.raises(NotRows):
        shown(document)


def names(group):
    return [names(one) if isinstance(one, Group) else one.name for one in group.of]


def tree(*names_):
    """Attributes by name, lists of them as groups."""
    (row,) = beginning().where.of
    return tuple(
        Group("any", tree(*one)) if isinstance(one, list) else replace(row, name=one)
        for one in names_
    )


def after(button, *before):
    form, focus = pressed(replace(beginning(), where=Group("all", tree(*before))), button)
    return names(form.where), focus


def test_rows_move_through_groups_and_out_of_them():
    assert after("up where-1", "a", "b") == (["b", "a"], "where-0-up")
    assert after("down where-0", "a", "b") == (["b", "a"], "where-1-down")
    assert after("up where-1", ["a"], "b") == ([["a", "b"]], "where-0-1-up")
    assert after("down where-0", "a", ["b"]) == ([["a", "b"]], "where-0-0-down")
    assert after("up where-1-0", "x", ["a", "b"]) == (["x", "a", ["b"]], "where-1-up")
    assert after("down where-0-1", ["a", "b"], "x") == ([["a"], "b", "x"], "where-1-down")
    assert after("up where-0-0", ["a"], "x") == (["a", "x"], "where-0-up")
    assert after("down where-0-0", ["a"], "x") == (["a", "x"], "where-0-down")
    assert after("remove where-1-0", "x", ["a"]) == (["x"], "where-add")
    assert after("add where-0 segment", ["a"]) == ([["a", ""]], "where-0-1-name")
    assert after("add where group", "a") == (["a", [""]], "where-1-0-name")


@pytest.mark.parametrize(
    "button",
    [
        "up where-0",
        "down where-1",
        "up where",
        "remove where",
        "remove where-9",
        "up where-x",
        "add where-7 segment",
        "add where nonsense",
        "test where",
        "value where-0 9",
        "up else-0",
        "up where-0-where-0",
        "",
        " ",
        "up where-²",
        "untest where-0 x",
        "add exclude-0 group",
    ],
)
def test_a_button_of_rows_that_are_not_there_changes_nothing(button):
    form = replace(beginning(), where=Group("all", tree("a", "b")))
    assert pressed(form, button)[0] == form


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(DOCUMENTS, st.integers())
def test_no_button_loses_a_row(document, seed):
    hypothesis.assume(meaning(document) is not None)
    form, chance = shown(document), random.Random(seed)
    rows = sorted(map(repr, leaves(form.where)))
    for _ in range(6):
        place = chance.choice([*places("where", form.where)])
        form, _ = pressed(form, f"{chance.choice(['up', 'down'])} {place}")
        assert sorted(map(repr, leaves(form.where))) == rows


def leaves(group):
    for one in group.of:
        yield from leaves(one) if isinstance(one, Group) else (one,)


def places(place, group):
    yield place
    for at, one in enumerate(group.of):
        inner = places(f"{place}-{at}", one) if isinstance(one, Group) else (f"{place}-{at}",)
        yield from inner


def test_two_tests_of_one_name_are_both_kept():
    form, focus = pressed(shown({"where": {"attribute": "a", "is_not": "x"}}), "test where-0")
    (row,) = form.where.of
    assert isinstance(row, Row)
    assert focus == "where-0-test-1"
    both = replace(row, tests=(row.tests[0], replace(row.tests[0], values=("y",))))
    document = written(replace(form, where=replace(form.where, of=(both,))))
    assert document["where"] == {
        "all": [{"attribute": "a", "is_not": "x"}, {"attribute": "a", "is_not": "y"}]
    }


def test_parts_of_one_name_and_rows_too_deep_are_refused():
    with pytest.raises(ConfigError, match="same name"):
        written(replace(beginning(), split=(("a", "1"), ("a", "2"))))
    deep = {f"where{'-0' * level}:form": "group" for level in range(1, 40)}
    with pytest.raises(ConfigError, match="levels deep"):
        read(Sheet("<form id=x>" + "".join(
            f'<input name="{name}" value="{value}">' for name, value in deep.items()
        ), "x").fields)  # fmt: skip


def test_yaml_comes_back_as_it_was_written_where_the_rows_say_the_same():
    yaml = "# whom to call\nwhere: {attribute: plan, is: pro}  # paying\n"
    rows = Writing("a", yaml, 1).as_rows()
    assert rows.as_yaml() == Writing("a", yaml, 1)
    changed = replace(rows, form=replace(rows.form, description="x"))
    assert changed.as_yaml().document == "description: x\nwhere:\n  attribute: plan\n  is: pro"
