"""Schedules over simulated days: no slot lost, none begun twice, every skip explained."""

from datetime import timedelta

import pytest

from days import START, Days


@pytest.mark.door("python")
def test_B20_fifty_syncs_every_minute_of_a_day_never_overlap_and_lose_no_slot(tmp_path):
    days = Days(tmp_path, syncs=50, seed=20261122)
    end = START + timedelta(days=1)
    days.serve(end)
    with days.project() as project:
        assert len(project.ls()) == 50
    told = days.check(end, fair_minutes=120)
    assert told.total() == 50 * 1440
    assert told["run"] >= 900
    assert told.keys() == {"run", "BUSY", "SLOT_WAITS", "waits"}
