"""What is wrong with the columns of a result is said before a row is read, with the AS to write."""

import pytest

from rowlift.core.errors import GuardStop
from rowlift.core.nouns import Column, Kind, Preset
from rowlift.core.rules import RULES
from rowlift.core.specs import LimitSpec
from rowlift.engine.columns import check_columns, judge_columns, key_column
from unit.canonforms import spec

BOTH = ("id", "email")


def columns(*names, **types):
    return [Column(name, types.get(name, "text"), types.get(name, "text")) for name in names]


def judged(*names, allowed=BOTH, types=None, **settings):
    return judge_columns(columns(*names, **types or {}), spec(**settings), allowed)


def codes(*names, **settings):
    return [finding.code for finding in judged(*names, **settings)]


@pytest.mark.parametrize(
    ("names", "settings", "key"),
    [
        (("user_id", "plan"), {}, "user_id"),
        (("plan", "id"), {}, "id"),
        (("email", "plan"), {"identify_by": "email"}, "email"),
        (("user_id", "email"), {"identify_by": "email"}, "email"),
        (("id", "email"), {"identify_by": "email"}, "email"),
        (
            ("anonymous_id", "plan"),
            {"identify_by": "anonymous_id", "preset": Preset.TRAITS},
            "anonymous_id",
        ),
        (("group_id", "plan"), {"identify_by": "group_id", "kind": Kind.ACCOUNT}, "group_id"),
        (
            ("object_id", "object_type", "name"),
            {"identify_by": "object_id", "kind": Kind.OBJECT},
            "object_id",
        ),
        (
            ("group_id", "id", "user_id"),
            {"identify_by": "group_id", "kind": Kind.ACCOUNT},
            "group_id",
        ),
    ],
)
def test_a_result_with_its_identifier_is_good(names, settings, key):
    assert codes(*names, **settings) == []
    assert key_column(names, spec(**settings)) == key


@pytest.mark.parametrize(
    ("names", "identify_by", "mend"),
    [
        (("customer_id", "plan"), "user_id", 'SELECT customer_id AS "user_id"'),
        (("plan", "userid", "org_id"), "user_id", 'SELECT userid AS "user_id"'),
        (("name", "e_mail", "id_no"), "email", 'SELECT e_mail AS "email"'),
        (("Customer No", "plan"), "user_id", 'SELECT "Customer No" AS "user_id"'),
        ((), "user_id", 'SELECT … AS "user_id"'),
    ],
)
def test_a_missing_identifier_shows_the_as_to_write(names, identify_by, mend):
    finding = judged(*names, identify_by=identify_by)[0]
    assert finding.code == "NO_IDENTIFIER"
    assert mend in finding.mend


@pytest.mark.parametrize(
    ("name", "identify_by"),
    [("ID", "user_id"), ("User_Id", "user_id"), ("Email", "email"), ("EMAIL", "email")],
)
def test_an_identifier_in_another_case(name, identify_by):
    finding = judged(name, "plan", identify_by=identify_by)[0]
    assert finding.code == "IDENTIFIER_CASE"
    assert f'SELECT "{name}" AS "{name.lower()}"' in finding.mend


@pytest.mark.parametrize(
    "names", [("user_id", "anonymous_id"), ("id", "anonymous_id"), ("id", "user_id", "email")]
)
def test_identifiers_that_exclude_each_other(names):
    assert codes(*names) == ["IDENTIFIER_CLASH"]


@pytest.mark.parametrize(
    "bad", ["float", "bool", "date", "time", "timestamp", "timestamptz", "binary"]
)
def test_types_that_cannot_identify(bad):
    assert codes("user_id", "plan", types={"user_id": bad}) == ["IDENTIFIER_TYPE"]
    assert codes("user_id", "email", types={"email": bad}) == ["IDENTIFIER_TYPE"]


@pytest.mark.parametrize("good", ["text", "int", "decimal", "json"])
def test_types_that_can(good):
    assert codes("user_id", "plan", types={"user_id": good}) == []


