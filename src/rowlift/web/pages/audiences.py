"""Audiences: whom each means and how many they are, what else is in it, and where it goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request
from starlette.responses import Response

from rowlift.core.rights import Right
from rowlift.operations.audiences import AudienceOutline, AudienceRecord, Overlap
from rowlift.operations.defining import DefinitionRecord
from rowlift.operations.draft_desk import DraftRecord
from rowlift.operations.project import Project
from rowlift.state.audiences import AudienceSize
from rowlift.web.pages.charts import Columns, sizes_over_time
from rowlift.web.pages.forms import onward
from rowlift.web.pages.render import show
from rowlift.web.pages.words import part
from rowlift.web.rights import Asking, Ours, door

router = APIRouter()

SIZES = 60  # of the latest changes
NOTHING = ""

Name = Annotated[str, Path(max_length=1000)]
Other = Annotated[str, Query(alias="with", max_length=1000)]


@dataclass(frozen=True, slots=True)
class Audiences:
    """The audiences by name, and those that one is still writing."""

    items: Sequence[AudienceRecord]
    drafts: Sequence[DraftRecord] = ()


@dataclass(frozen=True, slots=True)
class AudiencePage:
    """One audience: how it stands, how many people it had, and what reads it.

    `whole` is what it is a part of, or itself; `definition` is None of what is a part. `others` are
    the segments that it may have people in common with.
    """

    audience: AudienceRecord
    whole: str
    sizes: Sequence[AudienceSize]
    feeds: Sequence[str]
    outline: AudienceOutline
    others: Sequence[str]
    overlap: Overlap | None
    definition: DefinitionRecord | None

    @property
    def chart(self) -> Columns:
        """Return its size over time, as bars."""
        return sizes_over_time(self.sizes)


@router.get("/audiences", **door("audiences.list", Right.READ))
def audiences(request: Request, project: Ours, caller: Asking) -> Response:
    """List the audiences, and one's drafts."""
    may = Right.EDIT in caller.rights
    drafts = project.drafts.audiences.list(by=caller) if may else ()
    return show(request, "audiences.html", Audiences(project.audiences.list(), drafts))


@router.get("/audiences/{name}", **door("audiences.get", Right.READ))
def audience(name: Name, request: Request, project: Ours, other: Other = NOTHING) -> Response:
    """Show one audience, and whom it has in common with another segment."""
    return show(request, "audience.html", _page(project, name, other))


@router.post("/audiences/{name}/compute", **door("audiences.compute", Right.RUN))
def compute(name: Name, project: Ours, caller: Asking) -> Response:
    """Look now for an audience's people."""
    project.audiences.compute([name])
    project.access.audit.note(caller, "audience.compute", name)
    return onward(f"/audiences/{part(name)}")


@router.post("/audiences/{name}/delete", **door("definitions.archive", Right.EDIT))
def delete(
    name: Name, project: Ours, caller: Asking, version: Annotated[int, Form()] = 0
) -> Response:
    """Take an audience out of use; its segment stays with who is in it."""
    door = project.definitions.by(caller.name, "ui")
    before = door.get("audience", name).document
    door.archive("audience", name, expected=version)
    project.access.audit.note(caller, "audience.archive", name, before=before)
    return onward("/audiences")


def _page(project: Project, name: str, other: str) -> AudiencePage:
    record, whole = project.audiences.get(name), name.partition(".")[0]
    segments = [one.name for one in project.segments()]
    is_there = record.looked_at is not None
    return AudiencePage(
        record, whole, project.audiences.sizes(name, SIZES), project.audiences.feeds(name),
        project.audiences.outline(name),
        [one for one in segments if one != name] if is_there else [],
        project.audiences.overlap(name, other) if other else None,
        project.definitions.get("audience", name) if whole == name else None,
    )  # fmt: skip
