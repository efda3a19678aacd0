"""What a verification found, told: in rows, in counts and in words."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rowlift.core.nouns import Finding
from rowlift.engine.duck import Duck, parquet
from rowlift.engine.parts import Part
from rowlift.engine.verify import Compared
from rowlift.operations.home import Home, sync_names
from rowlift.state.verifications import Difference, VerifiedAttribute, VerifiedSync

MOST_SAMPLES = 10
COLUMNS = ("sync", "query", "kind", "key", "attribute", "ours", "theirs", "wrote")

_Z = 1.96  # of 95 % confidence
_AT_ONCE = 1_000
_ROWS = "SELECT kind, key, names, ours, theirs, wrote FROM {file} ORDER BY kind, key"


def as_row(one: Difference) -> Mapping[str, Any]:
    """Return a difference as a row of texts; values that are none are JSON."""
    told = {name: getattr(one, name) for name in COLUMNS}
    return {
        name: value if value is None or isinstance(value, str) else json.dumps(value)
        for name, value in told.items()
    }


def differences(home: Home, part: Part, stored: Path) -> Iterator[Difference]:
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


def first(found: Iterable[Difference]) -> list[Difference]:
    """Return some of each kind."""
    kept: dict[str, list[Difference]] = {}
    for one in found:
        of_kind = kept.setdefault(one.kind, [])
        if len(of_kind) < MOST_SAMPLES:
            of_kind.append(one)
    return [one for of_kind in kept.values() for one in of_kind]


def verified(
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


def step(one: VerifiedSync) -> Finding:
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
