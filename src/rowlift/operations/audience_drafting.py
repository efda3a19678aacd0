"""Audiences that somebody is still writing: kept at each change until they are kept or dropped.

A draft is one person's own, so that two people at one audience meet only when they keep it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rowlift.core.errors import ConfigError
from rowlift.operations.callers import Caller
from rowlift.operations.draft_desk import NO_WINDOW, DraftDesk, DraftRecord, Merged, Sending


@dataclass(frozen=True, slots=True)
class AudienceWriting:
    """What somebody wrote: its name, its document (empty while nobody can read it), and its form.

    It edits the audience `edits` from its version `base`; a new one edits none.
    """

    name: str
    document: Mapping[str, Any]
    view: Mapping[str, Any]
    edits: str = ""
    base: int = 0
    sent: Sending = NO_WINDOW


@dataclass(frozen=True, slots=True)
class AudienceDrafts:
    """The drafts of audiences of whoever asks; methods on one raise StateError NOT_FOUND."""

    _desk: DraftDesk

    def list(self, *, by: Caller) -> Sequence[DraftRecord]:
        """Return somebody's drafts, what was changed last first."""
        return self._desk.all(by)

    def get(self, draft_id: int, *, by: Caller) -> DraftRecord:
        """Return one draft."""
        return self._desk.get(draft_id, by)

    def of(self, name: str, *, by: Caller) -> DraftRecord | None:
        """Return one's draft of an audience, if there is one; raises ConfigError NAME_UNKNOWN."""
        return self._desk.of(name, by)

    def save(
        self, writing: AudienceWriting, draft_id: int = 0, *, expected: int, by: Caller
    ) -> DraftRecord:
        """Keep what was written in a draft, or in a new one where it is none or gone.

        Raises GuardStop EDIT_CONFLICT where another window was faster, and TOO_MANY_DRAFTS.
        """
        desk, told, sent = self._desk, (writing.document, writing.view), writing.sent
        mine = self._mine(writing, draft_id, by)
        if mine is None and writing.edits:
            return desk.edit(writing.edits, writing.base, *told, by, sent)
        if mine is None:
            return desk.new(writing.name, *told, by, sent)
        return desk.save(mine.id, writing.name, *told, expected, by, sent)

    def drop(self, draft_id: int, *, by: Caller) -> None:
        """Forget a draft."""
        self._desk.drop(draft_id, by)

    def merge(self, draft_id: int, *, by: Caller) -> Merged:
        """Take into a draft what somebody else changed of the audience; keys of both stay mine.

        Its form is forgotten. Raises ConfigError and GuardStop EDIT_CONFLICT.
        """
        if not self._desk.get(draft_id, by).document:
            text = "What you wrote cannot be read yet, so nothing can be taken into it."
            raise ConfigError("VALUE_WRONG", text, mend="Mend it first.")
        return self._desk.merge(draft_id, by, {})

    def _mine(self, writing: AudienceWriting, draft_id: int, by: Caller) -> DraftRecord | None:
        """Return the draft of a number, or that of the same audience, or of the same window."""
        known = self._desk.all(by)
        same = [one for one in known if one.id == draft_id]
        same += [one for one in known if writing.edits and one.sync == writing.edits]
        same += [one for one in known if writing.sent.is_of(one.view)]
        return next(iter(same), None)
