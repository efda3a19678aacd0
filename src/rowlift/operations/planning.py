"""Plan a run exactly, keep it in one file with its staged rows, and apply that file or refuse.

A plan file is a ZIP: plan.json (counts, and what it was made against), staged.parquet (the query's
rows) and changes.parquet (what the image would gain, each row with what it replaces); the rows of
a second query stand in relationships-staged.parquet and relationships-changes.parquet.
"""

import errno
import hashlib
import json
import os
import shutil
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rowlift.core.clock import Clock, SystemClock
from rowlift.core.errors import ConfigError, GuardStop
from rowlift.core.nouns import Finding
from rowlift.core.ports import Source
from rowlift.core.progress import Progress
from rowlift.core.specs import SyncSpec
from rowlift.engine.delivery import timestamp_of
from rowlift.engine.describe import describe
from rowlift.engine.duck import Duck
from rowlift.engine.foresee import Foresight, staged_name
from rowlift.engine.held import HELD
from rowlift.engine.parts import Part, parts
from rowlift.engine.populate import TARGET
from rowlift.engine.read import stage
from rowlift.engine.run import Planned
from rowlift.kit.durable import make_folder, write_durable
from rowlift.operations.estimating import Sight, estimate, facts_of
from rowlift.operations.home import Home
from rowlift.operations.importing import Importer
from rowlift.operations.openings import Opening
from rowlift.operations.pausing import refuse_paused
from rowlift.operations.reports import PlanReport
from rowlift.operations.suppressing import revision
from rowlift.operations.undoing import Undoing
from rowlift.state.failures import file_errors
from rowlift.state.files import PINS
from rowlift.state.runs import ADOPT, Run
from rowlift.state.shelf import GOOD_FOR_SECONDS, Shelf
from rowlift.workspace.segments import require
from rowlift.workspace.standing import marker

