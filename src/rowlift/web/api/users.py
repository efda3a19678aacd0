"""People who work here."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from rowlift.core.rights import Right, Role
from rowlift.operations.accounts import Invitation
from rowlift.state.users import User
from rowlift.web.bodies import Body
from rowlift.web.paging import Page, whole
from rowlift.web.rights import Asking, Ours, address_of, door
from rowlift.web.versions import IfMatch, expected, tagged

router = APIRouter(prefix="/users", tags=["users"])

Id = Annotated[int, Path(ge=1, lt=2**63)]


class NewUser(Body):
    """Somebody who shall work here."""

    email: str = Field(max_length=320, examples=["bea@example.com"])
    role: Role
    password: str = Field(max_length=1000, examples=["another long sentence"])


class Invited(Body):
    """Somebody who shall work here and choose a password alone."""

    email: str = Field(max_length=320, examples=["cid@example.com"])
    role: Role


class Accepted(Body):
    """The code of an invitation, and the password that somebody chose."""

    code: str = Field(max_length=200, examples=["3-Zm9v"])
    password: str = Field(max_length=1000, examples=["a third long sentence"])


class UserChange(Body):
    """What changes about a user; what is left out stays."""

    role: Role | None = None
    disabled: bool | None = None
    password: str | None = Field(None, max_length=1000)


@router.get("", **door("access.accounts.users", Right.ADMIN))
def users(project: Ours) -> Page[User]:
    """List the users, those who are disabled too."""
    return whole(project.access.accounts.users())


@router.post("", status_code=201, **door("access.accounts.create_user", Right.ADMIN))
def create(body: NewUser, project: Ours, caller: Asking) -> User:
    """Add a user."""
    return project.access.accounts.create_user(body.email, body.role, body.password, by=caller)


@router.post("/invitations", status_code=201, **door("access.accounts.invite", Right.ADMIN))
def invite(body: Invited, project: Ours, caller: Asking) -> Invitation:
    """Invite somebody, who chooses a password with the code that is in this answer only."""
    return project.access.accounts.invite(body.email, body.role, by=caller)


@router.post("/invitations/accept", status_code=204, **door("access.accounts.accept", None))
def accept(body: Accepted, request: Request, project: Ours) -> None:
    """Choose a password with the code of an invitation, which is spent with it."""
    project.access.accounts.accept(body.code, body.password, address=address_of(request))


@router.delete("/{user_id}/sessions", status_code=204, **door("access.sessions.end", Right.ADMIN))
def end_sessions(user_id: Id, project: Ours, caller: Asking) -> None:
    """Sign somebody out everywhere."""
    project.access.sessions.end(user_id, by=caller)


@router.get("/{user_id}", **door("access.accounts.user", Right.ADMIN))
def user(user_id: Id, project: Ours, response: Response) -> User:
    """Return one user; its ETag is for changing it."""
    return tagged(response, project.access.accounts.user(user_id))


@router.patch("/{user_id}", **door("access.accounts.change_user", Right.ADMIN))
def change(
    user_id: Id, body: UserChange, project: Ours, caller: Asking, response: Response,
    if_match: IfMatch = None,
) -> User:  # fmt: skip
    """Change role or password, disable or enable; the user's sessions end. Needs If-Match."""
    changed = project.access.accounts.change_user(
        user_id, role=body.role, disabled=body.disabled, password=body.password,
        expected=expected(if_match), by=caller,
    )  # fmt: skip
    return tagged(response, changed)
