"""People who work here: invited by a link, with roles, signed out or kept out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from rowlift.core.errors import ConfigError, RowliftError
from rowlift.core.rights import Right, Role
from rowlift.operations.accounts import Invitation
from rowlift.state.users import User
from rowlift.web.pages.forms import Text, Wrong, onward
from rowlift.web.pages.render import show
from rowlift.web.rights import Asking, Ours, door
from rowlift.web.versions import expected

router = APIRouter(prefix="/settings/members")

Id = Annotated[int, Path(ge=1, lt=2**63)]


@dataclass(frozen=True, slots=True)
class Members:
    """Who works here; `invited` is somebody who was invited just now, and `link` their way in."""

    items: Sequence[User]
    invited: Invitation | None = None
    link: str = ""


@router.get("", **door("access.accounts.users", Right.ADMIN))
def members(request: Request, project: Ours) -> Response:
    """Show who works here."""
    return show(request, "members.html", Members(project.access.accounts.users()))


@router.post("/invite", **door("access.accounts.invite", Right.ADMIN))
def invite(
    request: Request, project: Ours, caller: Asking, email: Text = "", role: Text = "viewer"
) -> Response:
    """Invite somebody; the link is on this page and nowhere else."""
    accounts = project.access.accounts
    try:
        made = accounts.invite(email.strip(), _role(role), by=caller)
    except RowliftError as error:
        wrong = Wrong.of(error, "email", email=email, role=role)
        return show(request, "members.html", Members(accounts.users()), wrong=wrong)
    link = f"{request.url.scheme}://{request.headers['host']}/join?code={made.code}"
    return show(request, "members.html", Members(accounts.users(), made, link))


@router.post("/{user_id}", **door("access.accounts.change_user", Right.ADMIN))
def change(
    user_id: Id, request: Request, project: Ours, caller: Asking,
    version: Text = "", role: Text = "", disabled: Text = "",
) -> Response:  # fmt: skip
    """Change somebody's role, or keep them out or let them in again."""
    accounts = project.access.accounts
    try:
        accounts.change_user(
            user_id, role=_role(role) if role else None,
            disabled=disabled == "yes" if disabled else None,
            expected=expected(version), by=caller,
        )  # fmt: skip
    except RowliftError as error:
        return show(request, "members.html", Members(accounts.users()), wrong=Wrong.of(error))
    return onward("/settings/members?said=member")


@router.post("/{user_id}/sign-out", **door("access.sessions.end", Right.ADMIN))
def sign_out(user_id: Id, project: Ours, caller: Asking) -> Response:
    """Sign somebody out everywhere."""
    project.access.sessions.end(user_id, by=caller)
    return onward("/settings/members?said=signed-out-there")


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError as error:
        known = ", ".join(Role)
        raise ConfigError("VALUE_WRONG", "This is no role.", mend=f"Choose: {known}.") from error
