"""Everything that can be known of a project without a network: the files, and what they ask for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rowlift.core.errors import Place, RowliftError
from rowlift.core.nouns import Accepts, Kind, Removed
from rowlift.core.specs import OWN, ProjectSpec, SyncSpec, UseSpec
from rowlift.project.connections import ConnectorKinds
from rowlift.project.documents import Document
from rowlift.project.files import Reading, SyncPlace, read
from rowlift.project.problems import Problem, ProjectInvalid, in_order, listed

if TYPE_CHECKING:
    from rowlift.kit.sqlguard import GuardedQuery

Guard = Callable[[str, str], "GuardedQuery"]
"""Takes a query and its source's type; raises RowliftError with a place inside the query."""

_IDENTIFIERS = frozenset(
    {"id", "user_id", "email", "anonymous_id", "group_id", "object_id", "object_type"}
)


def check(
    root: Path,
    kinds: ConnectorKinds,
    *,
    profile: str | None = None,
    accepts: Mapping[str, Accepts] | None = None,
    guard: Guard | None = None,
) -> tuple[Problem, ...]:
    """Return every problem and warning of a folder, by file and line.

    `accepts` tells by destination type what it can take; without it, and without a guard, those
    checks are left out.
    """
    reading = read(root, kinds, profile=profile)
    found = list(reading.problems)
    columns: dict[str, Sequence[str]] = {}
    for name, sync in reading.syncs.items():
        place = reading.places[name]
        if guard:
            found += guarded(reading, sync, place, guard, columns)
        found += abilities(reading, sync, place, accepts or {})
    for name in reading.forwards:
        found += unable(reading, name, accepts or {})
    return in_order([*found, *_shared(reading, columns)])


def load_able(
    root: Path, kinds: ConnectorKinds, accepts: Mapping[str, Accepts], *, profile: str | None = None
) -> ProjectSpec:
    """Return the project of a folder whose destinations can do what its syncs ask.

    Raises ProjectInvalid with every problem it has.
    """
    reading = read(root, kinds, profile=profile)
    wrong = [one for one in reading.problems if not one.is_warning]
    for name, sync in reading.syncs.items():
        wrong += abilities(reading, sync, reading.places[name], accepts)
    for name in reading.forwards:
        wrong += unable(reading, name, accepts)
    spec = reading.spec
    if wrong or spec is None:
        raise ProjectInvalid(in_order(wrong))
    return spec


def guarded(
    reading: Reading,
    sync: SyncSpec,
    place: SyncPlace,
    guard: Guard,
    columns: dict[str, Sequence[str]],
) -> Iterator[Problem]:
    """Yield what is wrong with a sync's queries; note the columns of the first."""
    from rowlift.kit.sqladvice import limit_told  # noqa: PLC0415 - with a parser: 0.1 s

    source = reading.profile.readable.get(sync.source) if reading.profile else None
    if source is None or (source is not OWN and source.type not in reading.kinds.sources):
        return
    second = sync.relating
    queries = [(sync.sql, place.query), (second.sql if second else "", place.relationships)]
    for sql, at in queries:
        try:
            if at and sql.strip():
                query = guard(sql, source.type)
                columns.setdefault(sync.name, query.named)
                if query.unread:
                    where = _in_query(place.document, at, query.unread.place)
                    yield Problem("SQL_UNREAD", query.unread.message, place=where)
                if query.has_limit:
                    yield Problem("LIMIT_LOSES_ROWS", limit_told(sql), place=at)
        except RowliftError as error:
            where = _in_query(place.document, at, error.place)
            yield Problem(error.code, error.message, place=where, mend=error.mend)


def _in_query(document: Document, query: Place | None, inner: Place | None) -> Place | None:
    """Return a place of a query as a place of its file; inline SQL has only its key's."""
    if query and inner and query.path != document.path:
        return Place(query.path, inner.line, inner.column)
    return query


