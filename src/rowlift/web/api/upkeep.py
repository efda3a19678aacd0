"""What is wrong in the project's files, and forgetting what is old."""

from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel

from rowlift.core.errors import RowliftError
from rowlift.core.rights import Right
from rowlift.core.rules import RULES
from rowlift.operations.pruning import PruneReport
from rowlift.web.paging import Page, whole
from rowlift.web.queries import ASKING
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(tags=["upkeep"])


class FileProblem(BaseModel):
    """Something wrong in the project's files, and where; a warning stops nothing."""

    code: str
    message: str
    mend: str
    place: str
    is_warning: bool

    @classmethod
    def of(cls, error: RowliftError) -> Self:
        """Return an error of the files as the API tells it."""
        return cls(
            code=error.code,
            message=error.message,
            mend=error.mend,
            place=str(error.place or ""),
            is_warning=RULES[error.code].scope == "warning",
        )


@router.get("/check", dependencies=ASKING, **door("check", Right.READ))
def check(project: Ours) -> Page[FileProblem]:
    """Validate every file and every query's text; no source is asked."""
    return whole([FileProblem.of(one) for one in project.check()])


@router.post("/prune", **door("prune", Right.ADMIN))
def prune(project: Ours, caller: Asking) -> PruneReport:
    """Forget runs, rejects, events and former values that are older than the retention."""
    report = project.prune()
    project.access.audit.note(caller, "prune", after={"runs": report.runs, "files": report.files})
    return report
