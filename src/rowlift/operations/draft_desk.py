"""Drafts of any kind: a person's own, and made one with what somebody else wrote meanwhile."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rowlift.core.errors import ConfigError, GuardStop
from rowlift.core.specs import Managed
from rowlift.operations.auditing import Audit
from rowlift.operations.callers import Caller
from rowlift.operations.defining import find, require_ours, version_of
from rowlift.operations.home import Home
from rowlift.state.definitions import Definition
from rowlift.state.drafts import Draft, DraftKind, DraftStore


@dataclass(frozen=True, slots=True)
class DraftRecord:
    """A draft; `sync` is what it edits as that is called now, empty for something new.

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
        """Tell whether somebody else changed what it edits since the draft began."""
        return self.base != self.current

    @property
    def called(self) -> str:
        """Return what it is called, or a name that stands for it."""
        return self.name or UNNAMED


UNNAMED = "new_sync"  # what a sync is called until somebody says how


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
class Sending:
    """Which window sent what was written, and when by its own clock, in milliseconds.

    What a window sends may overtake what it sent before: of that, what was written at a later
    moment counts, where that is said. An empty window is none.
    """

    window: str = ""
    at: int = 0

    def is_of(self, view: Mapping[str, Any]) -> bool:
        """Tell whether a draft was kept last by this window."""
        return self.window != "" and view.get("window") == self.window

    def is_overtaken(self, view: Mapping[str, Any]) -> bool:
        """Tell whether this window wrote later what a draft has."""
        return self.is_of(view) and 0 < self.at < int(view["at"])

    def remembered(
        self, view: Mapping[str, Any], before: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        """Return a view with whose it is now; the one `before` it tells what came last."""
        bare = {key: one for key, one in view.items() if key not in {"window", "at"}}
        if not self.window:
            return bare
        last = int(before["at"]) if before and self.is_of(before) else 0
        return {**bare, "window": self.window, "at": max(self.at, last)}


NO_WINDOW = Sending()


@dataclass(frozen=True, slots=True)
class DraftDesk:
    """What is done with drafts of one kind, whatever they are of."""

    home: Callable[[], Home]
    audit: Callable[[], Audit]
    kind: DraftKind

    def all(self, by: Caller) -> Sequence[DraftRecord]:
        """Return somebody's drafts, what was changed last first."""
        home = self.home()
        return [self._record(home, one) for one in self.store.all(owner(by))]

    def get(self, draft_id: int, by: Caller) -> DraftRecord:
        """Return one draft; raises StateError NOT_FOUND."""
        return self._record(self.home(), self.store.get(owner(by), draft_id))

    def of(self, name: str, by: Caller) -> DraftRecord | None:
        """Return somebody's draft of what is kept under a name; raises ConfigError NAME_UNKNOWN."""
        home = self.home()
        uid = find(home, self.kind, name).uid
        mine = (one for one in self.store.all(owner(by)) if one.sync_uid == uid)
        found = next(mine, None)
        return None if found is None else self._record(home, found)

    def new(
        self, name: str, document: Mapping[str, Any], view: Mapping[str, Any], by: Caller,
        sent: Sending = NO_WINDOW,
    ) -> DraftRecord:  # fmt: skip
        """Begin something new; raises GuardStop TOO_MANY_DRAFTS."""
        number = self.store.add(owner(by), name, self.bare(document), sent.remembered(view))
        self.audit().note(by, "draft.create", name, after={"draft": number})
        return self.get(number, by)

    def edit(
        self, name: str, base: int, document: Mapping[str, Any], view: Mapping[str, Any],
        by: Caller, sent: Sending = NO_WINDOW,
    ) -> DraftRecord:  # fmt: skip
        """Begin to edit what is kept, from one of its versions.

        Raises ConfigError NAME_UNKNOWN and MANAGED_IN_FILES, GuardStop TOO_MANY_DRAFTS.
        """
        one = find(self.home(), self.kind, name)
        require_ours(one)
        number = self.store.add(
            owner(by), one.name, self.bare(document), sent.remembered(view), sync_uid=one.uid,
            base=base,
        )  # fmt: skip
        told = {"draft": number, "edits": one.name, "version": base}
        self.audit().note(by, "draft.create", one.name, after=told)
        return self.get(number, by)

    def save(
        self, draft_id: int, name: str, document: Mapping[str, Any],
        view: Mapping[str, Any] | None, expected: int, by: Caller, sent: Sending = NO_WINDOW,
    ) -> DraftRecord:  # fmt: skip
        """Replace a draft, whatever is wrong with it; without a view that stays.

        A window replaces what it sent itself, whatever version it knows. Raises StateError
        NOT_FOUND, and GuardStop EDIT_CONFLICT where another window was faster.
        """
        bare = self.bare(document)
        while True:
            mine = self.store.get(owner(by), draft_id)
            is_own = sent.is_of(mine.view)
            if sent.is_overtaken(mine.view):
                return self.get(draft_id, by)
            version = mine.version if is_own else expected
            told = sent.remembered(mine.view if view is None else view, mine.view)
            try:
                self.store.save(owner(by), draft_id, name, bare, told, expected=version)
            except GuardStop:
                if not is_own:
                    raise
            else:
                return self.get(draft_id, by)

    def drop(self, draft_id: int, by: Caller) -> None:
        """Forget a draft; raises StateError NOT_FOUND."""
        draft = self.store.get(owner(by), draft_id)
        self.store.drop(owner(by), draft_id)
        self.audit().note(by, "draft.drop", draft.name, before={"draft": draft_id})

    def merge(self, draft_id: int, by: Caller, view: Mapping[str, Any] | None = None) -> Merged:
        """Take into a draft what somebody else changed since; keys of both stay mine.

        Raises StateError NOT_FOUND, ConfigError NAME_UNKNOWN, GuardStop EDIT_CONFLICT.
        """
        home, draft = self.home(), self.store.get(owner(by), draft_id)
        one = self.edited(home, draft)
        before = self.bare(version_of(home, one, draft.base).document)
        merged, taken, clashes = _merged(before, self.bare(one.document), draft.document)
        self.store.save(
            owner(by), draft_id, draft.name, merged,
            NO_WINDOW.remembered(draft.view if view is None else view),
            expected=draft.version, base=one.version,
        )  # fmt: skip
        return Merged(self.get(draft_id, by), tuple(taken), tuple(clashes))

    def edited(self, home: Home, draft: Draft) -> Definition:
        """Return what a draft edits; raises ConfigError NAME_UNKNOWN."""
        kept = self._kept(home, draft)
        if kept is None:
            text = f"The {self.kind} that this draft edits is deleted, or it is a new one."
            mend = f"Restore the {self.kind}, or make a new one of it."
            raise ConfigError("NAME_UNKNOWN", text, mend=mend)
        return kept

    def bare(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return a document without the name, which a draft keeps beside it."""
        return {key: one for key, one in document.items() if key not in {self.kind, "renamed_from"}}

    @property
    def store(self) -> DraftStore:
        """Return where the drafts are."""
        home = self.home()
        return DraftStore(home.store.database, home.workspace_id, self.kind)

    def _record(self, home: Home, draft: Draft) -> DraftRecord:
        kept = self._kept(home, draft)
        return DraftRecord(
            draft.id, kept.name if kept else "", draft.base, kept.version if kept else draft.base,
            kept.managed if kept else "rowlift", draft.name, draft.document, draft.view,
            draft.version, draft.created_at, draft.updated_at,
        )  # fmt: skip

    def _kept(self, home: Home, draft: Draft) -> Definition | None:
        found = home.store.definitions.all(home.workspace_id, self.kind) if draft.sync_uid else []
        live = (one for one in found if not one.archived_at)
        return next((one for one in live if one.uid == draft.sync_uid), None)


def owner(by: Caller) -> int:
    """Return whose drafts somebody's are: those of a user, or of who works at the machine."""
    return by.user_id or 0


def _merged(
    before: Mapping[str, Any], theirs: Mapping[str, Any], mine: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str], list[Clash]]:
    """Return a document of three, key by key: whoever changed a key is right, mine if both did."""
    merged, taken, clashes = dict[str, Any](), list[str](), list[Clash]()
    for key in sorted({*theirs, *mine, *before}):
        old, their, own = before.get(key), theirs.get(key), mine.get(key)
        chosen = their if own == old else own
        if own != their and own == old:
            taken.append(key)
        elif own not in (their, old) and their != old:
            clashes.append(Clash(key, old, their, own))
        if chosen is not None:
            merged[key] = chosen
    return merged, taken, clashes
