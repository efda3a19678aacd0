"""API tokens."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field

from rowlift.core.rights import Right
from rowlift.operations.tokens import LONGEST_DAYS, NewToken
from rowlift.state.users import Token
from rowlift.web.bodies import Body
from rowlift.web.paging import Page, whole
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(prefix="/tokens", tags=["tokens"])


class TokenWanted(Body):
    """A token that may do no more than who makes it."""

    name: str = Field(min_length=1, max_length=100, examples=["nightly dbt job"])
    rights: list[Right] = Field(min_length=1, max_length=len(Right))
    days: int = Field(90, ge=1, le=LONGEST_DAYS, description="For how long it is valid.")


@router.get("", **door("access.tokens.all", Right.READ))
def tokens(project: Ours, caller: Asking) -> Page[Token]:
    """List the caller's tokens, an admin's list has everybody's; secrets are never shown again."""
    return whole(project.access.tokens.all(by=caller))


@router.post("", status_code=201, **door("access.tokens.create", Right.READ))
def create(body: TokenWanted, project: Ours, caller: Asking) -> NewToken:
    """Make a token; its secret is in this answer and nowhere else."""
    return project.access.tokens.create(body.name, body.rights, days=body.days, by=caller)


@router.delete("/{token_id}", status_code=204, **door("access.tokens.revoke", Right.READ))
def revoke(token_id: Annotated[int, Path(ge=1, lt=2**63)], project: Ours, caller: Asking) -> None:
    """Make a token void for good."""
    project.access.tokens.revoke(token_id, by=caller)