def abilities(
    reading: Reading, sync: SyncSpec, place: SyncPlace, accepts: Mapping[str, Accepts]
) -> Iterator[Problem]:
    """Yield what a sync asks of its destinations that they cannot do."""
    for index, use in enumerate(sync.destinations):
        connection = reading.profile.destinations.get(use.use) if reading.profile else None
        able = accepts.get(connection.type) if connection else None
        if connection is None or able is None:
            continue
        thing = f"{use.use} ({connection.type})"
        for key, message, mend in _beyond(sync, use, able, thing):
            at = place.document.place(("destinations", index, key))
            yield Problem("CANNOT_DO", message, place=at, mend=mend)


def unable(reading: Reading, name: str, accepts: Mapping[str, Accepts]) -> Iterator[Problem]:
    """Yield what a forward asks of its destination that it cannot do."""
    forward = reading.forwards.get(name)
    if forward is None or reading.profile is None:
        return
    connection = reading.profile.destinations.get(forward.destination)
    able = accepts.get(connection.type) if connection else None
    if connection is None or able is None or able.events >= {*forward.match}:
        return
    thing = f"{forward.destination} ({connection.type})"
    key, text, mend = "destination", f"{thing} takes no events.", "Forward to another one."
    if able.events:
        text = f"{thing} cannot name the people of events by {listed(forward.match, 'and')}."
        key, mend = "match", f"Set match to some of {listed(sorted(able.events), 'and')}."
    place = reading.forward_places[name].place((key,))
    yield Problem("CANNOT_DO", text, place=place, mend=mend)


def _shared(reading: Reading, columns: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """Yield a warning for each destination that two syncs write one attribute to."""
    writers: dict[tuple[str, str, str, str], str] = {}
    for name, sync in reading.syncs.items():
        for index, use in enumerate(sync.destinations):
            others: dict[str, list[str]] = {}
            for trait in _traits(use, columns.get(name, ())):
                first = writers.setdefault((use.use, sync.kind, sync.object_type, trait), name)
                if first != name:
                    others.setdefault(first, []).append(trait)
            place = reading.places[name].document.place(("destinations", index))
            for other, traits in others.items():
                text = f"{name} and {other} both write {listed(traits, 'and')} to {use.use}: "
                text += "whichever changed last wins."
                mend = f"Let one of them: exclude: [{', '.join(traits)}], or give it another name."
                yield Problem("ATTRIBUTE_SHARED", text, place=place, mend=mend)


def _traits(use: UseSpec, columns: Sequence[str]) -> list[str]:
    return [
        use.fields.get(name, name)
        for name in columns
        if name
        and name not in _IDENTIFIERS | {*use.exclude}
        and (not use.only or name in use.only or name in use.fields)
    ]


def _fits(sync: SyncSpec, match: str) -> bool:
    """Tell whether the values of a sync's key can be a destination's identifier of that name."""
    if sync.kind is not Kind.PERSON:
        return match in {"group_id", "object_id"}
    return match == sync.identify_by or match not in {"email", "group_id", "object_id"}


def _beyond(
    sync: SyncSpec, use: UseSpec, able: Accepts, thing: str
) -> Iterator[tuple[str, str, str]]:
    if sync.kind not in able.kinds:
        text = f"{thing} cannot take rows of kind {sync.kind}."
        yield "kind", text, f"It takes {listed(sorted(able.kinds))}."
    if use.match not in able.matches:
        text = f'{thing} cannot match by "{use.match}".'
        yield "match", text, f"Set match to {listed(sorted(able.matches))}."
    elif not _fits(sync, use.match):
        text = f'The key of {sync.name} is {sync.identify_by}; it cannot match by "{use.match}".'
        yield "match", text, "Match by what the key is, or identify the sync by another column."
    if use.mode not in able.modes:
        text = f"{thing} cannot do mode: {use.mode}."
        yield "mode", text, f"Set mode to {listed(sorted(able.modes))} for it."
    is_list = Removed.LEAVE_SEGMENT in able.removed
    if is_list and sync.audience and use.removed is Removed.KEEP:
        text = f"{thing} is a list: it would get who left {sync.audience} as well."
        yield "removed", text, "Set removed to leave_segment for it."
    if use.removed not in able.removed:
        text = f"{thing} cannot do removed: {use.removed}."
        yield "removed", text, f"Set removed to {listed(sorted(able.removed))} for it."
