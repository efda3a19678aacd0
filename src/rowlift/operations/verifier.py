"""One verification: what a destination holds, read back and compared part by part."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shutil import copyfile

import pyarrow as pa

from rowlift.core.errors import DestinationError, GuardStop, SourceError
from rowlift.core.nouns import Column, Finding
from rowlift.core.ports import Destination, Held, ReadableDestination
from rowlift.core.progress import Progress
from rowlift.core.rules import rule
from rowlift.engine import ledger, verify
from rowlift.engine.delivery import DeliverySpec
from rowlift.engine.duck import Duck
from rowlift.engine.layers import image_width, open_image, open_ledger
from rowlift.engine.owned import owned
from rowlift.engine.parts import Part
from rowlift.engine.verify import VERIFICATION, Compared, Said
from rowlift.operations.asking import asked
from rowlift.operations.fencing import erasing, last_erasure
from rowlift.operations.home import Home
from rowlift.operations.planning import scratch
from rowlift.operations.verified import differences, first, step, verified
from rowlift.state.files import Owner
from rowlift.state.images import WORKSPACE
from rowlift.state.verification_turns import VerificationTurns
from rowlift.state.verifications import VerifiedSync
from rowlift.workspace.holdings import holdings

Hear = Callable[[Finding], object]


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
                hear(step(told[-1]))
            self._keep(found, erased)
        return told

    def _told(self, found: _Found) -> VerifiedSync:
        samples = first(differences(self.home, found.part, found.differs)) if found.differs else ()
        return verified(found.part, found.compared, self.sample, samples)

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
                raise not_readable(self.destination)
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


def target_uid(home: Home, destination: str) -> str:
    """Return the uid under which a ledger knows a destination, or the workspace."""
    return WORKSPACE if destination == WORKSPACE else home.destinations[destination]


def not_readable(destination: str) -> GuardStop:
    text = f"{destination} takes changes and does not tell what it holds."
    return GuardStop("NOT_READABLE", text, mend=rule("NOT_READABLE").mend)


def _require_account(destination: str, known: str, opened: Destination) -> None:
    if known and known != opened.account:
        text = f"{destination} now belongs to {opened.account}; what was sent went to {known}."
        raise DestinationError("ACCOUNT_CHANGED", text, mend=rule("ACCOUNT_CHANGED").mend)
