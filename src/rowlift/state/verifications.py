"""What verifications found: counts and names of attributes, the newest of each target.

No value of a record stands here: what differs is kept in files that an erasure reaches. They decide
nothing and no row of the database points to them, so a file may be lost at any time.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rowlift.kit.durable import make_folder, write_durable

VERIFICATIONS = "verifications"
MOST = 50  # of one target


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that a destination holds otherwise than it was delivered.

    Kind is `drifted` (an attribute has another value there), `missing` (the record is not there),
    `returned` (it was taken back and is there again) or `stranger` (this sync never sent it). Ours
    and theirs are values of the attribute; `wrote` says who or what wrote theirs, as far as it is
    known.
    """

    sync: str
    query: str
    kind: str
    key: str
    attribute: str
    ours: Any
    theirs: Any
    wrote: str


@dataclass(frozen=True, slots=True)
class VerifiedAttribute:
    """In how many records an attribute has another value."""

    name: str
    records: int


@dataclass(frozen=True, slots=True)
class VerifiedSync:
    """How what a destination holds of a sync, or of its second query, meets what was delivered.

    `checked` = `equal` + `drifted` + `missing`, and the match rate is the share that is equal; null
    where nothing was checked. Orphans are `returned` and `strangers`; null where a sample was
    taken, which does not look for them. What is due, in doubt or moved meanwhile is not comparable.
    """

    sync: str
    query: str
    checked: int
    equal: int
    drifted: int
    missing: int
    returned: int | None
    strangers: int | None
    not_comparable: int
    match_rate: float | None
    words: str
    attributes: Sequence[VerifiedAttribute] = ()
    samples: Sequence[Difference] = ()

    @property
    def differs(self) -> int:
        """Return how many records are otherwise than they were delivered."""
        orphans = (self.returned or 0) + (self.strangers or 0)
        return self.drifted + self.missing + orphans


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found at a destination, or in the workspace; `at` is in Unix seconds.

    `sync` is the only one that was looked at, if it was one. `sampled` is how many records of each
    were drawn, null where everything was read.
    """

    destination: str
    at: float
    by: str
    sync: str | None
    sampled: int | None
    syncs: Sequence[VerifiedSync]

    @property
    def differs(self) -> int:
        """Return how many records are otherwise than they were delivered."""
        return sum(one.differs for one in self.syncs)


_KEPT = TypeAdapter(list[Verification])


class VerificationFiles:
    """One file for each target of a workspace, in the data directory."""

    def __init__(self, root: Path, workspace_id: int) -> None:
        self._folder = root / VERIFICATIONS
        self._workspace_id = workspace_id

    def load(self, target: str) -> list[Verification]:
        """Return what was found at a target, the newest first, if anything can be read."""
        try:
            return _KEPT.validate_json(self._path(target).read_bytes())
        except (OSError, ValidationError):
            return []

    def keep(self, target: str, found: Verification, since: float) -> None:
        """Add what was found without its samples, and forget what is older than a moment."""
        bare = replace(found, syncs=[replace(one, samples=()) for one in found.syncs])
        young = [one for one in self.load(target) if one.at >= since]
        text = _KEPT.dump_json([bare, *young][:MOST])
        with suppress(OSError):
            make_folder(self._folder)
            write_durable(self._path(target), [text])

    def _path(self, target: str) -> Path:
        return self._folder / f"{self._workspace_id}-{target}.json"
