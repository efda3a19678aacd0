"""The builder of audiences: rows of conditions or YAML, and whom they mean while one edits.

What is written is a draft of whoever writes it, field by field, until it is kept or dropped.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from rowlift.core.errors import ConfigError, RowliftError, StateError
from rowlift.core.rights import Right
from rowlift.operations.audience_drafting import AudienceWriting
from rowlift.operations.audiences import AudienceOutline, AudienceSample
from rowlift.operations.callers import Caller
from rowlift.operations.defining import DefinitionRecord
from rowlift.operations.draft_desk import NO_WINDOW, DraftRecord, Merged, Sending
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
from rowlift.web.pages.condition_mistakes import Mistake, mistakes
from rowlift.web.pages.condition_rows import NotRows
from rowlift.web.pages.forms import Wrong, onward, sent_in, shown_anew, version_in
from rowlift.web.pages.render import show
from rowlift.web.pages.runwords import yaml
from rowlift.web.pages.suggestions import NO_SUGGESTIONS, Suggestions, suggestions
from rowlift.web.pages.versions import authors
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
_NOT_OF_DRAFTS = {
    "csrf", "do", "draft", "draft_version", "edits", "version", "window", "written_at",
}  # fmt: skip

Number = Annotated[int, Path(ge=1, lt=2**63)]
Begun = Annotated[int, Query(alias="draft", ge=0, lt=2**63)]
NONE = 0
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
    mistakes: Sequence[Mistake] = ()


@dataclass(frozen=True, slots=True)
class DraftKey:
    """A draft's number, and which version of it a page shows; 0 where nothing is kept yet."""

    id: int = 0
    version: int = 0


NO_DRAFT = DraftKey()


@dataclass(frozen=True, slots=True)
class Writing:
    """An audience that somebody writes: as rows, or as YAML where `form` is None.

    `document` is the YAML, or what it was before there were rows; `focus` is where to go on.
    `version` is the one that it began from, and `draft` what is kept of it: a number and version.
    """

    name: str
    document: str
    version: int = 0
    form: AudienceForm | None = None
    suggestions: Suggestions = NO_SUGGESTIONS
    seen: Seen | None = None
    focus: str = ""
    draft: DraftKey = NO_DRAFT
    sent: Sending = NO_WINDOW
    kept: DraftRecord | None = None
    merged: Merged | None = None
    diff: str = ""  # that somebody else made since
    changed_by: str = ""
    mistakes: Sequence[Mistake] = ()

    @property
    def wrong_at(self) -> Mapping[str, Mistake]:
        """Return what is wrong, by the ids of fields."""
        seen = self.seen.mistakes if self.seen else ()
        return {one.field: one for one in (*seen, *self.mistakes)}

    @property
    def is_new(self) -> bool:
        """Tell whether there is no such audience yet."""
        return not self.version

    @property
    def address(self) -> str:
        """Return where its form is sent."""
        return "/new/audience" if self.is_new else f"/audiences/{part(self.name)}/edit"

    @property
    def resumed_at(self) -> str:
        """Return where one goes on with it."""
        is_draft = self.is_new and self.draft.id
        return f"/new/audience?draft={self.draft.id}" if is_draft else self.address

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


@router.get("/new/audience", dependencies=ASKING, **door("drafts.audiences.get", Right.EDIT))
def new(request: Request, project: Ours, caller: Asking, number: Begun = NONE) -> Response:
    """Begin an audience, or go on with a draft."""
    if not number:
        return _shown(request, project, caller, Writing("", "", form=beginning(), seen=Seen()))
    return _resumed(request, project, caller, project.drafts.audiences.get(number, by=caller))


@router.post("/new/audience", dependencies=ASKING, **door("definitions.create", Right.EDIT))
def create(request: Request, project: Ours, caller: Asking, form: Sent) -> Response:
    """Make an audience, or go on with its rows."""
    return _answer(request, project, caller, "", form)


