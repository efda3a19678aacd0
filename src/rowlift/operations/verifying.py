"""Verify destinations: read back what they hold, and say what differs from what was delivered."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shutil import copyfile
from typing import Any

import pyarrow as pa

from rowlift.core.clock import Clock
from rowlift.core.errors import ConfigError, DestinationError, GuardStop, SourceError
from rowlift.core.nouns import Column, Finding
from rowlift.core.ports import Destination, Held, ReadableDestination
from rowlift.core.progress import Progress, Several, Silent
from rowlift.core.rights import Right
from rowlift.core.rules import rule
from rowlift.core.spelling import did_you_mean
from rowlift.engine import ledger, verify
from rowlift.engine.delivery import DeliverySpec
from rowlift.engine.duck import Duck, parquet
from rowlift.engine.layers import image_width, open_image, open_ledger
from rowlift.engine.owned import owned
from rowlift.engine.parts import Part, parts
from rowlift.engine.verify import VERIFICATION, Compared, Said
from rowlift.operations.asking import asked
from rowlift.operations.callers import Caller
from rowlift.operations.fencing import erasing, last_erasure
from rowlift.operations.home import Home, sync_names
from rowlift.operations.planning import scratch
from rowlift.operations.repairing import Repair, Repairer
from rowlift.project.problems import shown
from rowlift.registry import destination_kind
from rowlift.state.files import Owner, StoredFile
from rowlift.state.images import WORKSPACE
from rowlift.state.verification_turns import UnderWay, VerificationTurns
from rowlift.state.verifications import (
    Difference,
    Verification,
    VerificationFiles,
    VerifiedAttribute,
    VerifiedSync,
)
from rowlift.workspace.holdings import holdings

MOST_SAMPLES = 10
Hear = Callable[[Finding], object]
COLUMNS = ("sync", "query", "kind", "key", "attribute", "ours", "theirs", "wrote")

_Z = 1.96  # of 95 % confidence
_AT_ONCE = 1_000
_ROWS = "SELECT kind, key, names, ours, theirs, wrote FROM {file} ORDER BY kind, key"


def _unheard(_: Finding) -> None: ...


@dataclass(frozen=True, slots=True)
class Verifications:
    """The door to verifications."""

    home: Home
    clock: Clock
    progress: Progress

    def verify(
        self,
        destination: str,
        sync: str | None = None,
        *,
        sample: int | None = None,
        by: str = "",
        hear: Hear = _unheard,
        progress: Progress | None = None,
    ) -> Verification:
        """Read back what a destination holds, or the `workspace`, and compare it.

        Of all syncs that deliver to it, or of one; everything, or a sample of the records of each.
        No run waits for it; `hear` is told of each sync as it ends, `progress` how far it is. What
        is cut off keeps nothing. Raises ConfigError NAME_UNKNOWN, GuardStop NOT_READABLE, Busy
        VERIFYING, SourceError QUERY_CANCELLED and DestinationError.
        """
        _require_readable(self.home, destination)
        chosen = _chosen(self.home, destination, sync)
        now, target = self.clock.now().timestamp(), target_uid(self.home, destination)
        with self._turns.taken(target, UnderWay(destination, by, now)) as turn:
            listeners = Several((self.progress, turn, progress or Silent()))
            verifier = Verifier(self.home, listeners, self._turns, destination, sample, f"{now}")
            found = verifier.verify(chosen, hear)
            done = Verification(destination, now, by, sync, sample, found)
            self._files.keep(target, done, now - self.home.project.retention.runs)
        return done

    def under_way(self, destination: str) -> UnderWay | None:
        """Return who verifies a destination now, and how far it is; raises as `verify`."""
        _require_readable(self.home, destination)
        return self._turns.find(target_uid(self.home, destination))

    def cancel(self, destination: str) -> UnderWay | None:
        """Ask the verification that goes on to end; it does within seconds, and keeps nothing.

        Return it, if there is any. Raises as `verify`.
        """
        _require_readable(self.home, destination)
        return self._turns.stop(target_uid(self.home, destination))

    def list(self, destination: str) -> list[Verification]:
        """Return the last verifications without samples, the newest first; raises as `verify`."""
        _require_readable(self.home, destination)
        return self._files.load(target_uid(self.home, destination))

    def differences(self, destination: str, sync: str | None = None) -> Iterator[Difference]:
        """Yield what the last verification found, of all syncs or of one; raises as `verify`."""
        _require_readable(self.home, destination)
        chosen = _chosen(self.home, destination, sync)
        return (
            one
            for part in chosen
            for stored in _stored(self.home, part, destination)
            for one in _differences(self.home, part, stored.path)
        )

    def repair(self, destination: str, sync: str | None = None, *, orphans: bool = False) -> Repair:
        """Make due again what the last verification found: drifted and missing records.

        Nothing is sent: plans show it and runs send it, under all guards. With `orphans` also what
        was taken back and is there again; what this sync never delivered is never touched. Raises
        Busy while a run or a delivery there goes on, and what `verify` does.
        """
        _require_readable(self.home, destination)
        chosen = _chosen(self.home, destination, sync)
        repairer = Repairer(self.home, target_uid(self.home, destination), orphans)
        done = [
            repairer.repair(part, stored)
            for part in chosen
            for stored in _stored(self.home, part, destination)
        ]
        return Repair(destination, done)

    @property
    def _files(self) -> VerificationFiles:
        return VerificationFiles(self.home.store.files.root, self.home.workspace_id)

    @property
    def _turns(self) -> VerificationTurns:
        files = self.home.store.files
        return VerificationTurns(files.root, self.home.workspace_id, files.locks)


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found of one part, with the file of what differs, if anything does."""

    part: Part
    compared: Compared

    @property
    def differs(self) -> Path | None:
        return self.compared.findings if self.compared.kinds else None


