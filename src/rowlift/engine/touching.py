"""What a run wrote of the workspace, for whom that may concern."""

from collections.abc import Iterable

from rowlift.core.audiences import ANYTHING, Wrote
from rowlift.core.nouns import Kind
from rowlift.engine.parts import RELATIONSHIPS, Part
from rowlift.engine.populate import WRITES, Populated

_ANYBODY = ("create", "clear", "delete", "suppressed")  # may change who is there, or any attribute


def wrote(done: Iterable[tuple[Part, Populated]]) -> Wrote:
    """Return what the parts of a run wrote."""
    attributes, segments, objects = frozenset[str](), frozenset[str](), False
    for part, populated in done:
        counts = populated.counts
        if not any(counts.get(name) for name in (*WRITES, "suppressed")):
            continue
        if part.name != RELATIONSHIPS and part.spec.kind is Kind.PERSON:
            settled = populated.settled
            if settled is None or settled.merges or any(counts.get(one) for one in _ANYBODY):
                return ANYTHING
            attributes |= settled.attributes | {"id", "email"}
            segments |= {part.spec.segment.name} if part.spec.segment else set()
        elif counts.get("suppressed"):
            return ANYTHING
        else:
            objects = True
    return Wrote(attributes=attributes, segments=segments, objects=objects)
