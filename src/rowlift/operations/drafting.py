"""Syncs that somebody is still writing: kept at each step, judged as they are, and begun at last.

A draft is one person's own, so that two people who edit one sync meet only when they save it.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rowlift.core.clock import SystemClock
from rowlift.core.errors import ConfigError
from rowlift.core.specs import Managed
from rowlift.engine.preview import Preview
from rowlift.operations.auditing import Audit
from rowlift.operations.callers import Caller
from rowlift.operations.defining import DefinitionRecord, find, require_ours, version_of
from rowlift.operations.definitions import Definitions
from rowlift.operations.home import Home
from rowlift.operations.kinds import ACCEPTS
from rowlift.operations.outlining import Outline, in_order, outline, with_sync, would_be
from rowlift.operations.previewing import preview_sync
from rowlift.operations.querying import Queries, QuerySource
from rowlift.operations.segments import list_segments
from rowlift.operations.timetable import hold_off
from rowlift.project.names import name as checked_name
from rowlift.state.definitions import Definition
from rowlift.state.drafts import Draft, DraftStore

UNNAMED = "new_sync"  # what a sync is called until somebody says how
_LOOK = ("preset", "kind", "object_type", "source", "sql", "identify_by", "workspace", "limits")
_FEED = ("audience", "identify_by", "limits", "destinations")


@dataclass(frozen=True, slots=True)
class DraftRecord:
    """A draft; `sync` is the sync that it edits as it is called now, empty for a new one.

    `base` is the version that it began from and `current` the one that is kept: they differ where
    somebody else was faster. `view` is what a page remembers; times are Unix seconds.
    """

    id: int
    sync: str
    base: int
    current: int
    managed: Managed
    name: str
    document: Mapping[str, Any]
    view: Mapping[str, Any]
    version: int
    created_at: float
    updated_at: float

    @property
    def is_behind(self) -> bool:
        """Tell whether somebody else changed the sync since the draft began."""
        return self.base != self.current

    @property
    def called(self) -> str:
        """Return what the sync is called, or a name that stands for it."""
        return self.name or UNNAMED


@dataclass(frozen=True, slots=True)
class DestinationChoice:
    """A destination that a sync may use, and what its type can do."""

    name: str
    type: str
    kinds: Sequence[str]
    matches: Sequence[str]
    modes: Sequence[str]
    removed: Sequence[str]


@dataclass(frozen=True, slots=True)
class Choices:
    """What a sync may be made of."""

    sources: Sequence[QuerySource]
    destinations: Sequence[DestinationChoice]
    segments: Sequence[str]
    identifiers: Sequence[str]  # of people, as the workspace has them: id, email or both


@dataclass(frozen=True, slots=True)
class Clash:
    """A key that both changed: what it was, what the other wrote, and what the draft says."""

    key: str
    before: Any
    theirs: Any
    mine: Any


@dataclass(frozen=True, slots=True)
class Merged:
    """A draft with what somebody else changed taken in; in `clashes` the draft's words stand."""

    draft: DraftRecord
    taken: tuple[str, ...]
    clashes: tuple[Clash, ...]


