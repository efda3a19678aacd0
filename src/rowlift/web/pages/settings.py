"""The people who work here, the programs that speak for them, and what everybody did."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from rowlift.core.rights import Right
from rowlift.state.audit import AuditRecord
from rowlift.state.users import Token, User
from rowlift.web.pages.render import show
from rowlift.web.paging import Cursor, page, place
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(prefix="/settings")

LINES = 50  # of the log on one page


@dataclass(frozen=True, slots=True)
class Settings:
    """Who works here, which programs speak for them, and what everybody did."""

    users: Sequence[User]
    tokens: Sequence[Token]
    audit: Sequence[AuditRecord]
    next: str | None


@router.get("", **door("access.audit.page", Right.ADMIN))
def settings(request: Request, project: Ours, caller: Asking, cursor: Cursor = None) -> Response:
    """Show members, tokens and the audit log."""
    access = project.access
    log = page(access.audit.page(LINES, before=place(cursor)), LINES, lambda one: one.id)
    return show(
        request,
        "settings.html",
        Settings(access.accounts.users(), access.tokens.all(by=caller), log.items, log.next),
    )
