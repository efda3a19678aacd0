"""Rows that break a rule are named, counted and shown; the others go on in canonical form."""

import json
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rowlift.core.errors import GuardStop
from rowlift.core.nouns import Removed
from rowlift.core.rules import RULES
from rowlift.core.specs import GuardSpec, LimitSpec, Threshold
from rowlift.engine.validate import validate
from unit.canonforms import duck, field, spec, stage

ID = field("user_id", "text")
EMAIL = field("email", "text")
PLAN = field("plan", "text")
META = field("meta", "json")


@pytest.fixture
def engine(tmp_path):
    with duck(tmp_path) as opened:
        yield opened


@pytest.fixture
def judge(engine):
    """Stage rows, validate them and return what became of each, by row number."""

    def run(fields, rows, **settings_):
        # DuckDB remembers what it read from a path: staged files never change.
        staged = stage(engine.scratch_file("staged"), fields, rows)
        validated = validate(engine, staged, spec(**settings_))
        found = dict(engine.rows("SELECT row_number, key FROM valid"))
        found |= dict(engine.rows("SELECT row_number, code FROM rejected"))
        assert sorted(found) == list(range(1, len(rows) + 1))
        assert validated.valid + validated.rejected == validated.read == len(rows)
        return [found[number] for number in sorted(found)]

    return run


def test_good_rows_carry_key_attributes_and_fingerprint(engine, tmp_path):
    rows = [("1", "Ann@x.yz", "free"), ("2", None, "")]
    staged = stage(tmp_path / "staged.parquet", [ID, EMAIL, PLAN], rows)
    validated = validate(engine, staged, spec())
    assert (validated.read, validated.valid, validated.rejected) == (2, 2, 0)
    first, second = '{"email":"Ann@x.yz","plan":"free"}', '{"plan":""}'
    prints = engine.one("SELECT hash(?), hash(?)", [first, second])
    assert engine.rows("SELECT row_number, key, fp, attributes FROM valid ORDER BY row_number") == [
        (1, "1", prints[0], first),
        (2, "2", prints[1], second),
    ]
    assert engine.rows("SELECT * FROM rejected") == []


@pytest.mark.parametrize(
    ("identifier", "code"),
    [
        (None, "ID_NULL"),
        ("", "ID_BLANK"),
        ("   ", "ID_BLANK"),
        ("\u00a0\u2003", "ID_BLANK"),
        ("\u200b\ufeff", "ID_BLANK"),
        ("x" * 501, "ID_TOO_LONG"),
        ("x" * 10_000, "ID_TOO_LONG"),
        ("a\x00b", "ID_CHARACTERS"),
        ("a\nb", "ID_CHARACTERS"),
        ("a\tb", "ID_CHARACTERS"),
        ("a\x85b", "ID_CHARACTERS"),
    ],
)
def test_identifiers_that_cannot_be_used(judge, identifier, code):
    assert judge([ID, PLAN], [(identifier, "free"), ("good", "free")]) == [code, "good"]


@pytest.mark.parametrize(
    "identifier",
    [
        " 1", "1 ", "0", "-0", "00", "1.0", "1e3", "9007199254740993", "1" + "0" * 400, "true",
        "{6F9619FF-8B86-D011-B42D-00CF4FC964FF}", "é", "e\u0301", "İ", "ß", "a\u200db", "\u202ea",
        "👨‍👩‍👧", "__proto__", "../../x", "%2F", "?x=1#", "null", "<img onerror=x>", "=cmd|",
        "{{last_sync_time}}", "x" * 500, "é" * 500, '"', "'", "\\", "{", "[1]",
    ],
)  # fmt: skip
def test_identifiers_are_taken_as_they_are(judge, identifier):
    assert judge([ID, PLAN], [(identifier, "free"), ("good", None)]) == [identifier, "good"]


def test_every_row_of_a_duplicated_key_is_rejected(judge):
    rows = [("a", "1"), ("b", "1"), ("a", "2"), ("A", "1"), ("a", "1")]
    assert judge([ID, PLAN], rows) == ["ID_DUPLICATE", "b", "ID_DUPLICATE", "A", "ID_DUPLICATE"]


def test_a_row_that_breaks_another_rule_still_makes_a_duplicate(judge):
    rows = [("a", "{"), ("a", "{}"), ("b", "{}")]
    assert judge([ID, META], rows) == ["ID_DUPLICATE", "ID_DUPLICATE", "b"]


def test_numbers_are_equal_by_value_and_texts_by_spelling(judge):
    assert judge([ID, PLAN], [("1", "x"), ("1.0", "x"), (" 1", "x"), ("01", "x")]) == [
        "1", "1.0", " 1", "01",
    ]  # fmt: skip
    number = field("user_id", "decimal")
    assert judge([number, PLAN], [("1", "x"), ("1.0", "x"), ("2", "x")]) == [
        "ID_DUPLICATE", "ID_DUPLICATE", "2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "key"),
    [
        ("Ann@X.yz", "ann@x.yz", "ann@x.yz"),
        ("STRASSE@x.yz", "straße@x.yz", "strasse@x.yz"),
        ("ÖZIL@x.yz", "özil@X.YZ", "özil@x.yz"),
        ("İ@x.yz", "i\u0307@x.yz", "i\u0307@x.yz"),
    ],
)
def test_addresses_are_one_key_whatever_their_case(judge, engine, one, other, key):
    rows = [(one, "1"), (other, "2"), ("else@x.yz", "3")]
    assert judge([EMAIL, PLAN], rows, identify_by="email")[:2] == ["ID_DUPLICATE"] * 2
    assert judge([EMAIL, PLAN], rows[:1], identify_by="email") == [key]
    assert json.loads(engine.one("SELECT attributes FROM valid")[0])["email"] == one


