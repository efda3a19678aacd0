"""One story: a project in its own folder, runs of the real operations, and what each must come to.

What a run must do is foreseen by the model wherever it can know; after a crash it waits until a run
has ended well.
"""

import math
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import rowlift
from rowlift.core import faults
from rowlift.core.errors import GuardStop, RowliftError, SourceError
from rowlift.core.nouns import Status
from rowlift.operations.reports import DeliveryReport, RunReport
from torture.simulation.asked import Known, Record, Told, completed
from torture.simulation.model import MOST_REMOVALS, OVERLAP, Expected, Memory, Settings, mapped
from torture.simulation.shop import COLUMNS, Shop, email_of
from torture.simulation.source import KIND
from torture.simulation.watch import Divergence, Message, Watch, identity_of
from world import World

SHARES = ("lost_replies", "unavailable", "failing", "partial", "late")
KEYS = ("reject", "poison")  # two at most
CALM: Mapping[str, Any] = {
    **dict.fromkeys(SHARES, 0), **dict.fromkeys(KEYS, ()), "retry_after": None,
}  # fmt: skip
_PAIR = range(2)
_OPEN = "SELECT count(*) FROM {} WHERE active = 1"
_SURE = ("read", "retried", "rejected", "held", "changed", "unchanged", "removed", "returned")


@dataclass(slots=True)
class Target:
    """One destination: how it behaves, what arrived, and which keys nothing is promised of."""

    name: str
    watch: Watch
    settings: dict[str, Any]
    forgiven: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)  # left a full result since all was well
    looks: list[dict[str, Any]] = field(default_factory=list)  # every mapping it ever had
    removals: set[str] = field(default_factory=set)

    def declared(self) -> dict[str, Any]:
        """Return its settings as the project file says them: the weather is in the environment."""
        said: dict[str, Any] = {name: f"${{{self._variable(name)}}}" for name in SHARES}
        said |= {name: [f"${{{self._variable(name, at)}}}" for at in _PAIR] for name in KEYS}
        return {name: value for name, value in self.settings.items() if value} | said

    def environment(self) -> dict[str, str]:
        """Return the weather."""
        said = {self._variable(name): str(self.settings[name]) for name in SHARES}
        for name in KEYS:
            keys = [*self.settings[name], "", ""]
            said |= {self._variable(name, at): keys[at] for at in _PAIR}
        return said

    def _variable(self, *names: object) -> str:
        return "_".join(map(str, (self.name, *names))).upper()