@dataclass(frozen=True, slots=True)
class Verifier:
    """Verifies the parts of syncs at one destination."""

    home: Home
    progress: Progress
    turns: VerificationTurns
    destination: str
    sample: int | None
    seed: str

    def verify(self, chosen: Iterable[Part], hear: Hear) -> list[VerifiedSync]:
        """Compare some parts, and keep what differs in the place of what was found before."""
        erased = last_erasure(self.home)
        with scratch(self.home.store.files.scratch) as folder:
            found, told = [], []
            for part in chosen:
                found.append(self._compare(part, folder))
                told.append(self._told(found[-1]))
                hear(_step(told[-1]))
            self._keep(found, erased)
        return told

    def _told(self, found: _Found) -> VerifiedSync:
        samples = (
            _first(_differences(self.home, found.part, found.differs)) if found.differs else ()
        )
        return _verified(found.part, found.compared, self.sample, samples)

    def _compare(self, part: Part, folder: Path) -> _Found:
        """Read what is there of one part, and compare it."""
        task = f"{part.title} at {self.destination}"
        with (
            Duck(self.home.store.files.scratch) as duck,
            self._stoppable(duck) as look,
            self._opened(part) as (said, open_held),
        ):
            total = self._stand(duck, "before", part, said)
            self.progress.phase(task, "read", total)
            keys = verify.choose(duck, self.sample, self.seed) if self.sample else None
            held = open_held(keys)
            path = duck.scratch_file("held")
            for rows in verify.write_held(path, held.batches):
                self.progress.advance(task, rows)
                look()
            self.progress.phase(task, "compare")
            self._stand(duck, "now", part, said)
            found = verify.compare(
                duck, path, held.form, said, folder / part.uid, sampled=keys is not None
            )
            look()
        return _Found(part, found)

    def _stand(self, duck: Duck, table: str, part: Part, said: Said) -> int:
        """Look at image and ledger as they are by now; return how many records should be there."""
        store = self.home.store
        open_image(duck, store, part.uid)
        duck.make_room(image_width(duck))
        open_ledger(duck, store, part.uid, target_uid(self.home, self.destination))
        return verify.stand(duck, table, said)

    @contextmanager
    def _opened(self, part: Part) -> Iterator[tuple[Said, Callable[[pa.StringArray | None], Held]]]:
        """Open what is to be read; tell what its ledger's words mean."""
        if self.destination == WORKSPACE:
            yield self._workspace(part)
            return
        store, uid = self.home.store, self.home.destinations[self.destination]
        pointer = store.images.ledger(part.uid, uid, self.home.workspace_id)
        newest = store.deliveries.newest(part.uid).get(uid)
        if newest is None:
            yield Said(None, 0, 0, ()), lambda _: Held("json", ())
            return
        spec = DeliverySpec.from_json(newest.spec)
        mapping = ledger.mapping_of(spec.use, [one.name for one in self._columns(part)])
        is_known = mapping.to_json() == pointer.mapping
        names = [one.name for one in spec.feed.columns]
        said = Said(mapping if is_known else None, pointer.epoch, pointer.restored, names)
        sync_uid = part.uid.partition(".")[0]
        former = store.definitions.former_names(self.home.workspace_id, "sync", sync_uid)
        feed = replace(spec.feed, formerly=tuple(former))
        with self.home.destination(self.destination, feed) as opened:
            _require_account(self.destination, pointer.account, opened)
            if not isinstance(opened, ReadableDestination):
                raise _not_readable(self.destination)
            yield said, opened.held

    def _workspace(self, part: Part) -> tuple[Said, Callable[[pa.StringArray | None], Held]]:
        spec, home = part.spec, self.home
        pointer = home.store.images.ledger(part.uid, WORKSPACE, home.workspace_id)
        names = [one.name for one in self._columns(part)]
        before = json.loads(pointer.mapping or "{}").get("kept", ())
        compared = owned(spec, part.uid, names, before)
        mapping = ledger.Mapping(spec.identify_by, spec.removed)
        said = Said(mapping, pointer.epoch, pointer.restored, names, compared)
        own = part.uid.partition(".")[0]
        read = holdings(
            home.workspace, spec.kind, spec.identify_by, own,
            with_identifiers=bool(compared.identifiers),
        )  # fmt: skip
        return said, lambda _: Held("json", read)

    def _columns(self, part: Part) -> Sequence[Column]:
        image = self.home.store.images.image(part.uid)
        return image.columns if image else ()

    def _keep(self, found: Iterable[_Found], erased: int) -> None:
        """Keep what differs until the next verification, or as long as rejects are kept."""
        home, files = self.home, self.home.store.files
        target = target_uid(home, self.destination)
        stored, before = [], []
        for one in found:
            before += files.live([VERIFICATION], one.part.uid, target)
            if one.differs:
                owner = Owner(home.workspace_id, one.part.uid, target)
                fill = partial(_copied, one.differs, sum(one.compared.kinds.values()))
                stored.append(files.write(VERIFICATION, owner, fill))
        with home.store.database.transaction("verify.keep") as connection:
            if last_erasure(home) != erased:
                raise erasing()
            files.swap(connection, stored, before)

    @contextmanager
    def _stoppable(self, duck: Duck) -> Iterator[Callable[[], None]]:
        """Work in a block until whoever asks has left, or somebody cancels it.

        What it yields looks for that.
        """
        target = target_uid(self.home, self.destination)
        stop = _Stop(duck, partial(self.turns.is_to_end, target))
        with asked(stop), self.turns.heeded(target, stop):
            try:
                yield stop.look
            except Exception:
                stop.look()  # what was interrupted says so in words of its own
                raise