FORMAT = 1
_ENCRYPTED = 1  # the flag of a ZIP file's member
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes and applies plan files of one project."""

    home: Home
    clock: Clock
    progress: Progress

    def make(
        self, name: str, out: Path, *, plan_id: str = "", by: str = "",
        first_rows: int | None = None,
    ) -> PlanReport:  # fmt: skip
        """Run the query, foresee everything and write the plan file; nothing else is changed.

        With `first_rows` it is a plan of these alone.
        """
        spec = self.home.sync(name)
        _make_way(out)
        if spec.segment:
            require(self.home.workspace, spec.segment)
        with file_errors(), scratch(self.home.store.files.scratch) as folder:
            report, moment = self._foresee(spec, folder, out, first_rows)
            self._keep(report, moment, plan_id, by, folder)
        return report

    def make_undo(self, run_id: int, out: Path, *, plan_id: str = "", by: str = "") -> PlanReport:
        """Foresee what the undo of a run does and write the plan file; nothing else is changed.

        Raises what `Undoing.foresee` does, and StateError NOT_FOUND.
        """
        run = self.home.run(run_id)
        _make_way(out)
        with file_errors(), scratch(self.home.store.files.scratch) as folder:
            report = replace(self._undoing.foresee(run, folder), path=str(out))
            self._keep(report, int(report.created_at), plan_id, by, folder)
        return report

    @property
    def _undoing(self) -> Undoing:
        return Undoing(self.home, self.clock, self.progress)

    def _keep(self, report: PlanReport, moment: int, plan_id: str, by: str, folder: Path) -> None:
        document = {
            "format": FORMAT,
            "id": plan_id or uuid.uuid4().hex,
            "sync": report.sync,
            "by": by,
            "created_at": report.created_at,
            "source_time": moment,
            "first_rows": report.first_rows,
            "undo_of": report.undo_of,
            "against": self._against(self.home.sync(report.sync)),
            "counts": report.counts,
            "targets": report.targets,
            "samples": report.samples,
            "notes": report.notes,
        }
        _pack(document, folder, Path(report.path))

    def _foresee(
        self, spec: SyncSpec, folder: Path, out: Path, first_rows: int | None
    ) -> tuple[PlanReport, int]:
        uid, store = self.home.syncs[spec.name], self.home.store
        with self.home.source(spec.source) as source:
            moment = source.now()
            warnings = self._stage(source, spec, folder, first_rows)
            dialect, facts = source.dialect, facts_of(source, spec)
        self.progress.phase(spec.name, "plan")
        foresight = Foresight(
            self.home.workspace, store, uid, dialect, self.home.destinations,
            self.home.relate(spec), self.home.destination, timestamp_of(moment), self.progress,
            first_rows,
        )  # fmt: skip
        with Duck(store.files.scratch, begins_small=True) as duck:
            foreseen = foresight.look(duck, parts(spec, uid, first_rows), folder)
        now = self.clock.now().timestamp()
        warnings += foreseen.warnings
        notes = tuple(f"{one.message} {one.mend}".strip() for one in warnings)
        seen = Sight.of_foreseen(foreseen, facts)
        report = PlanReport(
            spec.name, str(out), now, foreseen.counts, foreseen.targets, foreseen.samples, notes,
            None if first_rows else estimate(self.home, spec, uid, seen, dialect), first_rows,
        )  # fmt: skip
        return report, moment

    def _stage(
        self, source: Source, spec: SyncSpec, folder: Path, first_rows: int | None
    ) -> list[Finding]:
        uid = self.home.syncs[spec.name]
        since = max(0, self.home.store.runs.last_sync_time(uid) - spec.overlap_seconds)
        identifiers = self.home.project.workspace.identifiers
        warnings: list[Finding] = []
        for part in parts(spec, uid, first_rows):
            self.progress.phase(part.title, "query")
            sql, found = describe(source, part.spec, since=since, identifiers=identifiers)
            warnings += found
            stage(
                source, sql, folder / staged_name(part.name), most_rows=spec.limits.rows,
                progress=self.progress, task=part.title, first_rows=first_rows,
            )  # fmt: skip
        return warnings

    def _against(self, spec: SyncSpec) -> Mapping[str, Any]:
        uid, store = self.home.syncs[spec.name], self.home.store
        return {
            "sync": uid,
            "configuration": spec.to_json(),
            "connections": self._connections(spec),
            "identities": list(marker(self.home.workspace)),
            "suppressions": revision(self.home),
            "restored": store.reset_epoch(),
            **{
                f"{part.name} {noun}".strip(): told
                for part in parts(spec, uid)
                for noun, told in self._standing(part).items()
            },
        }

    def _standing(self, part: Part) -> Mapping[str, Any]:
        store, images = self.home.store, self.home.store.images
        image = images.image(part.uid)
        uses = {use.use: self.home.destinations[use.use] for use in part.spec.destinations}
        ledgers = {
            name: images.ledger(part.uid, target, self.home.workspace_id)
            for name, target in {TARGET: TARGET, **uses}.items()
        }
        return {
            "image": image.revision if image else 0,
            "held": [one.id for one in store.files.live([HELD], part.uid)],
            "pins": [one.id for one in store.files.live([PINS], part.uid)],
            "ledgers": {name: [one.epoch, one.revision] for name, one in ledgers.items()},
        }

    def _connections(self, spec: SyncSpec) -> str:
        project = self.home.project
        used = [project.readable[spec.source]]
        used += [project.destinations[use.use] for use in spec.destinations]
        told = json.dumps([[one.type, one.config] for one in used], default=str, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    def apply(self, path: Path) -> Run:
        """Run exactly what a plan file says.

        Raises GuardStop PLAN_STALE when anything it stands on has moved, or it is over 24 h old, or
        a run applied it already.
        """
        opening = self.opening(path)
        spec = opening.spec or self.home.sync(self.read(path)["sync"])
        uid, store = self.home.syncs[spec.name], self.home.store
        run = store.runs.open(self.home.workspace_id, uid, spec.to_json(), **opening.told)
        importer = Importer(self.home, self.progress)
        return importer.carry(run, spec, allow_removals=True, planned=opening.planned)

    def opening(self, path: Path) -> Opening:
        """Return how the run of a plan file begins; raises what `apply` does."""
        document = _read(path)
        spec = self.home.sync(document["sync"])
        if run := self._applied(document):
            raise _applied_already(spec, run)
        if undo_of := document.get("undo_of"):
            self._refuse_stale(document, spec)
            return self._undoing.opening(undo_of, document["id"])
        refuse_paused(self.home, self.home.syncs[spec.name])
        self._refuse_stale(document, spec)
        planned = Planned(int(document["source_time"]), partial(_unpack, path, document["counts"]))
        return Opening(
            ADOPT, plan=document["id"], allow_removals=True, planned=planned,
            first_rows=document.get("first_rows"),
        )  # fmt: skip

    def read(self, path: Path) -> Mapping[str, Any]:
        """Return what a plan file says of itself; raises ConfigError FILE_UNREADABLE."""
        return _read(path)

    def applied(self, path: Path) -> Run | None:
        """Return the run that applied a plan file already."""
        return self._applied(_read(path))

    def _applied(self, document: Mapping[str, Any]) -> Run | None:
        return self.home.store.runs.applied(self.home.workspace_id, document["id"])

    def _refuse_stale(self, document: Mapping[str, Any], spec: SyncSpec) -> None:
        age = self.clock.now().timestamp() - float(document["created_at"])
        present = json.loads(json.dumps(self._against(spec)))
        against = document["against"]
        moved = [name for name, value in present.items() if against.get(name) != value]
        if age > GOOD_FOR_SECONDS:
            moved.append("age (over 24 hours)")
        if moved:
            raise GuardStop(
                "PLAN_STALE",
                f"The plan for {spec.name} no longer fits; moved since: {', '.join(moved)}.",
                mend=f"Make a new one: {_made_by(document)}.",
            )


def _made_by(document: Mapping[str, Any]) -> str:
    undo_of = document.get("undo_of")
    return f"rowlift undo {undo_of}" if undo_of else f"rowlift plan {document['sync']}"


def _applied_already(spec: SyncSpec, run: Run) -> GuardStop:
    return GuardStop(
        "PLAN_STALE",
        f"The plan for {spec.name} was applied already, by run {run.id}.",
        mend=f"See rowlift runs {run.id}; for what came since: rowlift plan {spec.name}.",
    )


def kept(home: Home, plan_id: str, progress: Progress) -> Planned | None:
    """Return the rows of a plan that is kept here; None where it was applied from a file.

    Raises GuardStop PLAN_STALE and ConfigError as `Planner.opening` does.
    """
    shelf = Shelf(home.store.folder, home.workspace_id)
    if plan_id not in shelf.ids():
        return None
    return Planner(home, SystemClock(), progress).opening(shelf.place(plan_id)).planned


def _pack(document: Mapping[str, Any], folder: Path, out: Path) -> None:
    packed = folder / "plan.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("plan.json", json.dumps(document, indent=1, default=str))
        for rows in sorted(folder.glob("*.parquet")):
            archive.write(rows, rows.name)
    with packed.open("rb") as source, _named(out):
        write_durable(out, iter(lambda: source.read(_CHUNK), b""))


def _make_way(out: Path) -> None:
    """Refuse before the query what would fail after it."""
    with _named(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not os.access(out.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@contextmanager
def _named(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            "FILE_UNREADABLE",
            f"The plan cannot be written to {out}: {error.strerror or type(error).__name__}.",
            mend="Write it elsewhere: rowlift plan NAME --out FILE.",
        ) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        with _opened(path) as archive:
            document = json.loads(archive.read("plan.json"))
        whole = _is_whole(document)
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise _unreadable(path) from error
    if document["format"] != FORMAT:
        raise ConfigError(
            "FILE_UNREADABLE", f"{path} was made by another release.", mend="Make a new plan."
        )
    if not whole:
        raise _unreadable(path)
    return dict(document)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a plan for a block; what is packed could grow without end, and a pipe may have none."""
    if not path.is_file():
        raise _unreadable(path)
    try:
        with zipfile.ZipFile(path) as archive:
            if any(one.compress_type or one.flag_bits & _ENCRYPTED for one in archive.infolist()):
                raise _unreadable(path)
            yield archive
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise _unreadable(path) from error


def _is_whole(document: Mapping[str, Any]) -> bool:
    numbers = (document["created_at"], document["source_time"], document["counts"]["read"])
    return (
        all(isinstance(one, int | float) for one in numbers)
        and isinstance(document["sync"], str)
        and isinstance(document["id"], str)
        and isinstance(document["against"], dict)
    )


def _unreadable(path: Path) -> ConfigError:
    return ConfigError(
        "FILE_UNREADABLE",
        f"{path} is not a plan file of Rowlift, or is damaged.",
        mend="Make one: rowlift plan NAME --out FILE.",
    )


def _unpack(path: Path, counts: Mapping[str, Any], part: str, to: Path) -> int:
    rows = int((counts[part] if part else counts)["read"])
    try:
        with (
            _opened(path) as archive,
            archive.open(staged_name(part)) as staged,
            to.open("wb") as out,
        ):
            shutil.copyfileobj(staged, out, _CHUNK)
        found = pq.read_metadata(to).num_rows
    except (KeyError, pa.ArrowInvalid) as error:
        raise _unreadable(path) from error
    if found != rows:
        raise _unreadable(path)
    return rows


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Make a folder for a block, and remove it with all that is in it."""
    make_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