@pytest.mark.parametrize(
    "address", ["plain", "a@x..yz", "a@x.yz,b@x.yz", "Name <a@x.yz>", "a@x.yz.", "a@x.yz\r\nBcc: z"]
)
def test_wrong_addresses_are_rejected_as_key_and_beside_it(judge, address):
    rows = [("good@x.yz", "1"), (address, "2")]
    assert judge([EMAIL, PLAN], rows, identify_by="email") == ["good@x.yz", "EMAIL_INVALID"]
    rows = [("1", "good@x.yz"), ("2", address), ("3", None)]
    assert judge([ID, EMAIL], rows) == ["1", "EMAIL_INVALID", "3"]


@pytest.mark.parametrize(
    "address",
    ["a@b", '"a b"@x.yz', "a@[127.0.0.1]", "用户@例子.example", "x" * 64 + "@example.com"],
)
def test_unusual_addresses_pass(judge, address):
    assert judge([EMAIL, PLAN], [(address, "1")], identify_by="email") == [address]


def test_other_identifiers_are_judged_too(judge):
    rows = [("a@x.yz", "1"), ("b@x.yz", " "), ("c@x.yz", None), ("d@x.yz", "a\x00"),
            ("e@x.yz", "x" * 501), ("f@x.yz", "1")]  # fmt: skip
    assert judge([EMAIL, field("id", "text")], rows, identify_by="email") == [
        "a@x.yz", "ID_BLANK", "c@x.yz", "ID_CHARACTERS", "ID_TOO_LONG", "f@x.yz",
    ]  # fmt: skip


@pytest.mark.parametrize("broken", ["{", '{"a":1,"a":2}', "[" * 200 + "]" * 200, '"\\ud800"', ""])
def test_broken_json_rejects_its_row_alone(judge, broken):
    assert judge([ID, META], [("1", broken), ("2", "[1]"), ("3", None)]) == [
        "JSON_INVALID",
        "2",
        "3",
    ]


def test_json_identifiers_are_single_values(judge):
    rows = [('{"a":1}', "x"), ("[1]", "x"), ('"one"', "x"), ("2", "x"), ("null", "x")]
    assert judge([field("user_id", "json"), PLAN], rows) == [
        "ID_CHARACTERS", "ID_CHARACTERS", "one", "2", "ID_NULL",
    ]  # fmt: skip


def test_bytes_that_are_no_text_reject_their_row(judge):
    raw = field("plan", "text", pa.binary())
    assert judge([ID, raw], [("1", b"caf\xc3\xa9"), ("2", b"caf\xe9")]) == ["1", "TEXT_ENCODING"]
    raw = field("user_id", "text", pa.binary())
    assert judge([raw, PLAN], [(b"\xff", "x"), (b"ok", "x")]) == ["TEXT_ENCODING", "ok"]


@pytest.mark.parametrize("data_field", [PLAN, META])
def test_a_nul_character_cannot_be_carried(judge, data_field):
    values = ["a\x00", "a\\u0000", "a\\\x00", "\x00"]
    texts = values if data_field is PLAN else [json.dumps([value]) for value in values]
    rows = [(str(at), text) for at, text in enumerate(texts)]
    assert judge([ID, data_field], rows) == ["VALUE_INVALID", "1", "VALUE_INVALID", "VALUE_INVALID"]


def test_one_huge_cell_does_not_take_the_run_with_it(judge):
    rows = [("1", "x" * (16 * 1024 * 1024)), ("2", "x" * (16 * 1024 * 1024 + 1)), ("3", "x")]
    assert judge([ID, PLAN], rows) == ["RECORD_TOO_LARGE", "RECORD_TOO_LARGE", "3"]


def test_column_names_need_no_care(judge, engine):
    odd = [field(name, "text") for name in ('a"b', "a'b", "a b", "ключ", "select", "C1", "c0")]
    assert judge([ID, *odd], [("1", *"1234567")]) == ["1"]
    assert json.loads(engine.one("SELECT attributes FROM valid")[0]) == {
        one.name: value for one, value in zip(odd, "1234567", strict=True)
    }


def test_rejects_name_row_identifier_code_and_reason(judge, engine):
    judge([ID, EMAIL], [(None, None), ("1", "nope"), ("2", None)])
    assert engine.rows("SELECT * FROM rejected") == [
        (1, None, "ID_NULL", "user_id is null."),
        (2, "1", "EMAIL_INVALID", "email is not a valid address."),
    ]