def _copied(found: Path, rows: int, path: Path) -> int:
    copyfile(found, path)
    return rows


@dataclass(slots=True)
class _Stop:
    """Stops what DuckDB does, and what comes after it."""

    duck: Duck
    is_cancelled: Callable[[], bool]
    asked: bool = False

    def cancel(self) -> None:
        """Stop it; does nothing where it ended before."""
        self.asked = True
        self.duck.interrupt()

    def look(self) -> None:
        """Raise SourceError QUERY_CANCELLED once whoever asked has left, or somebody cancelled."""
        if self.asked or self.is_cancelled():
            raise SourceError("QUERY_CANCELLED", "The verification was cancelled.")


def seen(found: Verification, caller: Caller) -> Verification:
    """Return what was found as a caller may see it: without samples where values are not theirs."""
    if Right.VALUES in caller.rights:
        return found
    return replace(found, syncs=[replace(one, samples=()) for one in found.syncs])


def as_row(one: Difference) -> Mapping[str, Any]:
    """Return a difference as a row of texts; values that are none are JSON."""
    told = {name: getattr(one, name) for name in COLUMNS}
    return {
        name: value if value is None or isinstance(value, str) else json.dumps(value)
        for name, value in told.items()
    }


def target_uid(home: Home, destination: str) -> str:
    """Return the uid under which a ledger knows a destination, or the workspace."""
    return WORKSPACE if destination == WORKSPACE else home.destinations[destination]


def _require_readable(home: Home, destination: str) -> None:
    """Refuse what is not there, and what takes changes and tells nothing."""
    if destination == WORKSPACE:
        return
    if ("destination", destination) in home.broken:
        raise home.broken["destination", destination]
    if destination not in home.project.destinations:
        known = ", ".join([*sorted(home.project.destinations), WORKSPACE])
        hint = did_you_mean(destination, home.project.destinations)
        text = f"There is no destination {shown(destination)}.{hint}"
        raise ConfigError("NAME_UNKNOWN", text, mend=f"Known: {known}.")
    if not is_readable(home.project.destinations[destination].type):
        raise _not_readable(destination)


def is_readable(kind: str) -> bool:
    """Tell whether destinations of a type say what they hold."""
    return issubclass(destination_kind(kind), ReadableDestination)


def _not_readable(destination: str) -> GuardStop:
    text = f"{destination} takes changes and does not tell what it holds."
    return GuardStop("NOT_READABLE", text, mend=rule("NOT_READABLE").mend)


def _require_account(destination: str, known: str, opened: Destination) -> None:
    if known and known != opened.account:
        text = f"{destination} now belongs to {opened.account}; what was sent went to {known}."
        raise DestinationError("ACCOUNT_CHANGED", text, mend=rule("ACCOUNT_CHANGED").mend)


