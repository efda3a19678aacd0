"""What the connection test says of clocks that do not agree."""

import pytest

from rowlift.kit.clocks import DRIFT, clocks

NOON = 1_795_255_200.0


@pytest.mark.parametrize("ahead", [0, 0.4, DRIFT - 1, 1 - DRIFT])
def test_clocks_that_agree_are_no_matter(ahead):
    found = clocks(NOON + ahead, NOON, " It is a replica.")
    assert (found.level, found.message) == ("ok", "The clocks agree. It is a replica.")


@pytest.mark.parametrize(
    ("ahead", "words"), [(3600, "3600 seconds ahead"), (-90, "90 seconds behind")]
)
def test_clocks_that_do_not_are_a_warning_with_its_mend(ahead, words):
    found = clocks(NOON + ahead, NOON)
    assert (found.step, found.level, words in found.message) == ("clock", "warning", True)
    assert "last_sync_time" in found.mend