@dataclass(frozen=True, slots=True)
class Drafts:
    """The drafts of whoever asks."""

    home: Callable[[], Home]
    definitions: Definitions
    audit: Callable[[], Audit]

    def choices(self) -> Choices:
        """Return what a sync may be made of."""
        home = self.home()
        asked = Queries(home, SystemClock()).choices()
        segments = [one.name for one in list_segments(home)]
        return Choices(asked.sources, list(_destinations(home)), segments, asked.identifiers)

    def list(self, *, by: Caller) -> Sequence[DraftRecord]:
        """Return somebody's drafts, what was changed last first."""
        home = self.home()
        return [_record(home, one) for one in self._store.all(_owner(by))]

    def get(self, draft_id: int, *, by: Caller) -> DraftRecord:
        """Return one draft; raises StateError NOT_FOUND."""
        return _record(self.home(), self._store.get(_owner(by), draft_id))

    def new(
        self, name: str = "", document: Mapping[str, Any] | None = None,
        view: Mapping[str, Any] | None = None, *, by: Caller,
    ) -> DraftRecord:  # fmt: skip
        """Begin a new sync; raises GuardStop TOO_MANY_DRAFTS."""
        number = self._store.add(_owner(by), name, _bare(document or {}), view or {})
        self.audit().note(by, "draft.create", name, after={"draft": number})
        return self.get(number, by=by)

    def edit(self, sync: str, *, by: Caller) -> DraftRecord:
        """Return one's draft of a sync that is kept, begun now unless there is one.

        Raises ConfigError NAME_UNKNOWN and MANAGED_IN_FILES.
        """
        one = find(self.home(), "sync", sync)
        require_ours(one)
        for draft in self._store.all(_owner(by)):
            if draft.sync_uid == one.uid:
                return self.get(draft.id, by=by)
        number = self._store.add(
            _owner(by), one.name, _bare(one.document), {}, sync_uid=one.uid, base=one.version
        )
        told = {"draft": number, "edits": one.name, "version": one.version}
        self.audit().note(by, "draft.create", one.name, after=told)
        return self.get(number, by=by)

    def duplicate(self, sync: str, *, by: Caller) -> DraftRecord:
        """Begin a new sync from one that is kept, also from one that files declare."""
        home = self.home()
        one = find(home, "sync", sync)
        return self.new(_free(home, one.name), one.document, by=by)

    def save(
        self, draft_id: int, name: str, document: Mapping[str, Any],
        view: Mapping[str, Any] | None = None, *, expected: int, by: Caller,
    ) -> DraftRecord:  # fmt: skip
        """Replace a draft, whatever is wrong with it; without a view that stays.

        Raises StateError NOT_FOUND, and GuardStop EDIT_CONFLICT where another window was faster.
        """
        kept = self._store.get(_owner(by), draft_id).view if view is None else view
        self._store.save(
            _owner(by), draft_id, name, _bare(document), kept, expected=expected
        )  # fmt: skip
        return self.get(draft_id, by=by)

    def drop(self, draft_id: int, *, by: Caller) -> None:
        """Forget a draft; raises StateError NOT_FOUND."""
        draft = self._store.get(_owner(by), draft_id)
        self._store.drop(_owner(by), draft_id)
        self.audit().note(by, "draft.drop", draft.name, before={"draft": draft_id})

    def outline(self, draft_id: int, *, by: Caller) -> Outline:
        """Return what the sync would be: in words, with what is wrong and when it is due."""
        draft = self.get(draft_id, by=by)
        return outline(self.home(), draft.called, draft.document, before=draft.sync or None)

    def preview(
        self, draft_id: int, *, relationships: bool = False, sample: bool = False, by: Caller
    ) -> Preview:
        """Run the query of a draft, as a preview of the sync would, and remember its columns.

        While other steps are wrong, the query is looked at without them. Raises ConfigError and
        SourceError.
        """
        home, draft = self.home(), self.get(draft_id, by=by)
        name, before = draft.called, draft.sync or None
        would = would_be(home, name, draft.document, before=before)
        if would.concerns:
            name = draft.sync or UNNAMED
            would = would_be(home, name, _query_alone(home, draft.document), before=before)
        if would.concerns:
            first = would.concerns[0]
            raise ConfigError(first.code, first.message, mend=first.mend)
        found = preview_sync(
            with_sync(home, would, name, home.syncs.get(draft.sync, "new")), name, sample=sample,
            relationships=relationships, last_sync_time=0, on_sample=None,
        )  # fmt: skip
        if not relationships:
            seen = [{"name": one.name, "type": one.type_name} for one in found.columns]
            view = {**draft.view, "columns": seen, "seen": draft.document.get("sql", "")}
            self._store.remember(_owner(by), draft_id, view)
        return found

    def merge(self, draft_id: int, *, by: Caller) -> Merged:
        """Take into a draft what somebody else changed of the sync since; keys of both stay mine.

        Raises StateError NOT_FOUND, ConfigError NAME_UNKNOWN, GuardStop EDIT_CONFLICT.
        """
        home, draft = self.home(), self._store.get(_owner(by), draft_id)
        one = _edited(home, draft)
        before = dict(version_of(home, one, draft.base).document)
        merged, taken, clashes = _merged(before, _bare(one.document), draft.document)
        self._store.save(
            _owner(by), draft_id, draft.name, merged, draft.view,
            expected=draft.version, base=one.version,
        )  # fmt: skip
        return Merged(self.get(draft_id, by=by), tuple(taken), tuple(clashes))

    def start(
        self, draft_id: int, *, by: Caller, origin: str = "python", at_once: bool = True
    ) -> DefinitionRecord:
        """Keep what a draft says, as the sync it edits or as a new one, and forget the draft.

        Unless `at_once`, an interval's first run comes after it, so that rows can be tried before.
        Raises what making or editing a definition does: ProjectInvalid, ConfigError NAME_TWICE,
        GuardStop PREVIEW_STOPS and EDIT_CONFLICT.
        """
        home, draft = self.home(), self._store.get(_owner(by), draft_id)
        door = self.definitions.by(by.name, origin)
        if not draft.name:
            text = "The sync has no name yet."
            raise ConfigError("KEY_MISSING", text, mend="Give it a name, such as open_tickets.")
        document = partial(in_order, document=draft.document)
        if not draft.sync_uid:
            made = door.create("sync", draft.name, document(draft.name))
            if not at_once:
                hold_off(self.home(), draft.name, int(time.time()))
        else:
            kept = _edited(home, draft)
            made = door.edit("sync", kept.name, document(kept.name), expected=draft.base)
            if kept.name != draft.name:
                made = door.rename("sync", kept.name, draft.name, expected=made.version)
        self._store.drop(_owner(by), draft_id)
        told = {"sync": made.name, "version": made.version}
        self.audit().note(by, "draft.start", draft.name, before={"draft": draft_id}, after=told)
        return made

    @property
    def _store(self) -> DraftStore:
        home = self.home()
        return DraftStore(home.store.database, home.workspace_id)


