"""To connect a source or destination: which type, its form, the test before it is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from rowlift.core.errors import AccessError, ConfigError, GuardStop, RowliftError
from rowlift.core.nouns import Finding
from rowlift.core.rights import Right
from rowlift.core.rules import rule
from rowlift.operations.addresses import Addresses
from rowlift.operations.callers import Caller
from rowlift.operations.connecting import Hear
from rowlift.operations.covering import covered
from rowlift.operations.kinds import KINDS
from rowlift.operations.project import Project
from rowlift.project.connections import ROLES
from rowlift.project.names import suggestion
from rowlift.web.pages.connections import Kind
from rowlift.web.pages.fields import (
    NOTHING,
    Section,
    Standing,
    document_of,
    sections,
    typed_secrets,
    with_typed,
)
from rowlift.web.pages.forms import Filled, onward, version_in
from rowlift.web.pages.kinds import Card, cards, title
from rowlift.web.pages.labels import labelled
from rowlift.web.pages.mistakes import Mistake, mistakes
from rowlift.web.pages.render import show
from rowlift.web.pages.stepwise import stepwise
from rowlift.web.pages.versions import authors
from rowlift.web.pages.words import part
from rowlift.web.problems import problem
from rowlift.web.queries import ASKING
from rowlift.web.rights import Asking, Ours, door
from rowlift.web.typed import whose_form

router = APIRouter()

Name = Annotated[str, Path(max_length=200)]
Search = Annotated[str, Query(max_length=200)]
Type = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The types that meet the search, of `all` that there are."""

    kind: str
    items: Sequence[Card]
    all: int
    q: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A form: what stands in it, what is wrong with it, and what a test of it found.

    `version` is the one that it was made from, 0 where there is none yet; `changed` is what
    `changed_by` made of it meanwhile, as a diff; `kept` is the token of secrets that were typed.
    """

    kind: str
    type: str
    title: str
    about: str
    name: str
    version: int
    addresses: Addresses
    description: str = ""
    suggested: str = ""
    sections: Sequence[Section] = ()
    mistakes: Sequence[Mistake] = ()
    findings: Sequence[Finding] | None = None
    changed: str = ""
    changed_by: str = ""
    kept: str = ""
    wrong: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Desk:
    """Who fills in a form, of which type, and what it was before."""

    request: Request
    project: Project
    caller: Caller
    kind: str
    of: str
    name: str = ""
    version: int = 0
    before: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, float] = field(default_factory=dict)

    @property
    def config(self) -> type[BaseModel]:
        """Return the class that the form comes from."""
        return KINDS.of(ROLES[self.kind])[self.of]

    def whole(self, filled: Mapping[str, str]) -> Mapping[str, str]:
        """Return a filled form with the secrets that were typed into it before."""
        typed = self.request.app.state.typed.of(self._whose, filled.get("kept", ""))
        return with_typed(filled, typed)

    def document(self, filled: Mapping[str, str]) -> dict[str, Any]:
        """Return what a filled form says, with the secrets that were typed into it before."""
        filled = self.whole(filled)
        about = filled.get("description", "").strip()
        return {
            "type": self.of, **({"description": about} if about else {}),
            **document_of(self.config, filled, self.before),
        }  # fmt: skip

    def sheet(
        self, document: Mapping[str, Any], name: str, wrong: Sequence[Mistake] = (),
        filled: Mapping[str, str] = NOTHING,
    ) -> Sheet:  # fmt: skip
        """Return the form with what stands in it, `filled` where it comes back."""
        reports = self.project.connections.kinds(self.kind)
        about = next((one.about for one in reports if one.type == self.of), "")
        by_path = {one.path: (one.message, one.code) for one in wrong}
        filled = self.whole(filled)
        typed = typed_secrets(self.config, filled)
        stands = Standing(document, self.secrets, by_path, self.before, filled)
        return Sheet(
            self.kind, self.of, title(self.kind, self.of), about, name, self.version,
            self.project.addresses(), str(document.get("description", "")),
            suggestion(self.of),
            sections(self.config, stands), wrong, wrong=by_path,
            kept=self.request.app.state.typed.keep(self._whose, typed),
        )  # fmt: skip

    def told(self, filled: Mapping[str, str], name: str, error: RowliftError) -> Response:
        """Answer with the form as it was filled in, and what is wrong with it."""
        document = self.document(filled)
        sheet = self.sheet(document, name, mistakes(error, self.config, document), filled)
        return show(self.request, "connect.html", sheet, problem(error).status)

    def tried(self, filled: Mapping[str, str], name: str) -> Response:
        """Test what the form says, and answer with it and what was found."""
        document, connections = self.document(filled), self.project.connections

        def work(hear: Hear) -> Response:
            try:
                self.request.app.state.tests.take(self.caller.name)
                found = connections.attempt(
                    self.kind, document, self.name, discreet=True, hear=self._labelling(hear)
                )
            except RowliftError as error:
                return self.told(filled, name, error)
            findings = [labelled(self.config, one) for one in found]
            told = replace(self.sheet(document, name, filled=filled), findings=findings)
            return show(self.request, "connect.html", told)

        return stepwise(self.request, work)

    def _labelling(self, hear: Hear) -> Hear:
        return lambda one: hear(labelled(self.config, one))

    @property
    def _whose(self) -> str:
        """Return who fills in which form, for the secrets that are kept for it."""
        return f"{whose_form(self.request, self.caller)}\n{self.of}"

    def kept(self, name: str, filled: Mapping[str, str]) -> Response:
        """Test what was saved, if that may be now, and lead to it."""
        self.request.app.state.typed.forget(filled.get("kept", ""))
        try:
            self.request.app.state.tests.take(self.caller.name)
        except AccessError:
            return onward(f"/{self.kind}s/{part(name)}")

        def work(hear: Hear) -> Response:
            tell = self._labelling(hear)
            self.project.connections.test(self.kind, name, discreet=True, hear=tell)
            return onward(f"/{self.kind}s/{part(name)}?said=connected")

        return stepwise(self.request, work)


@router.get("/new/source", **door("connections.kinds", Right.EDIT))
@router.get("/new/destination", **door("connections.kinds", Right.EDIT))
def before_new(
    request: Request, kind: Kind, project: Ours, caller: Asking, type: Type = "", q: Search = ""  # noqa: A002
) -> Response:  # fmt: skip
    """Show the types that there are, or the form of one of them."""
    known = project.connections.kinds(kind)
    if type in {one.type for one in known}:
        desk = _Desk(request, project, caller, kind, type)
        return show(request, "connect.html", desk.sheet({}, ""))
    return show(request, "catalogue.html", Catalogue(kind, cards(known, q), len(known), q))


@router.post("/new/source", dependencies=ASKING, **door("definitions.create", Right.EDIT))
@router.post("/new/destination", dependencies=ASKING, **door("definitions.create", Right.EDIT))
def new(
    request: Request, kind: Kind, project: Ours, caller: Asking, filled: Filled, type: Type = ""  # noqa: A002
) -> Response:  # fmt: skip
    """Keep a new connection and test it, or only test it."""
    if type not in {one.type for one in project.connections.kinds(kind)}:
        return onward(f"/new/{kind}")
    desk = _Desk(request, project, caller, kind, type)
    name = filled.get("name", "").strip()
    if filled.get("do") == "test":
        return desk.tried(filled, name)
    try:
        made = project.definitions.by(caller.name, "ui").create(kind, name, desk.document(filled))
    except RowliftError as error:
        return desk.told(filled, name, error)
    project.access.audit.note(caller, f"{kind}.create", name, after=covered(made).document)
    return desk.kept(name, filled)


@router.get("/sources/{name}/edit", **door("definitions.get", Right.EDIT))
@router.get("/destinations/{name}/edit", **door("definitions.get", Right.EDIT))
def before_edit(
    name: Name, request: Request, kind: Kind, project: Ours, caller: Asking
) -> Response:
    """Show the form of a connection with what it is now; one of files is shown as it is."""
    desk = _existing(request, project, caller, kind, name)
    return show(request, "connect.html", desk.sheet(desk.before, name))


@router.post("/sources/{name}/edit", dependencies=ASKING, **door("definitions.edit", Right.EDIT))
@router.post(
    "/destinations/{name}/edit", dependencies=ASKING, **door("definitions.edit", Right.EDIT)
)
def edit(
    name: Name, request: Request, kind: Kind, project: Ours, caller: Asking, filled: Filled
) -> Response:
    """Keep what a connection is from now on and test it, or only test that."""
    desk = _existing(request, project, caller, kind, name)
    if filled.get("do") == "test":
        return desk.tried(filled, name)
    expected = version_in(filled.get("version", ""))
    document, before = desk.document(filled), project.definitions.get(kind, name)
    ours = project.definitions.by(caller.name, "ui")
    try:
        made = ours.edit(kind, name, document, expected=expected)
    except GuardStop as error:
        return _overtaken(desk, filled, expected, error)
    except RowliftError as error:
        return desk.told(filled, name, error)
    project.access.audit.note(
        caller, f"{kind}.edit", name, before=covered(before).document, after=covered(made).document
    )
    return desk.kept(name, filled)


def _existing(request: Request, project: Project, caller: Caller, kind: str, name: str) -> _Desk:
    """Return the desk of a connection that is edited here; raises ConfigError MANAGED_IN_FILES."""
    one = project.connections.get(kind, name)
    told = one.definition
    if told.managed == "files":
        known = rule("MANAGED_IN_FILES")
        raise ConfigError(known.code, known.title, mend=known.mend)
    return _Desk(
        request, project, caller, kind, one.type, name, told.version, told.document, told.secrets
    )


def _overtaken(desk: _Desk, filled: Mapping[str, str], since: int, error: GuardStop) -> Response:
    """Answer with the form as it was filled in beside what somebody else saved meanwhile."""
    document = desk.document(filled)
    newest = desk.project.definitions.versions(desk.kind, desk.name)
    before = since if any(one.version == since for one in newest) else None
    changed = desk.project.definitions.diff(desk.kind, desk.name, desk.version, before)
    sheet = desk.sheet(document, desk.name, mistakes(error, desk.config, document), filled)
    who = authors(desk.project, desk.kind, desk.name, since)
    told = replace(sheet, changed=changed, changed_by=who)
    return show(desk.request, "connect.html", told, problem(error).status)
