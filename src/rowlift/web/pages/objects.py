"""Accounts and other objects: by type, by the beginning of an id, and one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from rowlift.core.rights import Right
from rowlift.operations.records import ObjectRecord, ObjectType
from rowlift.operations.traces import SyncTrace
from rowlift.web.pages.forms import onward
from rowlift.web.pages.render import show
from rowlift.web.pages.words import part
from rowlift.web.rights import Ours, door

router = APIRouter(prefix="/objects")

OBJECTS = 50  # on one page

Part = Annotated[str, Path(max_length=1000)]
Text = Annotated[str, Query(max_length=1000)]


@dataclass(frozen=True, slots=True)
class Objects:
    """The types there are, and a page of one of them; `q` is what an id begins with."""

    types: Sequence[ObjectType]
    type: str
    items: Sequence[ObjectRecord]
    next: str | None
    q: str
    after: str


@dataclass(frozen=True, slots=True)
class Object:
    """One object with the people that relate to it."""

    object: ObjectRecord
    traces: Sequence[SyncTrace]


@router.get("", **door("object_types", Right.VALUES))
def objects(request: Request, project: Ours) -> Response:
    """Lead to the first type, or say that there is none."""
    types = project.object_types()
    if types:
        return onward(f"/objects/{part(types[0].object_type)}")
    return show(request, "objects.html", Objects((), "", (), None, "", ""))


@router.get("/{object_type}", **door("objects_of_type", Right.VALUES))
def of_type(
    object_type: Part, request: Request, project: Ours, q: Text = "", after: Text = ""
) -> Response:
    """List objects of one type, or those whose id begins with a text."""
    q = q.strip()
    found = project.objects_of_type(object_type, OBJECTS, after=after, beginning=q)
    following = found[-1].object_id if len(found) == OBJECTS else None
    known = project.object_types()
    return show(request, "objects.html", Objects(known, object_type, found, following, q, after))


@router.get("/{object_type}/{object_id}", **door("object", Right.VALUES))
def one(object_type: Part, object_id: Part, request: Request, project: Ours) -> Response:
    """Show one object: what was sent, attributes with their origins, and who relates to it."""
    found = project.object(object_type, object_id)
    traces = project.why_object(object_type, object_id)
    return show(request, "object.html", Object(found, traces))
