"""The audit log."""

from operator import attrgetter

from fastapi import APIRouter

from rowlift.core.rights import Right
from rowlift.state.audit import AuditRecord
from rowlift.web.paging import Cursor, Limit, Page, page, place
from rowlift.web.rights import Ours, door

router = APIRouter(prefix="/audit", tags=["audit"])


@router.get("", **door("access.audit.page", Right.ADMIN))
def audit(project: Ours, limit: Limit = 100, cursor: Cursor = None) -> Page[AuditRecord]:
    """List what people did, the newest first."""
    found = project.access.audit.page(limit, before=place(cursor))
    return page(found, limit, attrgetter("id"))
