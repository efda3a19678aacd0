"""Jobs that break off rest, each for itself, twice as long each time."""

from datetime import UTC, datetime

from rowlift.scheduler.rests import Rests
from rowlift.testing.clock import SetClock
from rowlift.workers.runner import Job, Kind


def test_what_breaks_off_again_and_again_rests_longer_and_alone() -> None:
    clock = SetClock(datetime(2026, 1, 1, tzinfo=UTC))
    rests, job = Rests(clock), Job(Kind.RESUME, 1, "people", lambda _: None)
    rested = []
    for _ in range(6):
        rests.begin(job)
        assert not rests.has(Kind.DELIVERY, 1)
        began = clock.monotonic()
        while rests.has(Kind.RESUME, 1):
            clock.sleep(0.5)
        rested.append(clock.monotonic() - began)
    assert rested == [1, 2, 4, 8, 15, 15]
    clock.sleep(60)
    rests.begin(job)
    clock.sleep(1)
    assert not rests.has(Kind.RESUME, 1), "what went well for a while begins anew"
