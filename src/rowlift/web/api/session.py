"""Signing in and out, and the first admin."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from rowlift.core.rights import Right, Role
from rowlift.web.bodies import Body
from rowlift.web.cookies import forget_session, keep_session
from rowlift.web.rights import (
    Asking,
    Ours,
    address_of,
    csrf_token,
    door,
    is_secure,
)

router = APIRouter(tags=["session"])


class SetUp(Body):
    """The first admin, by the one-time code that the console printed."""

    code: str = Field(max_length=100, examples=["1f3a-9c2b-77d0-e4aa-0b1c"])
    email: str = Field(max_length=320, examples=["ann@example.com"])
    password: str = Field(max_length=1000, examples=["a long sentence of one's own"])


class Credentials(Body):
    """Who signs in."""

    email: str = Field(max_length=320, examples=["ann@example.com"])
    password: str = Field(max_length=1000, examples=["a long sentence of one's own"])


class Me(BaseModel):
    """Who asks; `csrf` goes into the header x-csrf-token of every request that changes something.

    It is empty for an API token, which needs none.
    """

    name: str
    rights: list[Right]
    csrf: str


class Admin(BaseModel):
    """The admin that was made."""

    email: str
    role: Role


@router.post("/setup", status_code=201, **door("access.accounts.set_up", None))
def set_up(body: SetUp, request: Request, project: Ours) -> Admin:
    """Make the first admin; closed for ever afterwards."""
    user = project.access.accounts.set_up(
        body.code, body.email, body.password, address=address_of(request)
    )
    return Admin(email=user.email, role=user.role)


@router.post("/session", status_code=204, **door("access.sessions.login", None))
def login(body: Credentials, request: Request, response: Response, project: Ours) -> None:
    """Sign in; the session is in a cookie."""
    secret = project.access.sessions.login(body.email, body.password, address=address_of(request))
    keep_session(response, secret, secure=is_secure(request))


@router.get("/session", **door("access.sessions.caller", Right.READ))
def me(caller: Asking) -> Me:
    """Tell who is signed in."""
    csrf = csrf_token(caller.session) if caller.session else ""
    return Me(name=caller.name, rights=sorted(caller.rights), csrf=csrf)


@router.delete("/session", status_code=204, **door("access.sessions.logout", Right.READ))
def logout(request: Request, response: Response, project: Ours, caller: Asking) -> None:
    """Sign out, here and on the server."""
    project.access.sessions.logout(caller)
    forget_session(response, secure=is_secure(request))
