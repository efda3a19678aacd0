"""People: who is known, where it comes from, and erasure."""

from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

from rowlift.core.rights import Right
from rowlift.operations.erasing import ErasureReport
from rowlift.operations.finding import Found
from rowlift.operations.identifying import Identifiers
from rowlift.operations.merging import MergeRecord
from rowlift.operations.records import PersonRecord
from rowlift.operations.traces import Why
from rowlift.web.bodies import Body
from rowlift.web.paging import Cursor, Limit, Page, page, place, whole
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(tags=["people"])

Who = Annotated[
    str,
    Path(max_length=1000, description="id:…, email:…, anonymous_id:…, or plainly one of them."),
]


@router.get("/people", **door("people", Right.VALUES))
def people(project: Ours, limit: Limit = 20, cursor: Cursor = None) -> Page[PersonRecord]:
    """List people without their relationships."""
    found = project.people(limit, after=place(cursor) or 0)
    return page(found, limit, attrgetter("number"))


@router.get("/search", **door("search_people", Right.VALUES))
def search(
    project: Ours,
    q: Annotated[str, Query(min_length=1, max_length=1000, description="How one begins.")],
    limit: Limit = 20,
) -> Page[PersonRecord]:
    """List people whose id, e-mail address or anonymous id begins with a text."""
    return whole(project.search_people(q, limit))


@router.get("/people/{who}", **door("person", Right.VALUES))
def person(
    who: Who,
    project: Ours,
    history: Annotated[bool, Query(description="With what each attribute was before.")] = False,
) -> PersonRecord:
    """Return one person: attributes with their origins, relationships, segments."""
    return project.person(who, history=history)


@router.get("/find", **door("find", Right.VALUES))
def find(
    project: Ours, q: Annotated[str, Query(min_length=1, max_length=1000, description="An id.")]
) -> Found:
    """Look for somebody in the workspace, in what was sent, and in rows that did not go."""
    return project.find(q)


@router.get("/people/{who}/why", **door("why", Right.VALUES))
def why(
    who: Who,
    project: Ours,
    attribute: Annotated[str | None, Query(max_length=1000)] = None,
    destination: Annotated[str | None, Query(max_length=200)] = None,
) -> Why:
    """Explain where attributes come from and what destinations have of them."""
    return project.why(who, attribute, destination=destination)


class NewIdentifiers(Body):
    """What a person is to be known by; null is none. `was` is what somebody saw, if it counts."""

    id: str | None = Field(max_length=1000, examples=["c42"])
    email: str | None = Field(max_length=1000, examples=["ann@example.com"])
    was: Identifiers | None = None


@router.put("/people/{who}/identifiers", **door("change_identifiers", Right.EDIT))
def change_identifiers(
    who: Who, body: NewIdentifiers, project: Ours, caller: Asking
) -> PersonRecord:
    """Give a person another id or address; the log keeps no name of theirs.

    It takes the right to see values, too.
    """
    caller.require(Right.VALUES)
    wanted = Identifiers(body.id, body.email)
    found = project.change_identifiers(who, wanted, was=body.was)
    project.access.audit.note(caller, "person.identifiers", str(found.number))
    return found


@router.delete("/people/{who}", **door("erase", Right.ADMIN))
def erase(who: Who, project: Ours, caller: Asking) -> ErasureReport:
    """Erase a person from everything that is kept here; the log keeps no name of theirs."""
    report = project.erase(who)
    project.access.audit.note(caller, "person.erase")
    return report


@router.get("/merges", **door("merges", Right.VALUES))
def merges(project: Ours, limit: Limit = 20, cursor: Cursor = None) -> Page[MergeRecord]:
    """List merges of people."""
    found = project.merges(limit, after=place(cursor) or 0)
    return page(found, limit, attrgetter("number"))


@router.post("/merges/{number}/undo", **door("undo_merge", Right.EDIT))
def undo_merge(
    number: Annotated[int, Path(ge=1, lt=2**63)], project: Ours, caller: Asking
) -> MergeRecord:
    """Part two people again."""
    record = project.undo_merge(number)
    project.access.audit.note(caller, "merge.undo", str(number))
    return record