def _destinations(home: Home) -> Iterator[DestinationChoice]:
    for name, one in sorted(home.project.destinations.items()):
        able = ACCEPTS[one.type]
        told = (able.kinds, able.matches, able.modes, able.removed)
        kinds, matches, modes, removed = (sorted(map(str, each)) for each in told)
        yield DestinationChoice(name, one.type, kinds, matches, modes, removed)


def _owner(by: Caller) -> int:
    return by.user_id or 0


def _bare(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sync's document without its name, which a draft keeps beside it."""
    return {key: value for key, value in document.items() if key not in {"sync", "renamed_from"}}


def _record(home: Home, draft: Draft) -> DraftRecord:
    kept = _kept(home, draft)
    return DraftRecord(
        draft.id, kept.name if kept else "", draft.base, kept.version if kept else draft.base,
        kept.managed if kept else "rowlift", draft.name, draft.document, draft.view,
        draft.version, draft.created_at, draft.updated_at,
    )  # fmt: skip


def _kept(home: Home, draft: Draft) -> Definition | None:
    live = home.store.definitions.all(home.workspace_id, "sync") if draft.sync_uid else []
    return next((one for one in live if one.uid == draft.sync_uid and not one.archived_at), None)


def _edited(home: Home, draft: Draft) -> Definition:
    kept = _kept(home, draft)
    if kept is None:
        text = "The sync that this draft edits is deleted, or the draft is of a new one."
        mend = "Restore the sync, or duplicate it as a new one."
        raise ConfigError("NAME_UNKNOWN", text, mend=mend)
    return kept


def _free(home: Home, name: str) -> str:
    """Return a name for a copy that no sync has."""
    taken = {one.name for one in home.store.definitions.all(home.workspace_id, "sync")}
    at = 2
    while checked_name(f"{name}_{at}") in taken:
        at += 1
    return f"{name}_{at}"


def _query_alone(home: Home, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return only what its query needs of a sync, identified as its kind usually is."""
    if "audience" in document:
        return {key: document[key] for key in _FEED if key in document}
    found = {key: document[key] for key in _LOOK if key in document}
    if found.get("kind", "person") == "person" and "identify_by" not in found:
        found["identify_by"] = home.project.workspace.identifiers[0]
    if "relationships" in document:
        found["relationships"] = document["relationships"]
    return {**found, "workspace": "write"}


def _merged(
    before: Mapping[str, Any], theirs: Mapping[str, Any], mine: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str], list[Clash]]:
    """Return a document of three, key by key: whoever changed a key is right, mine if both did."""
    merged, taken, clashes = dict[str, Any](), list[str](), list[Clash]()
    for key in sorted({*theirs, *mine, *before} - {"sync", "renamed_from"}):
        old, their, own = before.get(key), theirs.get(key), mine.get(key)
        chosen = their if own == old else own
        if own != their and own == old:
            taken.append(key)
        elif own not in (their, old) and their != old:
            clashes.append(Clash(key, old, their, own))
        if chosen is not None:
            merged[key] = chosen
    return merged, taken, clashes
