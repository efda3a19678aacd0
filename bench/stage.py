"""What the cases share: servers, folders, the sink, and the program they run."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import measure, project
from bench.databases import LAUNCHES, MariaDB, PostgreSQL
from bench.measure import Cost, Surroundings, WrongResult
from bench.rivals import RIVALS, Job
from bench.standins import StandIn, Warehouse
from servers.room import Room

Database = PostgreSQL | MariaDB

ROWLIFT = str(Path(sys.executable).with_name("rowlift"))
SCRIPT = Path(__file__).with_name("baseline.py")


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured command of a case; `messages` is what the sink took of it."""

    step: str
    rows: int
    cost: Cost
    messages: int | None = None


@dataclass(slots=True)
class Sink:
    """The local receiver, a process of its own that is never counted."""

    process: subprocess.Popen[str]
    url: str
    rows: int = 0

    def took(self) -> int:
        """Return how many messages came since it was asked last."""
        stdin, stdout = self.process.stdin, self.process.stdout
        if not stdin or not stdout:
            raise RuntimeError("the sink has no pipes")
        stdin.write("\n")
        stdin.flush()
        before, self.rows = self.rows, json.loads(stdout.readline())["rows"]
        return self.rows - before


@contextmanager
def sink(latency_ms: int = 0) -> Iterator[Sink]:
    """Run a sink that waits before each answer."""
    words = [sys.executable, "-m", "rowlift.testing.sink", f"--latency-ms={latency_ms}"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Sink(process, process.stdout.readline().strip() if process.stdout else "")
    finally:
        process.communicate(timeout=30)


@dataclass(slots=True)
class Stage:
    """Servers that are started when first asked for, and folders that go with the stage."""

    room: Room
    folder: Path
    venv: Path
    _databases: dict[str, Database] = field(default_factory=dict)
    _stand_ins: dict[str, StandIn] = field(default_factory=dict)
    _drivers: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def open(cls, venv: Path) -> Iterator["Stage"]:
        """Give a stage and clear it away; other programs are looked for in the environment."""
        folder = Path(tempfile.mkdtemp(prefix="rowlift-bench-"))
        room = Room.open()
        try:
            yield cls(room, folder, venv)
        finally:
            room.close()
            shutil.rmtree(folder)

    def database(self, kind: str) -> Database:
        """Return the running server of a kind."""
        if kind not in self._databases:
            self._databases[kind] = LAUNCHES[kind](self.room)
        return self._databases[kind]

    def stand_in(self, kind: Warehouse, rows: int) -> StandIn:
        """Return the running stand-in of a warehouse; raises WrongResult where it cannot run."""
        if kind.name not in self._stand_ins:
            self._stand_ins[kind.name] = kind.start(self.room, rows)
            self._drivers += [one.name for one in kind.drivers]
        return self._stand_ins[kind.name]

    def versions(self) -> list[str]:
        """Return the names and versions of the servers that run, and of the drivers of others."""
        return [*(one.version() for one in self._databases.values()), *self._drivers]

    @property
    def postgresql(self) -> PostgreSQL:
        """The running PostgreSQL."""
        found = self.database("postgresql")
        if not isinstance(found, PostgreSQL):
            raise TypeError(found)
        return found

    def around(self, receiver: Sink | None = None) -> Surroundings:
        """Return which processes count and which do not."""
        serving = {one.keeper_pid for one in self._databases.values()}
        serving.update(*(one.keeper_pids for one in self._stand_ins.values()))
        return Surroundings([*serving], [receiver.process.pid] if receiver else [])

    @contextmanager
    def project(self) -> Iterator[Path]:
        """Give an empty folder for one project."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    def floor(self, database: Database, rows: int, sql: str) -> Sample:
        """Measure the database's own client reading the rows, nothing more."""
        words = database.floor(sql)
        return Sample("floor", rows, measure.run(words, self.folder, {}, self.around()))

    def script(self, database: Database, rows: int, sql: str, receiver: Sink | None) -> Sample:
        """Measure the plain script sending the rows, or keeping them without a receiver."""
        words = [sys.executable, str(SCRIPT), "--kind", database.kind, "--sql", sql]
        words += ["--port", str(database.server.port)]
        with self.project() as folder:
            words.append(f"{receiver.url}/v1" if receiver else "people.db")
            cost = measure.run(words, folder, project.ENV, self.around(receiver))
        return Sample("plain script", rows, cost, took(receiver, rows) if receiver else None)

    def rivals(self, rows: int, sql: str, receiver: Sink) -> Iterator[Sample]:
        """Measure the other programs that are installed."""
        url, port = f"{receiver.url}/v1", self.postgresql.server.port
        for rival in RIVALS:
            with self.project() as folder:
                found = rival(Job(self.venv, folder, port, sql, url))
                if not found:
                    continue
                try:
                    cost = measure.run(found.words, folder, found.env, self.around(receiver))
                    yield Sample(found.name, rows, cost, took(receiver, rows))
                except WrongResult as error:  # what another program does is not our failure
                    sys.stderr.write(f"  {found.name}: {error}\n")
                    receiver.took()

    def run(
        self,
        step: str,
        folder: Path,
        counts: Mapping[str, int],
        receiver: Sink | None = None,
        env: Mapping[str, str] = {},
        only: Sequence[str] = (),
        program: Sequence[str] = (ROWLIFT, "--output", "json"),
    ) -> Cost:
        """Measure a run of all syncs or some; raises WrongResult unless it counts as expected."""
        out = folder / "stdout.json"
        words = [*program, "run", *only]
        cost = measure.run(words, folder, {**project.ENV, **env}, self.around(receiver), out)
        runs: list[dict[str, Any]] = json.loads(out.read_text())["runs"]
        for name, expected in counts.items():
            found = sum(one["counts"].get(name, 0) for one in runs)
            if found != expected:
                raise WrongResult(f"{step}: {name} is {found}, not {expected}")
        return cost


def took(receiver: Sink, expected: int) -> int:
    """Return what the sink took; raises WrongResult unless it is what was expected."""
    found = receiver.took()
    if found != expected:
        raise WrongResult(f"the sink took {found} messages, not {expected}")
    return found