@router.get("/audiences/{name}/edit", dependencies=ASKING, **door("definitions.get", Right.EDIT))
def edit(name: Name, request: Request, project: Ours, caller: Asking) -> Response:
    """Show an audience to be changed, as rows where they can show it, or one's draft of it."""
    draft = project.drafts.audiences.of(name, by=caller)
    if draft is not None:
        return _resumed(request, project, caller, draft)
    one = project.definitions.get("audience", name)
    writing = Writing(name, yaml(_own(one)), one.version)
    with suppress(ConfigError):  # it stays YAML
        writing = writing.as_rows()
    writing = replace(writing, seen=_seen(project, caller, writing))
    return _shown(request, project, caller, writing)


@router.post("/new/audience/draft", **door("drafts.audiences.save", Right.EDIT))
def save(request: Request, project: Ours, caller: Asking, form: Sent) -> Response:
    """Keep what somebody writes as a draft, while they write it."""
    writing = _sent_as(form, str(form.get("edits", "")))
    try:
        writing = _drafted(project, caller, _read(form, writing), form)
    except RowliftError as error:
        return _shown(request, project, caller, writing, _wrong(writing, error))
    return show(request, "audience_kept.html", writing)


@router.post(
    "/new/audience/{number}/merge", dependencies=ASKING,
    **door("drafts.audiences.merge", Right.EDIT),
)  # fmt: skip
def merge(number: Number, request: Request, project: Ours, caller: Asking) -> Response:
    """Take in what somebody else changed meanwhile, and show what that was."""
    try:
        merged = project.drafts.audiences.merge(number, by=caller)
    except RowliftError as error:
        if error.code == "NOT_FOUND":
            raise
        draft = project.drafts.audiences.get(number, by=caller)
        return _resumed(request, project, caller, draft, wrong=Wrong.of(error))
    return _resumed(request, project, caller, merged.draft, merged)


@router.post("/new/audience/{number}/drop", **door("drafts.audiences.drop", Right.EDIT))
def drop(number: Number, project: Ours, caller: Asking) -> Response:
    """Forget a draft."""
    project.drafts.audiences.drop(number, by=caller)
    return onward("/audiences?said=dropped")


@router.post("/audiences/{name}/edit", dependencies=ASKING, **door("definitions.edit", Right.EDIT))
def change(name: Name, request: Request, project: Ours, caller: Asking, form: Sent) -> Response:
    """Change an audience, or go on with its rows."""
    return _answer(request, project, caller, name, form)


def _answer(
    request: Request, project: Project, caller: Caller, name: str, form: FormData
) -> Response:
    """Do what a button says; whatever is wrong, everything stays as it was typed."""
    do, writing = str(form.get("do", "")), _sent_as(form, name)
    is_part = "hx-request" in request.headers
    try:
        writing = _read(form, writing)
        if do == "keep":
            _keep(project, caller, writing, is_new=not name)
            return onward(f"/audiences/{part(writing.name)}")
        if not is_part:
            writing = _drafted(project, caller, writing, form)
        writing = _pressed(writing, do)
    except RowliftError as error:
        if do == "keep":
            with suppress(RowliftError):
                writing = _drafted(project, caller, writing, form)
        writing = replace(writing, mistakes=_mistakes(writing, error))
        return _shown(request, project, caller, writing, _wrong(writing, error))
    if "where:join" not in form and writing.form is not None:
        writing = replace(writing, seen=Seen())  # its rows are just being moved
    elif not is_part or do == LOOK:  # rows that were moved look for themselves
        writing = replace(writing, seen=_seen(project, caller, writing))
    if is_part and do == LOOK:
        return show(request, "audience_seen.html", writing)
    return _shown(request, project, caller, writing)


def _pressed(writing: Writing, do: str) -> Writing:
    """Return what is written after a button of its rows; raises ConfigError."""
    if do in {"yaml", "rows"}:
        return writing.as_yaml() if do == "yaml" else writing.as_rows()
    if writing.form is None or " " not in do:
        return writing
    after, focus = pressed(writing.form, do)
    return replace(writing, form=after, focus=focus)


