"""What an audience is computed from: the syncs that bring it, and how old that is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rowlift.core.audiences import AudienceSpec, Needs, needs
from rowlift.core.clock import Clock
from rowlift.core.nouns import Kind
from rowlift.core.specs import SyncSpec
from rowlift.operations.freshness import levels
from rowlift.operations.home import Home
from rowlift.state.images import WORKSPACE

_ACCOUNT = "1"  # the type of accounts


@dataclass(frozen=True, slots=True)
class AudienceSource:
    """A sync that brings what an audience asks for, and the source's time of what it brought.

    `as_of` is in Unix seconds, and None where nothing came yet; `late` says that it is older than
    the sync promises.
    """

    sync: str
    what: Sequence[str]
    as_of: int | None
    late: bool = False


def sources(home: Home, spec: AudienceSpec, clock: Clock) -> list[AudienceSource]:
    """Return the syncs that an audience depends on, those of other audiences that it names too.

    Events come by themselves, and what hands changed is as old as that.
    """
    asked, found = _all(home, spec), []
    for name, sync in sorted(home.project.syncs.items()):
        if sync.workspace and (what := sorted(set(_brings(home, name, sync, asked)))):
            here = [one for one in levels(home, name, clock) if one.target == WORKSPACE]
            late = any(one.late for one in here if one.attribute in ("", *what))
            found.append(AudienceSource(name, what, here[0].as_of, late))
    return found


def _all(home: Home, spec: AudienceSpec) -> Needs:
    """Return what an audience needs, and those that it is made from."""
    found, due, seen = Needs(), [spec], {spec.name}
    while due:
        asked = needs(due.pop())
        found |= asked
        for name in asked.segments - seen:
            seen.add(name)
            if name in home.project.audiences:
                due.append(home.project.audiences[name])
    return found


def _brings(home: Home, name: str, sync: SyncSpec, asked: Needs) -> Iterator[str]:
    """Yield what a sync brings of that which is asked for."""
    image = home.store.images.image(home.syncs[name])
    columns = {one.name for one in image.columns} if image else set()
    if sync.kind is Kind.PERSON:
        yield from (columns | ({"id"} if "user_id" in columns else set())) & asked.attributes
        if sync.segment and sync.segment.name in asked.segments:
            yield sync.segment.name
    else:
        of_type = _ACCOUNT if sync.kind is Kind.ACCOUNT else sync.object_type
        found = asked.objects if "object_type" in columns else asked.objects & {of_type}
        yield from ("accounts" if one == _ACCOUNT else f"objects of type {one}" for one in found)
    if sync.relationships and asked.objects:
        yield "relationships"
