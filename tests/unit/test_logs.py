import io
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rowlift.core.errors import ConfigError
from rowlift.kit.logs import about, log_to

log = logging.getLogger("rowlift.tests")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("rowlift")
    handlers, levels = [*root.handlers], (root.level, own.level)
    root.handlers.clear()  # pytest's own would be closed
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    own.setLevel(levels[1])


def told(*, as_json: bool) -> str:
    stream = io.StringIO()
    log_to(stream, as_json=as_json)
    with (
        about(task="people", sync="people", run=7),
        about(detail='said "ann@example.com"', code=""),
    ):
        log.info("Run %s failed.", 7)
        log.debug("too much")
    logging.getLogger("driver.of.others").warning("row ann@example.com")
    logging.getLogger("driver.of.others").info("too much")
    error = ConfigError("VALUE_WRONG", "Ours.")
    error.__cause__ = ValueError("ann@example.com")
    log.error("It broke\nhere.", exc_info=error)
    return stream.getvalue()


def test_json_lines_say_what_they_are_about_and_quote_nobody() -> None:
    text = told(as_json=True)
    first, foreign, broken = map(json.loads, text.splitlines())
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "info", "logger": "rowlift.tests", "message": "Run 7 failed.",
        "task": "people", "sync": "people", "run": 7,
    }  # fmt: skip
    assert foreign["message"] == "(message left out)"
    assert broken["trace"][0] == "rowlift.core.errors.ConfigError: Ours. [VALUE_WRONG]"
    assert "builtins.ValueError: (message left out)" in broken["trace"]
    assert "ann@example.com" not in text


def test_lines_for_people_have_the_detail_and_no_control_characters() -> None:
    first, foreign, broken, *trace = told(as_json=False).splitlines()
    assert first.endswith('Z  people: Run 7 failed. said "ann@example.com"')
    assert foreign.endswith("driver.of.others: (message left out)")
    assert broken.endswith("It broke\\nhere.")
    assert "builtins.ValueError: (message left out)" in trace


FORGED = "\n2026-11-22T10:00:00Z  people: Run 8 ends: Complete.\r\x1b[2K\x9b2J\u2028\u202e\ud800"


@pytest.mark.parametrize("as_json", [True, False])
@given(text=st.text(st.characters(codec=None), max_size=30))
@example(text=FORGED)
def test_S32_no_name_forges_a_line_or_steers_a_terminal(as_json: bool, text: str) -> None:
    stream = io.StringIO()
    log_to(stream, as_json=as_json)
    with about(task=text, sync=text, destination=text, detail=text):
        log.info("Of %s", text)
        log.error("It broke.", exc_info=ConfigError("VALUE_WRONG", text))
    lines = stream.getvalue().removesuffix("\n").split("\n")
    assert len(lines) == (2 if as_json else 3)  # a trace has a line of its own
    assert all(line.isprintable() for line in lines)
    if as_json:
        assert json.loads(lines[0])["message"] == f"Of {text}"
