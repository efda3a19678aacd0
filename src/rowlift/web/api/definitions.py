"""Sources, destinations, syncs and settings that are made here; those of files are shown only."""

from operator import attrgetter
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from rowlift.core.estimates import Estimate
from rowlift.core.rights import Right
from rowlift.engine.preview import Preview
from rowlift.operations.callers import Caller
from rowlift.operations.covering import covered
from rowlift.operations.defining import DefinitionRecord
from rowlift.operations.definitions import Definitions
from rowlift.operations.outlining import Outline
from rowlift.operations.project import Project
from rowlift.state.definitions import Version
from rowlift.web.bodies import Body
from rowlift.web.paging import (
    Cursor,
    Limit,
    NamesCursor,
    Page,
    page,
    page_by_names,
    place,
    place_by_names,
)
from rowlift.web.queries import ASKING
from rowlift.web.rights import Asking, Ours, door
from rowlift.web.versions import IfMatch, expected, tagged

router = APIRouter(prefix="/definitions", tags=["definitions"])

KindName = Literal["source", "destination", "channel", "sync", "forward", "audience", "workspace"]
Kind = Annotated[KindName, Path(description="What it defines.")]
Name = Annotated[str, Path(max_length=200)]


class NewDefinition(Body):
    """A definition of any kind but a workspace's; the document is what its file would hold."""

    name: str = Field(max_length=200, examples=["warehouse"])
    document: dict[str, Any] = Field(examples=[{"type": "sqlite", "path": "shop.db"}])


class Document(Body):
    """What a definition shall be; a reference ${secret:…} as it was read keeps that secret."""

    document: dict[str, Any] = Field(examples=[{"type": "sqlite", "path": "shop.db"}])


class Sketch(Body):
    """A sync as it might be; without a document, as it is."""

    name: str = Field(max_length=200, examples=["people"])
    document: dict[str, Any] | None = Field(
        None, examples=[{"source": "shop", "sql": "SELECT id, plan FROM people"}]
    )


class Written(Body):
    """A sync as it might be."""

    name: str = Field(max_length=200, examples=["people"])
    document: dict[str, Any] = Field(
        examples=[{"source": "shop", "sql": "SELECT id, plan FROM people"}]
    )


class Trial(Body):
    """A sync as it might be; without a name, a new one."""

    name: str = Field("", max_length=200, examples=["people"])
    document: dict[str, Any] = Field(
        examples=[
            {
                "source": "shop",
                "sql": "SELECT id, plan FROM people",
                "identify_by": "id",
                "preset": "traits",
            }
        ]
    )


class Rename(Body):
    """Another name."""

    to: str = Field(max_length=200, examples=["warehouse_eu"])


class Diff(BaseModel):
    """A unified diff."""

    diff: str


@router.get("", **door("definitions.list", Right.READ))
def definitions(
    project: Ours,
    caller: Asking,
    kind: Annotated[KindName | None, Query(description="Of one.")] = None,
    archived: Annotated[bool, Query(description="With those that are out of use.")] = False,
    limit: Limit = 100,
    cursor: NamesCursor = None,
) -> Page[DefinitionRecord]:
    """List definitions by kind and name, without secrets.

    Who may not edit them sees scheme and host of an address only: its path may hold a token.
    """
    found = project.definitions.list(
        kind, archived=archived, whole=_may_edit(caller), limit=limit,
        after=place_by_names(cursor, 3),
    )  # fmt: skip
    return page_by_names(found, limit, attrgetter("kind", "name", "uid"))


@router.post(
    "/{kind}", status_code=201, dependencies=ASKING, **door("definitions.create", Right.EDIT)
)
def create(
    kind: Kind, body: NewDefinition, project: Ours, caller: Asking, response: Response
) -> DefinitionRecord:
    """Make a definition, judged like a file; a trait is previewed first. Secrets are sealed."""
    made = _ours(project, caller).create(kind, body.name, body.document)
    return _changed(project, caller, response, "create", None, made)


@router.post("/sync/estimate", dependencies=ASKING, **door("definitions.estimate", Right.EDIT))
def estimate(body: Sketch, project: Ours) -> Estimate:
    """Say what a sync would take before it is saved: time, calls, bytes, and what is advised."""
    return project.definitions.estimate(body.name, body.document)


@router.post("/sync/outline", **door("definitions.outline", Right.EDIT))
def outline(body: Written, project: Ours) -> Outline:
    """Say what a sync would be before it is saved: in words, with what is wrong and when due."""
    return project.definitions.outline(body.name, body.document)


