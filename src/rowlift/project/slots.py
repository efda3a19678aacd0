"""When a schedule is due: slots, in whole Unix seconds.

An interval is counted in UTC from its start, so no change of clocks touches it. A cron line, and a
time on some days, is read in its time zone: a time that the zone skips fires at the first minute
after the gap, one that comes twice fires the first time only. Lines that say `*` for the minute or
the hour go by elapsed time instead: through the gap without a slot, through the doubled hour twice,
as Debian's cron has it.
"""

from bisect import bisect
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from rowlift.project.units import SECONDS, seconds

_WEEK = 7 * SECONDS["d"]
_SPANS = [SECONDS["d"] * days for days in (1 / 24, 1, 32, 366, 9 * 366)]


class Slots(Protocol):
    """The moments at which one schedule is due."""

    def after(self, moment: int) -> int | None:
        """Return the first slot after a moment; None where there is none."""

    def latest(self, moment: int) -> int | None:
        """Return the last slot up to a moment, that moment included."""


@dataclass(frozen=True, slots=True)
class Every:
    """A slot at the start and then every so many seconds."""

    interval: int
    start: int

    def after(self, moment: int) -> int:
        passed = (moment - self.start) // self.interval
        return self.start + max(0, passed + 1) * self.interval

    def latest(self, moment: int) -> int | None:
        passed = (moment - self.start) // self.interval
        return self.start + passed * self.interval if passed >= 0 else None


@dataclass(frozen=True, slots=True)
class Cron:
    """The times of a cron line of five fields in a time zone, none before the start."""

    line: str
    zone: ZoneInfo
    start: int = 0

    def after(self, moment: int) -> int | None:
        return next(self._from(max(moment, self.start - 1)), None)

    def latest(self, moment: int) -> int | None:
        for span in _SPANS:
            begin = max(moment - int(span), self.start - 1)
            last = deque(self._between(begin, moment), maxlen=1)
            if last or begin < self.start:
                return last[0] if last else None
        return None

    def _between(self, begin: int, end: int) -> Iterator[int]:
        for slot in self._from(begin):
            if slot > end:
                return
            yield slot

    def _from(self, moment: int) -> Iterator[int]:
        """Yield the slots after a moment."""
        minute, hour, *_ = self.line.split()
        is_by_the_wall = not (minute.startswith("*") or hour.startswith("*"))
        return self._by_the_wall(moment) if is_by_the_wall else self._by_elapsed_time(moment)

    def _by_the_wall(self, moment: int) -> Iterator[int]:
        """Yield slots as the library has them; it repeats some where clocks change."""
        for slot in _slots(self.line, moment, self.zone):
            if slot > moment:
                yield slot
                moment = slot

    def _by_elapsed_time(self, moment: int) -> Iterator[int]:
        """Yield slots, an offset at a time: the library loses some where half an hour changes."""
        while True:
            end, offset = _stretch(self.zone, moment)
            for slot in _slots(self.line, moment, timezone(offset)):
                if slot > end:
                    moment = max(end, slot - SECONDS["d"])
                    break
                yield slot
            else:
                return


def _slots(line: str, moment: int, zone: tzinfo) -> Iterator[int]:
    for local in CronSim(_plain(line), datetime.fromtimestamp(moment, zone)):
        yield int(local.timestamp())


def _stretch(zone: ZoneInfo, moment: int) -> tuple[int, timedelta]:
    """Return the offset right after a moment, and a moment within a week up to which it holds."""
    begin, end = moment + 1, moment + _WEEK
    offset = _offset(zone, begin)
    if _offset(zone, end) != offset:
        ahead = range(begin, end)
        end = moment + bisect(ahead, x=0, key=lambda at: _offset(zone, at) != offset)
    return end, offset


def _offset(zone: ZoneInfo, moment: int) -> timedelta:
    return datetime.fromtimestamp(moment, zone).utcoffset() or timedelta()


def slots_of(schedule: Mapping[str, str], start: int) -> Slots:
    """Return the slots of a schedule as its sync declares it.

    `start` is where intervals are counted from if the schedule has no start of its own.
    """
    first = start_of(schedule)
    if "every" in schedule:
        return Every(seconds(schedule["every"]), start if first is None else first)
    line = schedule["cron"] if "cron" in schedule else _line(schedule)
    return Cron(line, _zone(schedule), first or 0)


def start_of(schedule: Mapping[str, str]) -> int | None:
    """Return the declared start; without an offset it is local to the schedule's time zone."""
    if "start_at" not in schedule:
        return None
    moment = datetime.fromisoformat(schedule["start_at"])
    return int((moment if moment.tzinfo else moment.replace(tzinfo=_zone(schedule))).timestamp())


def is_ever_due(line: str) -> bool:
    """Tell whether a cron line has any slot: the 30th of February never comes."""
    try:
        return Cron(line, ZoneInfo("UTC")).after(int(datetime.now(UTC).timestamp())) is not None
    except CronSimError:
        return False


def written(moment: int) -> str:
    """Return a slot as people read it: to the second only where it has seconds."""
    form = "%Y-%m-%d %H:%M:%S UTC" if moment % 60 else "%Y-%m-%d %H:%M UTC"
    return datetime.fromtimestamp(moment, UTC).strftime(form)


def _zone(schedule: Mapping[str, str]) -> ZoneInfo:
    return ZoneInfo(schedule.get("timezone", "UTC"))


def _line(schedule: Mapping[str, str]) -> str:
    """Return the days and the time of a schedule as a cron line; without days it is daily."""
    hour, _, minute = schedule["at"].partition(":")
    return f"{int(minute)} {int(hour)} * * {schedule.get('days', '*')}"


def _plain(line: str) -> str:
    """Return a line whose ranges up to Sunday have its higher number: the library wants them so."""
    *others, days = line.lower().split()
    return " ".join([*others, days.replace("-sun", "-7").replace("-0", "-7")])