def _mistakes(writing: Writing, error: RowliftError) -> Sequence[Mistake]:
    form = writing.form
    return mistakes(error, {"where": form.where, "exclude": form.exclude}) if form else ()


def _wrong(writing: Writing, error: RowliftError) -> Wrong:
    at = "builder" if writing.form else "document"
    at = next((one.field for one in writing.mistakes), at)
    if error.code == "NAME_TWICE" and writing.is_new:
        at = "name"
    return Wrong.of(error, at, name=writing.name, document=writing.document)


def _sent_as(form: FormData, name: str) -> Writing:
    called, document = (str(form.get(key, "")) for key in ("name", "document"))
    base, number, version = (
        version_in(str(form.get(key, ""))) for key in ("version", "draft", "draft_version")
    )
    writing = Writing(name or called.strip(), document[:LONGEST], base)
    return replace(writing, draft=DraftKey(number, version), sent=sent_in(form))


def _read(form: FormData, writing: Writing) -> Writing:
    """Return what a form holds; raises ConfigError where its rows are too deep."""
    return replace(writing, form=read(form)) if form.get("mode") == "rows" else writing


def _drafted(project: Project, caller: Caller, writing: Writing, form: FormData) -> Writing:
    """Keep a form as a draft, whatever is wrong with it."""
    try:
        told = writing.written
    except ConfigError:
        told = ""
    document = (_parsed(told) or {}) if isinstance(told, str) else told
    fields = [[key, one] for key, one in form.multi_items() if key not in _NOT_OF_DRAFTS]
    edits = "" if writing.is_new else writing.name
    mine = AudienceWriting(
        writing.name, document, {"fields": fields}, edits, writing.version, writing.sent
    )
    draft = project.drafts.audiences.save(
        mine, writing.draft.id, expected=writing.draft.version, by=caller
    )
    return replace(writing, draft=DraftKey(draft.id, draft.version), kept=draft)


def _resumed(
    request: Request, project: Project, caller: Caller, draft: DraftRecord,
    merged: Merged | None = None, wrong: Wrong | None = None,
) -> Response:  # fmt: skip
    """Show a draft as it was left, with what somebody else changed since."""
    fields = FormData([tuple(one) for one in draft.view.get("fields", ())])
    key, base = DraftKey(draft.id, draft.version), draft.base if draft.sync else 0
    writing = replace(_sent_as(fields, draft.sync or draft.name), version=base, draft=key)
    if fields:
        with suppress(ConfigError):
            writing = _read(fields, writing)
    else:
        writing = replace(writing, document=yaml(draft.document))
        with suppress(ConfigError):
            writing = writing.as_rows()
    seen = _seen(project, caller, writing)
    writing = replace(writing, kept=draft, merged=merged, seen=seen)
    return _shown(request, project, caller, writing, wrong)


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
    if writing.draft.id:
        with suppress(StateError):  # another window was faster
            project.drafts.audiences.drop(writing.draft.id, by=caller)


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
        seen = replace(seen, trouble=problem(error), mistakes=_mistakes(writing, error))
    return seen


def _shown(
    request: Request, project: Project, caller: Caller, writing: Writing, wrong: Wrong | None = None
) -> Response:
    writing = replace(writing, sent=writing.sent if writing.sent.window else shown_anew())
    if writing.form is not None:
        known = project.audiences.choices(with_values=Right.VALUES in caller.rights)
        writing = replace(writing, suggestions=suggestions(known))
    if (draft := writing.kept) and draft.is_behind:
        diff = project.definitions.diff("audience", draft.sync, draft.current, draft.base)
        who = authors(project, "audience", draft.sync, draft.base)
        writing = replace(writing, diff=diff, changed_by=who)
    return show(request, "audience_edit.html", writing, wrong=wrong)


def _parsed(text: str) -> Mapping[str, Any] | None:
    document = parse(text, "audience") if text.strip() else None
    return None if document is None or document.problems else document.value


def _own(one: DefinitionRecord) -> dict[str, object]:
    """Return a document without its name, which the page shows beside it."""
    return {key: value for key, value in one.document.items() if key != "audience"}
