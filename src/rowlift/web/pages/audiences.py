"""Audiences: whom each means and how many they are, and writing one while its size is seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from starlette.responses import Response

from rowlift.core.errors import RowliftError
from rowlift.core.rights import Right
from rowlift.operations.audiences import AudienceRecord, AudienceSample
from rowlift.operations.callers import Caller
from rowlift.operations.defining import DefinitionRecord
from rowlift.operations.project import Project
from rowlift.state.audiences import AudienceSize
from rowlift.web.pages.forms import Text, Wrong, onward
from rowlift.web.pages.render import show
from rowlift.web.pages.runwords import yaml
from rowlift.web.pages.words import part
from rowlift.web.queries import ASKING
from rowlift.web.rights import Asking, Ours, door

router = APIRouter()

SIZES = 60  # of the latest changes
BEGINNING = """\
where:
  all:
    - {attribute: plan, one_of: [pro, team]}
    - {event: Signed In, at_most: 0, within_last: 30d}
"""

Name = Annotated[str, Path(max_length=1000)]
Document = Annotated[str, Form(max_length=900_000)]


@dataclass(frozen=True, slots=True)
class Audiences:
    """The audiences by name."""

    items: Sequence[AudienceRecord]


@dataclass(frozen=True, slots=True)
class AudiencePage:
    """One audience: how it stands, how many people it had, and what reads it.

    `whole` is what it is a part of, or itself; `definition` is None of what is a part.
    """

    audience: AudienceRecord
    whole: str
    sizes: Sequence[AudienceSize]
    feeds: Sequence[str]
    definition: DefinitionRecord | None


@dataclass(frozen=True, slots=True)
class Writing:
    """An audience that somebody writes; `sample` is whom it means now, once that was asked."""

    name: str
    document: str
    version: int = 0
    sample: AudienceSample | None = None

    @property
    def is_new(self) -> bool:
        """Tell whether there is no such audience yet."""
        return not self.version


@router.get("/audiences", **door("audiences.list", Right.READ))
def audiences(request: Request, project: Ours) -> Response:
    """List the audiences."""
    return show(request, "audiences.html", Audiences(project.audiences.list()))


@router.get("/new/audience", **door("definitions.schema", Right.EDIT))
def new(request: Request) -> Response:
    """Begin an audience."""
    return show(request, "audience_edit.html", Writing("", BEGINNING))


@router.post("/new/audience", dependencies=ASKING, **door("definitions.create", Right.EDIT))
def create(
    request: Request, project: Ours, caller: Asking,
    name: Text = "", document: Document = "", do: Text = "",
) -> Response:  # fmt: skip
    """Make an audience, or say whom it would mean."""
    writing = Writing(name.strip(), document)

    def keep() -> None:
        project.definitions.by(caller.name, "ui").create("audience", writing.name, document)

    return _answer(request, project, caller, writing, do, keep)


@router.get("/audiences/{name}", **door("audiences.get", Right.READ))
def audience(name: Name, request: Request, project: Ours) -> Response:
    """Show one audience."""
    return show(request, "audience.html", _page(project, name))


@router.get("/audiences/{name}/edit", **door("definitions.get", Right.EDIT))
def edit(name: Name, request: Request, project: Ours) -> Response:
    """Show an audience to be changed."""
    one = project.definitions.get("audience", name)
    return show(request, "audience_edit.html", Writing(name, yaml(_own(one)), one.version))


@router.post("/audiences/{name}/edit", dependencies=ASKING, **door("definitions.edit", Right.EDIT))
def change(
    name: Name, request: Request, project: Ours, caller: Asking,
    document: Document = "", version: Annotated[int, Form()] = 0, do: Text = "",
) -> Response:  # fmt: skip
    """Change an audience, or say whom it would mean."""
    writing = Writing(name, document, version)

    def keep() -> None:
        door = project.definitions.by(caller.name, "ui")
        door.edit("audience", name, document, expected=version)

    return _answer(request, project, caller, writing, do, keep)


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
    project.definitions.by(caller.name, "ui").archive("audience", name, expected=version)
    return onward("/audiences")


def _own(one: DefinitionRecord) -> dict[str, object]:
    """Return a document without its name, which the page shows beside it."""
    return {key: value for key, value in one.document.items() if key != "audience"}


def _page(project: Project, name: str) -> AudiencePage:
    record, whole = project.audiences.get(name), name.partition(".")[0]
    return AudiencePage(
        record, whole, project.audiences.sizes(name, SIZES), project.audiences.feeds(name),
        project.definitions.get("audience", name) if whole == name else None,
    )  # fmt: skip


def _answer(
    request: Request, project: Project, caller: Caller, writing: Writing, do: str,
    keep: Callable[[], None],
) -> Response:  # fmt: skip
    """Keep what was written and go to its page, or show it again with its people or its fault."""
    try:
        if do == "try":
            caller.require(Right.VALUES)
            called = writing.name or "new"
            found = project.audiences.sample(called, writing.document)
            tried = replace(writing, sample=found)
            return show(request, "audience_edit.html", tried)
        keep()
    except RowliftError as error:
        at = "name" if error.code == "NAME_TWICE" and writing.is_new else "document"
        wrong = Wrong.of(error, at, name=writing.name, document=writing.document)
        return show(request, "audience_edit.html", writing, wrong=wrong)
    return onward(f"/audiences/{part(writing.name)}")
