"""Sources and destinations as they answer: their tables, and whether they let us in."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from rowlift.core.nouns import Finding
from rowlift.core.rights import Right
from rowlift.operations.addresses import Addresses
from rowlift.state.catalogues import Catalogue
from rowlift.web.queries import ASKING
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(tags=["connections"])


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
