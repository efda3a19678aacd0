"""Demo data to look around with."""

from fastapi import APIRouter

from rowlift.core.rights import Right
from rowlift.operations.sampling import SampleReport
from rowlift.web.queries import ASKING
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(tags=["glance"])


@router.post("/samples", dependencies=ASKING, **door("look_around", Right.EDIT))
def look_around(project: Ours, caller: Asking) -> SampleReport:
    """Make a demo warehouse, a destination and two syncs; what is there already stays."""
    made = project.look_around(by=caller.name, origin="api")
    project.access.audit.note(caller, "samples.make", made.source)
    return made
