"""A new sync, and editing one: one page of steps, kept at each of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.datastructures import FormData
from starlette.responses import Response

from rowlift.core.errors import Place, RowliftError
from rowlift.core.nouns import Table
from rowlift.core.rights import Right
from rowlift.core.specs import WORKSPACE_SOURCE, IdentifyBy
from rowlift.engine.preview import Preview
from rowlift.operations.callers import Caller
from rowlift.operations.draft_desk import DraftRecord, Merged
from rowlift.operations.drafting import Choices
from rowlift.operations.outlining import Concern, Outline
from rowlift.operations.project import Project
from rowlift.operations.querying import Wish
from rowlift.project.feeds import EVERY
from rowlift.web.pages import places
from rowlift.web.pages.draft_form import read, shown
from rowlift.web.pages.forms import onward, sent_in, shown_anew, version_in
from rowlift.web.pages.places import Excerpt, Wrong
from rowlift.web.pages.plans import TRIED, looked_ahead
from rowlift.web.pages.render import show
from rowlift.web.pages.versions import authors
from rowlift.web.pages.words import part
from rowlift.web.problems import Problem, problem
from rowlift.web.queries import ASKING
from rowlift.web.rights import Asking, Ours, door
from rowlift.web.samples import Examples, KeptSamples

router = APIRouter(prefix="/drafts")

Number = Annotated[int, Path(ge=1, lt=2**63)]
Look = Annotated[Literal["", "query", "relationships"], Query()]
NOTHING: Literal[""] = ""
KEYS: Mapping[str, IdentifyBy] = {"account": "group_id", "object": "object_id"}


async def _sent(request: Request) -> FormData:
    return await request.form()


Sent = Annotated[FormData, Depends(_sent)]

STEPS = {
    "what": "What", "query": "Query", "identify": "Identify", "rows": "Rules for rows",
    "segment": "Segment", "relationships": "Relationships", "destinations": "Destinations",
    "schedule": "Schedule", "review": "Review",
}  # fmt: skip
_STEP_OF = {
    "sync": "what", "description": "what", "preset": "what", "kind": "what", "object_type": "what",
    "audience": "query", "source": "query", "query": "query", "sql": "query", "limits": "query",
    "identify_by": "identify", "mode": "identify", "second_identifier": "identify",
    "empty_values": "rows", "empty_strings": "rows", "suppressed": "rows", "removed": "rows",
    "attributes": "rows", "segment": "segment", "relationships": "relationships",
    "destinations": "destinations", "workspace": "destinations", "schedule": "schedule",
    "fresh_within": "schedule",
}  # fmt: skip
_OF_QUERIES = ("segment", "relationships")  # steps that the people of an audience skip
_TO_DO = {
    "name": "Give it a name, such as open_tickets.",
    "source": "Choose the source that is asked.",
    "sql": "Write a query, or pick a table.",
    "identify_by": "Choose what identifies a row.",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What is to be done, or what is wrong, at one step, and where in the query that is."""

    step: str
    key: str
    text: str
    mend: str = ""
    code: str = ""
    is_to_do: bool = False
    line: int = 0
    column: int = 0
    excerpt: Excerpt | None = None


