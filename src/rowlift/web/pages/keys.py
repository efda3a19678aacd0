"""What lets programs in: API tokens for the API, write keys for messages of SDKs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from starlette.responses import Response

from rowlift.core.errors import RowliftError
from rowlift.core.rights import Right
from rowlift.operations.callers import Caller
from rowlift.operations.ingesting import NewWriteKey
from rowlift.operations.project import Project
from rowlift.operations.tokens import LONGEST_DAYS, NewToken
from rowlift.state.keys import WriteKey
from rowlift.state.users import Token
from rowlift.web.pages.forms import Text, Wrong, onward
from rowlift.web.pages.render import show
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(prefix="/settings")

NONE: list[Right] = []


@dataclass(frozen=True, slots=True)
class Tokens:
    """API tokens, whom each speaks for, and one that was made just now with its secret."""

    items: Sequence[Token]
    owners: dict[int, str]
    rights: Sequence[Right]
    made: NewToken | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """Write keys, and one that was made just now with its secret."""

    items: Sequence[WriteKey]
    made: NewWriteKey | None = None


@router.get("/tokens", **door("access.tokens.all", Right.READ))
def tokens(request: Request, project: Ours, caller: Asking) -> Response:
    """Show the reader's tokens; an admin sees everybody's."""
    return show(request, "tokens.html", _tokens(project, caller))


@router.post("/tokens", **door("access.tokens.create", Right.READ))
def create_token(
    request: Request, project: Ours, caller: Asking, name: Text = "",
    rights: Annotated[list[Right], Form()] = NONE,
    days: Annotated[int, Form(ge=1, le=LONGEST_DAYS)] = 90,
) -> Response:  # fmt: skip
    """Make a token; its secret is on this page and nowhere else."""
    try:
        made = project.access.tokens.create(name, rights, days=days, by=caller)
    except RowliftError as error:
        wrong = Wrong.of(error, "name", name=name, rights=" ".join(rights), days=str(days))
        return show(request, "tokens.html", _tokens(project, caller), wrong=wrong)
    return show(request, "tokens.html", _tokens(project, caller, made))


@router.post("/tokens/{token_id}/revoke", **door("access.tokens.revoke", Right.READ))
def revoke_token(
    token_id: Annotated[int, Path(ge=1, lt=2**63)], project: Ours, caller: Asking
) -> Response:
    """Make a token void for good."""
    project.access.tokens.revoke(token_id, by=caller)
    return onward("/settings/tokens?said=revoked")


@router.get("/keys", **door("ingest.keys", Right.READ))
def keys(request: Request, project: Ours) -> Response:
    """Show the write keys that are accepted."""
    return show(request, "keys.html", Keys(project.ingest.keys()))


@router.post("/keys", **door("ingest.create_key", Right.EDIT))
def create_key(request: Request, project: Ours, caller: Asking, name: Text = "") -> Response:
    """Make a write key; its secret is on this page and nowhere else."""
    try:
        made = project.ingest.create_key(name.strip())
    except RowliftError as error:
        wrong = Wrong.of(error, "name", name=name)
        return show(request, "keys.html", Keys(project.ingest.keys()), wrong=wrong)
    project.access.audit.note(caller, "key.create", made.name)
    return show(request, "keys.html", Keys(project.ingest.keys(), made))


@router.post("/keys/{name}/revoke", **door("ingest.revoke_key", Right.EDIT))
def revoke_key(
    name: Annotated[str, Path(max_length=200)], project: Ours, caller: Asking
) -> Response:
    """Accept a key no more."""
    project.ingest.revoke_key(name)
    project.access.audit.note(caller, "key.revoke", name)
    return onward("/settings/keys?said=revoked")


def _tokens(project: Project, caller: Caller, made: NewToken | None = None) -> Tokens:
    owners = {}
    if Right.ADMIN in caller.rights:
        owners = {user.id: user.email for user in project.access.accounts.users()}
    return Tokens(
        project.access.tokens.all(by=caller),
        owners,
        [one for one in Right if one in caller.rights],
        made,
    )
