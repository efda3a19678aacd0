"""A hundred stories, other ones each day; `make torture` lives through more of them."""

import pytest
from torture.simulation.live import live

from today import TODAY

SEEDS = 100
CHUNK = 10
UNDOING = (110, 117, 118)  # more of them, others each day, in `make torture`


@pytest.mark.parametrize("first", range(TODAY, TODAY + SEEDS, CHUNK))
def test_stories_end_as_promised(first: int) -> None:
    lived = [live(seed, undoes=0) for seed in range(first, first + CHUNK)]
    failures = [one.failure for one in lived if one.failure]
    assert not failures, "\n".join(failures)
    assert sum(one.messages for one in lived) > 0
    assert sum(one.asked for one in lived) > 0  # C5: in half of them


@pytest.mark.parametrize("seed", UNDOING)
def test_stories_in_which_runs_are_undone_end_as_promised(seed: int) -> None:
    lived = live(seed, undoes=1)
    assert not lived.failure, lived.failure
    assert any(line.startswith("undo of run") for line in lived.told)


def test_a_story_is_lived_again_by_its_seed() -> None:
    first, again = (live(1000, undoes=0) for _ in range(2))
    assert first == again
    assert first.messages > 0
