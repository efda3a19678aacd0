"""Manual segments and who is in them."""

from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field

from rowlift.core.rights import Right
from rowlift.operations.segments import EventRecord, MemberRecord, MembersChanged, SegmentRecord
from rowlift.web.bodies import Body
from rowlift.web.paging import (
    Cursor,
    Limit,
    NamesCursor,
    Page,
    page,
    page_by_names,
    place,
    place_by_names,
)
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(prefix="/segments", tags=["segments"])

Name = Annotated[str, Path(max_length=1000)]


class NewSegment(Body):
    """A segment to be made."""

    name: str = Field(max_length=1000, examples=["Beta testers"])


class People(Body):
    """Whom to add or remove."""

    people: list[Annotated[str, Field(max_length=1000)]] = Field(
        min_length=1, max_length=10_000, examples=[["ann@example.com", "id:42"]]
    )


@router.get("", **door("segments", Right.READ))
def segments(project: Ours, limit: Limit = 100, cursor: NamesCursor = None) -> Page[SegmentRecord]:
    """List the segments by name."""
    (after,) = place_by_names(cursor, 1) or (None,)
    return page_by_names(project.segments(limit, after=after), limit, lambda one: [one.name])


@router.post("", status_code=201, **door("create_segment", Right.EDIT))
def create(body: NewSegment, project: Ours, caller: Asking) -> SegmentRecord:
    """Make a segment, unless there is one of that name."""
    record = project.create_segment(body.name)
    project.access.audit.note(caller, "segment.create", record.name)
    return record


@router.get("/{name}", **door("segment", Right.READ))
def segment(name: Name, project: Ours) -> SegmentRecord:
    """Return one segment."""
    return project.segment(name)


@router.get("/{name}/members", **door("segment_members", Right.VALUES))
def members(
    name: Name, project: Ours, limit: Limit = 20, cursor: Cursor = None
) -> Page[MemberRecord]:
    """List people of a segment."""
    found = project.segment_members(name, limit, after=place(cursor) or 0)
    return page(found, limit, attrgetter("number"))


@router.get("/{name}/events", **door("segment_events", Right.VALUES))
def events(
    name: Name, project: Ours, limit: Limit = 20, cursor: Cursor = None
) -> Page[EventRecord]:
    """List who entered a segment, who was changed in it and who left."""
    found = project.segment_events(name, limit, after=place(cursor) or 0)
    return page(found, limit, attrgetter("number"))


@router.post("/{name}/members", **door("add_to_segment", Right.EDIT))
def add(name: Name, body: People, project: Ours, caller: Asking) -> MembersChanged:
    """Put people into a segment."""
    changed = project.add_to_segment(name, body.people)
    project.access.audit.note(caller, "segment.add", name, after={"people": len(body.people)})
    return changed


@router.post("/{name}/members/remove", **door("remove_from_segment", Right.EDIT))
def remove(name: Name, body: People, project: Ours, caller: Asking) -> MembersChanged:
    """Take people out of a segment."""
    changed = project.remove_from_segment(name, body.people)
    project.access.audit.note(caller, "segment.remove", name, after={"people": len(body.people)})
    return changed
