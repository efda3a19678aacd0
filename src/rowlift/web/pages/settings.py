"""The workspace's own settings, and the log of what everybody did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from rowlift.core.errors import RowliftError
from rowlift.core.rights import Right
from rowlift.operations.callers import Caller
from rowlift.operations.defining import DefinitionRecord
from rowlift.operations.project import Project
from rowlift.state.audit import AuditProof, AuditRecord
from rowlift.web.pages.forms import Filled, Wrong, onward
from rowlift.web.pages.render import show
from rowlift.web.pages.settings_form import field_of, with_settings
from rowlift.web.paging import Cursor, page, place
from rowlift.web.rights import Asking, Ours, door
from rowlift.web.versions import expected

router = APIRouter(prefix="/settings")

LINES = 50  # of the log on one page


@dataclass(frozen=True, slots=True)
class Settings:
    """What the workspace's document says, and who may change it where."""

    definition: DefinitionRecord


@dataclass(frozen=True, slots=True)
class Log:
    """What everybody did, the newest first, and whether all of it is as it was written."""

    items: Sequence[AuditRecord]
    next: str | None
    actor: str
    action: str
    proof: AuditProof | None


@router.get("", **door("definitions.get", Right.READ))
def settings(request: Request, project: Ours) -> Response:
    """Show what is decided for the whole workspace."""
    return show(request, "settings.html", Settings(workspace(project)))


@router.post("", **door("definitions.edit", Right.EDIT))
def change(request: Request, project: Ours, caller: Asking, form: Filled) -> Response:
    """Change the workspace's identifiers, rights and retention."""
    try:
        rewrite(project, caller, form, with_settings(workspace(project), form))
    except RowliftError as error:
        wrong = Wrong.of(error, field_of(error), **form)
        return show(request, "settings.html", Settings(workspace(project)), wrong=wrong)
    return onward("/settings?said=settings")


@router.post("/prune", **door("prune", Right.ADMIN))
def prune(project: Ours, caller: Asking) -> Response:
    """Forget what is older than the retention, at once."""
    report = project.prune()
    project.access.audit.note(caller, "prune", after={"runs": report.runs, "files": report.files})
    return onward("/settings?said=pruned")


@router.get("/audit", **door("access.audit.page", Right.ADMIN))
def audit(
    request: Request,
    project: Ours,
    cursor: Cursor = None,
    actor: Annotated[str, Query(max_length=320)] = "",
    action: Annotated[str, Query(max_length=100)] = "",
    prove: Annotated[bool, Query()] = False,  # noqa: FBT002
) -> Response:
    """Show what people did, and on demand whether nobody changed a line."""
    log = project.access.audit
    found = log.page(LINES, before=place(cursor), actor=actor.strip(), action=action.strip())
    shown = page(found, LINES, lambda one: one.id)
    proof = log.prove() if prove else None
    return show(request, "audit.html", Log(shown.items, shown.next, actor, action, proof))


def rewrite(
    project: Project, caller: Caller, typed: Mapping[str, str], document: Mapping[str, Any]
) -> None:
    """Change the workspace's document, if it is still at the version that the form was made of."""
    before = workspace(project)
    definitions = project.definitions.by(caller.name, "ui")
    version = expected(typed.get("version"))
    after = definitions.edit("workspace", before.name, document, expected=version)
    project.access.audit.note(
        caller, "workspace.edit", before.name, before=before.document, after=after.document
    )


def workspace(project: Project) -> DefinitionRecord:
    """Return the definition of the workspace itself."""
    return project.definitions.get("workspace", project.glance.about().workspace)
