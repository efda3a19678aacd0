"""Days of schedules in seconds: a real state and a real scheduler, a clock and runs that are not.

The reference of what a schedule's slots are is a plain range of minutes.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import sqlalchemy as sa

import rowlift
from rowlift.core.nouns import Status
from rowlift.scheduler.scheduler import Scheduler
from rowlift.state.runs import Run
from rowlift.state.schedule_tables import schedules
from rowlift.state.tables import runs
from rowlift.testing.clock import SetClock
from rowlift.testing.runner import FakeRunner

START = datetime(2026, 11, 22, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass
class Days:
    """Some syncs that are all due every so many minutes, and what becomes of their slots."""

    folder: Path
    syncs: int
    seed: int
    env: Mapping[str, str] = field(default_factory=dict)
    minutes: int = 1
    spans: dict[int, list[float]] = field(default_factory=dict)  # run → begin and end

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.clock = SetClock(START)
        (self.folder / "syncs").mkdir(parents=True)
        self._write("rowlift.yml", {"version": 1, "workspace": {"name": "acme"}})
        sources = {"shop": {"type": "files", "root": str(self.folder)}}
        profiles = {"dev": {"sources": sources, "destinations": {}}}
        self._write("connections.yml", {"default": "dev", "profiles": profiles})
        self.every(self.minutes)

    def every(self, minutes: int) -> None:
        """Edit all schedules."""
        self.minutes = minutes
        for number in range(self.syncs):
            self._write(f"syncs/s{number:02}.yml", self._sync(number))

    def begun(self) -> list[int]:
        """The slots that became runs, in minutes since the start."""
        found, _ = self._found()
        slots = [row.scheduled_for for rows in found.values() for row in rows if row.generation]
        return sorted((slot - int(START.timestamp())) // 60 for slot in slots)

    def _sync(self, number: int) -> dict[str, object]:
        start = START.strftime("%Y-%m-%dT%H:%M")
        return {
            "sync": f"s{number:02}", "kind": "person", "source": "shop", "identify_by": "user_id",
            "sql": "SELECT user_id, plan FROM people",
            "on_busy": self.chance.choice(["skip", "queue"]),
            "schedule": {"every": f"{self.minutes}m", "start_at": start},
        }  # fmt: skip

    def _write(self, name: str, document: Mapping[str, object]) -> None:
        (self.folder / name).write_text(json.dumps(document))  # JSON is YAML

    @contextmanager
    def project(self) -> "Iterator[rowlift.Project]":
        with rowlift.Project(self.folder, clock=self.clock, env=self.env) as project:
            yield project

    def serve(
        self, until: datetime, jumps: Mapping[datetime, datetime] = MappingProxyType({})
    ) -> None:
        """Be the service until a moment; the clock jumps when it comes to certain others."""
        ahead = dict(jumps)
        with self.project() as project:
            serving = project.serving()
            runner = FakeRunner(serving.home.store, self.clock, self._lasts)
            service = serving.start()
            scheduler = Scheduler(serving, runner, service)
            while self.clock.now() < until:
                runner.end_due()
                scheduler.tick()
                self.clock.set(min(filter(None, (self._next_minute(), runner.next_end))))
                self.clock.set(ahead.pop(self.clock.now(), self.clock.now()))
            while runner.running():
                self.clock.set(runner.next_end or until)
                runner.end_due()
            assert runner.most <= 1, "imports never overlap"
            serving.home.store.services.end(service)

    def _next_minute(self) -> datetime:
        return self.clock.now().replace(second=0, microsecond=0) + MINUTE

    def _lasts(self, run: Run) -> float:
        seconds = self.chance.choice([5, 45, 70, 130, 200])
        begin = self.clock.now().timestamp()
        self.spans[run.id] = [begin, begin + seconds]
        return seconds

    def check(self, end: datetime, *, fair_minutes: float, begin: datetime = START) -> Counter[str]:
        """Compare each slot with what became of it; return how many were run or skipped, and why.

        No sync waits longer than `fair_minutes` for a turn.
        """
        told: Counter[str] = Counter()
        first, last, step = int(begin.timestamp()), int(end.timestamp()), 60 * self.minutes
        found, waiting = self._found(first)
        for uid, rows in found.items():
            by_slot = {row.scheduled_for: row for row in rows if row.scheduled_for}
            assert len(by_slot) == len([row for row in rows if row.scheduled_for]), "begun twice"
            passed = _passed(by_slot, step)
            for slot in range(first, last, step):
                code = passed.get(slot) or self._became(by_slot.get(slot), slot)
                if slot == waiting.get(uid):
                    code = "waits"
                assert code, f"the slot {slot} of {uid} is lost"
                told[code] += 1
            begun = sorted(self.spans[row.id][0] for row in rows if row.id in self.spans)
            gaps = [after - before for before, after in pairwise(begun)]
            assert max(gaps, default=0.0) <= fair_minutes * 60, "a sync was starved"
        return told

    def _became(self, row: "sa.Row[tuple[object, ...]] | None", slot: int) -> str:
        if row is None:
            return ""
        if row.status != Status.SKIPPED:
            return "run"
        if row.reason_code == "BUSY":
            begin, end = self.spans[int(row.reason.split()[1])]
            assert begin <= slot + 60, "what blocked it had begun"
            assert slot <= end, "what blocked it had not ended"
        assert row.reason
        return str(row.reason_code)

    def _found(
        self, first: int = 0
    ) -> tuple[dict[str, list["sa.Row[tuple[object, ...]]"]], dict[str, int]]:
        """The runs by sync, of slots from a first one on, and the slots that still wait."""
        recent = sa.select(runs).where(runs.c.scheduled_for >= first)
        waiting = sa.select(schedules.c.sync_uid, schedules.c.waiting_for)
        with self.project() as project:
            home = project.serving().home
            found = {uid: [] for uid in home.syncs.values()}
            with home.store.database.read() as connection:
                for row in connection.execute(recent):
                    found[row.sync_uid].append(row)
                return found, dict(connection.execute(waiting).all())


def _passed(by_slot: Mapping[int, "sa.Row[tuple[object, ...]]"], step: int) -> dict[int, str]:
    """The slots that passed while nobody served: from one marked so up to the one caught up."""
    found = {}
    for slot, row in by_slot.items():
        if row.reason_code == "SLOTS_MISSED":
            found[slot] = row.reason_code
            following = slot + step
            while following not in by_slot:
                found[following] = row.reason_code
                following += step
    return found
