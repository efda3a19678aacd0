"""Segments: how large each is, who is in it, and people put in or taken out by hand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from rowlift.core.errors import RowliftError
from rowlift.core.rights import Right
from rowlift.operations.callers import Caller
from rowlift.operations.project import Project
from rowlift.operations.segments import EventRecord, MemberRecord, MembersChanged, SegmentRecord
from rowlift.web.pages.forms import Names, Text, Wrong, names, onward
from rowlift.web.pages.render import show
from rowlift.web.pages.words import part
from rowlift.web.paging import Cursor, NamesCursor, page, page_by_names, place, place_by_names
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(prefix="/segments")

SEGMENTS = 100  # on one page
MEMBERS = 50
EVENTS = 10

Name = Annotated[str, Path(max_length=1000)]


@dataclass(frozen=True, slots=True)
class Segments:
    """One page of the segments by name."""

    items: Sequence[SegmentRecord]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment, and for who may see values its people and what happened in it last.

    `done` is what became of people who were named just now.
    """

    segment: SegmentRecord
    members: Sequence[MemberRecord]
    next: str | None
    events: Sequence[EventRecord]
    done: MembersChanged | None = None
    came: bool = True


@router.get("", **door("segments", Right.READ))
def segments(request: Request, project: Ours, cursor: NamesCursor = None) -> Response:
    """List the segments."""
    return show(request, "segments.html", _listed(project, cursor))


@router.post("", **door("create_segment", Right.EDIT))
def create(request: Request, project: Ours, caller: Asking, name: Text = "") -> Response:
    """Make a segment."""
    try:
        record = project.create_segment(name.strip())
    except RowliftError as error:
        wrong = Wrong.of(error, "name", name=name)
        return show(request, "segments.html", _listed(project), wrong=wrong)
    project.access.audit.note(caller, "segment.create", record.name)
    return onward(f"/segments/{part(record.name)}")


@router.get("/{name}", **door("segment", Right.READ))
def segment(
    name: Name, request: Request, project: Ours, caller: Asking, cursor: Cursor = None
) -> Response:
    """Show one segment."""
    return show(request, "segment.html", _segment(project, caller, name, place(cursor) or 0))


@router.post("/{name}/add", **door("add_to_segment", Right.EDIT))
def add(
    name: Name, request: Request, project: Ours, caller: Asking, people: Names = ""
) -> Response:
    """Put people into a segment."""
    return _change(request, project, caller, name, people, project.add_to_segment)


@router.post("/{name}/remove", **door("remove_from_segment", Right.EDIT))
def remove(
    name: Name, request: Request, project: Ours, caller: Asking, people: Names = ""
) -> Response:
    """Take people out of a segment."""
    return _change(request, project, caller, name, people, project.remove_from_segment)


def _listed(project: Project, cursor: str | None = None) -> Segments:
    (after,) = place_by_names(cursor, 1) or (None,)
    found = project.segments(SEGMENTS, after=after)
    listed = page_by_names(found, SEGMENTS, lambda one: [one.name])
    return Segments(listed.items, listed.next)


def _segment(project: Project, caller: Caller, name: str, after: int = 0) -> Segment:
    found = project.segment(name)
    if Right.VALUES not in caller.rights:
        return Segment(found, (), None, ())
    members = page(
        project.segment_members(name, MEMBERS, after=after), MEMBERS, lambda one: one.number
    )
    events = project.segment_events(name, EVENTS, newest=True)
    return Segment(found, members.items, members.next, events)


def _change(
    request: Request,
    project: Project,
    caller: Caller,
    name: str,
    people: str,
    change: Callable[[str, Sequence[str]], MembersChanged],
) -> Response:
    """Tell what became of those who were named, on the page itself: it names who is unknown."""
    came = change == project.add_to_segment
    try:
        named = names(people)
        done = change(name, named)
    except RowliftError as error:
        wrong = Wrong.of(error, "people", people=people)
        return show(request, "segment.html", _segment(project, caller, name), wrong=wrong)
    action = "segment.add" if came else "segment.remove"
    project.access.audit.note(caller, action, name, after={"people": len(named)})
    shown = _segment(project, caller, name)
    return show(
        request,
        "segment.html",
        Segment(shown.segment, shown.members, shown.next, shown.events, done, came),
    )
