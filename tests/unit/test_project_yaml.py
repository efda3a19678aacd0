"""The YAML reader: YAML 1.2 scalars, places, and everything that is refused."""

import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowlift.project.yaml import parse, read_document


def said(text: str) -> list[str]:
    return [str(problem) for problem in parse(text, "f.yml").problems]


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("FALSE", False),
        ("12", 12),
        ("-3", -3),
        ("0o14", 12),
        ("0x1F", 31),
        ("1.5", 1.5),
        ("2e3", 2000.0),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2026-01-31", "2026-01-31"),
        (".inf", ".inf"),
        ("1e999", "1e999"),
        ("'012'", "012"),
        ('"~"', "~"),
    ],
)
def test_scalars_follow_yaml_1_2(plain, value):
    document = parse(f"key: {plain}\n", "f.yml")
    assert document.problems == []
    assert document.value == {"key": value}
    assert type(document.value["key"]) is type(value)


def test_every_node_has_its_place():
    document = parse("a:\n  b: [x, {c: y}]\nd: z\n", "f.yml")
    assert str(document.place(("a", "b", 1, "c"))) == "f.yml:2:14"
    assert str(document.key_place(("a", "b", 1, "c"))) == "f.yml:2:11"
    assert str(document.key_place(("d",))) == "f.yml:3:1"
    assert str(document.place(("a", "nowhere"))) == "f.yml:2:3"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &x 1\nb: *x\n", ["f.yml:1:4: Anchors", "f.yml:2:4: Aliases"]),
        ("a: !!python/object:os.system x\n", ["f.yml:1:4: Tags"]),
        ("a: !custom {b: 1}\n", ["f.yml:1:4: Tags"]),
        ("a: 1\nb: 2\na: 3\n", ['f.yml:3:1: The key "a" stands here twice, first in line 1.']),
        ("a: {b: 1, b: 2}\n", ['f.yml:1:11: The key "b" stands here twice']),
        ("<<: {a: 1}\n", ["f.yml:1:1: The merge key"]),
        ("a: 1\n---\nb: 2\n", ["f.yml:2:1: A second document"]),
        ("%YAML 1.1\n---\na: no\n", ["f.yml:2:1: Lines that start with %"]),
        ("? [a]\n: b\n", ["f.yml:1:3: A key must be plain text"]),
        ("sql: {{last_sync_time}}\n", ["f.yml:1:7: A key must be plain text"]),
    ],
)
def test_forbidden_yaml_is_refused_with_its_place(text, expected):
    problems = parse(text, "f.yml").problems
    assert [one.code for one in problems] == ["YAML_FORBIDDEN"] * len(expected)
    for problem, beginning in zip(problems, expected, strict=True):
        assert str(problem).startswith(beginning)
        assert problem.mend


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "f.yml:1:1: The file is empty: keys are expected. [YAML_INVALID]"),
        ("# nothing\n", "f.yml:1:1: The file is empty: keys are expected. [YAML_INVALID]"),
        ("- a\n", "f.yml:1:1: The file must hold keys, "),
        ("text\n", "f.yml:1:1: The file must hold keys, "),
        ("a: b: c\n", 'f.yml:1:5: There is a second ": " here'),
        ("a:\n\t- b\n", "f.yml:2:1: A tab stands here"),
        ("a: 'x\n", "f.yml:2:1: A quote is not closed"),
        ("a: [1, 2\n", "f.yml:2:1: A comma is missing, or a bracket is not closed"),
        ("a: @x\n", "f.yml:1:4: A value cannot start with this character"),
        ("a:\n  b: 1\n c: 1\n", "f.yml:3:2: The indentation does not fit"),
        ("a: \x07\n", "f.yml:1:4: A control character stands here"),
        ('a: "\\UFFFFFFFF"\n', "f.yml:1:1: The YAML cannot be read."),
        ("%YAML 1.10\n---\na: 1\n", "f.yml:1:1: The YAML cannot be read."),
    ],
)
def test_broken_yaml_is_said_in_our_words(text, expected):
    assert len(said(text)) == 1
    assert said(text)[0].startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 012\n", "f.yml:1:4: A number cannot start with 0. [VALUE_WRONG]"),
        ("a: 00.5\n", "f.yml:1:4: A number cannot start with 0. [VALUE_WRONG]"),
        ("a:\nb: 1\n", "f.yml:1:1: There is no value here. [VALUE_WRONG]"),
        ("a: ~\n", "f.yml:1:1: There is no value here. [VALUE_WRONG]"),
        ("a: " + "9" * 5000, "f.yml:1:4: A number has too many digits. [VALUE_WRONG]"),
        ('a: "\\ud800"\n', "f.yml:1:4: This text holds half a character"),
        ('"": 1\n', "f.yml:1:1: A key is empty or not text. [YAML_FORBIDDEN]"),
    ],
)
def test_surprising_values_are_refused(text, expected):
    assert len(said(text)) == 1
    assert said(text)[0].startswith(expected)


def test_problems_of_values_do_not_hide_each_other():
    assert len(said("a: 012\nb: *x\nc:\nd: !t 1\n")) == 4


def test_billion_laughs_and_deep_nesting_end_at_once():
    laughs = "a: &a [x,x]\n" + "".join(
        f"{name}: &{name} [*{before}, *{before}]\n"
        for before, name in zip(string.ascii_lowercase, string.ascii_lowercase[1:], strict=False)
    )
    start = time.process_time()
    assert {one.code for one in parse(laughs, "f.yml").problems} == {"YAML_FORBIDDEN"}
    assert said("a: " + "[" * 100_000)[0].startswith("f.yml:1:33: The values are nested too deep")
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: 1\nb: \xff\n", "f.yml:2:4: f.yml is not UTF-8 text. [FILE_UNREADABLE]"),
        ("a: 1\n".encode("utf-16"), "f.yml:1:1: f.yml is not UTF-8 text. [FILE_UNREADABLE]"),
        (b"a: " + b"x" * 1_000_000, "f.yml: f.yml is larger than 1 MB. [FILE_UNREADABLE]"),
    ],
)
def test_unreadable_files_are_said(tmp_path, content, expected):
    path = tmp_path / "f.yml"
    path.write_bytes(content)
    assert [str(one) for one in read_document(path, "f.yml").problems] == [expected]


def test_a_folder_and_a_missing_file_are_missing(tmp_path):
    assert read_document(tmp_path, "f.yml").problems[0].code == "FILE_MISSING"
    assert read_document(tmp_path / "no", "f.yml").problems[0].code == "FILE_MISSING"


def test_a_byte_order_mark_and_windows_lines_are_taken(tmp_path):
    path = tmp_path / "f.yml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: x\r\n")
    document = read_document(path, "f.yml")
    assert document.value == {"a": 1, "b": "x"}
    assert str(document.place(("b",))) == "f.yml:2:4"


PIECES = [*"ab01:-[]{}'\"#&*!|>%@`?,~. \n\t", "\\U", "<<", "---", "...", "é", "\x85", "\u2028"]
yamlish = st.lists(st.sampled_from([*PIECES, ": ", "\n  ", "- ", "%YAML 1.1\n", "!<"])).map("".join)


@given(yamlish | st.text())
def test_any_text_is_read_or_refused_with_a_place(text):
    document = parse(text, "f.yml")
    assert document.problems or document.value is not None
    for problem in document.problems:
        assert problem.place is not None
        assert (problem.place.line or 0) >= 1
        assert (problem.place.column or 0) >= 1