def _chosen(home: Home, destination: str, sync: str | None) -> list[Part]:
    """Return the parts of syncs that go to a destination; raises ConfigError NAME_UNKNOWN."""
    specs = [home.sync(sync)] if sync is not None else list(home.project.syncs.values())
    found = [
        part
        for spec in specs
        for part in parts(spec, home.syncs[spec.name])
        if (spec.workspace if destination == WORKSPACE else _takes(home, part, destination))
    ]
    if sync is not None and not found:
        text = f"{sync} does not write to {destination}."
        raise ConfigError("NAME_UNKNOWN", text, mend=f"See rowlift ls {sync}.")
    return found


def _takes(home: Home, part: Part, destination: str) -> bool:
    if destination not in {use.use for use in part.spec.destinations}:
        return False
    return not part.name or destination in home.relate(home.project.syncs[part.spec.name])


def _stored(home: Home, part: Part, destination: str) -> Sequence[StoredFile]:
    return home.store.files.live([VERIFICATION], part.uid, target_uid(home, destination))


def _differences(home: Home, part: Part, stored: Path) -> Iterator[Difference]:
    """Yield what a file of findings says, an attribute at a time."""
    names = sync_names(home)
    with Duck(home.store.files.scratch, begins_small=True) as duck:
        for batch in duck.reader(_ROWS.format(file=parquet([stored])), _AT_ONCE):
            for row in batch.to_pylist():
                about = (part.spec.name, part.name, row["kind"], row["key"])
                if row["kind"] != "drifted":
                    yield Difference(*about, "", None, None, _writer(row["wrote"], "", names))
                    continue
                ours, theirs = json.loads(row["ours"]), json.loads(row["theirs"])
                for name in row["names"]:
                    wrote = _writer(row["wrote"], name, names)
                    yield Difference(*about, name, ours[name], theirs[name], wrote)


def _writer(wrote: str | None, name: str, names: Mapping[str, str]) -> str:
    """Return who wrote an attribute last; of the workspace it is known to the run."""
    if not wrote or not wrote.startswith("{"):
        return wrote or ""
    told = json.loads(wrote)
    found = next((one for one in told["origins"] if name in one["names"]), told)
    who = names.get(found["sync"], found["sync"])
    return f"{who}, run {found['run']}" if found["run"] else who


def _first(found: Iterable[Difference]) -> list[Difference]:
    """Return some of each kind."""
    kept: dict[str, list[Difference]] = {}
    for one in found:
        of_kind = kept.setdefault(one.kind, [])
        if len(of_kind) < MOST_SAMPLES:
            of_kind.append(one)
    return [one for of_kind in kept.values() for one in of_kind]


def _verified(
    part: Part, found: Compared, sample: int | None, samples: Sequence[Difference]
) -> VerifiedSync:
    drifted, missing = (found.kinds.get(kind, 0) for kind in ("drifted", "missing"))
    equal = found.kept - drifted - missing
    rate = equal / found.kept if found.kept else None
    returned, strangers = (
        None if sample else found.kinds.get(kind, 0) for kind in ("returned", "stranger")
    )
    attributes = [VerifiedAttribute(*one) for one in found.attributes.items()]
    return VerifiedSync(
        part.spec.name, part.name, found.kept, equal, drifted, missing, returned, strangers,
        found.moving, rate, _words(equal, found.kept, is_sample=sample is not None), attributes,
        samples,
    )  # fmt: skip


def _step(one: VerifiedSync) -> Finding:
    """Return what was found of a sync as a step that ended."""
    name = f"{one.sync} {one.query}".strip()
    return Finding(name, "warning" if one.differs else "ok", one.words)


def _words(equal: int, checked: int, *, is_sample: bool) -> str:
    """Say a match rate in words, of a sample with how sure it is."""
    if not checked:
        return "Nothing could be compared."
    if not is_sample:
        return f"{_percent(equal / checked)} of all records match."
    low, high = interval(equal, checked)
    return (
        f"{_percent(equal / checked)} of the sample match; with 95 % confidence it is between "
        f"{_percent(low)} and {_percent(high)} of all records."
    )


def interval(hits: int, drawn: int) -> tuple[float, float]:
    """Return Wilson's interval of a share, at 95 % confidence."""
    share = hits / drawn
    weight = 1 + _Z**2 / drawn
    middle = (share + _Z**2 / (2 * drawn)) / weight
    half = _Z / weight * math.sqrt(share * (1 - share) / drawn + _Z**2 / (4 * drawn**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _percent(share: float) -> str:
    """Return a share such that only all of it reads 100 %."""
    told = math.floor(share * 10_000) / 100
    return f"{told:g} %"
