"""Syncs that somebody is still writing; everybody sees their own only."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from rowlift.core.rights import Right
from rowlift.engine.preview import Preview
from rowlift.operations.defining import DefinitionRecord
from rowlift.operations.draft_desk import DraftRecord, Merged
from rowlift.operations.drafting import Choices
from rowlift.operations.outlining import Outline
from rowlift.web.bodies import Body
from rowlift.web.paging import Page, whole
from rowlift.web.queries import ASKING
from rowlift.web.rights import Asking, Ours, door
from rowlift.web.versions import IfMatch, expected, tagged

router = APIRouter(prefix="/drafts", tags=["drafts"])

Number = Annotated[int, Path(ge=1, lt=2**63, description="The draft's number.")]


class Column(Body):
    """A column that a preview had."""

    name: str
    type: str = ""


class View(BaseModel):
    """What a page remembers of a draft: how the query is asked for, and what it had last."""

    model_config = ConfigDict(extra="allow")

    way: str = ""
    table: str = ""
    key: str = ""
    picked: list[str] | None = None
    columns: list[Column] = Field(default_factory=list)
    seen: str = ""


class Written(Body):
    """A sync as far as it is written; `view` is what a page remembers of it."""

    name: str = Field("", max_length=200, examples=["people"])
    document: dict[str, Any] = Field(examples=[{"source": "shop", "sql": "SELECT id, plan FROM p"}])
    view: View = Field(default_factory=View)

    @property
    def remembered(self) -> dict[str, Any]:
        """Return what was said of the view."""
        return self.view.model_dump(exclude_unset=True)


class OfSync(Body):
    """The sync that a draft is made of."""

    sync: str = Field(max_length=200, examples=["people"])


@router.get("", **door("drafts.list", Right.EDIT))
def drafts(project: Ours, caller: Asking) -> Page[DraftRecord]:
    """List one's drafts, what was changed last first."""
    return whole(project.drafts.list(by=caller))


@router.post("", status_code=201, **door("drafts.new", Right.EDIT))
def new(body: Written, project: Ours, caller: Asking, response: Response) -> DraftRecord:
    """Begin a new sync, which may be written in part only."""
    return tagged(
        response, project.drafts.new(body.name, body.document, body.remembered, by=caller)
    )  # fmt: skip


@router.post("/edits", status_code=201, **door("drafts.edit", Right.EDIT))
def edit(body: OfSync, project: Ours, caller: Asking, response: Response) -> DraftRecord:
    """Begin to edit a sync, or return one's draft of it."""
    return tagged(response, project.drafts.edit(body.sync, by=caller))


@router.post("/copies", status_code=201, **door("drafts.duplicate", Right.EDIT))
def duplicate(body: OfSync, project: Ours, caller: Asking, response: Response) -> DraftRecord:
    """Begin a new sync from another one."""
    return tagged(response, project.drafts.duplicate(body.sync, by=caller))


@router.get("/choices", **door("drafts.choices", Right.EDIT))
def choices(project: Ours) -> Choices:
    """Return what a sync may be made of: sources, destinations and what they can do, segments."""
    return project.drafts.choices()


@router.get("/{number}", **door("drafts.get", Right.EDIT))
def draft(number: Number, project: Ours, caller: Asking, response: Response) -> DraftRecord:
    """Return one of one's drafts; its ETag is for changing it."""
    return tagged(response, project.drafts.get(number, by=caller))


@router.put("/{number}", **door("drafts.save", Right.EDIT))
def save(
    number: Number, body: Written, project: Ours, caller: Asking, response: Response,
    if_match: IfMatch = None,
) -> DraftRecord:  # fmt: skip
    """Replace a draft, whatever is wrong with it; needs If-Match."""
    version = expected(if_match)
    saved = project.drafts.save(
        number, body.name, body.document, body.remembered, expected=version, by=caller
    )  # fmt: skip
    return tagged(response, saved)


@router.delete("/{number}", status_code=204, **door("drafts.drop", Right.EDIT))
def drop(number: Number, project: Ours, caller: Asking) -> None:
    """Forget a draft."""
    project.drafts.drop(number, by=caller)


@router.get("/{number}/outline", **door("drafts.outline", Right.EDIT))
def outline(number: Number, project: Ours, caller: Asking) -> Outline:
    """Say what the sync would be: in words, with what is wrong and when it is due."""
    return project.drafts.outline(number, by=caller)


@router.post("/{number}/preview", dependencies=ASKING, **door("drafts.preview", Right.VALUES))
def preview(
    number: Number,
    project: Ours,
    caller: Asking,
    relationships: Annotated[bool, Query(description="Of the second query.")] = False,
    sample: Annotated[bool, Query(description="Stop after 100 rows.")] = False,
) -> Preview:
    """Run the query of a draft and show up to 100 rows, then the rules over the whole result."""
    return project.drafts.preview(number, relationships=relationships, sample=sample, by=caller)


@router.post("/{number}/merge", **door("drafts.merge", Right.EDIT))
def merge(number: Number, project: Ours, caller: Asking) -> Merged:
    """Take in what somebody else changed of the sync meanwhile; what both changed stays yours."""
    return project.drafts.merge(number, by=caller)


AtOnce = Annotated[
    bool, Query(description="False: an interval begins with its next slot, not at once.")
]


@router.post("/{number}/start", dependencies=ASKING, **door("drafts.start", Right.EDIT))
def start(
    number: Number, project: Ours, caller: Asking, response: Response, at_once: AtOnce = True
) -> DefinitionRecord:  # fmt: skip
    """Keep what the draft says, judged like a file; a new trait is previewed first."""
    before = project.drafts.get(number, by=caller)
    known = project.definitions.get("sync", before.sync) if before.sync else None
    made = project.drafts.start(number, by=caller, origin="api", at_once=at_once)
    project.access.audit.note(
        caller, f"sync.{'edit' if known else 'create'}", made.name,
        before=known.document if known else {}, after=made.document,
    )  # fmt: skip
    return tagged(response, made)
