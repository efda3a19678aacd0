"""What the table of the torture calls held."""

from pathlib import Path

import pytest
from torture import keep
from torture.__main__ import PARTS
from torture.score import HEAD, Score, markdown, merged, plain

from models.histories import HISTORIES


@pytest.mark.parametrize(
    ("score", "held"),
    [
        (Score("a", rounds=3, kills=2, duplicates=5), True),
        (Score("a", seeds=3), True),
        (Score("a", inputs=3), True),
        (Score("nothing was tried", kills=2), False),
        (Score("a", rounds=3, lost=1), False),
        (Score("a", rounds=3, wrong=1), False),
        (Score("a", rounds=3, failures=["seed 7"]), False),
    ],
)
def test_a_part_holds_if_something_was_tried_and_nothing_went_wrong(
    score: Score, held: bool
) -> None:
    assert score.held is held
    assert (score.cells()[-1] == "held") is held


def test_shares_of_a_part_are_one_line_and_the_last_line_is_the_sum() -> None:
    shares = [Score("a", rounds=1, kills=2), Score("b", rounds=4), Score("a", rounds=1, lost=1)]
    parts = merged(shares)
    assert [(one.part, one.rounds, one.kills, one.lost) for one in parts] == [
        ("a", 2, 2, 1), ("b", 4, 0, 0), ("all", 6, 2, 1),
    ]  # fmt: skip
    assert [one.held for one in parts] == [False, True, False]
    for table in (plain(parts), markdown(parts)):
        assert all(word in table for word in (*HEAD, "1 FAILED"))


def test_the_whole_of_it_tries_as_much_as_is_promised() -> None:
    kills = {part.name: part.least_kills for part in PARTS if part.least_kills}
    assert sum(kills.values()) >= 200
    assert {name.rpartition(" ")[2] for name in kills} == {"sqlite", "postgresql"}
    figures = {part.name: part.figure for part in PARTS}
    assert figures["simulator"] >= 1_000
    assert figures["import histories"] * HISTORIES >= 2_000


def test_a_part_that_was_done_again_is_kept_and_the_others_stay(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    for score in (Score("b", rounds=1, seconds=5.4), Score("a", rounds=2), Score("gone", rounds=9)):
        keep.put(page, ("gone", "a", "b"), keep.Kept.of(score, seed=1))
    again = keep.Kept.of(Score("a", rounds=3, wrong=1, failures=["seed 7"]), seed=2)
    keep.put(page, ("a", "b"), again)
    assert keep.load(page.with_suffix(".json")) == {
        "a": again, "b": keep.Kept.of(Score("b", rounds=1, seconds=5.4), seed=1),
    }  # fmt: skip
    lines = [line.split(" | ") for line in page.read_text().splitlines() if line.startswith("| ")]
    named = [(line[0].removeprefix("| "), line[1], line[-1].removesuffix(" |")) for line in lines]
    assert [line for line in named if line[0] in {"a", "b", "all"}][:3] == [
        ("a", "3", "1 FAILED"), ("b", "1", "held"), ("all", "4", "1 FAILED"),
    ]  # fmt: skip
    assert [line[4] for line in lines if line[0] == "| b"] == ["0", "5"]
