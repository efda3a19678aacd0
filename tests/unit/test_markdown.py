"""A plan as Markdown: nothing that a value says becomes markup."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from rowlift.operations.markdown import plan_markdown
from rowlift.operations.reports import PlanReport

HOSTILE = st.text() | st.sampled_from(
    [
        "@everyone",
        "#1",
        "a|b",
        "`",
        "``x``",
        "<img src=x onerror=1>",
        "[a](http://b)",
        "\n# x",
        "\x1b[31m",
    ]
)


def plan(samples: list[dict[str, object]], **more: object) -> PlanReport:
    counts = {"read": 3, "added": 1, "changed": 1, "removed": 1, "codes": {}}
    return PlanReport("people", "p.plan", 0.0, counts, {"workspace": {"due": 3}}, samples, **more)


def test_it_tells_counts_differences_and_who_left() -> None:
    before, after = json.dumps({"a": 1, "b": "x"}), json.dumps({"a": 1, "b": "y", "c": None})
    told = plan_markdown(
        plan(
            [
                {"key": "ann", "change": "changed", "before": before, "after": after},
                {"key": "bob", "change": "removed", "before": before, "after": before},
            ],
            notes=["Mind *this*."],
        )
    )
    assert "| rows | 3 | 1 | 1 | 0 | 1 | 0 | 0 |" in told
    assert '| `ann` | changed | `b` | `"x"` | `"y"` |' in told
    assert "| `ann` | changed | `c` |  | `null` |" in told
    assert "`a`" not in told  # it did not change
    assert "### Some of those that left\n\n`bob`" in told
    assert r"> Mind \*this\*." in told
    assert "| `workspace` | 3 due |" in told


def test_an_undo_has_words_of_its_own() -> None:
    before, after = json.dumps({"a": 1}), json.dumps({"a": 2})
    kinds = ("changed", "returned", "removed", "stays")
    told = plan_markdown(
        PlanReport(
            "people", "p.plan", 0.0, dict(zip(kinds, (4, 3, 2, 1), strict=True)), {},
            [{"key": one, "change": one, "before": before, "after": after} for one in kinds],
            undo_of=12,
        )
    )  # fmt: skip
    assert told.startswith("## Undo of run 12 of `people`\n")
    assert "| undo | set back | brought back | taken out | changed since |" in told
    assert "| rows | 4 | 3 | 2 | 1 |" in told
    assert "| `changed` | set back | `a` | `1` | `2` |" in told
    assert "| `returned` | brought back |" in told
    assert "### Some that are taken out\n\n`removed`" in told
    assert "### Some that changed since, and stay\n\n`stays`" in told


@given(key=HOSTILE, value=HOSTILE)
def test_values_stay_within_their_code_spans(key: str, value: str) -> None:
    after = json.dumps({"x": value})
    told = plan_markdown(plan([{"key": key, "change": "added", "before": None, "after": after}]))
    (row,) = [line for line in told.splitlines() if line.startswith("| `") and "| added |" in line]
    cells = re.split(r"(?<!\\)\|", row)[1:-1]
    assert len(cells) == 5
    for cell in (cells[0], cells[4]):
        fence = re.match(r" (`+)", cell)
        assert fence is not None
        assert cell.endswith(f"{fence[1]} ")
        assert f"{fence[1]}" not in re.findall("`+", cell[1 + len(fence[1]) : -1 - len(fence[1])])
