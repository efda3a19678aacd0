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
from rowlift.engine.preview import Preview
from rowlift.operations.audience_drafting import AudienceDrafts
from rowlift.operations.auditing import Audit
from rowlift.operations.callers import Caller
from rowlift.operations.defining import DefinitionRecord, find, require_ours
from rowlift.operations.definitions import Definitions
from rowlift.operations.draft_desk import (
    NO_WINDOW,
    UNNAMED,
    DraftDesk,
    DraftRecord,
    Merged,
    Sending,
    owner,
)
from rowlift.operations.home import Home
from rowlift.operations.kinds import ACCEPTS
from rowlift.operations.outlining import Outline, in_order, outline, with_sync, would_be
from rowlift.operations.previewing import preview_sync
from rowlift.operations.querying import Queries, QuerySource
from rowlift.operations.segments import list_segments
from rowlift.operations.timetable import hold_off
from rowlift.project.names import name as checked_name

_LOOK = ("preset", "kind", "object_type", "source", "sql", "identify_by", "workspace", "limits")
_FEED = ("audience", "identify_by", "limits", "destinations")


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
        return self._desk.all(by)

    def get(self, draft_id: int, *, by: Caller) -> DraftRecord:
        """Return one draft; raises StateError NOT_FOUND."""
        return self._desk.get(draft_id, by)

    def new(
        self, name: str = "", document: Mapping[str, Any] | None = None,
        view: Mapping[str, Any] | None = None, *, by: Caller,
    ) -> DraftRecord:  # fmt: skip
        """Begin a new sync; raises GuardStop TOO_MANY_DRAFTS."""
        return self._desk.new(name, document or {}, view or {}, by)

    def edit(self, sync: str, *, by: Caller) -> DraftRecord:
        """Return one's draft of a sync that is kept, begun now unless there is one.

        Raises ConfigError NAME_UNKNOWN and MANAGED_IN_FILES.
        """
        one = find(self.home(), "sync", sync)
        require_ours(one)
        mine = self._desk.of(sync, by)
        return mine or self._desk.edit(one.name, one.version, one.document, {}, by)

    def duplicate(self, sync: str, *, by: Caller) -> DraftRecord:
        """Begin a new sync from one that is kept, also from one that files declare."""
        home = self.home()
        one = find(home, "sync", sync)
        return self.new(_free(home, one.name), one.document, by=by)

    def save(
        self, draft_id: int, name: str, document: Mapping[str, Any],
        view: Mapping[str, Any] | None = None, *, expected: int, by: Caller,
        sent: Sending = NO_WINDOW,
    ) -> DraftRecord:  # fmt: skip
        """Replace a draft, whatever is wrong with it; without a view that stays.

        A window replaces what it sent itself, whatever version it knows. Raises StateError
        NOT_FOUND, and GuardStop EDIT_CONFLICT where another window was faster.
        """
        return self._desk.save(draft_id, name, document, view, expected, by, sent)

    def drop(self, draft_id: int, *, by: Caller) -> None:
        """Forget a draft; raises StateError NOT_FOUND."""
        self._desk.drop(draft_id, by)

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
            self._desk.store.remember(owner(by), draft_id, view)
        return found

    def merge(self, draft_id: int, *, by: Caller) -> Merged:
        """Take into a draft what somebody else changed of the sync since; keys of both stay mine.

        Raises StateError NOT_FOUND, ConfigError NAME_UNKNOWN, GuardStop EDIT_CONFLICT.
        """
        return self._desk.merge(draft_id, by)

    def start(
        self, draft_id: int, *, by: Caller, origin: str = "python", at_once: bool = True
    ) -> DefinitionRecord:
        """Keep what a draft says, as the sync it edits or as a new one, and forget the draft.

        Unless `at_once`, an interval's first run comes after it, so that rows can be tried before.
        Raises what making or editing a definition does: ProjectInvalid, ConfigError NAME_TWICE,
        GuardStop PREVIEW_STOPS and EDIT_CONFLICT.
        """
        desk = self._desk
        home, draft = self.home(), desk.store.get(owner(by), draft_id)
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
            kept = desk.edited(home, draft)
            made = door.edit("sync", kept.name, document(kept.name), expected=draft.base)
            if kept.name != draft.name:
                made = door.rename("sync", kept.name, draft.name, expected=made.version)
        desk.store.drop(owner(by), draft_id)
        told = {"sync": made.name, "version": made.version}
        self.audit().note(by, "draft.start", draft.name, before={"draft": draft_id}, after=told)
        return made

    @property
    def audiences(self) -> AudienceDrafts:
        """Return audiences that somebody is still writing."""
        return AudienceDrafts(DraftDesk(self.home, self.audit, "audience"))

    @property
    def _desk(self) -> DraftDesk:
        return DraftDesk(self.home, self.audit, "sync")


def _destinations(home: Home) -> Iterator[DestinationChoice]:
    for name, one in sorted(home.project.destinations.items()):
        able = ACCEPTS[one.type]
        told = (able.kinds, able.matches, able.modes, able.removed)
        kinds, matches, modes, removed = (sorted(map(str, each)) for each in told)
        yield DestinationChoice(name, one.type, kinds, matches, modes, removed)


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