@router.post("/sync/preview", dependencies=ASKING, **door("definitions.preview", Right.EDIT))
def preview(
    body: Trial,
    project: Ours,
    caller: Asking,
    sample: Annotated[bool, Query(description="Stop after 100 rows.")] = False,
    relationships: Annotated[bool, Query(description="Of the sync's second query.")] = False,
    last_sync_time: Annotated[int, Query(ge=0, lt=2**53)] = 0,
) -> Preview:
    """Preview a sync before it is saved; without a name it is a new one."""
    caller.require(Right.VALUES)
    return project.definitions.preview(
        body.document, body.name, sample=sample, relationships=relationships,
        last_sync_time=last_sync_time,
    )  # fmt: skip


@router.get("/{kind}/{name}", **door("definitions.get", Right.READ))
def definition(
    kind: Kind, name: Name, project: Ours, caller: Asking, response: Response
) -> DefinitionRecord:
    """Return one definition, archived ones too; its ETag is for changing it."""
    return tagged(response, project.definitions.get(kind, name, whole=_may_edit(caller)))


@router.put("/{kind}/{name}", dependencies=ASKING, **door("definitions.edit", Right.EDIT))
def edit(
    kind: Kind, name: Name, body: Document, project: Ours, caller: Asking, response: Response,
    if_match: IfMatch = None,
) -> DefinitionRecord:  # fmt: skip
    """Replace a document; needs If-Match. Another host needs the secrets again."""
    version, before = expected(if_match), project.definitions.get(kind, name)
    made = _ours(project, caller).edit(kind, name, body.document, expected=version)
    return _changed(project, caller, response, "edit", before, made)


@router.post("/{kind}/{name}/rename", **door("definitions.rename", Right.EDIT))
def rename(
    kind: Kind, name: Name, body: Rename, project: Ours, caller: Asking, response: Response,
    if_match: IfMatch = None,
) -> DefinitionRecord:  # fmt: skip
    """Give another name, also in those that use it; needs If-Match."""
    version, before = expected(if_match), project.definitions.get(kind, name)
    made = _ours(project, caller).rename(kind, name, body.to, expected=version)
    return _changed(project, caller, response, "rename", before, made)


@router.delete("/{kind}/{name}", **door("definitions.archive", Right.EDIT))
def archive(
    kind: Kind, name: Name, project: Ours, caller: Asking, response: Response,
    if_match: IfMatch = None,
) -> DefinitionRecord:  # fmt: skip
    """Take out of use; what a sync imported stays. Needs If-Match."""
    version, before = expected(if_match), project.definitions.get(kind, name)
    made = _ours(project, caller).archive(kind, name, expected=version)
    return _changed(project, caller, response, "archive", before, made)


@router.post(
    "/{kind}/{name}/restore", dependencies=ASKING, **door("definitions.restore", Right.EDIT)
)
def restore(
    kind: Kind, name: Name, project: Ours, caller: Asking, response: Response,
    version: Annotated[int | None, Query(ge=1, lt=2**31, description="Which one.")] = None,
    if_match: IfMatch = None,
) -> DefinitionRecord:  # fmt: skip
    """Bring back what was archived, or a former version; needs If-Match."""
    newest, before = expected(if_match), project.definitions.get(kind, name)
    made = _ours(project, caller).restore(kind, name, version, expected=newest)
    return _changed(project, caller, response, "restore", before, made)


@router.get("/{kind}/{name}/versions", **door("definitions.versions", Right.READ))
def versions(
    kind: Kind, name: Name, project: Ours, caller: Asking, limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Version]:  # fmt: skip
    """List what a definition was, the newest first."""
    before, may_edit = place(cursor), _may_edit(caller)
    found = project.definitions.versions(kind, name, limit, before=before, whole=may_edit)
    return page(found, limit, attrgetter("version"))


@router.get("/{kind}/{name}/diff", **door("definitions.diff", Right.READ))
def diff(
    kind: Kind,
    name: Name,
    project: Ours,
    caller: Asking,
    version: Annotated[int, Query(ge=1, lt=2**31)],
    before: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
) -> Diff:
    """Compare a version with the one before it, or with another one."""
    may_edit = _may_edit(caller)
    return Diff(diff=project.definitions.diff(kind, name, version, before, whole=may_edit))


def _may_edit(caller: Caller) -> bool:
    return Right.EDIT in caller.rights


def _ours(project: Project, caller: Caller) -> Definitions:
    return project.definitions.by(caller.name, "api")


def _changed(
    project: Project, caller: Caller, response: Response, what: str,
    before: DefinitionRecord | None, after: DefinitionRecord,
) -> DefinitionRecord:  # fmt: skip
    project.access.audit.note(
        caller,
        f"{after.kind}.{what}",
        after.name,
        before=covered(before).document if before else {},
        after=covered(after).document,
    )
    return tagged(response, after)
