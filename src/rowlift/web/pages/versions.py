"""What a sync was before: its versions, restoring one, editing, duplicating and deleting it."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from rowlift.core.errors import ConfigError, RowliftError
from rowlift.core.rights import Right
from rowlift.operations.callers import Caller
from rowlift.operations.defining import DefinitionRecord
from rowlift.operations.project import Project
from rowlift.state.definitions import Version
from rowlift.web.pages.forms import Text, onward, version_in
from rowlift.web.pages.render import show
from rowlift.web.pages.words import listed, part
from rowlift.web.paging import Cursor, page, place
from rowlift.web.problems import Problem, problem
from rowlift.web.queries import ASKING
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(prefix="/syncs")

VERSIONS = 50  # on one page

Name = Annotated[str, Path(max_length=200)]
Number = Annotated[int | None, Query(ge=1, lt=2**31)]


@dataclass(frozen=True, slots=True)
class History:
    """What a sync was, one page from the newest on, and what changed at one version."""

    definition: DefinitionRecord
    versions: Sequence[Version]
    version: int
    diff: str
    refused: Problem | None = None
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Deleting:
    """A sync that somebody thinks of deleting, and why it was not."""

    definition: DefinitionRecord
    refused: Problem | None = None


@router.post("/{name}/edit", **door("drafts.edit", Right.EDIT))
def edit(name: Name, project: Ours, caller: Asking) -> Response:
    """Go on with one's draft of a sync, or begin one."""
    return onward(f"/drafts/{project.drafts.edit(name, by=caller).id}")


@router.post("/{name}/duplicate", **door("drafts.duplicate", Right.EDIT))
def duplicate(name: Name, project: Ours, caller: Asking) -> Response:
    """Begin a new sync from this one."""
    return onward(f"/drafts/{project.drafts.duplicate(name, by=caller).id}")


@router.get("/{name}/history", **door("definitions.versions", Right.READ))
def history(
    name: Name, request: Request, project: Ours, version: Number = None, cursor: Cursor = None
) -> Response:
    """Show what a sync was, and what changed at one version."""
    return show(request, "history.html", _history(project, name, version, before=place(cursor)))


@router.post("/{name}/restore", dependencies=ASKING, **door("definitions.restore", Right.EDIT))
def restore(
    name: Name, request: Request, project: Ours, caller: Asking, version: Text = "",
    expected: Text = "",
) -> Response:  # fmt: skip
    """Bring back what a sync was at a version."""
    before = project.definitions.get("sync", name)
    try:
        door_ = project.definitions.by(caller.name, "ui")
        made = door_.restore("sync", name, version_in(version), expected=version_in(expected))
    except RowliftError as error:
        found = problem(error)
        answer = show(request, "history.html", _history(project, name, None, found))
        answer.status_code = found.status
        return answer
    _note(project, caller, "restore", before, made)
    return onward(f"/syncs/{part(made.name)}/history?said=restored")


@router.get("/{name}/delete", **door("definitions.get", Right.EDIT))
def before_delete(name: Name, request: Request, project: Ours) -> Response:
    """Say what deleting a sync takes away, and what stays."""
    return show(request, "sync_delete.html", Deleting(project.definitions.get("sync", name)))


@router.post("/{name}/delete", **door("definitions.archive", Right.EDIT))
def delete(
    name: Name, request: Request, project: Ours, caller: Asking, typed: Text = "",
    expected: Text = "",
) -> Response:  # fmt: skip
    """Take a sync out of use, whose name was typed."""
    before = project.definitions.get("sync", name)
    try:
        _require_typed(typed, name)
        door_ = project.definitions.by(caller.name, "ui")
        made = door_.archive("sync", name, expected=version_in(expected))
    except RowliftError as error:
        found = problem(error)
        answer = show(request, "sync_delete.html", Deleting(before, found))
        answer.status_code = found.status
        return answer
    _note(project, caller, "archive", before, made)
    return onward("/syncs?said=deleted")


def _require_typed(typed: str, name: str) -> None:
    if typed.strip() != name:
        text = "The name that was typed is another one."
        raise ConfigError("VALUE_WRONG", text, mend=f"Type {name}, or keep the sync.")


def _history(
    project: Project, name: str, version: int | None, refused: Problem | None = None,
    *, before: int | None = None,
) -> History:  # fmt: skip
    found = project.definitions.get("sync", name)
    shown = version or found.version
    diff = project.definitions.diff("sync", name, shown)
    some = project.definitions.versions("sync", name, VERSIONS, before=before)
    listed = page(some, VERSIONS, attrgetter("version"))
    return History(found, listed.items, shown, diff, refused, listed.next)


def authors(project: Project, kind: str, name: str, since: int) -> str:
    """Return who wrote the versions of a definition after one."""
    newer = [one for one in project.definitions.versions(kind, name) if one.version > since]
    newer.sort(key=lambda one: one.version)
    return listed([*dict.fromkeys(one.actor or "Somebody" for one in newer)] or ["Somebody"])


def _note(
    project: Project, caller: Caller, what: str, before: DefinitionRecord, after: DefinitionRecord
) -> None:
    project.access.audit.note(
        caller, f"sync.{what}", after.name, before=before.document, after=after.document
    )