class Story:
    """The state of one simulated world; `told` is what happened, for whoever reads a failure."""

    def __init__(self, folder: Path, seed: int, undoes: float = 0.0) -> None:
        self.chance = chance = Random(f"rowlift {seed}")  # noqa: S311
        self.folder = folder
        self.world = World(folder / "acme")
        self.shop = Shop(self.world.folder / "shop.db", chance, now=1_760_000_000 + seed % 1000)
        self.settings = Settings(
            columns=list(COLUMNS[: chance.randint(1, len(COLUMNS))]),
            is_incremental=chance.random() < 0.35,  # noqa: PLR2004
            writes_workspace=chance.random() < 0.3,  # noqa: PLR2004
            removed=chance.choice(("delete", "delete", "clear", "keep")),
            holds=seed % 2 == 0,
        )
        if self.settings.holds and self.settings.is_incremental:
            self.shop.pause = 2 * OVERLAP  # else what was read is read again
        self.mercy = Random(f"suppressions {seed}")  # noqa: S311 - apart from what else happens
        self.curiosity = Random(f"asked {seed}")  # noqa: S311 - the same
        self.asks = seed // 2 % 2 == 0  # in half of the stories, of each kind
        self.regret = Random(f"undone {seed}")  # noqa: S311 - the same
        self.undoes = self.regret.random() < undoes
        self.taken: set[str] = set()  # keys that an undo took out though the source has them
        self.record = Record()
        self.suppresses = self.mercy.random() < 0.25  # noqa: PLR2004
        self.suppressed: set[str] = set()
        self.ever_suppressed: set[str] = set()
        self.memory = Memory()
        self.told: list[str] = []
        self.crashes = 0
        self.runs = 0
        self.was_refused = False
        self._began = 0.0  # the last run, in Unix seconds
        self._is_run = True  # not only its plan
        self.is_calm = True  # the last run neither crashed nor left a row undelivered
        self.forgiven: set[str] = set()  # keys whose going the workspace need not follow
        self._open: rowlift.Project | None = None
        self._texts: list[str] = []
        self.targets = {name: self._target(name) for name in ("crm", "mail")}
        self.use("crm")
        self.world.shop = {"type": KIND, "path": str(self.shop.path)}

    def _target(self, name: str) -> Target:
        settings = {
            "batch_rows": self.chance.randint(1, 4), "in_flight": self.chance.choice((1, 1, 1, 2)),
            "seed": self.chance.randint(0, 10**6), **CALM,
        }  # fmt: skip
        return Target(name, Watch(self.world.log(name)), settings)

    def tell(self, text: str) -> None:
        self.told.append(text)

    # settings

    def use(self, name: str) -> None:
        """Let the sync deliver to a destination."""
        removed = self.chance.choice(("delete", "delete", "clear", self.settings.removed))
        match = "email" if self.settings.key == "email" else "user_id"
        self.settings.uses[name] = {"match": match, "removed": removed}

    def save(self) -> None:
        """Write every file of the project and the source."""
        settings, world = self.settings, self.world
        self.shop.save()
        world.sync |= {
            "sql": settings.sql(), "identify_by": settings.key, "removed": settings.removed,
            "workspace": "write" if settings.writes_workspace else "none",
            "empty_values": settings.empty_values, "empty_strings": settings.empty_strings,
            "cursor": "held_rows" if settings.holds else "strict",
            "guards": {"removals": MOST_REMOVALS}, "overlap": f"{OVERLAP}s",
        }  # fmt: skip
        world.crm = self.targets["crm"].declared()
        world.env.update(
            {**self.targets["crm"].environment(), **self.targets["mail"].environment()}
        )
        world.others = {"mail": self.targets["mail"].declared()}
        uses = [{"use": name, **use} for name, use in settings.uses.items()]
        world.use, world.uses = uses[0], uses[1:]
        world.save()

    def project(self) -> rowlift.Project:
        """Return the project, opened anew when a file of it changed."""
        texts = [path.read_text() for path in sorted(self.world.folder.rglob("*.yml"))]
        if self._open is None or texts != self._texts:
            self.close()
            self._open, self._texts = self.world.project(), texts
        return self._open

    def close(self) -> None:
        """End what a process that dies would end."""
        if self._open is not None:
            self._open.close()
            self._open = None

    # runs

    def run(self, *, crash: str = "", allow: bool = False, plan: bool = False) -> RunReport | None:
        """Run once and hold it against what the model foresees; None when it did not end well."""
        self.save()
        self.runs += 1
        self.note_moment()
        self.was_refused, self.is_calm = False, True
        self._note_absences(allow=allow)
        left_open = self.is_open()
        expected = None if left_open else self.memory.expect(self.shop, self.settings, allow=allow)
        self._began, self._is_run = time.time(), True
        try:
            report = self._run(crash, allow=allow, plan=plan)
        except faults.InjectedFault as fault:
            self.tell(f"      crash at {fault}")
            self.crashes += 1
            self.is_calm = False
            self.memory.forget()
            self.look(expected=None)
            return None
        except (GuardStop, SourceError) as error:
            self._refused(error, expected, known=not left_open)
            return None
        self._ended(report, expected, left_open=left_open)
        return report

    def note_moment(self) -> None:
        """Remember the source's time: a run reads now, perhaps one that was opened before."""
        for target in self.targets.values():
            target.watch.moments.add(moment_of(self.shop.now))

    def _run(self, crash: str, *, allow: bool, plan: bool) -> RunReport:
        faults.arm(f"{crash}:raise" if crash else "")
        project = self.project()
        try:
            if not plan:
                return project.run(["people"], allow_removals=allow)[0]
            path = self.folder / "a.plan"
            self._is_run = False
            planned = project.plan("people", path)
            self._is_run = True
            report = project.run(plan=path)[0]
        except BaseException:
            self.close()
            raise
        finally:
            faults.arm()
        for name in (*_SURE, "added"):
            if planned.counts[name] != report.counts[name]:
                raise Divergence(f"the plan said {planned.counts}, the run {report.counts}")
        return report

    def is_open(self, table: str = "runs") -> bool:
        """Tell whether a run or one of the `deliveries` was left behind."""
        state = self.world.folder / ".rowlift" / "state.db"
        if not state.exists():
            return False
        with closing(sqlite3.connect(state)) as database:
            return bool(database.execute(_OPEN.format(table)).fetchone()[0])

    def _refused(self, error: RowliftError, expected: Expected | None, *, known: bool) -> None:
        self.tell(f"      {error.code}")
        self.was_refused = True
        if error.code == "INTERNAL":
            raise error
        self.look(expected=None)
        if self._is_run:  # what is refused of a plan leaves all as it was
            self.record.refuse(error.code)
            self.ask(None)
        if self.shop.cut is not None and isinstance(error, SourceError):
            return
        if error.code not in ("EMPTIED", "MASS_REMOVAL", "KEY_CHANGED"):
            raise error
        sure = known and expected is not None and expected.refusal is not None
        if error.code != "KEY_CHANGED" and sure and expected and error.code != expected.refusal:
            raise Divergence(f"stopped with {error.code}, not {expected.refusal or 'at all'}")

    def _ended(self, report: RunReport, expected: Expected | None, *, left_open: bool) -> None:
        counts = dict(report.counts)
        told = {one.destination: dict(one.counts) for one in sorted(report.deliveries, key=_name)}
        self.tell(f"      {report.status.value} {_short(counts)} {_short(told)}")
        self.is_calm = all(one.status is Status.COMPLETED for one in report.deliveries)
        if report.resumed:
            self.memory.forget()
            self.look(expected=None)
            return
        if self.shop.cut is not None:
            raise Divergence("a result that broke off was taken for a whole one")
        if left_open:  # finished first, and edited since: a run of the new settings followed
            self.memory.forget()
            expected = self.memory.expect(self.shop, self.settings, allow=False)
        elif expected is not None:
            self._compare(report, expected)
        if expected is not None:
            self._write_down(report, expected)
            self.memory.note(report.id, expected)
        self.memory.follow(expected, self.shop)
        self._check_time(report, expected)
        self.look(expected=None if left_open else expected)
        self._settle(report)
        if expected is not None:
            self.ask(report)

    def _write_down(self, report: RunReport, expected: Expected) -> None:
        since = 0
        if self.settings.is_incremental:
            since = max(0, (self.memory.last_sync_time or 0) - OVERLAP)
        told = Told.of(report, self.settings, self.shop.places(since), self._began)
        self.record.note(told, expected, self.memory, self.shop, self.settings)
        self.record.note_deliveries(told, self.settings.uses, sorted(self.suppressed))

    def _compare(self, report: RunReport, expected: Expected) -> None:
        if expected.refusal:
            raise Divergence(f"it was not stopped with {expected.refusal}")
        counts = dict(report.counts)
        counts["new"] = counts["added"] + counts["returned"]
        counts = {"undone": 0, "undone_gone": 0} | counts
        told = {name: counts[name] for name in expected.counts}
        if told != expected.counts:
            raise Divergence(f"counts are {told}, not {expected.counts}")

    def _check_time(self, report: RunReport, expected: Expected | None) -> None:
        told, known = report.last_sync_time, self.memory.last_sync_time
        bad, held = report.counts["rejected"], report.counts["held"]
        moves = bad == held
        if bool(bad) == (report.status is Status.COMPLETED):
            raise Divergence(f"the run is {report.status.value}")
        if expected is not None and expected.moves != moves:
            raise Divergence(f"{held} of {bad} rejected rows are held")
        if moves and told != math.floor(self.shop.now):
            raise Divergence(f"last_sync_time is {told}, the run began at {self.shop.now}")
        if not moves and known is not None and told != known:
            raise Divergence(f"last_sync_time moved to {told} by a run that is {report.status}")
        self.memory.last_sync_time = told

    def ask(self, report: RunReport | None) -> None:
        """Ask why of some rows, where all is known of them."""
        settings = self.settings
        if not self.asks or self.memory.image is None or not self.record.knows(self.memory):
            return
        known = Known(
            report.id if report else 0, {*map(settings.identity, self.suppressed)},
            {*map(settings.identity, self.shop.twice)}, self.targets,
            completed(report, settings) if report else set(),
        )  # fmt: skip
        kind = "email" if settings.key == "email" else "id"
        for key in self.record.chosen(self.curiosity):
            self.record.check(key, self.project().why(f"{kind}:{key}"), settings, known)

    # what arrived

    def _note_absences(self, *, allow: bool) -> None:
        settings = self.settings
        absent = self.shop.ever.keys() - self.shop.rows.keys()
        if self.shop.is_empty and allow:
            absent = set(self.shop.ever)
        quiet = settings.is_incremental or settings.removed == "keep"
        self.forgiven |= absent if quiet or not settings.writes_workspace else set()
        for name, target in self.targets.items():
            use = settings.uses.get(name)
            target.gone |= set() if settings.is_incremental else absent
            if settings.is_incremental or use is None or use["removed"] == "keep":
                target.forgiven |= absent
            if use is not None:
                target.removals.add(use["removed"])
                if use not in target.looks:
                    target.looks.append(dict(use))

    def look(self, *, expected: Expected | None = None) -> None:
        for target in self.targets.values():
            for message in target.watch.look():
                self._check_message(target, message, expected)

    def _check_message(self, target: Target, message: Message, expected: Expected | None) -> None:
        who = identity_of(message)
        key = who[1].removesuffix(email_of(""))
        if message["op"] == "upsert" and key in self.suppressed:
            raise Divergence(f"{target.name} was sent {key}, who is suppressed")
        if message["op"] == "delete" and key in self.ever_suppressed:
            return
        if message["op"] != "upsert":
            if key not in target.gone or message["op"] not in target.removals:
                raise Divergence(f"{target.name} was told to {message['op']} {key}, which is there")
            return
        if expected is None or who[1] not in expected.image:
            return
        newest = expected.image[who[1]]
        if message["attributes"] not in [mapped(newest, look) for look in target.looks]:
            raise Divergence(f"{target.name} was sent old values of {who[1]}: {message}")

    def _settle(self, report: RunReport) -> None:
        """What arrived whole is promised again from here on."""
        present = self.shop.rows.keys() - self.shop.twice - self.taken
        if self.shop.is_empty or self.settings.is_incremental or report.resumed:
            return
        if report.status is Status.COMPLETED:
            self.forgiven -= present if self.settings.writes_workspace else set()
        for one in report.deliveries:
            if one.status is Status.COMPLETED and one.reason_code != "SUPERSEDED":
                self.targets[one.destination].forgiven -= present
                self.targets[one.destination].gone -= present

    def forgive_all(self, *names: str) -> None:
        """Promise nothing of keys that went before a reset or under another identifier."""
        for name in names or ("crm", "mail"):
            self.targets[name].forgiven |= self.shop.ever.keys()
        if not names:
            self.forgiven |= self.shop.ever.keys()

    # other operations

    def suppress(self, key: str) -> None:
        """Suppress the person of a key."""
        self.save()
        self.look()
        self.suppressed.add(key)
        self.ever_suppressed.add(key)
        self.project().suppress([self._named(key)])
        self.record.forget_deliveries()
        self.look()

    def process_again(self) -> None:
        """Lift every suppression there is."""
        self.save()
        self.look()
        if self.suppressed:
            self.project().unsuppress(map(self._named, sorted(self.suppressed)))
            self.record.forget_deliveries()
        self.suppressed.clear()
        self.look()

    def _named(self, key: str) -> str:
        kind = "email" if self.settings.key == "email" else "id"
        return f"{kind}:{self.settings.identity(key)}"

    def reset(self, target: str | None = None) -> bool:
        """Reset the sync or one target; False when something must be finished first."""
        self.save()
        if self.is_open():
            return False
        self.project().reset("people", target=target)
        self.record.forget_deliveries()
        if target:
            self.forgive_all(target)
        else:
            self.memory.reset()
            self.forgive_all()
        return True


def moment_of(now: float) -> str:
    """Return a source's time as messages have it."""
    return datetime.fromtimestamp(math.floor(now), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _short(counts: Mapping[str, Any]) -> str:
    return " ".join(
        f"{name}={{{_short(value)}}}" if isinstance(value, Mapping) else f"{name}={value}"
        for name, value in counts.items()
        if value
    )


def _name(report: DeliveryReport) -> str:
    return report.destination
