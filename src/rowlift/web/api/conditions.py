"""What conditions of audiences may ask for."""

from fastapi import APIRouter

from rowlift.core.rights import Right
from rowlift.operations.suggesting import AudienceChoices
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(prefix="/conditions", tags=["audiences"])


@router.get("/choices", **door("audiences.choices", Right.READ))
def choices(project: Ours, caller: Asking) -> AudienceChoices:
    """Return what conditions may ask for, with values for who may see those of rows."""
    return project.audiences.choices(with_values=Right.VALUES in caller.rights)
