"""What a sync would be, before it is kept: in one paragraph, with what is wrong and when it is due.

Nothing is asked of a source or destination, and nothing is changed.
"""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rowlift.core.errors import Place
from rowlift.core.specs import ProjectSpec, SyncSpec
from rowlift.operations.home import Home
from rowlift.operations.opening import held_beside, judged
from rowlift.operations.prose import prose
from rowlift.project.held import Held
from rowlift.project.models import SyncFile
from rowlift.project.problems import ProjectInvalid
from rowlift.project.slots import slots_of
from rowlift.project.writing import write_yaml

TIMES = 5
_MISSING = re.compile(r'The key "(\w+)" is missing')
_ORDER = {name: at for at, name in enumerate(SyncFile.model_fields)}


@dataclass(frozen=True, slots=True)
class Concern:
    """What is wrong with one key of a sync; `key` is its first name, empty for the whole.

    Line and column are those of its query, from 1; 0 is nowhere in it.
    """

    key: str
    code: str
    message: str
    mend: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Outline:
    """What a sync would be: a paragraph, its next slots in Unix seconds, and its YAML.

    The paragraph is empty, and there are no slots, while something is wrong with it.
    """

    prose: str
    times: tuple[int, ...]
    concerns: tuple[Concern, ...]
    yaml: str


@dataclass(frozen=True, slots=True)
class Would:
    """A project with a sync as it would be, and what is wrong with that."""

    project: ProjectSpec
    concerns: tuple[Concern, ...]


def outline(
    home: Home, name: str, document: Mapping[str, Any], *, before: str | None = None
) -> Outline:
    """Return what a sync would be; `before` is its name as it is kept."""
    would = would_be(home, name, document, before=before)
    spec = None if would.concerns else would.project.syncs.get(name)
    return Outline(
        prose(spec) if spec else "",
        tuple(_times(spec)) if spec else (),
        would.concerns,
        write_yaml(in_order(name, document)),
    )


def would_be(
    home: Home, name: str, document: Mapping[str, Any], *, before: str | None = None
) -> Would:
    """Judge a sync beside all others, as if it took the place of the one named before."""
    own = {("sync", name), ("sync", before or name)}
    live = home.store.definitions.all(home.workspace_id)
    held = held_beside((one for one in live if one.archived_at is None), home.files)
    others = [one for one in held if (one.kind, one.name) not in own]
    admitted = judged(home, [*others, Held("sync", name, in_order(name, document), is_edited=True)])
    wrong = admitted.broken.get(("sync", name))
    return Would(admitted.project, tuple(_concerns(wrong, name)) if wrong else ())


def in_order(name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sync's document with its name, keys in the order of the reference."""
    whole = {**document, "sync": name}
    return dict(sorted(whole.items(), key=lambda one: _ORDER.get(one[0], len(_ORDER))))


def with_sync(home: Home, would: Would, name: str, uid: str) -> Home:
    """Return the project as it would be, with the sync under a uid."""
    return replace(home, project=would.project, syncs={**home.syncs, name: uid})


def _concerns(wrong: ProjectInvalid, name: str) -> Iterator[Concern]:
    for one in wrong.problems:
        at = one.place.path.removeprefix(f"sync {name}").removeprefix(", ") if one.place else ""
        missing = _MISSING.match(one.message) if one.code == "KEY_MISSING" and not at else None
        key = missing[1] if missing else at.partition(".")[0].partition("[")[0]
        line, column = (0, 0) if one.place is None or at != "sql" else _within(one.place)
        yield Concern(key, one.code, one.message, one.mend, line, column)


def _within(place: Place) -> tuple[int, int]:
    return place.line or 0, place.column or 0


def _times(spec: SyncSpec) -> Iterator[int]:
    """Yield the next slots, of an interval without a start as if it began now."""
    if not spec.schedule:
        return
    now = int(time.time())
    slots, moment = slots_of(spec.schedule, now), now
    for _ in range(TIMES):
        found = slots.after(moment)
        if found is None:
            return
        yield found
        moment = found
