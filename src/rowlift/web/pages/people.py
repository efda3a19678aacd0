"""People: the list, finding one by any identifier, and one of them with where all of it is from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from rowlift.core.errors import StateError
from rowlift.core.rights import Right
from rowlift.operations.records import PersonRecord
from rowlift.operations.tracing import Why
from rowlift.web.pages.forms import onward
from rowlift.web.pages.render import show
from rowlift.web.pages.words import part
from rowlift.web.paging import Cursor, page, place
from rowlift.web.rights import Ours, door

router = APIRouter(prefix="/people")

PEOPLE = 50  # on one page


@dataclass(frozen=True, slots=True)
class People:
    """A page of people; `q` is an identifier that nobody has."""

    items: Sequence[PersonRecord]
    next: str | None
    q: str


@dataclass(frozen=True, slots=True)
class Person:
    """One person, and what destinations have of them."""

    person: PersonRecord
    why: Why


@router.get("", **door("people", Right.VALUES))
def people(
    request: Request,
    project: Ours,
    q: Annotated[str, Query(max_length=1000)] = "",
    cursor: Cursor = None,
) -> Response:
    """List people, or lead to the one who has an identifier."""
    if q:
        try:
            project.person(q)
        except StateError:
            return show(request, "people.html", People((), None, q))
        return onward(f"/people/{part(q)}")
    shown = page(project.people(PEOPLE, after=place(cursor) or 0), PEOPLE, lambda one: one.number)
    return show(request, "people.html", People(shown.items, shown.next, q))


@router.get("/{who}", **door("person", Right.VALUES))
def person(
    who: Annotated[str, Path(max_length=1000)], request: Request, project: Ours
) -> Response:  # fmt: skip
    """Show one person: attributes with their origins, segments, relationships, destinations."""
    found = project.person(who, history=True)
    return show(request, "person.html", Person(found, project.why(who)))