@dataclass(frozen=True, slots=True)
class DraftPage:
    """A draft with everything that its page shows."""

    draft: DraftRecord
    outline: Outline
    choices: Choices
    said: Sequence[Said]
    tables: Sequence[Table] = ()
    seen: Preview | None = None
    related: Preview | None = None
    merged: Merged | None = None
    refused: Mapping[str, Problem] = field(default_factory=dict)  # by step
    diff: str = ""
    changed_by: str = ""  # that difference
    place: Wrong | None = None  # of what a look at the query was refused for
    examples: Examples = field(default_factory=dict)  # by the columns of a table that was picked
    window: str = field(default_factory=lambda: shown_anew().window)

    @property
    def values(self) -> Mapping[str, Any]:
        """Return the values of the form."""
        return shown(self.draft.document)

    def at(self, step: str) -> list[Said]:
        """Return what is said at a step."""
        return [one for one in self.said if one.step == step]

    def state(self, step: str) -> str:
        """Return how a step stands: wrong, to do or fine."""
        found = self.at(step)
        if step in self.refused or any(not one.is_to_do for one in found):
            return "wrong"
        if step == "review":
            return "to do" if self.said else "fine"
        return "to do" if found else "fine"

    @property
    def names(self) -> Mapping[str, str]:
        """Return the titles of the steps."""
        if not self.is_feed:
            return STEPS
        steps = {step: name for step, name in STEPS.items() if step not in _OF_QUERIES}
        return {**steps, "query": "Audience"}

    @property
    def is_feed(self) -> bool:
        """Tell whether its rows are the people of an audience."""
        return "audience" in self.draft.document

    @property
    def zones(self) -> Sequence[str]:
        """Return the time zones that this machine knows."""
        return sorted(available_timezones())

    @property
    def sources(self) -> Sequence[tuple[str, str]]:
        """Return the sources with what they are."""
        return [(one.name, f"{one.name} · {one.type}") for one in self.choices.sources]

    @property
    def dialect(self) -> str:
        """Return the dialect of the source that is asked."""
        wanted = self.draft.document.get("source")
        return next((one.dialect for one in self.choices.sources if one.name == wanted), "")

    @property
    def identifiers(self) -> Sequence[tuple[str, str, Sequence[str]]]:
        """Return what may identify a row of this kind: its word, its name, its columns."""
        if own := KEYS.get(str(self.draft.document.get("kind"))):
            return [(own, own, (own, "object_id"))]
        allowed = {"user_id": "id", "email": "email", "anonymous_id": "anonymous_id"}
        people = (
            ("user_id", "Id", ("user_id", "id")),
            ("email", "E-mail address", ("email",)),
            ("anonymous_id", "Anonymous id", ("anonymous_id",)),
        )
        others = () if self.is_feed else ("anonymous_id",)
        return [one for one in people if allowed[one[0]] in (*self.choices.identifiers, *others)]

    @property
    def table_names(self) -> Sequence[str]:
        """Return what the tables are called in the form."""
        return [table_name(one) for one in self.tables]

    @property
    def table(self) -> Table | None:
        """Return the table that was picked, if the source has it."""
        wanted = self.draft.view.get("table", "")
        return next((one for one in self.tables if table_name(one) == wanted), None)


def table_name(one: Table) -> str:
    """Return what a table is called in the form."""
    return f"{one.schema}.{one.name}" if one.schema else one.name


@dataclass(frozen=True, slots=True)
class Begun:
    """What somebody has begun, and what there is to begin with."""

    items: Sequence[DraftRecord]
    choices: Choices


@router.get("", **door("drafts.list", Right.EDIT))
def drafts(request: Request, project: Ours, caller: Asking) -> Response:
    """Ask how a new sync begins, and list what one has begun."""
    begun = Begun(project.drafts.list(by=caller), project.drafts.choices())
    return show(request, "drafts.html", begun)


class Begin(BaseModel):
    """What a new sync begins with: nothing, or what the SQL studio knows of its query."""

    kind: str = Field("", max_length=100)
    way: str = Field("", max_length=100)
    source: str = Field("", max_length=300)
    sql: str = Field("", max_length=900_000)
    by: str = Field("", max_length=100)
    rules: str = Field("", max_length=100)
    audience: str = Field("", max_length=1000)


@router.post("", **door("drafts.new", Right.EDIT))
def new(project: Ours, caller: Asking, begin: Annotated[Begin, Form()]) -> Response:
    """Begin a new sync, of a query or of the people of an audience where there is one."""
    if begin.audience:
        feed = {"audience": {"name": begin.audience}, "schedule": {"every": EVERY}}
        made = project.drafts.new("", feed, by=caller)
        return onward(f"/drafts/{made.id}")
    sources = [one for one in project.drafts.choices().sources if one.name != WORKSPACE_SOURCE]
    source = begin.source or (sources[0].name if len(sources) == 1 else "")
    kind = "" if begin.kind == "person" else begin.kind
    query = {"sql": begin.sql, "identify_by": begin.by, "preset": begin.rules}
    given = {"kind": kind, "source": source, **query}
    document = {key: value for key, value in given.items() if value}
    made = project.drafts.new("", document, {"way": begin.way or "sql"}, by=caller)
    return onward(f"/drafts/{made.id}")


