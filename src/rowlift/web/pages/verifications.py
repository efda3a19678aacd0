"""What a destination holds, compared with what was delivered: verify, look, repair."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from rowlift.core.digits import number_of
from rowlift.core.errors import ConfigError, RowliftError
from rowlift.core.rights import Right
from rowlift.operations.callers import Caller
from rowlift.operations.connecting import ConnectionReport
from rowlift.operations.project import Project
from rowlift.state.verification_turns import UnderWay
from rowlift.state.verifications import Difference, Verification
from rowlift.web.pages.connections import may_edit
from rowlift.web.pages.forms import Filled, onward
from rowlift.web.pages.kinds import title
from rowlift.web.pages.render import show
from rowlift.web.pages.stepwise import Hear, stepwise
from rowlift.web.pages.words import part
from rowlift.web.problems import Problem, problem
from rowlift.web.queries import ASKING
from rowlift.web.rights import Asking, Ours, door

router = APIRouter()

WORKSPACE = "workspace"
SHOWN = 50
MOST = 1_000_000  # records of a sample

Name = Annotated[str, Path(max_length=200)]


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found at a destination, the newest first, and some of what differs by now.

    Without a connection it is the workspace.
    """

    name: str
    connection: ConnectionReport | None
    title: str
    syncs: Sequence[str]
    found: Sequence[Verification]
    differences: Sequence[Difference]
    values: bool
    under_way: UnderWay | None = None
    problem: Problem | None = None


class Far:
    """Tells a page how far a verification is, in words."""

    def __init__(self, hear: Hear) -> None:
        self._hear, self._task, self._rows = hear, "", 0

    def phase(self, task: str, phase: str, total: int | None = None) -> None:
        """Begin to read, or to compare."""
        self._task, self._rows = task, 0
        self._hear(f"{task}: reading" if phase == "read" else f"{task}: comparing")

    def advance(self, task: str, rows: int) -> None:
        """Tell what was read so far."""
        self._rows += rows
        self._hear(f"{task}: {self._rows:,} records read")

    def note(self, task: str, text: str, detail: str = "") -> None: ...


@router.get("/destinations/{name}/verify", **door("verifications.list", Right.READ))
def verified(name: Name, request: Request, project: Ours, caller: Asking) -> Response:
    """Show what the last verifications of a destination found, or of the workspace."""
    return _page(request, project, caller, name)


@router.post(
    "/destinations/{name}/verify", dependencies=ASKING, **door("verifications.verify", Right.RUN)
)
def verify(name: Name, request: Request, project: Ours, caller: Asking, filled: Filled) -> Response:
    """Read back what a destination holds; it ends when the page is left."""

    def work(hear: Hear) -> Response:
        try:
            found = project.verifications.verify(
                name, filled.get("sync") or None, sample=_sample(filled.get("sample", "")),
                by=caller.name, hear=hear, progress=Far(hear),
            )  # fmt: skip
        except RowliftError as error:
            return _page(request, project, caller, name, error)
        after = {"differs": found.differs}
        project.access.audit.note(caller, "destination.verify", name, after=after)
        return onward(f"/destinations/{part(name)}/verify?said=verified")

    return stepwise(request, work)


@router.post("/destinations/{name}/verify/cancel", **door("verifications.cancel", Right.RUN))
def cancel(name: Name, project: Ours, caller: Asking) -> Response:
    """Ask the verification that goes on to end, whoever began it."""
    project.verifications.cancel(name)
    project.access.audit.note(caller, "destination.verify.cancel", name)
    return onward(f"/destinations/{part(name)}/verify?said=unverified")


@router.post("/destinations/{name}/repair", **door("verifications.repair", Right.RUN))
def repair(name: Name, request: Request, project: Ours, caller: Asking, filled: Filled) -> Response:
    """Make due again what differs; nothing is sent before a run."""
    try:
        done = project.verifications.repair(name, orphans=bool(filled.get("orphans")))
    except RowliftError as error:
        return _page(request, project, caller, name, error)
    project.access.audit.note(caller, "destination.repair", name, after={"due": done.due})
    return onward(f"/destinations/{part(name)}/verify?said=repaired")


def _sample(typed: str) -> int | None:
    text = typed.strip()
    if not text:
        return None
    if not 1 <= (most := number_of(text) or 0) <= MOST:
        mend = f"Type a number from 1 to {MOST:,}, or nothing to read all."
        raise ConfigError("VALUE_WRONG", "The size of the sample is no such number.", mend=mend)
    return most


def _page(
    request: Request, project: Project, caller: Caller, name: str,
    error: RowliftError | None = None,
) -> Response:  # fmt: skip
    one, values = None, Right.VALUES in caller.rights
    syncs = [each.name for each in project.ls()]
    if name != WORKSPACE:
        one = project.connections.get("destination", name, whole=may_edit(caller))
        syncs = [*one.syncs]
    found: Sequence[Verification] = ()
    now: UnderWay | None = None
    told: Sequence[Difference] = ()
    try:
        found = project.verifications.list(name)
        now = project.verifications.under_way(name)
        told = [*islice(project.verifications.differences(name), SHOWN)] if values else ()
    except RowliftError as wrong:  # it tells nothing, and the page says so
        error = error or wrong
    page = Verified(
        name, one, title("destination", one.type) if one else "The workspace", syncs, found, told,
        values, now, problem(error) if error else None,
    )  # fmt: skip
    status = problem(error).status if error and request.method == "POST" else 200
    return show(request, "verify.html", page, status)
