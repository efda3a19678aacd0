"""The audit log."""

from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Query

from rowlift.core.rights import Right
from rowlift.state.audit import AuditProof, AuditRecord
from rowlift.web.paging import Cursor, Limit, Page, page, place
from rowlift.web.rights import Ours, door

router = APIRouter(prefix="/audit", tags=["audit"])

Noted = Annotated[
    str | None, Query(max_length=64, description="A `head` that somebody noted earlier.")
]


@router.get("", **door("access.audit.page", Right.ADMIN))
def audit(
    project: Ours,
    limit: Limit = 100,
    cursor: Cursor = None,
    actor: Annotated[str, Query(max_length=320, description="What a name holds.")] = "",
    action: Annotated[str, Query(max_length=100, description="How it begins.")] = "",
) -> Page[AuditRecord]:
    """List what people did, the newest first."""
    found = project.access.audit.page(limit, before=place(cursor), actor=actor, action=action)
    return page(found, limit, attrgetter("id"))


@router.get("/proof", **door("access.audit.prove", Right.ADMIN))
def proof(project: Ours, noted: Noted = None) -> AuditProof:
    """Tell whether every line is the one that was written."""
    return project.access.audit.prove(noted)
