"""The first steps: a source of one's own, or demo data to look around with."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from rowlift.core.errors import RowliftError
from rowlift.core.rights import Right
from rowlift.operations.connecting import Hear
from rowlift.operations.project import Project
from rowlift.operations.reports import SyncReport
from rowlift.operations.sampling import DESTINATION, SOURCE, SYNCS
from rowlift.web.pages.forms import onward
from rowlift.web.pages.render import show
from rowlift.web.pages.stepwise import stepwise
from rowlift.web.problems import Problem, problem
from rowlift.web.queries import ASKING
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(prefix="/welcome")


@dataclass(frozen=True, slots=True)
class Welcome:
    """What there is already; `samples` are the syncs of the demo data, if they were made."""

    sources: Sequence[str]
    syncs: int
    samples: Sequence[SyncReport]
    source: str
    destination: str
    is_over: bool
    problem: Problem | None = None


@router.get("", **door("ls", Right.READ))
def welcome(request: Request, project: Ours) -> Response:
    """Offer what one may begin with, and show how the demo data fares."""
    return show(request, "welcome.html", _page(project))


@router.post("/demo", dependencies=ASKING, **door("look_around", Right.EDIT))
def demo(request: Request, project: Ours, caller: Asking) -> Response:
    """Make the demo data, telling of each thing as it is made, and ask for its first runs."""

    def work(hear: Hear) -> Response:
        try:
            made = project.look_around(by=caller.name, origin="ui", hear=hear)
        except RowliftError as error:
            wrong = problem(error)
            return show(request, "welcome.html", _page(project, wrong), wrong.status)
        project.access.audit.note(caller, "samples.make", made.source)
        return onward("/welcome")

    return stepwise(request, work)


def _page(project: Project, wrong: Problem | None = None) -> Welcome:
    syncs = project.ls()
    samples = sorted(
        (one for one in syncs if one.name in SYNCS), key=lambda one: SYNCS.index(one.name)
    )
    over = all(one.last_run and one.last_run.is_over for one in samples)
    sources = [one.name for one in project.connections.list("source", whole=False)]
    return Welcome(sources, len(syncs), samples, SOURCE, DESTINATION, over, wrong)
