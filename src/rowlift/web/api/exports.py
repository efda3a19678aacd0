"""Lists of people that leave the house, each written down in the audit log."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from starlette.responses import StreamingResponse

from rowlift.core.rights import Right
from rowlift.operations.exporting import PersonExport, member_lines, people_lines
from rowlift.web.api.people import Who
from rowlift.web.downloads import FormPart, described, download
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(tags=["exports"])


@router.get(
    "/people.{form}",
    response_class=StreamingResponse,
    responses=dict(described("csv", "jsonl")),
    **door("export_people", Right.EXPORT),
)
def people(
    form: FormPart,
    project: Ours,
    caller: Asking,
    suppressed: Annotated[bool, Query(description="With those who are suppressed.")] = False,
) -> StreamingResponse:
    """Download everybody with every attribute and the sync and run that wrote it."""
    project.access.audit.note(caller, "people.export", after={"suppressed": suppressed})
    found = project.export_people(suppressed=suppressed)
    return download(people_lines(found, form), "people", form)


@router.get("/people/{who}/export", **door("export_person", Right.EXPORT))
def person(who: Who, project: Ours, caller: Asking, response: Response) -> PersonExport:
    """Download everything that is kept of one person; the log keeps no name of theirs."""
    found = project.export_person(who)
    project.access.audit.note(caller, "person.export")
    response.headers["Content-Disposition"] = 'attachment; filename="person.json"'
    return found


@router.get(
    "/segments/{name}/members.{form}",
    response_class=StreamingResponse,
    responses=dict(described("csv", "jsonl")),
    **door("export_segment", Right.EXPORT),
)
def members(
    name: Annotated[str, Path(max_length=1000)], form: FormPart, project: Ours, caller: Asking
) -> StreamingResponse:
    """Download everybody who is in a segment."""
    name = project.segment(name).name
    project.access.audit.note(caller, "segment.export", name)
    return download(member_lines(project.export_segment(name), form), "segment", form)