def test_keys_of_rejected_rows_have_arrived(judge, engine):
    rows = [("Ann@x.yz", "{"), ("BOB@x.yz", "{}"), ("bob@x.yz", "{}"), (None, "{}")]
    judge([EMAIL, META], rows, identify_by="email")
    found = engine.rows("SELECT hashed_key = hash('ann@x.yz'), hashed_key = hash('bob@x.yz') FROM"
                        " arrived WHERE NOT no_key ORDER BY row_number")  # fmt: skip
    assert found == [(True, False), (False, True), (False, True)]


def test_stop_lists_each_rule_with_count_examples_and_mend(engine, tmp_path):
    rows = [(None, "x"), ("a", "x"), ("a", "x"), ("b", "x"), ("", "x"), (None, "x")]
    staged = stage(tmp_path / "staged.parquet", [field("id", "text"), PLAN], rows)
    with pytest.raises(GuardStop) as stop:
        validate(engine, staged, spec(on_bad_rows="stop"))
    assert stop.value.code == "BAD_ROWS"
    message = stop.value.message
    assert "5 of 6 rows break the rules" in message
    assert (
        "ID_DUPLICATE: The identifier appears more than once in 2 rows ('a' in 2 rows)" in message
    )
    assert "ID_NULL: The identifier is null in 2 rows (null in 2 rows)" in message
    assert "ID_BLANK: The identifier is empty or only spaces in 1 row ('' in row 5)" in message
    assert "WHERE id IS NOT NULL" in message
    assert "GROUP BY" in message
    assert "on_bad_rows: reject" in stop.value.mend


def test_examples_are_the_first_five(engine, tmp_path):
    rows = [(f"bad\n{number}", "x") for number in range(9)]
    staged = stage(tmp_path / "staged.parquet", [ID, PLAN], rows)
    (problem,) = validate(engine, staged, spec()).problems
    assert (problem.code, problem.count) == ("ID_CHARACTERS", 9)
    assert problem.examples == tuple(f"'bad\\n{at}' in row {at + 1}" for at in range(5))


def test_too_many_rows_stop_before_anything_is_judged(engine, tmp_path):
    staged = stage(tmp_path / "staged.parquet", [ID, PLAN], [("1", "x"), ("2", "x")])
    with pytest.raises(GuardStop) as stop:
        validate(engine, staged, spec(limits=LimitSpec(300, 1, None)))
    assert stop.value.code == "TOO_MANY_ROWS"


@pytest.mark.parametrize(
    ("rows", "bad", "threshold", "stops"),
    [
        (100, 50, Threshold(percent=50), False),
        (100, 51, Threshold(percent=50), True),
        (99, 99, Threshold(percent=50), False),
        (100, 100, None, False),
        (10, 3, Threshold(rows=2), True),
        (10, 2, Threshold(rows=2), False),
    ],
)
def test_mass_rejects_stop(engine, tmp_path, rows, bad, threshold, stops):
    data = [(None if at < bad else str(at), "x") for at in range(rows)]
    staged = stage(tmp_path / "staged.parquet", [ID, PLAN], data)
    wanted = spec(guards=GuardSpec(rejects=threshold))
    if not stops:
        assert validate(engine, staged, wanted).rejected == bad
        return
    with pytest.raises(GuardStop) as stop:
        validate(engine, staged, wanted)
    assert stop.value.code == "MASS_REJECT"
    assert "ID_NULL" in stop.value.message


@pytest.mark.parametrize(
    ("values", "changes", "full", "warns"),
    [
        (["pro", "pro"], {}, True, True),
        (["pro", "free"], {}, True, False),
        (["pro", None], {}, True, False),
        (["pro"], {}, True, False),
        (["pro", "pro"], {"removed": Removed.CLEAR}, True, False),
        (["pro", "pro"], {}, False, False),
    ],
)
def test_a_trait_that_can_never_be_unset_warns(engine, tmp_path, values, changes, full, warns):
    rows = [(str(at), value) for at, value in enumerate(values)]
    staged = stage(tmp_path / "staged.parquet", [ID, PLAN], rows)
    found = validate(engine, staged, spec(**changes), full=full).warnings
    assert [finding.code for finding in found] == ["CONSTANT_TRAIT"] * warns


def test_an_empty_result_is_valid(judge):
    assert judge([ID, PLAN], []) == []


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(
    rows=st.lists(
        st.tuples(
            st.none() | st.sampled_from(["a", "A", "b", "", " ", "ß", "ss", "c\n"]),
            st.none() | st.sampled_from(["x@y.zz", "x", ""]),
            st.none() | st.sampled_from(["1", "{", '{"a":[]}']),
        )
    )
)
def test_every_row_ends_in_one_place_under_a_documented_code(judge, engine, rows):
    judge([ID, EMAIL, META], rows)
    codes = {code for (code,) in engine.rows("SELECT DISTINCT code FROM rejected")}
    assert codes <= set(RULES)
    once = [key for key, count in Counter(row[0] for row in rows).items() if count == 1]
    assert {key for (key,) in engine.rows("SELECT key FROM valid")} <= set(once)
