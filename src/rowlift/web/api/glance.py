"""How everything stands, in one answer."""

from fastapi import APIRouter

from rowlift.core.rights import Right
from rowlift.operations.discretion import seen_by
from rowlift.operations.glance import About, Overview
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(tags=["glance"])


@router.get("/about", **door("glance.about", Right.READ))
def about(project: Ours) -> About:
    """Tell which workspace this is, what serves it, and how much is declared in it."""
    return project.glance.about()


@router.get("/overview", **door("glance.overview", Right.READ))
def overview(project: Ours, caller: Asking) -> Overview:
    """Tell what is wrong, what goes on, the last days, and every sync with its newest runs."""
    return seen_by(caller, project.glance.overview())
