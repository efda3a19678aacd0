"""Who and what is known: people, objects and segments, as every door asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rowlift import operations
from rowlift.operations.notebook import People
from rowlift.operations.opened import Opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rowlift.operations.exporting import PersonExport
    from rowlift.operations.identifying import Identifiers
    from rowlift.operations.merging import MergeRecord
    from rowlift.operations.records import ObjectRecord, ObjectType, PersonRecord
    from rowlift.operations.segments import (
        EventRecord,
        MemberRecord,
        MembersChanged,
        SegmentRecord,
    )
    from rowlift.operations.traces import SyncTrace, Why


class Known(Opened):
    """What a project knows, and why."""

    def person(self, who: str, *, history: bool = False) -> PersonRecord:
        """Return one person by `id:…`, `email:…`, `anonymous_id:…` or a bare value of any of them.

        Raises StateError NOT_FOUND and ConfigError WHO_AMBIGUOUS.
        """
        record = operations.dating.dated(
            self._home, operations.records.show_person(self._home, who)
        )
        return operations.histories.remember(self._home, record) if history else record

    def people(self, limit: int = 20, *, after: int = 0) -> list[PersonRecord]:
        """Return people without their relationships, from the one after a number."""
        return People(operations.records.people_page(self._home, limit, after))

    def search_people(self, text: str, limit: int = 20) -> list[PersonRecord]:
        """Return people one of whose identifiers begins with a text, ids before addresses."""
        return People(operations.records.search_people(self._home, text, limit))

    def export_person(self, who: str) -> PersonExport:
        """Return everything that is kept of one person; raises StateError NOT_FOUND."""
        return operations.exporting.export_person(self._home, who)

    def export_people(self, *, suppressed: bool = False) -> Iterator[PersonRecord]:
        """Yield people without their relationships, those who are suppressed only if asked for."""
        return operations.exporting.export_people(self._home, suppressed=suppressed)

    def merges(self, limit: int = 20, *, after: int = 0) -> list[MergeRecord]:
        """Return merges of people, from the one after a number."""
        return operations.merging.merges_page(self._home, limit, after)

    def undo_merge(self, number: int) -> MergeRecord:
        """Part two people again who were merged; raises StateError NOT_FOUND."""
        return operations.merging.undo_merge(self._home, number)

    def change_identifiers(
        self, who: str, wanted: Identifiers, *, was: Identifiers | None = None
    ) -> PersonRecord:
        """Give a person another id or address by hand; what syncs remember stays as it is.

        With `was` only if nobody changed them meanwhile. Raises StateError NOT_FOUND, ConfigError,
        and GuardStop ID_TAKEN, EMAIL_TAKEN, PERSON_SUPPRESSED and EDIT_CONFLICT.
        """
        return operations.identifying.identify(self._home, self._clock, who, wanted, was)

    def object(self, object_type: str, object_id: str, *, history: bool = False) -> ObjectRecord:
        """Return one object; raises StateError NOT_FOUND."""
        record = operations.records.show_object(self._home, object_type, object_id)
        return operations.histories.remember_object(self._home, record) if history else record

    def objects(self, limit: int = 20, *, after: int = 0) -> list[ObjectRecord]:
        """Return objects without their relationships, from the one after a number."""
        return operations.records.objects_page(self._home, limit, after)

    def object_types(self) -> list[ObjectType]:
        """Return the types of objects that there are; accounts are of type 1."""
        return operations.records.types_of_objects(self._home)

    def objects_of_type(
        self, object_type: str, limit: int = 20, *, after: str = "", beginning: str = ""
    ) -> list[ObjectRecord]:
        """Return objects of one type by id, those that begin with a text, from one after an id."""
        return operations.records.objects_of_type(self._home, object_type, limit, after, beginning)

    def why(self, who: str, attribute: str | None = None, *, destination: str | None = None) -> Why:
        """Explain where a person's attributes come from and what destinations have of them."""
        return operations.tracing.why(self._home, who, attribute, destination)

    def why_object(self, object_type: str, object_id: str) -> list[SyncTrace]:
        """Return an account's or object's row in each sync, and what destinations have of it."""
        return operations.tracing.why_object(self._home, object_type, object_id)

    def find(self, who: str) -> operations.finding.Found:
        """Look for somebody in the workspace, in what was sent, and in rows that did not go."""
        return operations.finding.find(self._home, who)

    # segments: those that name one raise ConfigError NAME_UNKNOWN

    def segments(
        self, limit: int | None = None, *, after: str | None = None
    ) -> list[SegmentRecord]:
        """Return segments by name, all or so many, from the one after a name."""
        return operations.segments.list_segments(self._home, limit, after=after)

    def segment(self, name: str) -> SegmentRecord:
        """Return one segment."""
        return operations.segments.show_segment(self._home, name)

    def create_segment(self, name: str) -> SegmentRecord:
        """Make a segment, unless there is one of that name."""
        return operations.segments.create_segment(self._home, name)

    def segment_members(self, name: str, limit: int = 20, *, after: int = 0) -> list[MemberRecord]:
        """Return people of a segment, from the one after a number."""
        return operations.segments.members_page(self._home, name, limit, after)

    def segment_events(
        self, name: str, limit: int = 20, *, after: int = 0, newest: bool = False
    ) -> list[EventRecord]:
        """Return who entered a segment, was changed in it or left, from the one after a number.

        With `newest` it is the newest first.
        """
        return operations.segments.events_page(self._home, name, limit, after, newest=newest)

    def export_segment(self, name: str) -> Iterator[MemberRecord]:
        """Yield all people of a segment."""
        return operations.segments.all_members(self._home, name)

    def add_to_segment(self, name: str, people: Iterable[str]) -> MembersChanged:
        """Put people into a segment, each named by an id or an e-mail address."""
        return operations.segments.add_to_segment(self._home, name, people)

    def remove_from_segment(self, name: str, people: Iterable[str]) -> MembersChanged:
        """Take people out of a segment; a sync that changes them later puts them back."""
        return operations.segments.remove_from_segment(self._home, name, people)
