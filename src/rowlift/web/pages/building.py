"""The builder of audiences: rows of conditions or YAML, and whom they mean while one edits."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from rowlift.core.errors import ConfigError, RowliftError
from rowlift.core.rights import Right
from rowlift.operations.audiences import AudienceOutline, AudienceSample
from rowlift.operations.callers import Caller
from rowlift.operations.defining import DefinitionRecord
from rowlift.operations.project import Project
from rowlift.project.yaml import parse
from rowlift.web.pages.audience_form import (
    AudienceForm,
    beginning,
    is_filled,
    pressed,
    read,
    shown,
    written,
)
from rowlift.web.pages.condition_rows import NotRows
from rowlift.web.pages.forms import Wrong, onward, version_in
from rowlift.web.pages.render import show
from rowlift.web.pages.runwords import yaml
from rowlift.web.pages.suggestions import NO_SUGGESTIONS, Suggestions, suggestions
from rowlift.web.pages.words import part
from rowlift.web.problems import Problem, problem
from rowlift.web.queries import ASKING
from rowlift.web.rights import Asking, Ours, door

router = APIRouter()

LONGEST_LOOK = 5.0  # seconds, while somebody edits
SOME = 5  # people who are shown
LOOK = "look"
LONGEST = 900_000  # characters of YAML
LEVELS = 3  # of groups that buttons make

Name = Annotated[str, Path(max_length=1000)]
Document = Mapping[str, Any] | str


async def _sent(request: Request) -> FormData:
    return await request.form()


Sent = Annotated[FormData, Depends(_sent)]


@dataclass(frozen=True, slots=True)
class Seen:
    """Whom it means now: in words, how many and some of them; or why nobody can say."""

    outline: AudienceOutline | None = None
    sample: AudienceSample | None = None
    trouble: Problem | None = None


@dataclass(frozen=True, slots=True)
class Writing:
    """An audience that somebody writes: as rows, or as YAML where `form` is None.

    `document` is the YAML, or what it was before there were rows; `focus` is where to go on.
    """

    name: str
    document: str
    version: int = 0
    form: AudienceForm | None = None
    suggestions: Suggestions = NO_SUGGESTIONS
    seen: Seen | None = None
    focus: str = ""

    @property
    def is_new(self) -> bool:
        """Tell whether there is no such audience yet."""
        return not self.version

    @property
    def address(self) -> str:
        """Return where its form is sent."""
        return "/new/audience" if self.is_new else f"/audiences/{part(self.name)}/edit"

    @property
    def written(self) -> Document:
        """Return what would be kept; raises ConfigError."""
        return self.document if self.form is None else written(self.form)

    @property
    def levels(self) -> int:
        """Return how deep the groups go that buttons make."""
        return LEVELS

    def as_yaml(self) -> "Writing":
        """Return it as YAML: as it was written, where the rows say the same still."""
        told = self.written
        is_same = isinstance(told, str) or _parsed(self.document) == told
        return replace(self, form=None, document=self.document if is_same else yaml(told))

    def as_rows(self) -> "Writing":
        """Return it as rows; raises ConfigError where they would not say the same."""
        try:
            return replace(self, form=shown(_parsed(self.document) or {}))
        except NotRows:
            text = "Rows cannot show this, so it stays as it is."
            mend = "Mend what is said of it, or keep it as YAML."
            raise ConfigError("VALUE_WRONG", text, mend=mend) from None


@router.get("/new/audience", **door("definitions.schema", Right.EDIT))
def new(request: Request, project: Ours, caller: Asking) -> Response:
    """Begin an audience."""
    return _shown(request, project, caller, Writing("", "", form=beginning(), seen=Seen()))


@router.post("/new/audience", dependencies=ASKING, **door("definitions.create", Right.EDIT))
def create(request: Request, project: Ours, caller: Asking, form: Sent) -> Response:
    """Make an audience, or go on with its rows."""
    return _answer(request, project, caller, "", form)


@router.get("/audiences/{name}/edit", dependencies=ASKING, **door("definitions.get", Right.EDIT))
def edit(name: Name, request: Request, project: Ours, caller: Asking) -> Response:
    """Show an audience to be changed, as rows where they can show it."""
    one = project.definitions.get("audience", name)
    writing = Writing(name, yaml(_own(one)), one.version)
    with suppress(ConfigError):  # it stays YAML
        writing = writing.as_rows()
    writing = replace(writing, seen=_seen(project, caller, writing))
    return _shown(request, project, caller, writing)


@router.post("/audiences/{name}/edit", dependencies=ASKING, **door("definitions.edit", Right.EDIT))
def change(name: Name, request: Request, project: Ours, caller: Asking, form: Sent) -> Response:
    """Change an audience, or go on with its rows."""
    return _answer(request, project, caller, name, form)


def _answer(
    request: Request, project: Project, caller: Caller, name: str, form: FormData
) -> Response:
    """Do what a button says; whatever is wrong, everything stays as it was typed."""
    do, writing = str(form.get("do", "")), _sent_as(form, name)
    try:
        writing = _read(form, writing)
        if do == "keep":
            _keep(project, caller, writing, is_new=not name)
            return onward(f"/audiences/{part(writing.name)}")
        if do in {"yaml", "rows"}:
            writing = writing.as_yaml() if do == "yaml" else writing.as_rows()
        elif writing.form is not None and " " in do:
            after, focus = pressed(writing.form, do)
            writing = replace(writing, form=after, focus=focus)
    except RowliftError as error:
        at = "name" if error.code == "NAME_TWICE" and not name else "builder"
        wrong = Wrong.of(error, "document" if at == "builder" and not writing.form else at,
                         name=writing.name, document=writing.document)  # fmt: skip
        return _shown(request, project, caller, writing, wrong)
    is_part = "hx-request" in request.headers
    if "where:join" not in form and writing.form is not None:
        writing = replace(writing, seen=Seen())  # its rows are just being moved
    elif not is_part or do == LOOK:  # rows that were moved look for themselves
        writing = replace(writing, seen=_seen(project, caller, writing))
    if is_part and do == LOOK:
        return show(request, "audience_seen.html", writing)
    return _shown(request, project, caller, writing)


def _sent_as(form: FormData, name: str) -> Writing:
    called, document = (str(form.get(key, "")) for key in ("name", "document"))
    number = version_in(str(form.get("version", "")))
    return Writing(name or called.strip(), document[:LONGEST], number)


def _read(form: FormData, writing: Writing) -> Writing:
    """Return what a form holds; raises ConfigError where its rows are too deep."""
    return replace(writing, form=read(form)) if form.get("mode") == "rows" else writing


def _keep(project: Project, caller: Caller, writing: Writing, *, is_new: bool) -> None:
    ours = project.definitions.by(caller.name, "ui")
    name, before = writing.name, {}
    if is_new:
        made = ours.create("audience", name, writing.written)
    else:
        before = dict(ours.get("audience", name).document)
        made = ours.edit("audience", name, writing.written, expected=writing.version)
    action = "audience.create" if is_new else "audience.edit"
    project.access.audit.note(caller, action, name, before=before, after=made.document)


def _seen(project: Project, caller: Caller, writing: Writing) -> Seen:
    """Return whom it means now; values of people only to who may see them."""
    seen, name = Seen(), writing.name or "new"
    if writing.form is not None and not is_filled(writing.form):
        return seen
    try:
        told = writing.written
        seen = replace(seen, outline=project.audiences.outline(name, told))
        if Right.VALUES in caller.rights:
            found = project.audiences.sample(name, told, SOME, LONGEST_LOOK)
            seen = replace(seen, sample=found)
    except RowliftError as error:
        seen = replace(seen, trouble=problem(error))
    return seen


def _shown(
    request: Request, project: Project, caller: Caller, writing: Writing, wrong: Wrong | None = None
) -> Response:
    if writing.form is not None:
        known = project.audiences.choices(with_values=Right.VALUES in caller.rights)
        writing = replace(writing, suggestions=suggestions(known))
    return show(request, "audience_edit.html", writing, wrong=wrong)


def _parsed(text: str) -> Mapping[str, Any] | None:
    document = parse(text, "audience") if text.strip() else None
    return None if document is None or document.problems else document.value


def _own(one: DefinitionRecord) -> dict[str, object]:
    """Return a document without its name, which the page shows beside it."""
    return {key: value for key, value in one.document.items() if key != "audience"}
