"""People: the list, finding one by any identifier, and one of them with where all of it is from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from rowlift.core.errors import ConfigError, RowliftError, StateError
from rowlift.core.rights import Right
from rowlift.operations.identifying import Identifiers
from rowlift.operations.project import Project
from rowlift.operations.records import PersonRecord
from rowlift.operations.traces import SyncTrace, Why
from rowlift.web.pages.forms import Filled, Text, Wrong, confirm, onward
from rowlift.web.pages.render import show
from rowlift.web.pages.words import called, part
from rowlift.web.pages.words import who as identifier
from rowlift.web.paging import Cursor, page, place
from rowlift.web.rights import Asking, Ours, door
from rowlift.workspace.tracking import Event

router = APIRouter(prefix="/people")

PEOPLE = 50  # on one page
EVENTS = 20

Who = Annotated[str, Path(max_length=1000)]


@dataclass(frozen=True, slots=True)
class People:
    """A page of people, or those with an identifier that begins with `q`."""

    items: Sequence[PersonRecord]
    next: str | None
    q: str


@dataclass(frozen=True, slots=True)
class Person:
    """One person, what destinations have of them, and what they did.

    Somebody whose row was never good is in no workspace, but syncs know why.
    """

    who: str
    person: PersonRecord | None
    why: Why
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Erasure:
    """Whom somebody is about to erase, and by what they are to be typed."""

    who: str
    name: str
    person: PersonRecord
    syncs: Sequence[str]


@dataclass(frozen=True, slots=True)
class Renaming:
    """Whose identifiers somebody is about to edit, and the rows that syncs have under them."""

    who: str
    person: PersonRecord
    syncs: Sequence[SyncTrace]


@router.get("", **door("people", Right.VALUES))
def people(
    request: Request,
    project: Ours,
    q: Annotated[str, Query(max_length=1000)] = "",
    cursor: Cursor = None,
) -> Response:
    """List people, or find some: whoever has an identifier is shown at once."""
    q = q.strip()
    if not q:
        found = project.people(PEOPLE, after=place(cursor) or 0)
        shown = page(found, PEOPLE, lambda one: one.number)
        return show(request, "people.html", People(shown.items, shown.next, q))
    if _finds(project.person, q):
        return onward(f"/people/{part(q)}")
    alike = project.search_people(q, PEOPLE)
    if not alike and _finds(project.why, q):  # of rows that were never good
        return onward(f"/people/{part(q)}")
    return show(request, "people.html", People(alike, None, q))


@router.get("/{who}", **door("person", Right.VALUES))
def person(who: Who, request: Request, project: Ours) -> Response:
    """Show one person: attributes with their origins, segments, relationships, destinations."""
    why = project.why(who)
    try:
        found = project.person(who)
    except StateError:
        return show(request, "person.html", Person(who, None, why, ()))
    events = project.ingest.events(who, EVENTS)
    return show(request, "person.html", Person(who, found, why, events))


@router.post("/{who}/suppress", **door("suppress", Right.EDIT))
def suppress(who: Who, project: Ours, caller: Asking, note: Text = "") -> Response:
    """Never process a person again; destinations that have them are told."""
    report = project.suppress([_named(project, who)], note=note, wait=False)
    project.access.audit.note(caller, "suppress", after={"identifiers": report.identifiers})
    return onward(f"/people/{part(who)}?said=suppressed")


@router.post("/{who}/unsuppress", **door("unsuppress", Right.EDIT))
def unsuppress(who: Who, project: Ours, caller: Asking) -> Response:
    """Process a person again."""
    report = project.unsuppress([_named(project, who)], wait=False)
    project.access.audit.note(caller, "unsuppress", after={"identifiers": report.identifiers})
    return onward(f"/people/{part(who)}?said=unsuppressed")


@router.get("/{who}/erase", **door("erase", Right.ADMIN))
def before_erasing(who: Who, request: Request, project: Ours) -> Response:
    """Say what would go with a person, and what would stay."""
    return _asked(request, project, who)


@router.post("/{who}/erase", **door("erase", Right.ADMIN))
def erase(
    who: Who, request: Request, project: Ours, caller: Asking, typed: Text = ""
) -> Response:  # fmt: skip
    """Erase a person for good, once their identifier was typed."""
    try:
        confirm(typed, called(project.person(who)))
        project.erase(who)
    except RowliftError as error:
        return _asked(request, project, who, Wrong.of(error, "typed", typed=typed))
    project.access.audit.note(caller, "person.erase")
    return onward("/people?said=erased")


@router.get("/{who}/identifiers", **door("change_identifiers", Right.EDIT))
def before_identifying(who: Who, request: Request, project: Ours, caller: Asking) -> Response:
    """Show what a person is known by, and say what a change of it means."""
    caller.require(Right.VALUES)
    return _renaming(request, project, who)


@router.post("/{who}/identifiers", **door("change_identifiers", Right.EDIT))
def identify(who: Who, request: Request, project: Ours, caller: Asking, form: Filled) -> Response:
    """Give a person other identifiers."""
    caller.require(Right.VALUES)
    wanted, was = (
        Identifiers(form.get(f"{of}id") or None, form.get(f"{of}email") or None)
        for of in ("", "was_")
    )
    try:
        found = project.change_identifiers(who, wanted, was=was)
    except RowliftError as error:
        at = "email" if error.code.startswith("EMAIL") else "id"
        return _renaming(request, project, who, Wrong.of(error, at, **form))
    project.access.audit.note(caller, "person.identifiers", str(found.number))
    return onward(f"/people/{part(identifier(found))}?said=identified")


@router.post("/{who}/merges/{number}/undo", **door("undo_merge", Right.EDIT))
def undo_merge(
    who: Who, number: Annotated[int, Path(ge=1, lt=2**63)], project: Ours, caller: Asking
) -> Response:
    """Part two people again who were merged."""
    project.undo_merge(number)
    project.access.audit.note(caller, "merge.undo", str(number))
    return onward(f"/people/{part(who)}?said=parted")


def _renaming(request: Request, project: Project, who: str, wrong: Wrong | None = None) -> Response:
    page = Renaming(who, project.person(who), project.why(who).syncs)
    return show(request, "identifiers.html", page, wrong=wrong)


def _asked(request: Request, project: Project, who: str, wrong: Wrong | None = None) -> Response:
    found = project.person(who)
    syncs = sorted({one.sync for one in project.why(who).syncs})
    return show(request, "erase.html", Erasure(who, called(found), found, syncs), wrong=wrong)


def _finds(look: Callable[[str], object], q: str) -> bool:
    """Tell whether a text is an identifier of one, where one looks."""
    try:
        look(q)
    except (StateError, ConfigError):  # nobody, or two people
        return False
    return True


def _named(project: Project, who: str) -> str:
    """Return a person's own name for the list, where a text may stand for several kinds."""
    try:
        return identifier(project.person(who)) or who
    except StateError:
        return who
