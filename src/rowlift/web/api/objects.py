"""Objects: accounts and whatever else people relate to."""

from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Path

from rowlift.core.rights import Right
from rowlift.operations.records import ObjectRecord
from rowlift.web.paging import Cursor, Limit, Page, page, place
from rowlift.web.rights import Ours, door

router = APIRouter(prefix="/objects", tags=["objects"])

Part = Annotated[str, Path(max_length=1000)]


@router.get("", **door("objects", Right.VALUES))
def objects(project: Ours, limit: Limit = 20, cursor: Cursor = None) -> Page[ObjectRecord]:
    """List objects without their relationships."""
    found = project.objects(limit, after=place(cursor) or 0)
    return page(found, limit, attrgetter("number"))


@router.get("/{object_type}/{object_id}", **door("object", Right.VALUES))
def one(object_type: Part, object_id: Part, project: Ours) -> ObjectRecord:
    """Return one object with its relationships."""
    return project.object(object_type, object_id)
