"""What SDKs may send, and what became of it; the messages themselves go to /v1."""

from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, Field

from rowlift.core.rights import Right
from rowlift.operations.discretion import seen_by
from rowlift.operations.forwarding import ForwardReport
from rowlift.operations.ingesting import LONGEST_NAME, NewWriteKey
from rowlift.state.forwards import ForwardReject
from rowlift.state.intake import MessageReject
from rowlift.state.keys import WriteKey
from rowlift.web.bodies import Body
from rowlift.web.paging import Cursor, Limit, Page, page, page_in_time, place, place_in_time, whole
from rowlift.web.rights import Asking, Ours, door
from rowlift.workspace.tracking import Event

router = APIRouter(tags=["messages"])

Name = Annotated[str, Path(max_length=200)]


class KeyWanted(Body):
    """A write key to be made."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME, examples=["site"])


class Since(Body):
    """From where events go again: one of both."""

    since: AwareDatetime | None = Field(None, examples=["2026-11-20T08:00:00Z"])
    message_id: str | None = Field(None, min_length=1, max_length=1000)


@router.get("/keys", **door("ingest.keys", Right.READ))
def keys(project: Ours) -> Page[WriteKey]:
    """List the write keys that are accepted; secrets are never shown again."""
    return whole(project.ingest.keys())


@router.post("/keys", status_code=201, **door("ingest.create_key", Right.EDIT))
def create_key(body: KeyWanted, project: Ours, caller: Asking) -> NewWriteKey:
    """Make a write key; its secret is in this answer and nowhere else."""
    made = project.ingest.create_key(body.name)
    project.access.audit.note(caller, "key.create", made.name)
    return made


@router.delete("/keys/{name}", status_code=204, **door("ingest.revoke_key", Right.EDIT))
def revoke_key(
    name: Annotated[str, Path(max_length=LONGEST_NAME)], project: Ours, caller: Asking
) -> None:
    """Accept a key no more."""
    project.ingest.revoke_key(name)
    project.access.audit.note(caller, "key.revoke", name)


@router.get("/messages/rejects", **door("ingest.rejects", Right.VALUES))
def rejects(project: Ours, limit: Limit = 20, cursor: Cursor = None) -> Page[MessageReject]:
    """List messages that could not be written, the newest first."""
    found = project.ingest.rejects(limit, before=place(cursor))
    return page(found, limit, attrgetter("number"))


@router.get("/forwards", **door("ingest.forwards.list", Right.READ))
def forwards(project: Ours, caller: Asking) -> Page[ForwardReport]:
    """List how forwards stand; their definitions are among the definitions."""
    return whole(seen_by(caller, project.ingest.forwards.list()))


@router.get("/forwards/{name}", **door("ingest.forwards.get", Right.READ))
def forward(name: Name, project: Ours, caller: Asking) -> ForwardReport:
    """Return how a forward stands."""
    return seen_by(caller, project.ingest.forwards.get(name))


@router.post("/forwards/{name}/rewind", **door("ingest.forwards.rewind", Right.EDIT))
def rewind(name: Name, body: Since, project: Ours, caller: Asking) -> ForwardReport:
    """Send again what came since a moment, or from the event of a message on."""
    report = project.ingest.forwards.rewind(
        name, since=body.since, message_id=body.message_id or ""
    )
    asked = body.model_dump(mode="json", exclude_none=True)
    project.access.audit.note(caller, "forward.rewind", name, after=asked)
    return report


@router.get("/forwards/{name}/rejects", **door("ingest.forwards.rejects", Right.VALUES))
def forward_rejects(
    name: Name, project: Ours, limit: Limit = 20, cursor: Cursor = None
) -> Page[ForwardReject]:
    """List events that the destination of a forward did not take, the newest first."""
    found = project.ingest.forwards.rejects(name, limit, before=place(cursor))
    return page(found, limit, attrgetter("number"))


@router.get("/people/{who}/events", **door("ingest.events", Right.VALUES))
def events(
    who: Annotated[str, Path(max_length=1000)],
    project: Ours,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[Event]:
    """List what a person did, the newest first."""
    found = project.ingest.events(who, limit, before=place_in_time(cursor))
    return page_in_time(found, limit, attrgetter("at", "number"))
