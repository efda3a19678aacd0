"""A hundred stories, other ones each day; `make torture` lives through more of them."""

import pytest
from torture.simulation.live import live

from today import TODAY

SEEDS = 100
CHUNK = 10


@pytest.mark.parametrize("first", range(TODAY, TODAY + SEEDS, CHUNK))
def test_stories_end_as_promised(first: int) -> None:
    lived = [live(seed) for seed in range(first, first + CHUNK)]
    failures = [one.failure for one in lived if one.failure]
    assert not failures, "\n".join(failures)
    assert sum(one.messages for one in lived) > 0
    assert sum(one.asked for one in lived) > 0  # C5: in half of them


def test_a_story_is_lived_again_by_its_seed() -> None:
    first, again = live(1000), live(1000)
    assert first == again
    assert first.messages > 0
