"""Whoever asks something of the state waits for so long and no longer."""

import pytest
import sqlalchemy as sa

from rowlift.core.errors import StateError
from rowlift.db import Database
from rowlift.operations.asking import patiently

ENDLESS = {
    "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
    " SELECT max(x) FROM n",
    "postgresql": "SELECT pg_sleep(3600)",
}


def test_a_question_is_stopped_after_its_time_and_nothing_that_comes_after(state_url: str) -> None:
    """Also where the time is over before it begins, as between two questions."""
    database = Database(state_url)
    endless = sa.text(ENDLESS[sa.make_url(state_url).get_backend_name()])
    for seconds in (0.0, 0.1):
        with pytest.raises(StateError) as stopped, patiently(database, seconds) as connection:
            connection.execute(endless)
        assert stopped.value.code == "STATE_SLOW"
    with patiently(database, None) as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1
    database.close()
