"""Audiences: how they stand, whom they mean and how many; definitions are among the definitions."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import Field

from rowlift.core.rights import Right
from rowlift.operations.audiences import AudienceOutline, AudienceRecord, AudienceSample, Overlap
from rowlift.operations.discretion import seen_by
from rowlift.state.audiences import AudienceSize
from rowlift.web.bodies import Body
from rowlift.web.paging import Limit, Page, whole
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(prefix="/audiences", tags=["audiences"])

Name = Annotated[str, Path(max_length=1000)]


class Tried(Body):
    """An audience that is tried: its document, or nothing for the one that is kept."""

    document: Mapping[str, Any] | None = Field(
        None, examples=[{"where": {"attribute": "plan", "is": "pro"}}]
    )


@router.get("", **door("audiences.list", Right.READ))
def audiences(project: Ours, caller: Asking) -> Page[AudienceRecord]:
    """List the audiences by name."""
    return whole(seen_by(caller, project.audiences.list()))


@router.get("/{name}", **door("audiences.get", Right.READ))
def audience(name: Name, project: Ours, caller: Asking) -> AudienceRecord:
    """Return how an audience stands; its people are those of the segment of that name."""
    return seen_by(caller, project.audiences.get(name))


@router.get("/{name}/sizes", **door("audiences.sizes", Right.READ))
def sizes(name: Name, project: Ours, limit: Limit = 100) -> Page[AudienceSize]:
    """List how many people it had whenever that changed, the newest first."""
    return whole(project.audiences.sizes(name, limit))


@router.get("/{name}/feeds", **door("audiences.feeds", Right.READ))
def feeds(name: Name, project: Ours) -> Page[str]:
    """List the names of the syncs whose rows are its people."""
    return whole(project.audiences.feeds(name))


@router.post("/{name}/compute", **door("audiences.compute", Right.RUN))
def compute(name: Name, project: Ours, caller: Asking) -> AudienceRecord:
    """Look now for the people of an audience, and of those that change with it."""
    (record,) = project.audiences.compute([name])
    project.access.audit.note(caller, "audience.compute", name)
    return record


@router.post("/{name}/try", **door("audiences.sample", Right.VALUES))
def sample(name: Name, body: Tried, project: Ours, limit: Limit = 20) -> AudienceSample:
    """Return how many people an audience means now, and some of them; nothing is kept."""
    return project.audiences.sample(name, body.document, limit)


@router.post("/{name}/outline", **door("audiences.outline", Right.READ))
def outline(name: Name, body: Tried, project: Ours) -> AudienceOutline:
    """Return an audience in words, and how old that is which it is computed from."""
    return project.audiences.outline(name, body.document)


@router.get("/{name}/overlap/{other}", **door("audiences.overlap", Right.READ))
def overlap(name: Name, other: Name, project: Ours) -> Overlap:
    """Return how many people two segments or audiences have in common."""
    return project.audiences.overlap(name, other)
