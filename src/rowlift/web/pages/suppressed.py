"""People who are never processed: the list by hash, and putting people on it or taking them off."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, File, Request
from starlette.responses import Response

from rowlift.core.errors import ConfigError, RowliftError
from rowlift.core.rights import Right
from rowlift.operations.project import Project
from rowlift.operations.suppressing import SuppressionReport
from rowlift.web.pages.forms import Names, Text, Wrong, names
from rowlift.web.pages.render import show
from rowlift.web.paging import Cursor, page, place
from rowlift.web.rights import Asking, Ours, door
from rowlift.workspace.suppression import Suppression

router = APIRouter(prefix="/suppressed")

LINES = 50  # on one page


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A page of suppressions, the newest first; `done` is what a form just did."""

    items: Sequence[Suppression]
    next: str | None
    done: SuppressionReport | None = None
    lifted: bool = False


@router.get("", **door("suppressions", Right.READ))
def suppressed(request: Request, project: Ours, cursor: Cursor = None) -> Response:
    """List who is suppressed, by hash."""
    return show(request, "suppressed.html", _list(project, place(cursor)))


@router.post("/add", **door("suppress", Right.EDIT))
def add(
    request: Request,
    project: Ours,
    caller: Asking,
    people: Names = "",
    file: Annotated[bytes, File()] = b"",
    note: Text = "",
) -> Response:
    """Suppress people, typed or from a file."""
    try:
        report = project.suppress(names(people, file), note=note, wait=False)
    except RowliftError as error:
        wrong = Wrong.of(error, "people", people=people, note=note)
        return show(request, "suppressed.html", _list(project), wrong=wrong)
    project.access.audit.note(caller, "suppress", after={"identifiers": report.identifiers})
    return show(request, "suppressed.html", _list(project, done=report))


@router.post("/lift", **door("unsuppress", Right.EDIT))
def lift(request: Request, project: Ours, caller: Asking, again: Names = "") -> Response:
    """Process people again."""
    try:
        report = project.unsuppress(names(again), wait=False)
        if not report.identifiers:
            text = "None of them is suppressed."
            raise ConfigError("VALUE_WRONG", text, mend="Name them as they were suppressed.")
    except RowliftError as error:
        wrong = Wrong.of(error, "again", again=again)
        return show(request, "suppressed.html", _list(project), wrong=wrong)
    project.access.audit.note(caller, "unsuppress", after={"identifiers": report.identifiers})
    return show(request, "suppressed.html", _list(project, done=report, lifted=True))


def _list(
    project: Project,
    before: int | None = None,
    done: SuppressionReport | None = None,
    *,
    lifted: bool = False,
) -> Suppressed:
    found = page(project.suppressions(LINES, before=before), LINES, lambda one: one.number)
    return Suppressed(found.items, found.next, done, lifted)
