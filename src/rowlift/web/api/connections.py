"""Sources and destinations as they answer: their tables, and whether they let us in."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field

from rowlift.core.nouns import Finding
from rowlift.core.rights import Right
from rowlift.operations.addresses import Addresses
from rowlift.operations.connecting import ConnectionReport, KindReport
from rowlift.operations.rehearsing import SampleMessage, SentMessage
from rowlift.state.catalogues import Catalogue
from rowlift.state.checkups import Checkup
from rowlift.web.bodies import Body
from rowlift.web.paging import Page, whole
from rowlift.web.queries import ASKING
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(tags=["connections"])

Kind = Annotated[Literal["source", "destination"], Path(description="What it connects.")]
Name = Annotated[str, Path(max_length=200)]


class Attempt(Body):
    """A connection as it might be; a name is that of the one it would replace."""

    name: str = Field("", max_length=200, examples=["warehouse"])
    document: dict[str, Any] = Field(examples=[{"type": "sqlite", "path": "shop.db"}])


class Findings(Body):
    """What a test found, step by step."""

    findings: Sequence[Finding]


@router.get("/sources/{name}/catalog", dependencies=ASKING, **door("catalog", Right.READ))
def catalog(
    name: Annotated[str, Path(max_length=200)],
    project: Ours,
    caller: Asking,
    refresh: Annotated[
        bool, Query(description="Ask the source, however new what is known.")
    ] = False,
) -> Catalogue:
    """List a source's tables and columns, as they were within a day.

    To ask the source anew takes the right to edit.
    """
    if refresh:
        caller.require(Right.EDIT)
    return project.catalog(name, refresh=refresh)


@router.get("/connections/addresses", **door("addresses", Right.READ))
def addresses(project: Ours) -> Addresses:
    """Tell from which addresses connections come, for the allow lists of firewalls."""
    return project.addresses()


@router.post("/connections/test", dependencies=ASKING, **door("debug", Right.EDIT))
def test(request: Request, project: Ours, caller: Asking) -> Mapping[str, Sequence[Finding]]:
    """Test every source and destination, step by step; at most ten times a minute.

    Whatever keeps a server from us reads the same, so that nobody looks for open ports with it.
    """
    request.app.state.tests.take(caller.name)
    return project.debug(discreet=True)


@router.get("/connections/{kind}", **door("connections.list", Right.READ))
def connections(kind: Kind, project: Ours, caller: Asking) -> Page[ConnectionReport]:
    """List sources or destinations, what uses them, and what their last tests found.

    Who may not edit them sees scheme and host of an address only: its path may hold a token.
    """
    return whole(project.connections.list(kind, whole=Right.EDIT in caller.rights))


@router.get("/connections/{kind}/types", **door("connections.kinds", Right.READ))
def kinds(kind: Kind, project: Ours) -> Page[KindReport]:
    """List the types of source or destination that there are."""
    return whole(project.connections.kinds(kind))


@router.post(
    "/connections/{kind}/test", dependencies=ASKING, **door("connections.attempt", Right.EDIT)
)
def attempt(kind: Kind, body: Attempt, request: Request, project: Ours, caller: Asking) -> Findings:
    """Test a connection that is not kept yet, step by step; at most ten times a minute."""
    request.app.state.tests.take(caller.name)
    found = project.connections.attempt(kind, body.document, body.name, discreet=True)
    return Findings(findings=found)


@router.get("/connections/{kind}/named/{name}", **door("connections.get", Right.READ))
def connection(kind: Kind, name: Name, project: Ours, caller: Asking) -> ConnectionReport:
    """Return one source or destination, what uses it, and what its last test found."""
    return project.connections.get(kind, name, whole=Right.EDIT in caller.rights)


@router.post(
    "/connections/{kind}/named/{name}/test",
    dependencies=ASKING,
    **door("connections.test", Right.EDIT),
)
def test_one(kind: Kind, name: Name, request: Request, project: Ours, caller: Asking) -> Checkup:
    """Test one connection step by step, and keep what was found; at most ten times a minute."""
    request.app.state.tests.take(caller.name)
    return project.connections.test(kind, name, discreet=True)


@router.get("/destinations/{name}/message", **door("connections.message", Right.READ))
def message(name: Name, project: Ours) -> SampleMessage:
    """Return what a destination's test message would be: one made-up person."""
    return project.connections.message(name)


@router.post(
    "/destinations/{name}/message",
    dependencies=ASKING,
    **door("connections.send_message", Right.EDIT),
)
def send_message(name: Name, request: Request, project: Ours, caller: Asking) -> SentMessage:
    """Send a destination one made-up person, marked as a test; at most ten times a minute.

    It is sent once, as a delivery would send it; no image and no ledger knows of it.
    """
    request.app.state.tests.take(caller.name)
    project.access.audit.note(caller, "destination.message", name)
    values = Right.VALUES in caller.rights
    return project.connections.send_message(name, discreet=True, values=values)