@router.get("/{number}", dependencies=ASKING, **door("drafts.get", Right.EDIT))
def draft(
    number: Number, request: Request, project: Ours, caller: Asking, look: Look = NOTHING
) -> Response:
    """Show a draft, with a look at its rows where that is asked for."""
    return show(request, "draft.html", _page(request, project, caller, number, look))


@router.post("/{number}", dependencies=ASKING, **door("drafts.save", Right.EDIT))
def save(number: Number, request: Request, project: Ours, caller: Asking, form: Sent) -> Response:
    """Keep what the form says, and go on to the next step or to a look at the rows."""
    try:
        _saved(project, caller, number, form)
    except RowliftError as error:
        return _refused(request, project, caller, number, error, "query")
    to = str(form.get("do", ""))
    look = to.removeprefix("look:") if to.startswith("look:") else ""
    return onward(f"/drafts/{number}?look={part(look)}#{part(look)}" if look
                  else f"/drafts/{number}#{part(to) if to in STEPS else 'what'}")  # fmt: skip


@router.post("/{number}/left", status_code=204, **door("drafts.save", Right.EDIT))
def leave(number: Number, project: Ours, caller: Asking, form: Sent) -> None:
    """Keep the last words of a page that is left; nothing is asked, so this has always a place."""
    draft = project.drafts.get(number, by=caller)
    _kept(project, caller, number, form, read(form, draft.document, draft.view))


@router.post("/{number}/start", dependencies=ASKING, **door("drafts.start", Right.EDIT))
def start(number: Number, request: Request, project: Ours, caller: Asking, form: Sent) -> Response:
    """Keep the sync that the form describes, and ask for its first run if it is new.

    Or look first at what a run of some rows would do.
    """
    tried = form.get("do") == "try" and Right.RUN in caller.rights
    try:
        before = _saved(project, caller, number, form)
        known = project.definitions.get("sync", before.sync) if before.sync else None
        made = project.drafts.start(number, by=caller, origin="ui", at_once=not tried)
    except RowliftError as error:
        return _refused(request, project, caller, number, error, "review")
    project.access.audit.note(
        caller, f"sync.{'edit' if known else 'create'}", made.name,
        before=known.document if known else {}, after=made.document,
    )  # fmt: skip
    if tried:
        return looked_ahead(request, project, caller, made.name, TRIED)
    said = "edited" if known else "started" if _asked(project, caller, made.name) else "kept"
    return onward(f"/syncs/{part(made.name)}?said={said}")


@router.post("/{number}/merge", **door("drafts.merge", Right.EDIT))
def merge(number: Number, request: Request, project: Ours, caller: Asking) -> Response:
    """Take in what somebody else changed meanwhile, and show what that was."""
    try:
        merged = project.drafts.merge(number, by=caller)
    except RowliftError as error:
        return _refused(request, project, caller, number, error, "review")
    return show(request, "draft.html", _page(request, project, caller, number, merged=merged))


@router.post("/{number}/drop", **door("drafts.drop", Right.EDIT))
def drop(number: Number, project: Ours, caller: Asking) -> Response:
    """Forget a draft."""
    project.drafts.drop(number, by=caller)
    return onward("/drafts?said=dropped")


def _saved(project: Project, caller: Caller, number: int, form: FormData) -> DraftRecord:
    """Keep a form; of picked columns the query is written anew."""
    draft = project.drafts.get(number, by=caller)
    name, document, view = read(form, draft.document, draft.view)
    wrong = None
    try:
        document |= _composed(project, document, view)
    except RowliftError as error:
        wrong = error
    saved = _kept(project, caller, number, form, (name, document, view))
    if wrong:
        raise wrong
    return saved


def _kept(
    project: Project, caller: Caller, number: int, form: FormData,
    told: tuple[str, Mapping[str, Any], Mapping[str, Any]],
) -> DraftRecord:  # fmt: skip
    version = version_in(str(form.get("version", "")))
    sent = sent_in(form)
    return project.drafts.save(number, *told, expected=version, by=caller, sent=sent)