def test_an_address_is_a_text():
    assert codes("email", "plan", types={"email": "int"}, identify_by="email") == [
        "IDENTIFIER_TYPE"
    ]


@pytest.mark.parametrize(
    ("allowed", "settings", "expected"),
    [
        (("email",), {}, ["IDENTIFIER_NOT_ALLOWED"]),
        (("id",), {}, []),
        (("id",), {"identify_by": "email"}, ["IDENTIFIER_NOT_ALLOWED"]),
        (("email",), {"workspace": False}, []),
        (BOTH, {"identify_by": "anonymous_id"}, ["IDENTIFIER_NOT_ALLOWED"]),
    ],
)
def test_the_workspace_says_what_identifies(allowed, settings, expected):
    name = settings.get("identify_by", "user_id")
    found = judged(name, "plan", allowed=allowed, **settings)
    assert [finding.code for finding in found] == expected
    assert all("identifiers: [" in finding.message for finding in found)


def test_one_more_column_at_least():
    assert codes("user_id") == ["NO_TRAITS"]


@pytest.mark.parametrize(("preset", "most"), [(Preset.TRAITS, 25), (Preset.IMPORT, 300)])
def test_the_identifier_counts_as_a_column(preset, most):
    names = ["user_id", *(f"c{number}" for number in range(most))]
    settings = {"preset": preset, "limits": LimitSpec(most, 10, None)}
    assert codes(*names[:most], **settings) == []
    (finding,) = judged(*names, **settings)
    assert finding.code == "TOO_MANY_COLUMNS"
    assert f"{most + 1} columns" in finding.message
    assert f"at most {most}" in finding.message


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("user_id", "a", "a"), ["COLUMN_DUPLICATE"]),
        (("user_id", "a", "A"), ["COLUMN_DUPLICATE", "COLUMN_UPPER_CASE"]),
        (("user_id", "Email", "email"), ["COLUMN_DUPLICATE", "COLUMN_UPPER_CASE"]),
        (("user_id", ""), ["COLUMN_UNNAMED"]),
        (("user_id", " "), ["COLUMN_UNNAMED"]),
        (("user_id", "?column?", "?column?"), ["COLUMN_UNNAMED"]),
        (("user_id", "x" * 128), []),
        (("user_id", "x" * 129), ["COLUMN_NAME"]),
        (("user_id", "a\x00"), ["COLUMN_NAME"]),
        (("user_id", "a\nb"), ["COLUMN_NAME"]),
        (("user_id", "\ud800"), ["COLUMN_NAME"]),
        (("user_id", "a.b c\"d'e😀", "ключ"), []),
        (("user_id", "cio_id"), ["RESERVED_COLUMN"]),
        (("user_id", "pid"), ["RESERVED_COLUMN"]),
        (("user_id", "PID"), ["RESERVED_COLUMN", "COLUMN_UPPER_CASE"]),
        (("user_id", "rowlift_id"), ["RESERVED_COLUMN"]),
        (("user_id", "__row_number"), ["RESERVED_COLUMN"]),
        (("user_id", "traits", "messageId"), ["COLUMN_UPPER_CASE"]),
        (("user_id", "type", "created_at", "deleted", "segments"), []),
    ],
)
def test_names(names, expected):
    assert codes(*names) == expected


def test_every_finding_has_a_documented_code_and_a_mend():
    found = judged("ID", "cio_id", "", "a", "a", "b\n", allowed=("email",))
    assert {finding.code for finding in found} <= set(RULES)
    assert all(finding.mend and finding.message for finding in found)
    assert len(found) == 7


def test_a_refusal_names_everything_that_is_wrong():
    with pytest.raises(GuardStop) as stop:
        check_columns(columns("customer_id", "plan", "plan"), spec(), BOTH)
    assert stop.value.code == "COLUMN_DUPLICATE"
    assert "no column user_id or id" in stop.value.message
    assert 'customer_id AS "user_id"' in stop.value.mend


def test_warnings_stop_nothing():
    (finding,) = check_columns(columns("user_id", "Plan"), spec(), BOTH)
    assert (finding.code, finding.level) == ("COLUMN_UPPER_CASE", "warning")
