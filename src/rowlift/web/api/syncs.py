"""Syncs: how they stand, and what may be done with one."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from rowlift.core.rights import Right
from rowlift.engine.preview import Preview
from rowlift.operations.discretion import seen_by
from rowlift.operations.reports import SyncReport
from rowlift.web.bodies import Body
from rowlift.web.paging import Page, whole
from rowlift.web.queries import ASKING
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(prefix="/syncs", tags=["syncs"])

Name = Annotated[str, Path(max_length=200, description="The sync's name.")]


class Paused(Body):
    """Whether a sync rests."""

    paused: bool


class Target(Body):
    """What is to be sent again: one destination, or all when it is null."""

    target: str | None = Field(None, max_length=200)


_ALL = Target(target=None)


@router.get("", **door("ls", Right.READ))
def syncs(project: Ours, caller: Asking) -> Page[SyncReport]:
    """List the syncs with their last runs."""
    return whole(seen_by(caller, project.ls()))


@router.get("/{name}", **door("sync", Right.READ))
def sync(name: Name, project: Ours, caller: Asking) -> SyncReport:
    """Return one sync with its last run."""
    return seen_by(caller, project.sync(name))


@router.get("/{name}/state", **door("state", Right.READ))
def state(name: Name, project: Ours) -> Mapping[str, Any]:
    """Return what is remembered of a sync: image, ledgers, last_sync_time."""
    return project.state(name)


@router.put("/{name}/paused", **door("pause", Right.RUN))
def pause(name: Name, body: Paused, project: Ours, caller: Asking) -> Paused:
    """Let no run and no delivery of a sync begin, or let them again."""
    if body.paused:
        project.pause(name)
    else:
        project.resume(name)
    project.access.audit.note(caller, "sync.pause" if body.paused else "sync.resume", name)
    return body


class Unpinned(Body):
    """How many rows may come back as the source has them."""

    rows: int


@router.post("/{name}/unpin", **door("undone.unpin", Right.RUN))
def unpin(name: Name, project: Ours, caller: Asking) -> Unpinned:
    """Let come back what was undone, with the next run that reads it."""
    rows = project.undone.unpin(name)
    project.access.audit.note(caller, "sync.unpin", name, after={"rows": rows})
    return Unpinned(rows=rows)


@router.post("/{name}/reset", status_code=204, **door("reset", Right.EDIT))
def reset(name: Name, project: Ours, caller: Asking, body: Target = _ALL) -> None:
    """Forget what was sent, so that the next run sends everything with new message ids."""
    project.reset(name, target=body.target)
    project.access.audit.note(caller, "sync.reset", name, after={"target": body.target})


@router.post("/{name}/preview", dependencies=ASKING, **door("preview", Right.VALUES))
def preview(
    name: Name,
    project: Ours,
    sample: Annotated[bool, Query(description="Stop after 100 rows.")] = False,
    relationships: Annotated[bool, Query(description="Of the sync's second query.")] = False,
    last_sync_time: Annotated[int, Query(ge=0, lt=2**53)] = 0,
) -> Preview:
    """Run the query and show up to 100 rows, then the rules over the whole result."""
    return project.preview(
        name, sample=sample, relationships=relationships, last_sync_time=last_sync_time
    )
