"""Two hundred random histories of imports, other ones each day; `make torture` lives through more.

A failure names its seed in the test's id and lists what was done.
"""

import pytest

from models.histories import History
from today import TODAY

PLACES = ["sqlite", "sqlite", "sqlite", "postgresql"]
SEEDS = [(TODAY * 100 + number, place) for number, place in enumerate(PLACES)]


@pytest.mark.parametrize(("seed", "state_url"), SEEDS, indirect=["state_url"])
def test_histories_end_as_the_model_says(seed, state_url, tmp_path):
    History(seed, tmp_path, state_url).live()
