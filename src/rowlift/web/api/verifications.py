"""Verifications: what a destination holds, compared with what was delivered."""

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.responses import StreamingResponse

from rowlift.core.rights import Right
from rowlift.kit.csvlines import csv_lines
from rowlift.operations.repairing import Repair
from rowlift.operations.verified import COLUMNS, as_row
from rowlift.operations.verifying import seen
from rowlift.state.verification_turns import UnderWay
from rowlift.state.verifications import Difference, Verification
from rowlift.web.bodies import Body
from rowlift.web.downloads import described, download
from rowlift.web.paging import Page, whole
from rowlift.web.queries import ASKING
from rowlift.web.repeats import Once
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(tags=["verifications"], prefix="/destinations/{name}")

Name = Annotated[str, Path(max_length=200, description="A destination, or workspace.")]
Sync = Annotated[str | None, Query(max_length=200, description="Only what this sync delivered.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]


class Asked(Body):
    """What to verify: everything, or what one sync delivered; all of it or a sample."""

    sync: str | None = Field(None, max_length=200, examples=["customers"])
    sample: int | None = Field(None, ge=1, le=1_000_000, description="Records of each sync.")


class Mend(Body):
    """What to repair: of all syncs, or of one; with orphans also what came back."""

    sync: str | None = Field(None, max_length=200, examples=["customers"])
    orphans: bool = False


@router.post(
    "/verifications",
    status_code=201,
    dependencies=ASKING,
    **door("verifications.verify", Right.RUN),
)
def verify(name: Name, body: Asked, project: Ours, caller: Asking) -> Verification:
    """Read back what a destination holds, and compare it; it ends when the client goes away.

    One at a time of each destination. Samples of what differs are for who may see values.
    """
    found = project.verifications.verify(name, body.sync, sample=body.sample, by=caller.name)
    project.access.audit.note(caller, "destination.verify", name, after={"differs": found.differs})
    return seen(found, caller)


@router.get("/verifications", **door("verifications.list", Right.READ))
def verifications(name: Name, project: Ours) -> Page[Verification]:
    """List the last verifications of a destination without samples, the newest first."""
    return whole(project.verifications.list(name))


@router.get("/verifications/now", **door("verifications.under_way", Right.READ))
def under_way(name: Name, project: Ours) -> UnderWay | None:
    """Tell who verifies a destination now, and how far it is; null where nobody does."""
    return project.verifications.under_way(name)


@router.post("/verifications/cancel", **door("verifications.cancel", Right.RUN))
def cancel(name: Name, project: Ours, caller: Asking) -> UnderWay | None:
    """Ask the verification that goes on to end, whoever began it; null where none does.

    It ends within seconds and keeps nothing.
    """
    found = project.verifications.cancel(name)
    project.access.audit.note(caller, "destination.verify.cancel", name)
    return found


@router.get("/differences", **door("verifications.differences", Right.VALUES))
def differences(
    name: Name, project: Ours, sync: Sync = None, limit: Limit = 100
) -> Page[Difference]:
    """List some of what the last verification found otherwise than it was delivered."""
    return whole([*islice(project.verifications.differences(name, sync), limit)])


@router.get(
    "/differences.csv",
    response_class=StreamingResponse,
    responses=dict(described("csv")),
    **door("verifications.differences", Right.EXPORT),
)
def differences_csv(
    name: Name, project: Ours, caller: Asking, sync: Sync = None
) -> StreamingResponse:
    """Download all that the last verification found; no cell is a formula."""
    found = project.verifications.differences(name, sync)
    project.access.audit.note(caller, "differences.export", name)
    return download(csv_lines(COLUMNS, map(as_row, found)), "differences", "csv")


@router.post("/repair", **door("verifications.repair", Right.RUN))
def repair(name: Name, body: Mend, project: Ours, caller: Asking, once: Once) -> Repair:
    """Make due again what the last verification found; nothing is sent before a run."""

    def mend() -> Repair:
        done = project.verifications.repair(name, body.sync, orphans=body.orphans)
        project.access.audit.note(caller, "destination.repair", name, after={"due": done.due})
        return done

    return once(Repair, mend)