def _composed(
    project: Project, document: Mapping[str, Any], view: Mapping[str, Any]
) -> Mapping[str, str]:
    """Return the query of the columns that were picked from a table, and its identifier."""
    key, source = view.get("key"), document.get("source")
    if view.get("way") != "table" or not (key and source and view.get("picked") is not None):
        return {}
    tables = project.catalog(source).tables
    table = next((one for one in tables if table_name(one) == view.get("table")), None)
    if table is None:
        return {}
    kind = str(document.get("kind", "person"))
    by = document.get("identify_by") or KEYS.get(kind, "user_id")
    wish = Wish(table.schema, table.name, view["picked"], key, "user_id" if by == "id" else by)
    return {"sql": project.queries.compose(source, wish), "identify_by": by}


def _asked(project: Project, caller: Caller, name: str) -> bool:
    """Ask for the first run of a new sync; tell whether somebody will begin it."""
    if Right.RUN not in caller.rights:
        return False
    try:
        project.service.trigger([name], by=caller.name)
    except RowliftError:  # no service runs; the page of the sync says so
        return False
    project.access.audit.note(caller, "sync.run", name, after={"allow_removals": False})
    return True


def _refused(
    request: Request, project: Project, caller: Caller, number: int, error: RowliftError, step: str
) -> Response:
    """Show the draft again with what was wrong, or the error where there is no draft."""
    if error.code == "NOT_FOUND":
        raise error
    found = problem(error)
    answer = show(
        request, "draft.html", _page(request, project, caller, number, refused={step: found})
    )
    answer.status_code = found.status
    return answer


def _page(
    request: Request, project: Project, caller: Caller, number: int, look: str = "", *,
    refused: Mapping[str, Problem] | None = None, merged: Merged | None = None,
) -> DraftPage:  # fmt: skip
    drafts, wrong, place = project.drafts, dict(refused or {}), None
    seen: dict[str, Preview] = {}
    tables: Sequence[Table] = ()
    if look:
        caller.require(Right.VALUES)
        try:
            seen[look] = drafts.preview(number, relationships=look == "relationships", by=caller)
        except RowliftError as error:
            wrong[look] = problem(error)
            place = _place(error, drafts.get(number, by=caller)) if look == "query" else None
    draft = drafts.get(number, by=caller)
    source = draft.document.get("source")
    if draft.view.get("way") == "table" and source:
        try:
            tables = project.catalog(source).tables
        except RowliftError as error:
            wrong.setdefault("query", problem(error))
    outline = drafts.outline(number, by=caller)
    diff = who = ""
    if draft.is_behind:
        diff = project.definitions.diff("sync", draft.sync, draft.current, draft.base)
        who = authors(project, "sync", draft.sync, draft.base)
    page = DraftPage(
        draft, outline, drafts.choices(), [*_said(draft, outline.concerns)], tables,
        seen.get("query"), seen.get("relationships"), merged, wrong, diff, who, place,
    )  # fmt: skip
    if Right.VALUES in caller.rights and (table := page.table):
        where = (str(source), table.schema, table.name)
        kept: KeptSamples = request.app.state.samples
        page = replace(page, examples=kept.of(where, lambda: project.queries.sample(*where)))
    return page


def _place(error: RowliftError, draft: DraftRecord) -> Wrong | None:
    """Return where in a query it is that a source refused it for; None where nobody says."""
    found = places.wrong(error, str(draft.document.get("sql", "")))
    return next((one for one in found if one.line), None)


def _said(draft: DraftRecord, concerns: Sequence[Concern]) -> Iterator[Said]:
    if not draft.name:
        yield Said("what", "name", _TO_DO["name"], is_to_do=True)
    missing = set[str]()
    for one in concerns:
        key = one.key or ("sql" if "query" in one.message else "")
        if one.code == "KEY_MISSING" and key in _TO_DO:
            missing.add(key)
        else:
            step = _STEP_OF.get(key, "review")
            sql = str(draft.document.get("sql", ""))
            around = places.excerpt(sql, Place("sql", one.line, one.column)) if one.line else None
            yield Said(
                step, "name" if key == "sync" else key, one.message, one.mend, one.code,
                line=one.line, column=one.column, excerpt=around,
            )  # fmt: skip
    if not (draft.document.get("sql") or "audience" in draft.document):
        missing.add("sql")
    if "source" in missing and not draft.document.get("identify_by"):
        missing.add("identify_by")
    for key in sorted(missing):
        yield Said(_STEP_OF[key], key, _TO_DO[key], is_to_do=True)
