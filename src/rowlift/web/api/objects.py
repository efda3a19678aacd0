"""Objects: accounts and whatever else people relate to."""

from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Path, Query

from rowlift.core.rights import Right
from rowlift.operations.records import ObjectRecord, ObjectType
from rowlift.operations.traces import SyncTrace
from rowlift.web.paging import Cursor, Limit, Page, page, place, whole
from rowlift.web.rights import Ours, door

router = APIRouter(tags=["objects"])

Part = Annotated[str, Path(max_length=1000)]


@router.get("/objects", **door("objects", Right.VALUES))
def objects(project: Ours, limit: Limit = 20, cursor: Cursor = None) -> Page[ObjectRecord]:
    """List objects without their relationships."""
    found = project.objects(limit, after=place(cursor) or 0)
    return page(found, limit, attrgetter("number"))


@router.get("/object-types", **door("object_types", Right.VALUES))
def types(project: Ours) -> Page[ObjectType]:
    """List the types of objects; more than 10,000 of one are not counted."""
    return whole(project.object_types())


@router.get("/objects/{object_type}", **door("objects_of_type", Right.VALUES))
def of_type(
    object_type: Part,
    project: Ours,
    limit: Limit = 20,
    after: Annotated[str, Query(max_length=1000, description="`next` of the page before.")] = "",
    beginning: Annotated[str, Query(max_length=1000, description="How the id begins.")] = "",
) -> Page[ObjectRecord]:
    """List objects of one type by id; `next` is the last id, and goes into `after`."""
    found = project.objects_of_type(object_type, limit, after=after, beginning=beginning)
    return Page(items=found, next=found[-1].object_id if len(found) == limit else None)


@router.get("/objects/{object_type}/{object_id}", **door("object", Right.VALUES))
def one(
    object_type: Part,
    object_id: Part,
    project: Ours,
    history: Annotated[bool, Query(description="With what each attribute was before.")] = False,
) -> ObjectRecord:
    """Return one object with its relationships."""
    return project.object(object_type, object_id, history=history)


@router.get("/objects/{object_type}/{object_id}/why", **door("why_object", Right.VALUES))
def why(object_type: Part, object_id: Part, project: Ours) -> Page[SyncTrace]:
    """Tell of each sync that has a row of the object what destinations have of it, or why not."""
    return whole(project.why_object(object_type, object_id))
